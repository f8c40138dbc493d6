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
    pub fn ids(&self) -> impl Iterator<Item = &PackageId> + Clone {
        self.packages.keys()
    }

    /// What is used for a package that an edge names: its replacement by `[replace]`, if it has one.
    pub fn used_for<'a>(&'a self, id: &'a PackageId) -> &'a PackageId {
        self.replacements.get(id).unwrap_or(id)
    }

    /// The edges out of a package; none for an unknown id.
    pub fn edges(&self, id: &PackageId) -> &[ResolvedEdge] {
        self.packages.get(id).map_or(&[], |package| &package.edges)
    }
}

/// Whom a package's features are for (reference, "Feature resolver version 2").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FeaturesFor {
    /// Code for the requested platform; everything, where host and target are not told apart.
    Target,
    /// Build scripts, procedural macros and what they depend on.
    Host,
}

/// The features and optional dependencies that are really used by a build: for resolver 1 a copy of the
/// unified view, for 2 and 3 apart for host and target.
#[derive(Clone, Debug, Default)]
pub struct ActivatedFeatures {
    /// Whether [`FeaturesFor::Host`] has a view of its own; otherwise everything is under `Target`.
    pub separate_host: bool,
    /// Features by package and view.
    pub features: BTreeMap<(PackageId, FeaturesFor), BTreeSet<FeatureName>>,
    /// Optional dependencies that are on, by their key in the manifest.
    pub dependencies: BTreeMap<(PackageId, FeaturesFor), BTreeSet<FeatureName>>,
}

impl ActivatedFeatures {
    /// The features of a package in a view; empty when it is not part of that view.
    pub fn of(&self, id: &PackageId, whom: FeaturesFor) -> Vec<FeatureName> {
        self.features
            .get(&(id.clone(), self.view(whom)))
            .map(|set| set.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// Whether an optional dependency is on in a view.
    pub fn is_dependency_on(&self, id: &PackageId, whom: FeaturesFor, name_in_toml: &str) -> bool {
        self.dependencies.get(&(id.clone(), self.view(whom))).is_some_and(|set| set.contains(name_in_toml))
    }

    /// The view under which answers are stored.
    pub fn view(&self, whom: FeaturesFor) -> FeaturesFor {
        if self.separate_host { whom } else { FeaturesFor::Target }
    }
}
