//! What the previous resolution still says.
//!
//! Two strengths: a package that is *preferred* is tried first; a package that is *locked* is, besides, the
//! only candidate of the dependencies that led to it. Locks are dropped below whatever moved, so that a newer
//! package may raise what it depends on, and for a whole source when a manifest asks it for something that
//! the lockfile does not have.

use std::collections::{HashMap, HashSet};

use wharf_core::package::PackageId;
use wharf_core::{Dependency, GitReference, PackageName, SourceId};

use crate::problem::{LockedPackage, Problem};

/// The usable part of the previous resolution.
#[derive(Default)]
pub(crate) struct LockTable {
    preferred: HashSet<PackageId>,
    dependencies: HashMap<PackageId, Vec<PackageId>>,
    by_name: HashMap<PackageName, Vec<PackageId>>,
}

/// Finds the package in a path source, if it has one; what the manifests say now.
pub(crate) type PathPackage<'a> = dyn FnMut(&SourceId, &PackageName) -> Option<Manifest> + 'a;

/// As much of a manifest as the table looks at.
#[derive(Clone)]
pub(crate) struct Manifest {
    pub id: PackageId,
    pub dependencies: Vec<Dependency>,
}

impl LockTable {
    /// Reads the problem's lock. `avoided` names packages that a changed `[patch]` takes out.
    pub fn new(problem: &Problem, avoided: &HashSet<PackageId>, path_package: &mut PathPackage<'_>) -> Self {
        let mut packages: Vec<&LockedPackage> = problem.locked.packages.iter().collect();
        if packages.is_empty() {
            return Self::default();
        }
        packages.sort_by(|left, right| left.id.cmp(&right.id));
        let graph: HashMap<&PackageId, &LockedPackage> =
            packages.iter().map(|package| (&package.id, *package)).collect();
        let stays = |package: &LockedPackage| package.keep && !avoided.contains(&package.id);

        let mut loose = HashSet::new();
        for package in packages.iter().filter(|package| !stays(package)) {
            loosen(&graph, &package.id, &mut loose);
        }
        for source in changed_sources(problem, &packages, path_package) {
            for package in packages.iter().filter(|package| package.id.source().same_place(&source)) {
                loosen(&graph, &package.id, &mut loose);
            }
        }
        for package in packages.iter().filter(|package| package.id.source().is_path()) {
            let now = path_package(package.id.source(), package.id.name());
            if now.is_some_and(|now| now.id != package.id) {
                loose.insert(package.id.clone());
            }
        }

        let mut table = Self::default();
        let is_locked =
            |id: &PackageId| graph.get(id).is_some_and(|package| stays(package)) && !loose.contains(id);
        for package in packages {
            if stays(package) {
                table.preferred.insert(package.id.clone());
            }
            if is_locked(&package.id) {
                let mut dependencies: Vec<PackageId> =
                    package.dependencies.iter().filter(|id| is_locked(id)).cloned().collect();
                dependencies.sort();
                if problem.locked.default_branch_may_be_master
                    && let Some(id) = with_master_branch(&package.id)
                {
                    table.insert(id, dependencies.clone());
                }
                table.insert(package.id.clone(), dependencies);
            }
        }
        table
    }

    fn insert(&mut self, id: PackageId, dependencies: Vec<PackageId>) {
        self.by_name.entry(id.name().clone()).or_default().push(id.clone());
        self.dependencies.insert(id, dependencies);
    }

    /// Whether a package should be tried before others, and may be used although it is yanked.
    pub fn is_preferred(&self, id: &PackageId) -> bool {
        self.preferred.contains(id)
    }

    /// All packages that some dependency may be held at, sorted.
    pub fn locked(&self) -> Vec<PackageId> {
        let mut ids: Vec<PackageId> = self.dependencies.keys().cloned().collect();
        ids.sort();
        ids
    }

    /// The package that a dependency of `parent` is held at. `is_patch` tells whether an id stands in for
    /// the source of the dependency by `[patch]`.
    pub fn find(
        &self,
        parent: &PackageId,
        dependency: &Dependency,
        is_patch: impl Fn(&PackageId) -> bool,
    ) -> Option<&PackageId> {
        let own = self.dependencies.get(parent).and_then(|dependencies| {
            dependencies.iter().find(|id| {
                dependency.matches_id(id) || (dependency.matches_ignoring_source(id) && is_patch(id))
            })
        });
        own.or_else(|| {
            let known = self.by_name.get(dependency.name())?;
            known.iter().find(|id| dependency.matches_id(id))
        })
    }
}

fn loosen(graph: &HashMap<&PackageId, &LockedPackage>, from: &PackageId, loose: &mut HashSet<PackageId>) {
    let mut pending = vec![from];
    while let Some(id) = pending.pop() {
        if loose.insert(id.clone())
            && let Some(package) = graph.get(id)
        {
            pending.extend(&package.dependencies);
        }
    }
}

/// The sources that some manifest on disk asks for a package that the lockfile does not hold.
fn changed_sources(
    problem: &Problem,
    packages: &[&LockedPackage],
    path_package: &mut PathPackage<'_>,
) -> Vec<SourceId> {
    let mut by_name: HashMap<&PackageName, Vec<&PackageId>> = HashMap::new();
    for package in packages {
        by_name.entry(package.id.name()).or_default().push(&package.id);
    }
    let with_dev = problem.roots.iter().any(|root| root.dev_dependencies);
    let members: HashSet<&PackageId> = problem.members.iter().map(|member| &member.id).collect();
    let mut pending: Vec<Manifest> = problem
        .members
        .iter()
        .map(|member| Manifest { id: member.id.clone(), dependencies: member.dependencies.clone() })
        .collect();
    let mut visited = HashSet::new();
    let mut changed: Vec<SourceId> = Vec::new();
    while let Some(manifest) = pending.pop() {
        if !visited.insert(manifest.id.clone()) {
            continue;
        }
        let is_member = members.contains(&manifest.id);
        for dependency in &manifest.dependencies {
            // What only a build of that package itself would use need not be in the lockfile.
            let may_be_absent = !is_member && (dependency.is_optional() || !dependency.is_transitive());
            if may_be_absent || (!dependency.is_transitive() && !with_dev) {
                continue;
            }
            if dependency.source().is_path()
                && let Some(package) = path_package(dependency.source(), dependency.name())
            {
                pending.push(package);
                continue;
            }
            let known = by_name
                .get(dependency.name())
                .is_some_and(|ids| ids.iter().any(|id| dependency.matches_ignoring_source(id)));
            if !known && !changed.iter().any(|source| source.same_place(dependency.source())) {
                changed.push(dependency.source().clone());
            }
        }
    }
    changed
}

fn with_master_branch(id: &PackageId) -> Option<PackageId> {
    match id.source().git_reference() {
        Some(GitReference::DefaultBranch) => {
            let master = GitReference::Branch("master".to_owned());
            let source = SourceId::for_git(id.source().url().clone(), master);
            Some(id.with_source(source.with_precise(id.source().precise().cloned())))
        }
        _ => None,
    }
}
