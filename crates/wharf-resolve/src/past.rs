//! What was learnt from failures: sets of packages beside which a dependency cannot be satisfied. True for
//! the whole search, whatever way led there.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};

use wharf_core::package::PackageId;

use crate::catalog::{DependencyIx, PackageIx};
use crate::conflict::Reason;

/// A package in a set of packages that is sorted by id, so that searches do not depend on numbering.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    pub package: PackageIx,
    pub id: PackageId,
}

impl PartialEq for Chosen {
    fn eq(&self, other: &Self) -> bool {
        self.package == other.package
    }
}
impl Eq for Chosen {}
impl PartialOrd for Chosen {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Chosen {
    fn cmp(&self, other: &Self) -> Ordering {
        self.id.cmp(&other.id).then(self.package.cmp(&other.package))
    }
}

/// Packages that are in the way of a dependency, each with a reason. While all of them are chosen the
/// dependency cannot be satisfied.
pub(crate) type Obstacles = BTreeMap<Chosen, Reason>;

/// A set of sets, searched for one whose members are all chosen.
#[derive(Debug)]
enum Sets {
    Whole(Obstacles),
    By(BTreeMap<Chosen, Self>),
}

impl Sets {
    /// Finds the set whose youngest member is oldest (going back beyond it leads furthest), with that age.
    /// `must` has to be in it and does not count.
    fn find(
        &self,
        age_of: &dyn Fn(PackageIx) -> Option<u32>,
        must: Option<&Chosen>,
        younger_than: u32,
    ) -> Option<(&Obstacles, u32)> {
        let branches = match self {
            Self::Whole(set) => return must.is_none().then_some((set, 0)),
            Self::By(branches) => branches,
        };
        let mut limit = younger_than;
        let mut best = None;
        for (chosen, rest) in branches {
            // Sets are walked in order, so `must` cannot come any more.
            if must.is_some_and(|must| chosen > must) {
                break;
            }
            let is_must = must == Some(chosen);
            let Some(age) = age_of(chosen.package) else { continue };
            if age >= limit && !is_must {
                continue;
            }
            if let Some((set, rest_age)) = rest.find(age_of, must.filter(|_| !is_must), limit) {
                let youngest = if is_must { rest_age } else { age.max(rest_age) };
                if youngest < limit {
                    best = Some((set, youngest));
                    limit = youngest;
                }
            }
        }
        best
    }

    fn insert<'a>(&mut self, mut rest: impl Iterator<Item = &'a Chosen>, set: &Obstacles) {
        match rest.next() {
            None => *self = Self::Whole(set.clone()),
            Some(chosen) => {
                // A smaller set that is known already says more.
                if let Self::By(branches) = self {
                    let branch = branches.entry(chosen.clone()).or_insert_with(|| Self::By(BTreeMap::new()));
                    branch.insert(rest, set);
                }
            }
        }
    }
}

/// All that was learnt.
#[derive(Default)]
pub(crate) struct Past {
    by_dependency: HashMap<DependencyIx, Sets>,
    dependencies_with: HashMap<PackageIx, HashSet<DependencyIx>>,
}

impl Past {
    /// A known set that keeps `dependency` from being satisfied. See [`Sets::find`] for the others.
    pub fn find(
        &self,
        dependency: DependencyIx,
        age_of: &dyn Fn(PackageIx) -> Option<u32>,
        must: Option<&Chosen>,
        younger_than: u32,
    ) -> Option<&Obstacles> {
        self.by_dependency.get(&dependency)?.find(age_of, must, younger_than).map(|(set, _)| set)
    }

    /// The dependencies that some known set with `package` is about.
    pub fn concerned(&self, package: PackageIx) -> Option<&HashSet<DependencyIx>> {
        self.dependencies_with.get(&package)
    }

    /// Remembers that `dependency` cannot be satisfied beside `set`.
    pub fn insert(&mut self, dependency: DependencyIx, set: &Obstacles) {
        let sets = self.by_dependency.entry(dependency).or_insert_with(|| Sets::By(BTreeMap::new()));
        sets.insert(set.keys(), set);
        for chosen in set.keys() {
            self.dependencies_with.entry(chosen.package).or_default().insert(dependency);
        }
    }
}
