//! Features as nodes of their own, between the packages that ask for them and those that have them.

use wharf_core::features::FeatureMap;
use wharf_core::{FeatureName, FeatureValue, Resolution};
use wharf_resolve::RequestedFeatures;

use super::graph::{EdgeKind, Graph, Node, NodeIx};

/// The feature that is on unless it is switched off.
pub(super) fn default_name() -> FeatureName {
    FeatureName::new("default").expect("the constant is a name")
}

/// Adds feature nodes to a graph.
pub(super) struct Features<'g, 'a> {
    graph: &'g mut Graph<'a>,
    resolution: &'g Resolution,
}

impl<'g, 'a> Features<'g, 'a> {
    pub(super) fn of(graph: &'g mut Graph<'a>, resolution: &'g Resolution) -> Self {
        Self { graph, resolution }
    }

    /// Adds the feature `name` of the package `of`, with an edge from who asks for it. Gives the node, and whether
    /// it is new.
    pub(super) fn add(
        &mut self,
        from: Option<(NodeIx, EdgeKind)>,
        name: FeatureName,
        of: NodeIx,
    ) -> (NodeIx, bool) {
        let (ix, is_new) = self.graph.add(Node::Feature { of, name });
        if let Some((from, kind)) = from {
            self.graph.connect(from, kind, ix);
        }
        self.graph.connect(ix, EdgeKind::Feature, of);
        (ix, is_new)
    }

    /// The features that the command line asks of a member.
    pub(super) fn typed(&mut self, member: NodeIx, asked: &RequestedFeatures, declared: &FeatureMap) {
        let all = declared.keys().filter(|_| asked.all).cloned();
        let mut plain: Vec<FeatureName> = all.chain(asked.default.then(default_name)).collect();
        for value in &asked.named {
            match value {
                FeatureValue::Feature(name) => plain.push(name.clone()),
                FeatureValue::Dep { .. } => {}
                FeatureValue::DepFeature { dep, feature, .. } => {
                    for (below, is_optional) in self.dependencies(member, dep) {
                        if is_optional {
                            plain.push(dep.clone());
                        }
                        let (ix, _) = self.add(None, feature.clone(), below);
                        self.graph.typed.insert(ix);
                    }
                }
            }
        }
        for name in plain {
            let (ix, _) = self.add(None, name, member);
            self.graph.typed.insert(ix);
        }
    }

    fn dependencies(&self, package: NodeIx, name: &FeatureName) -> Vec<(NodeIx, bool)> {
        let named = self.graph.named.get(&package).and_then(|named| named.get(name));
        named.into_iter().flatten().copied().collect()
    }

    /// What the features in the graph switch on, and so on: in the order of the graph, depth first. The order shows,
    /// because the feature that `dep/feature` implies is not followed, and is not new to whoever names it later.
    pub(super) fn internal(&mut self) {
        let mut known: Vec<(NodeIx, NodeIx, FeatureName)> = Vec::new();
        for (ix, node) in self.graph.nodes() {
            if let Node::Feature { of, name } = node {
                known.push((ix, *of, name.clone()));
            }
        }
        for (ix, of, name) in known {
            self.follow(ix, of, &name);
        }
    }

    fn follow(&mut self, from: NodeIx, of: NodeIx, name: &FeatureName) {
        let package = self.resolution.get(self.graph.id_of(of));
        let values = package.and_then(|package| package.summary.features.get(name));
        for value in values.into_iter().flatten() {
            self.switch_on((from, EdgeKind::Feature), of, value);
        }
    }

    fn switch_on(&mut self, from: (NodeIx, EdgeKind), of: NodeIx, value: &FeatureValue) {
        match value {
            FeatureValue::Feature(name) => {
                let (ix, is_new) = self.add(Some(from), name.clone(), of);
                if is_new {
                    self.follow(ix, of, name);
                }
            }
            // The dependency itself is in the graph as an edge.
            FeatureValue::Dep { .. } => {}
            FeatureValue::DepFeature { dep, feature, weak } => {
                for (below, is_optional) in self.dependencies(of, dep) {
                    if is_optional && !weak {
                        self.add(Some(from), dep.clone(), of);
                    }
                    let (ix, is_new) = self.add(Some(from), feature.clone(), below);
                    if is_new {
                        self.follow(ix, below, feature);
                    }
                }
            }
        }
    }
}
