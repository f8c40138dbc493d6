//! The search: depth first, the dependency with the least choice first, the most preferred candidate first,
//! going back as far as the reasons of a failure allow.
//!
//! The order is Cargo's, step by step, including what it learns from failures and when it leaves a frame
//! out, because every one of these decides which of several possible answers is found.

use std::collections::HashSet;
use std::rc::Rc;

use crate::catalog::{Catalog, DependencyIx, NeedsError, PackageIx, Slot};
use crate::conflict::{Conflict, ConflictKind, Reason};
use crate::explain;
use crate::past::{Chosen, Obstacles, Past};
use crate::problem::Root;
use crate::requirements::{DEFAULT, Request, Wanted};
use crate::state::{State, Turn};

/// The candidates of one dependency that are left, looking one ahead.
#[derive(Clone)]
struct Remaining {
    candidates: Rc<[PackageIx]>,
    next: usize,
    peeked: Option<PackageIx>,
}

impl Remaining {
    fn new(turn: &Turn) -> Self {
        Self { candidates: Rc::clone(&turn.need().candidates), next: 0, peeked: None }
    }
}

/// Where the search can go back to.
struct Branch {
    mark: usize,
    age: u32,
    remaining: Remaining,
    turn: Turn,
    obstacles: Obstacles,
}

/// Why a candidate was not activated.
enum Refused {
    /// `package` is in the way.
    Conflict(PackageIx, Reason),
    Fatal(Conflict),
}

impl From<Conflict> for Refused {
    fn from(conflict: Conflict) -> Self {
        Self::Fatal(conflict)
    }
}

pub(crate) struct Search<'a> {
    pub catalog: Catalog<'a>,
    pub state: State,
    past: Past,
    branches: Vec<Branch>,
    tried: u64,
}

impl<'a> Search<'a> {
    pub fn new(catalog: Catalog<'a>) -> Self {
        Self { catalog, state: State::default(), past: Past::default(), branches: Vec::new(), tried: 0 }
    }

    /// Chooses a package for every dependency that the roots lead to.
    pub fn run(&mut self) -> Result<(), Conflict> {
        if self.catalog.index.gathers() {
            self.catalog.gather();
        }
        for root in &self.catalog.problem.roots {
            self.activate_root(root)?;
        }
        while let Some(turn) = self.state.pop() {
            self.satisfy(turn)?;
        }
        Ok(())
    }

    fn activate_root(&mut self, root: &Root) -> Result<(), Conflict> {
        let package = self.catalog.add(&root.summary);
        self.state.age += 1;
        match self.flag(package, None, None) {
            Ok(_) => {}
            Err(Refused::Fatal(conflict)) => return Err(conflict),
            Err(Refused::Conflict(other, reason)) => {
                return Err(explain::root_conflict(self, package, other, reason));
            }
        }
        let request = Request::Root { features: &root.features, dev_dependencies: root.dev_dependencies };
        let needs = self.catalog.needs_for(package, request).map_err(|error| match error {
            NeedsError::Fatal(conflict) => explain::with_path(self, conflict, package),
            NeedsError::Missing(missing) => explain::root_feature(&root.summary, missing),
        })?;
        self.state.add_features(package, &needs.features);
        self.state.push(package, Rc::new(needs), false);
        Ok(())
    }

    /// Chooses a package for one dependency, going back where there is none.
    fn satisfy(&mut self, mut turn: Turn) -> Result<(), Conflict> {
        if turn.hopeless {
            turn.hopeless = self.known_obstacles(turn.need().dependency, None).is_some();
        }
        let mut obstacles = Obstacles::new();
        let mut remaining = Remaining::new(&turn);
        // After going back, the obstacles are not all the reasons any more: nothing is learnt from them.
        let mut went_back = false;
        loop {
            let next = match self.next(&mut remaining, &mut obstacles) {
                Some(next) => next,
                None => {
                    let branch = self.go_back(&turn, &obstacles, went_back)?;
                    let hopeless = turn.hopeless;
                    Branch { remaining, turn, obstacles, .. } = branch;
                    turn.hopeless = hopeless;
                    went_back = true;
                    self.next(&mut remaining, &mut obstacles)
                        .expect("a branch is kept only while it has another candidate")
                }
            };
            let (candidate, has_another) = next;
            // Where failure is certain the last candidate tells the story as well as the others.
            if turn.hopeless && !went_back && has_another {
                continue;
            }
            let branch = has_another.then(|| Branch {
                mark: self.state.mark(),
                age: self.state.age,
                remaining: remaining.clone(),
                turn: turn.clone(),
                obstacles: obstacles.clone(),
            });
            self.tried += 1;
            if self.tried > self.catalog.problem.effort {
                let dependency = self.catalog.dependency(turn.need().dependency).entry.clone();
                let kind = ConflictKind::Exhausted { dependency: Some(dependency), tried: self.tried - 1 };
                return Err(explain::with_path(self, Conflict::new(kind), turn.parent));
            }
            match self.try_candidate(&turn, candidate, &mut obstacles, (has_another, went_back)) {
                Ok(true) => {
                    self.branches.extend(branch);
                    return Ok(());
                }
                Ok(false) => {}
                Err(Refused::Conflict(package, reason)) => {
                    obstacles.insert(self.chosen(package), reason);
                }
                Err(Refused::Fatal(conflict)) => return Err(conflict),
            }
            // Without a branch there is no other candidate, and what was done is undone by going back.
            if let Some(branch) = branch {
                self.state.undo_to(branch.mark);
                self.state.age = branch.age;
            }
        }
    }

    /// The next candidate that fits beside what is chosen, and whether there is another after it. Those
    /// that do not fit leave their reasons in `obstacles`.
    fn next(&self, remaining: &mut Remaining, obstacles: &mut Obstacles) -> Option<(PackageIx, bool)> {
        let mut last = None;
        while let Some(package) = remaining.candidates.get(remaining.next).copied() {
            remaining.next += 1;
            let facts = self.catalog.package(package);
            let rival = match self.state.in_slot(facts.slot) {
                Some(other) if other != package => Some((other, Reason::Version)),
                _ => facts.links.and_then(|links| {
                    let other = self.state.linked(links).filter(|other| *other != package)?;
                    let name = facts.summary.links.as_ref().expect("it was numbered");
                    Some((other, Reason::Links(name.clone())))
                }),
            };
            if let Some((other, reason)) = rival {
                if last != Some(other) {
                    obstacles.entry(self.chosen(other)).or_insert(reason);
                    last = Some(other);
                }
                continue;
            }
            if let Some(found) = remaining.peeked.replace(package) {
                return Some((found, true));
            }
        }
        remaining.peeked.take().map(|found| (found, false))
    }

    /// Activates a candidate; `false` when it is known to fail later.
    fn try_candidate(
        &mut self,
        turn: &Turn,
        candidate: PackageIx,
        obstacles: &mut Obstacles,
        (has_another, went_back): (bool, bool),
    ) -> Result<bool, Refused> {
        let Some((parent, needs)) = self.activate(turn, candidate)? else {
            return Ok(true);
        };
        let mut hopeless = turn.hopeless;
        if !hopeless
            && let Some(known) =
                needs.list.iter().find_map(|need| self.known_obstacles(need.dependency, None))
        {
            let known = without(known, candidate);
            obstacles.extend(known);
            hopeless = true;
        }
        if !hopeless && let Some(known) = self.spoils(candidate) {
            obstacles.extend(known);
            hopeless = true;
        }
        let tells_the_story =
            hopeless && !has_another && (turn.hopeless || !self.can_go_back(turn, obstacles, went_back));
        if tells_the_story {
            self.branches.clear();
        }
        if hopeless && !tells_the_story {
            return Ok(false);
        }
        self.state.push(parent, needs, hopeless);
        Ok(true)
    }

    /// Whether choosing `candidate` leaves something else that is still to be done without a candidate; then
    /// what is in the way of `candidate`.
    fn spoils(&self, candidate: PackageIx) -> Option<Obstacles> {
        let concerned = self.past.concerned(candidate)?;
        let candidate = self.chosen(candidate);
        let (parent, known) =
            self.state.remaining().filter(|(_, dependency)| concerned.contains(dependency)).find_map(
                |(parent, dependency)| Some((parent, self.known_obstacles(dependency, Some(&candidate))?)),
            )?;
        let reason = known[&candidate].clone();
        let mut known = without(known, candidate.package);
        // What is still to be done is so because its parent is chosen.
        known.insert(self.chosen(parent), reason);
        Some(known)
    }

    fn chosen(&self, package: PackageIx) -> Chosen {
        Chosen { package, id: self.catalog.id(package).clone() }
    }

    fn known_obstacles(&self, dependency: DependencyIx, must: Option<&Chosen>) -> Option<&Obstacles> {
        let age_of = |package| self.state.age_of(&self.catalog, package);
        self.past.find(dependency, &age_of, must, u32::MAX)
    }

    /// Chooses `candidate` for a dependency. `None` when it is there already with all that is asked of it,
    /// else what it needs, with the package that needs it (which differs under `[replace]`).
    fn activate(
        &mut self,
        turn: &Turn,
        candidate: PackageIx,
    ) -> Result<Option<(PackageIx, Rc<crate::catalog::Needs>)>, Refused> {
        let need = turn.need();
        self.state.age += 1;
        self.state.add_edge(candidate, turn.parent, need.dependency);
        let is_there = self.flag(candidate, Some(need.dependency), Some(&need.wanted))?;
        let package = match self.catalog.replacement(candidate) {
            Some(replacement) => {
                if self.flag(replacement, None, Some(&need.wanted))? && is_there {
                    return Ok(None);
                }
                replacement
            }
            None if is_there => return Ok(None),
            None => candidate,
        };
        let needs = match self.catalog.needs(package, &need.wanted) {
            Ok(needs) => needs,
            Err(NeedsError::Fatal(conflict)) => {
                return Err(Refused::Fatal(explain::with_path(self, conflict, package)));
            }
            Err(NeedsError::Missing(missing)) => {
                return Err(match missing.reason(self.catalog.summary(package)) {
                    Ok(reason) => Refused::Conflict(turn.parent, reason),
                    Err(feature) => Refused::Fatal(explain::feature_cycle(self, package, feature)),
                });
            }
        };
        self.state.add_features(package, &needs.features);
        Ok(Some((package, needs)))
    }

    /// Marks a package as chosen. Whether it was, with all the features that are asked of it.
    fn flag(
        &mut self,
        package: PackageIx,
        dependency: Option<DependencyIx>,
        wanted: Option<&Wanted>,
    ) -> Result<bool, Refused> {
        let facts = self.catalog.package(package);
        let (slot, links) = (facts.slot, facts.links);
        if self.state.in_slot(slot).is_none() {
            if let Some(links) = links {
                if let Some(other) = self.state.linked(links) {
                    let name = self.catalog.summary(package).links.clone().expect("it was numbered");
                    return Err(Refused::Conflict(other, Reason::Links(name)));
                }
                self.state.link(links, package);
            }
            self.state.choose(slot, package);
            if let Some(other) = self.flag_stand_in(package, dependency) {
                return Err(Refused::Conflict(other, Reason::Version));
            }
            return Ok(false);
        }
        // A root comes once with what a user asks, and any number of times as a dependency.
        let Some(wanted) = wanted else { return Ok(false) };
        let none = std::collections::BTreeSet::new();
        let there = self.state.features(package).unwrap_or(&none);
        let has_default = !wanted.default
            || there.contains(DEFAULT)
            || !self.catalog.summary(package).features.contains_key(DEFAULT);
        Ok(has_default && wanted.names.is_subset(there))
    }

    /// A patch also takes the place in the source that it patches, so that no second version of the range
    /// comes from there. Returns the package that has that place already.
    fn flag_stand_in(&mut self, package: PackageIx, dependency: Option<DependencyIx>) -> Option<PackageIx> {
        let slot: Slot = self.catalog.stand_in_slot(package, dependency?)?;
        self.state.choose(slot, package)
    }

    /// The age to which the search must go back so that something changes for a dependency of `turn.parent`;
    /// `None` when that cannot be told.
    fn critical_age(&self, turn: &Turn, obstacles: &Obstacles, went_back: bool) -> Option<u32> {
        if went_back {
            return None;
        }
        let mut age = self.state.age_of(&self.catalog, turn.parent)?;
        for chosen in obstacles.keys() {
            age = age.max(self.state.age_of(&self.catalog, chosen.package)?);
        }
        Some(age)
    }

    fn can_go_back(&self, turn: &Turn, obstacles: &Obstacles, went_back: bool) -> bool {
        match self.critical_age(turn, obstacles, went_back) {
            Some(age) => self.branches.iter().any(|branch| branch.age < age),
            None => !self.branches.is_empty(),
        }
    }

    /// Learns from the failure of a dependency and goes back to where it can be avoided.
    fn go_back(&mut self, turn: &Turn, obstacles: &Obstacles, went_back: bool) -> Result<Branch, Conflict> {
        let mut wider = None;
        if !turn.hopeless && !went_back {
            self.past.insert(turn.need().dependency, obstacles);
            wider = self.widen(turn, obstacles)?;
        }
        let age = self.critical_age(turn, wider.as_ref().unwrap_or(obstacles), went_back);
        while let Some(branch) = self.branches.pop() {
            if age.is_none_or(|age| branch.age < age) {
                self.state.undo_to(branch.mark);
                self.state.age = branch.age;
                return Ok(branch);
            }
        }
        Err(explain::failure(self, turn, obstacles))
    }

    /// Looks for a failure that reaches further back: where the youngest obstacle was chosen for a dependency
    /// all of whose candidates are known to be in the way, the parent of that dependency is the obstacle.
    fn widen(&mut self, turn: &Turn, obstacles: &Obstacles) -> Result<Option<Obstacles>, Conflict> {
        let mut critical: Option<(u32, &Chosen)> = None;
        for chosen in obstacles.keys() {
            let Some(age) = self.state.age_of(&self.catalog, chosen.package) else { return Ok(None) };
            if critical.is_none_or(|found| (age, chosen) > found) {
                critical = Some((age, chosen));
            }
        }
        let Some((critical_age, critical)) = critical else { return Ok(None) };
        // Below the cause the failure is better left to rise to it.
        if self.leads_up(turn.parent, critical.package) {
            return Ok(None);
        }
        let mut parents: Vec<(Chosen, Vec<DependencyIx>)> = self
            .state
            .parents(critical.package)
            .iter()
            .filter(|(parent, _)| {
                self.state.age_of(&self.catalog, *parent).is_some_and(|age| age < critical_age)
            })
            .map(|(parent, dependencies)| (self.chosen(*parent), dependencies.clone()))
            .collect();
        parents.sort();
        for (parent, dependencies) in parents {
            for dependency in dependencies {
                let others = self.catalog.candidates(dependency)?;
                let known: Option<Vec<(PackageIx, &Obstacles)>> = others
                    .iter()
                    .rev()
                    .map(|other| Some((*other, self.known_with(turn, *other, critical_age)?)))
                    .collect();
                let Some(known) = known else { continue };
                let mut wider = obstacles.clone();
                for (_, set) in &known {
                    wider.extend(set.iter().map(|(chosen, reason)| (chosen.clone(), reason.clone())));
                }
                for (other, _) in &known {
                    wider.remove(&self.chosen(*other));
                }
                wider.insert(parent, obstacles[critical].clone());
                self.past.insert(turn.need().dependency, &wider);
                return Ok(Some(wider));
            }
        }
        Ok(None)
    }

    /// What is known to be in the way of a dependency if `other` were chosen at `age`.
    fn known_with(&self, turn: &Turn, other: PackageIx, age: u32) -> Option<&Obstacles> {
        let age_of = |package| {
            if package == other { Some(age) } else { self.state.age_of(&self.catalog, package) }
        };
        self.past.find(turn.need().dependency, &age_of, Some(&self.chosen(other)), age)
    }

    /// Whether `to` is among those who asked, directly or not, for `from`.
    fn leads_up(&self, from: PackageIx, to: PackageIx) -> bool {
        let mut pending = vec![from];
        let mut seen = HashSet::from([from]);
        while let Some(package) = pending.pop() {
            for (parent, _) in self.state.parents(package) {
                if *parent == to {
                    return true;
                }
                if seen.insert(*parent) {
                    pending.push(*parent);
                }
            }
        }
        false
    }
}

fn without(obstacles: &Obstacles, package: PackageIx) -> Obstacles {
    obstacles
        .iter()
        .filter(|(chosen, _)| chosen.package != package)
        .map(|(chosen, reason)| (chosen.clone(), reason.clone()))
        .collect()
}
