//! The answer of the resolver: which packages, and who depends on whom.

use std::collections::{BTreeMap, BTreeSet};

use crate::dependency::Dependency;
use crate::name::FeatureName;
use crate::package::PackageId;
use crate::summary::SharedSummary;

/// Every package of a dependency graph, with its edges and activated features.
#[derive(Clone, Debug, Default)]
pub struct Resolution {
    /// The packages by id.
    pub packages: BTreeMap<PackageId, ResolvedPackage>,
    /// `[replace]`: the original package to the one used instead.
    pub replacements: BTreeMap<PackageId, PackageId>,
    /// `[patch]` entries that nothing used.
    pub unused_patches: Vec<PackageId>,
}

/// One package of a [`Resolution`].
#[derive(Clone, Debug)]
pub struct ResolvedPackage {
    /// What the index or manifest says of it.
    pub summary: SharedSummary,
    /// The packages that it depends on, each with the dependency entries that led there, sorted by id.
    pub edges: Vec<ResolvedEdge>,
    /// The features switched on, unified over the whole graph (resolver 1's view).
    pub features: BTreeSet<FeatureName>,
    /// The checksum that the lockfile holds or the index gave.
    pub checksum: Option<String>,
}

/// One edge of a [`Resolution`].
#[derive(Clone, Debug)]
pub struct ResolvedEdge {
    /// The package depended on.
    pub to: PackageId,
    /// The manifest entries that it satisfies; one package may satisfy several (kinds, platforms, renames).
    pub dependencies: Vec<Dependency>,
}

impl Resolution {
    /// The package with this id.
    pub fn get(&self, id: &PackageId) -> Option<&ResolvedPackage> {
        self.packages.get(id)
    }

    /// All ids, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &PackageId> {
        self.packages.keys()
    }

    /// The edges out of a package; none for an unknown id.
    pub fn edges(&self, id: &PackageId) -> &[ResolvedEdge] {
        self.packages.get(id).map_or(&[], |package| &package.edges)
    }
}
