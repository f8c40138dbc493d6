//! Dependencies among the packages that are packaged together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wharf_core::{DepKind, Package, PackageId};
use wharf_resolve::RequestedFeatures;

/// Packages, and which of them depend on which.
pub struct Order {
    packages: BTreeMap<PackageId, (Arc<Package>, RequestedFeatures)>,
    edges: BTreeMap<PackageId, BTreeSet<PackageId>>,
}

impl Order {
    /// Finds the edges: dependencies by path that will be there after publishing.
    pub fn of(packages: Vec<(Arc<Package>, RequestedFeatures)>) -> Self {
        let packages: BTreeMap<PackageId, (Arc<Package>, RequestedFeatures)> = packages
            .into_iter()
            .map(|(package, features)| (package.id().clone(), (package, features)))
            .collect();
        let edges = packages.values().map(|(package, _)| {
            let needed = package.manifest.summary.dependencies.iter().filter(|dependency| {
                dependency.source().is_path()
                    && dependency.source() != package.id().source()
                    && (dependency.kind() != DepKind::Development || dependency.fields().has_version)
            });
            let ids = needed.filter_map(|dependency| {
                packages.keys().find(|id| id.source() == dependency.source()).cloned()
            });
            (package.id().clone(), ids.collect())
        });
        let edges = edges.collect();
        Self { packages, edges }
    }

    /// Whether any package depends on another.
    pub fn has_dependencies(&self) -> bool {
        self.edges.values().any(|edges| !edges.is_empty())
    }

    /// The packages that one depends on.
    pub fn dependencies(&self, id: &PackageId) -> impl Iterator<Item = &PackageId> {
        self.edges.get(id).into_iter().flatten()
    }

    /// Dependencies before dependents, else by id. Cycles are cut where they are met.
    pub fn sorted(&self) -> Vec<(Arc<Package>, RequestedFeatures)> {
        let mut sorted = Vec::new();
        let mut seen = BTreeSet::new();
        for id in self.packages.keys() {
            self.visit(id, &mut seen, &mut sorted);
        }
        sorted
    }

    fn visit<'a>(
        &'a self,
        id: &'a PackageId,
        seen: &mut BTreeSet<&'a PackageId>,
        sorted: &mut Vec<(Arc<Package>, RequestedFeatures)>,
    ) {
        if !seen.insert(id) {
            return;
        }
        for dependency in &self.edges[id] {
            self.visit(dependency, seen, sorted);
        }
        sorted.push(self.packages[id].clone());
    }
}
