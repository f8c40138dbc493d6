//! The facts of one resolution, looked up once and numbered: packages, dependencies, the candidates of a
//! dependency in the order to try them, and what a package needs given the features asked of it.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::rc::Rc;
use std::sync::Arc;

use semver::{Version, VersionReq};
use wharf_core::dependency::{ReqText, Requirement};
use wharf_core::package::PackageId;
use wharf_core::summary::SharedSummary;
use wharf_core::{Dependency, PackageName, SourceId, Summary};

use crate::conflict::{Conflict, ConflictKind};
use crate::locks::LockTable;
use crate::problem::{Index, Problem, RustVersionPolicy, VersionOrder};
use crate::requirements::{Missing, Request, Wanted, requirements};

/// A package, by its position in the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PackageIx(pub u32);

/// A dependency with the lock that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct DependencyIx(pub u32);

/// A name in a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NameIx(u32);

/// The place that one compatible range of a name takes in a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Slot(pub u32);

/// A native library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LinksIx(pub u32);

/// Versions that Cargo takes for one another: their left-most part that is not zero is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Range {
    Major(NonZeroU64),
    Minor(NonZeroU64),
    Patch(u64),
}

impl Range {
    fn of(version: &Version) -> Self {
        match (NonZeroU64::new(version.major), NonZeroU64::new(version.minor)) {
            (Some(major), _) => Self::Major(major),
            (None, Some(minor)) => Self::Minor(minor),
            (None, None) => Self::Patch(version.patch),
        }
    }
}

pub(crate) struct PackageFacts {
    pub summary: SharedSummary,
    pub slot: Slot,
    pub links: Option<LinksIx>,
    preferred: bool,
    supported: usize,
}

pub(crate) struct DependencyFacts {
    /// As its manifest says it.
    pub entry: Dependency,
    /// The package that a lockfile holds it at.
    pub locked: Option<PackageId>,
    name: NameIx,
    candidates: Option<Rc<[PackageIx]>>,
}

struct NameFacts {
    source: SourceId,
    name: PackageName,
    /// Whether the index was asked for it.
    asked: bool,
    /// Whether all versions are known, and sorted.
    complete: bool,
    packages: Vec<PackageIx>,
    slots: Vec<(Range, Slot)>,
}

/// One dependency of a package, ready to be tried.
#[derive(Debug)]
pub(crate) struct Need {
    pub dependency: DependencyIx,
    pub candidates: Rc<[PackageIx]>,
    pub wanted: Wanted,
}

/// The dependencies of a package in the order to try them.
#[derive(Debug)]
pub(crate) struct Needs {
    pub features: Vec<wharf_core::FeatureName>,
    pub list: Vec<Need>,
}

/// Why needs could not be told.
pub(crate) enum NeedsError {
    Missing(Missing),
    Fatal(Conflict),
}

pub(crate) struct Catalog<'a> {
    pub problem: &'a Problem,
    pub index: &'a dyn Index,
    pub locks: LockTable,
    pub packages: Vec<PackageFacts>,
    pub dependencies: Vec<DependencyFacts>,
    /// By the canonical URL of the patched source: a patch of a repository holds for all its references.
    pub patches: Vec<(String, Vec<PackageIx>)>,
    /// `[replace]`, found as candidates come up.
    pub replaced: HashMap<PackageIx, Option<PackageIx>>,
    slots: u32,
    sources: HashMap<SourceId, u32>,
    names: HashMap<(u32, PackageName), NameIx>,
    name_facts: Vec<NameFacts>,
    links: HashMap<Arc<str>, LinksIx>,
    dependency_numbers: HashMap<(Dependency, Option<PackageId>), DependencyIx>,
    queries: HashMap<(NameIx, Requirement), Rc<[PackageIx]>>,
    needs: HashMap<(PackageIx, Wanted), Rc<Needs>>,
}

impl<'a> Catalog<'a> {
    /// A catalog that knows the members and no patches yet.
    pub fn new(problem: &'a Problem, index: &'a dyn Index, locks: LockTable) -> Self {
        let mut catalog = Self {
            problem,
            index,
            locks,
            packages: Vec::new(),
            dependencies: Vec::new(),
            patches: Vec::new(),
            replaced: HashMap::new(),
            slots: 0,
            sources: HashMap::new(),
            names: HashMap::new(),
            name_facts: Vec::new(),
            links: HashMap::new(),
            dependency_numbers: HashMap::new(),
            queries: HashMap::new(),
            needs: HashMap::new(),
        };
        for member in problem.members.iter().chain(problem.roots.iter().map(|root| &root.summary)) {
            catalog.add(member);
        }
        catalog
    }

    /// Numbers a package that did not come from a query. A path holds one package, so it answers for its
    /// whole source.
    pub fn add(&mut self, summary: &SharedSummary) -> PackageIx {
        let name = self.name(summary.id.source(), summary.id.name());
        if summary.id.source().is_path() {
            self.name_facts[name.0 as usize].complete = true;
        }
        self.intern(name, summary)
    }

    pub fn package(&self, package: PackageIx) -> &PackageFacts {
        &self.packages[package.0 as usize]
    }

    pub fn summary(&self, package: PackageIx) -> &SharedSummary {
        &self.package(package).summary
    }

    pub fn id(&self, package: PackageIx) -> &PackageId {
        &self.summary(package).id
    }

    pub fn dependency(&self, dependency: DependencyIx) -> &DependencyFacts {
        &self.dependencies[dependency.0 as usize]
    }

    /// The place that `package` takes besides its own when it stands in for the source of `dependency`.
    pub fn stand_in_slot(&mut self, package: PackageIx, dependency: DependencyIx) -> Option<Slot> {
        let name = self.dependency(dependency).name;
        let id = self.id(package);
        if self.name_facts[name.0 as usize].source.same_place(id.source()) {
            return None;
        }
        let range = Range::of(id.version());
        Some(self.slot(name, range))
    }

    /// The number of a source, whatever it is pinned to.
    fn source(&mut self, source: &SourceId) -> u32 {
        if let Some(number) = self.sources.get(source) {
            return *number;
        }
        let place = source.without_precise();
        let next = u32::try_from(self.sources.len()).expect("fewer sources than 2^32");
        let number = *self.sources.entry(place).or_insert(next);
        self.sources.insert(source.clone(), number);
        number
    }

    fn name(&mut self, source: &SourceId, name: &PackageName) -> NameIx {
        let number = self.source(source);
        if let Some(known) = self.names.get(&(number, name.clone())) {
            return *known;
        }
        let added = NameIx(u32::try_from(self.name_facts.len()).expect("fewer names than 2^32"));
        self.names.insert((number, name.clone()), added);
        self.name_facts.push(NameFacts {
            source: source.clone(),
            name: name.clone(),
            asked: false,
            complete: false,
            packages: Vec::new(),
            slots: Vec::new(),
        });
        added
    }

    fn slot(&mut self, name: NameIx, range: Range) -> Slot {
        let slots = &mut self.name_facts[name.0 as usize].slots;
        if let Some((_, slot)) = slots.iter().rev().find(|(known, _)| *known == range) {
            return *slot;
        }
        let added = Slot(self.slots);
        self.slots += 1;
        slots.push((range, added));
        added
    }

    fn intern(&mut self, name: NameIx, summary: &SharedSummary) -> PackageIx {
        let version = summary.id.version();
        let known = self.name_facts[name.0 as usize].packages.iter();
        if let Some(known) = known.copied().find(|known| self.id(*known).version() == version) {
            return known;
        }
        self.push(name, summary)
    }

    fn push(&mut self, name: NameIx, summary: &SharedSummary) -> PackageIx {
        let slot = self.slot(name, Range::of(summary.id.version()));
        let links = summary.links.as_ref().map(|links| {
            let next = LinksIx(u32::try_from(self.links.len()).expect("fewer libraries than 2^32"));
            *self.links.entry(Arc::clone(links)).or_insert(next)
        });
        let facts = PackageFacts {
            slot,
            links,
            preferred: self.locks.is_preferred(&summary.id) || self.is_patch_choice(&summary.id),
            supported: self.supported(summary),
            summary: Arc::clone(summary),
        };
        let added = PackageIx(u32::try_from(self.packages.len()).expect("fewer packages than 2^32"));
        self.packages.push(facts);
        self.name_facts[name.0 as usize].packages.push(added);
        added
    }

    fn is_patch_choice(&self, id: &PackageId) -> bool {
        self.problem.patches.iter().any(|patch| patch.dependency.matches_id(id))
    }

    fn supported(&self, summary: &Summary) -> usize {
        match (&self.problem.rust_version, &summary.rust_version) {
            (RustVersionPolicy::Ignore, _) => 0,
            (RustVersionPolicy::Prefer(toolchains), None) => toolchains.len(),
            (RustVersionPolicy::Prefer(toolchains), Some(needed)) => {
                toolchains.iter().filter(|toolchain| needed.is_compatible_with(toolchain)).count()
            }
        }
    }

    /// Sorts by preference: locked or patched, then by toolchains supported, then by version.
    fn sort(&self, packages: &mut [PackageIx]) {
        packages.sort_by(|left, right| {
            let (left, right) = (self.package(*left), self.package(*right));
            let versions = left.summary.id.version().cmp(right.summary.id.version());
            let by_version = match self.problem.order {
                VersionOrder::Highest => versions.reverse(),
                VersionOrder::Lowest => versions,
            };
            (right.preferred, right.supported).cmp(&(left.preferred, left.supported)).then(by_version)
        });
    }

    fn index_failed(&self, name: NameIx, error: crate::IndexError) -> Conflict {
        let facts = &self.name_facts[name.0 as usize];
        Conflict::new(ConflictKind::Index { name: facts.name.clone(), source: facts.source.clone(), error })
    }

    /// Makes all versions of a name known.
    fn load(&mut self, name: NameIx) -> Result<(), Conflict> {
        let facts = &self.name_facts[name.0 as usize];
        if facts.complete {
            return Ok(());
        }
        let summaries = self
            .index
            .summaries(&facts.source, &facts.name)
            .map_err(|error| self.index_failed(name, error))?;
        let is_first = facts.packages.is_empty();
        for summary in summaries.iter() {
            if is_first {
                self.push(name, summary);
            } else {
                self.intern(name, summary);
            }
        }
        let mut packages = std::mem::take(&mut self.name_facts[name.0 as usize].packages);
        self.sort(&mut packages);
        let facts = &mut self.name_facts[name.0 as usize];
        facts.packages = packages;
        facts.complete = true;
        Ok(())
    }

    /// Makes the versions of a name known that meet a requirement.
    fn load_matching(&mut self, name: NameIx, requirement: &Requirement) -> Result<(), Conflict> {
        let facts = &self.name_facts[name.0 as usize];
        if facts.complete {
            return Ok(());
        }
        let summaries = self
            .index
            .matching(&facts.source, &facts.name, &|version| requirement.matches(version))
            .map_err(|error| self.index_failed(name, error))?;
        self.name_facts[name.0 as usize].asked = true;
        for summary in &summaries {
            self.intern(name, summary);
        }
        Ok(())
    }

    /// Every version of the dependency's package in its source, for messages.
    pub fn versions(&mut self, dependency: DependencyIx) -> Result<Vec<PackageIx>, Conflict> {
        let name = self.dependency(dependency).name;
        self.load(name)?;
        Ok(self.name_facts[name.0 as usize].packages.clone())
    }

    /// Every package of a name in a source.
    pub fn all(&mut self, source: &SourceId, name: &PackageName) -> Result<Vec<PackageIx>, Conflict> {
        let name = self.name(source, name);
        self.load(name)?;
        Ok(self.name_facts[name.0 as usize].packages.clone())
    }

    /// Whether a package may be chosen at all, were its version asked for.
    pub fn is_offered(&self, package: PackageIx) -> bool {
        let facts = self.package(package);
        let too_new = match (&self.problem.published_until, &facts.summary.published) {
            (Some(until), Some(published)) => published > until,
            _ => false,
        };
        !too_new && (!facts.summary.yanked || self.locks.is_preferred(&facts.summary.id))
    }

    fn patches_of(&self, source: &SourceId) -> &[PackageIx] {
        let mut targets = self.patches.iter();
        targets.find(|(url, _)| url == source.canonical_url()).map_or(&[], |(_, patches)| patches)
    }

    /// Whether what the index says of the dependency's package is at hand.
    pub fn is_known(&self, dependency: DependencyIx) -> bool {
        let facts = &self.name_facts[self.dependency(dependency).name.0 as usize];
        facts.asked || facts.complete
    }

    /// Numbers a dependency of a package, with the lock that holds it.
    pub fn locked_dependency(&mut self, parent: PackageIx, entry: &Dependency) -> DependencyIx {
        let patches = self.patches_of(entry.source());
        let is_patch = |id: &PackageId| patches.iter().any(|patch| self.id(*patch) == id);
        let locked = self.locks.find(self.id(parent), entry, is_patch).cloned();
        self.number(entry.clone(), locked)
    }

    /// Numbers a dependency.
    pub fn number(&mut self, entry: Dependency, locked: Option<PackageId>) -> DependencyIx {
        let key = (entry, locked);
        if let Some(known) = self.dependency_numbers.get(&key) {
            return *known;
        }
        let (entry, locked) = key.clone();
        // A lock of a git source names the object that it stands at.
        let name = match &locked {
            Some(id) if id.source().same_place(entry.source()) => self.name(id.source(), entry.name()),
            _ => self.name(entry.source(), entry.name()),
        };
        let added =
            DependencyIx(u32::try_from(self.dependencies.len()).expect("fewer dependencies than 2^32"));
        self.dependencies.push(DependencyFacts { entry, locked, name, candidates: None });
        self.dependency_numbers.insert(key, added);
        added
    }

    /// The packages that would do for a dependency, in the order to try them.
    pub fn candidates(&mut self, dependency: DependencyIx) -> Result<Rc<[PackageIx]>, Conflict> {
        let facts = self.dependency(dependency);
        if let Some(known) = &facts.candidates {
            return Ok(Rc::clone(known));
        }
        let name = facts.name;
        let requirement = match &facts.locked {
            // The requirement as written makes no difference any more; leaving it out shares the answer.
            Some(id) => Requirement::Locked(id.version().clone(), ReqText(VersionReq::STAR)),
            None => facts.entry.req().clone(),
        };
        let key = (name, requirement);
        let found = match self.queries.get(&key) {
            Some(known) => Rc::clone(known),
            None => {
                let found: Rc<[PackageIx]> = self.query(name, &key.1)?.into();
                for package in found.iter() {
                    self.find_replacement(*package)?;
                }
                self.queries.insert(key, Rc::clone(&found));
                found
            }
        };
        self.dependencies[dependency.0 as usize].candidates = Some(Rc::clone(&found));
        Ok(found)
    }

    fn query(&mut self, name: NameIx, requirement: &Requirement) -> Result<Vec<PackageIx>, Conflict> {
        let facts = &self.name_facts[name.0 as usize];
        let (source, package_name) = (facts.source.clone(), facts.name.clone());
        let mut patches = self.patches_of(&source).to_vec();
        patches.retain(|patch| {
            let id = self.id(*patch);
            *id.name() == package_name && requirement.matches(id.version())
        });
        if let Requirement::Locked(version, _) = requirement {
            // A patch of the locked version makes the patched source needless.
            if patches.len() == 1 {
                return Ok(patches);
            }
            if patches.is_empty()
                && let Some(found) = self.exact(name, version)?
            {
                return Ok(vec![found]);
            }
        }
        self.load_matching(name, requirement)?;
        let precise = self.problem.precise.iter().find(|precise| {
            precise.name == package_name
                && precise.source.same_place(&source)
                && requirement.matches(&precise.from)
        });
        let precise =
            precise.map(|precise| Requirement::Precise(precise.to.clone(), ReqText(VersionReq::STAR)));
        let fits = |package: &PackageIx| {
            let version = self.id(*package).version();
            requirement.matches(version)
                && match &precise {
                    Some(precise) => precise.matches(version),
                    None => self.is_offered(*package),
                }
                && !patches.iter().any(|patch| self.id(*patch).version() == version)
        };
        let packages = &self.name_facts[name.0 as usize].packages;
        let is_at_hand = |package: &PackageIx| self.index.is_at_hand(self.id(*package));
        let takes_all = !packages
            .iter()
            .any(|package| requirement.matches(self.id(*package).version()) && is_at_hand(package));
        let mut found: Vec<PackageIx> = packages
            .iter()
            .copied()
            .filter(|package| fits(package) && (takes_all || is_at_hand(package)))
            .collect();
        found.extend(patches);
        self.sort(&mut found);
        Ok(found)
    }

    fn exact(&mut self, name: NameIx, version: &Version) -> Result<Option<PackageIx>, Conflict> {
        let facts = &self.name_facts[name.0 as usize];
        let mut known = facts.packages.iter().copied();
        if let Some(known) = known.find(|known| self.id(*known).version() == version) {
            return Ok(Some(known));
        }
        if facts.complete {
            return Ok(None);
        }
        let found = self
            .index
            .exact(&facts.source, &facts.name, version)
            .map_err(|error| self.index_failed(name, error))?;
        Ok(found.map(|summary| self.push(name, &summary)))
    }

    /// What a package needs when a dependency asks `wanted` of it.
    pub fn needs(&mut self, package: PackageIx, wanted: &Wanted) -> Result<Rc<Needs>, NeedsError> {
        let key = (package, wanted.clone());
        if let Some(known) = self.needs.get(&key) {
            return Ok(Rc::clone(known));
        }
        let needs = Rc::new(self.needs_for(package, Request::Dependency(wanted))?);
        self.needs.insert(key, Rc::clone(&needs));
        Ok(needs)
    }

    /// What a package needs, not remembered.
    pub fn needs_for(&mut self, package: PackageIx, request: Request<'_>) -> Result<Needs, NeedsError> {
        let summary = Arc::clone(self.summary(package));
        let found = requirements(&summary, request).map_err(NeedsError::Missing)?;
        let mut list = Vec::with_capacity(found.dependencies.len());
        for (position, names) in found.dependencies {
            let entry = &summary.dependencies[position];
            let dependency = self.locked_dependency(package, entry);
            let candidates = self.candidates(dependency).map_err(NeedsError::Fatal)?;
            let wanted = Wanted { names, default: entry.uses_default_features() };
            list.push(Need { dependency, candidates, wanted });
        }
        // What has little choice goes first: it fails early, and the others adapt to it. The order of the
        // manifest decides among equals.
        list.sort_by_key(|need| need.candidates.len());
        Ok(Needs { features: found.features.into_iter().collect(), list })
    }
}
