//! The graph that is drawn: packages as they are built (with features, for host or target), and features.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use wharf_core::resolution::FeaturesFor;
use wharf_core::{DepKind, Dependency, FeatureName, Package, PackageId};
use wharf_plan::{CompileKind, Toolchain};

use super::TreeRequest;
use super::features::Features;
use crate::narrow::{Narrowed, is_active};
use crate::packages::Packages;

/// The position of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct NodeIx(usize);

/// The order is the one in which siblings are drawn.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Node {
    /// A package as it is built.
    Package { id: PackageId, features: Vec<FeatureName>, kind: CompileKind },
    /// A feature of such a package.
    Feature { of: NodeIx, name: FeatureName },
}

/// Sections are drawn in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum EdgeKind {
    Normal,
    Build,
    Development,
    Feature,
}

impl EdgeKind {
    pub(super) const ALL: [Self; 4] = [Self::Normal, Self::Build, Self::Development, Self::Feature];
}

impl From<DepKind> for EdgeKind {
    fn from(kind: DepKind) -> Self {
        match kind {
            DepKind::Normal => Self::Normal,
            DepKind::Build => Self::Build,
            DepKind::Development => Self::Development,
        }
    }
}

/// A package's dependencies by their key in its manifest: the nodes, and whether they are optional.
pub(super) type Named = BTreeMap<FeatureName, BTreeSet<(NodeIx, bool)>>;

/// Nodes and the edges between them.
pub(super) struct Graph<'a> {
    nodes: Vec<Node>,
    edges: Vec<BTreeSet<(EdgeKind, NodeIx)>>,
    index: HashMap<Node, NodeIx>,
    packages: &'a Packages,
    /// Feature nodes that the command line asked for.
    pub(super) typed: HashSet<NodeIx>,
    /// The dependencies of package nodes by name, when features are drawn.
    pub(super) named: HashMap<NodeIx, Named>,
}

impl<'a> Graph<'a> {
    fn new(packages: &'a Packages) -> Self {
        Self {
            nodes: Vec::new(),
            edges: Vec::new(),
            index: HashMap::new(),
            packages,
            typed: HashSet::new(),
            named: HashMap::new(),
        }
    }

    /// The node, and whether it is new.
    pub(super) fn add(&mut self, node: Node) -> (NodeIx, bool) {
        if let Some(known) = self.index.get(&node) {
            return (*known, false);
        }
        let ix = NodeIx(self.nodes.len());
        self.index.insert(node.clone(), ix);
        self.nodes.push(node);
        self.edges.push(BTreeSet::new());
        (ix, true)
    }

    pub(super) fn connect(&mut self, from: NodeIx, kind: EdgeKind, to: NodeIx) {
        self.edges[from.0].insert((kind, to));
    }

    pub(super) fn node(&self, ix: NodeIx) -> &Node {
        &self.nodes[ix.0]
    }

    /// All nodes with their positions.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (NodeIx, &Node)> {
        self.nodes.iter().enumerate().map(|(position, node)| (NodeIx(position), node))
    }

    pub(super) fn package(&self, id: &PackageId) -> &'a Package {
        self.packages.get(id).expect("a node's package was loaded: the builder looked")
    }

    /// The package of a node, or the one whose feature it is.
    pub(super) fn id_of(&self, ix: NodeIx) -> &PackageId {
        match self.node(ix) {
            Node::Package { id, .. } => id,
            Node::Feature { of, .. } => self.id_of(*of),
        }
    }

    pub(super) fn is_from_command_line(&self, ix: NodeIx) -> bool {
        self.typed.contains(&ix)
    }

    pub(super) fn has_edges(&self, ix: NodeIx) -> bool {
        !self.edges[ix.0].is_empty()
    }

    /// The nodes behind edges of one kind, in the order of drawing.
    pub(super) fn below(&self, ix: NodeIx, kind: EdgeKind) -> Vec<NodeIx> {
        let mut below: Vec<NodeIx> =
            self.edges[ix.0].iter().filter(|(own, _)| *own == kind).map(|(_, to)| *to).collect();
        below.sort_by(|left, right| self.node(*left).cmp(self.node(*right)));
        below
    }

    /// Every node of these packages, in the order of drawing.
    pub(super) fn nodes_of(&self, ids: &BTreeSet<PackageId>) -> Vec<NodeIx> {
        self.sorted(|node| matches!(node, Node::Package { id, .. } if ids.contains(id)))
    }

    fn sorted(&self, wanted: impl Fn(&Node) -> bool) -> Vec<NodeIx> {
        let mut found: Vec<(&Node, NodeIx)> =
            self.nodes().filter(|(_, node)| wanted(node)).map(|(ix, node)| (node, ix)).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, ix)| ix).collect()
    }

    /// Forgets everything that cannot be reached.
    pub(super) fn keep_reachable(&mut self, from: &[NodeIx]) {
        let mut reached = BTreeSet::new();
        let mut pending = from.to_vec();
        while let Some(ix) = pending.pop() {
            if reached.insert(ix) {
                pending.extend(self.edges[ix.0].iter().map(|(_, to)| *to));
            }
        }
        // Positions stay; what is out of reach is only forgotten by the lookups.
        self.index.retain(|_, ix| reached.contains(ix));
        for position in 0..self.edges.len() {
            if !reached.contains(&NodeIx(position)) {
                self.edges[position].clear();
            }
        }
    }

    /// Turns every edge around.
    pub(super) fn invert(&mut self) {
        let mut inverted = vec![BTreeSet::new(); self.edges.len()];
        for (position, edges) in self.edges.iter().enumerate() {
            for (kind, to) in edges {
                inverted[to.0].insert((*kind, NodeIx(position)));
            }
        }
        self.edges = inverted;
    }

    /// Packages that are there with several versions, sources or features. Being there for host and target alike
    /// does not count.
    pub(super) fn duplicates(&self) -> Vec<NodeIx> {
        let mut by_name: BTreeMap<&str, BTreeSet<(&PackageId, &[FeatureName])>> = BTreeMap::new();
        for node in self.index.keys() {
            if let Node::Package { id, features, .. } = node {
                by_name.entry(id.name().as_str()).or_default().insert((id, features));
            }
        }
        self.sorted(|node| match node {
            Node::Package { id, .. } => {
                self.index.contains_key(node)
                    && by_name.get(id.name().as_str()).is_some_and(|forms| forms.len() > 1)
            }
            Node::Feature { .. } => false,
        })
    }
}

/// Builds the graph of what was narrowed down.
pub(super) struct Builder<'a> {
    narrowed: &'a Narrowed,
    toolchain: &'a Toolchain,
    request: &'a TreeRequest,
    graph: Graph<'a>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(narrowed: &'a Narrowed, toolchain: &'a Toolchain, request: &'a TreeRequest) -> Self {
        Self { narrowed, toolchain, request, graph: Graph::new(&narrowed.packages) }
    }

    pub(super) fn build(mut self) -> Graph<'a> {
        let mut roots: Vec<_> = self.narrowed.roots.iter().collect();
        roots.sort_by_key(|(package, _)| package.id());
        for (package, features) in roots {
            let whom = if package.manifest.is_proc_macro() { FeaturesFor::Host } else { FeaturesFor::Target };
            for kind in &self.request.kinds {
                let ix = self.package(package.id(), whom, kind);
                if self.request.edges.features {
                    let declared = &package.manifest.summary.features;
                    Features::of(&mut self.graph, &self.narrowed.resolution).typed(ix, features, declared);
                }
            }
        }
        if self.request.edges.features {
            Features::of(&mut self.graph, &self.narrowed.resolution).internal();
        }
        self.graph
    }

    fn package(&mut self, id: &PackageId, whom: FeaturesFor, requested: &CompileKind) -> NodeIx {
        let kind = match whom {
            FeaturesFor::Host => CompileKind::Host,
            FeaturesFor::Target => requested.clone(),
        };
        let features = self.narrowed.features.of(id, whom);
        let (from, is_new) = self.graph.add(Node::Package { id: id.clone(), features, kind: kind.clone() });
        if !is_new {
            return from;
        }
        let narrowed = self.narrowed;
        let mut edges: Vec<_> = narrowed
            .resolution
            .edges(id)
            .iter()
            .map(|edge| (narrowed.resolution.used_for(&edge.to), &edge.dependencies))
            .collect();
        edges.sort_by_key(|(to, _)| *to);
        let mut named = Named::new();
        for (to, dependencies) in edges {
            let Some(package) = narrowed.packages.get(to) else { continue };
            let is_macro = package.manifest.is_proc_macro();
            if is_macro && !self.request.edges.proc_macros {
                continue;
            }
            let mut shown: Vec<&Dependency> = dependencies
                .iter()
                .filter(|dependency| self.is_shown(dependency, (id, whom, &kind)))
                .collect();
            shown.sort_by_key(|dependency| (dependency.kind(), dependency.name_in_toml()));
            for dependency in shown {
                let turns = dependency.kind() == DepKind::Build || is_macro;
                let whom = if turns { FeaturesFor::Host } else { whom };
                let below = self.package(to, whom, requested);
                self.edge(from, dependency, below);
                let name = FeatureName::from(dependency.name_in_toml().clone());
                named.entry(name).or_default().insert((below, dependency.is_optional()));
            }
        }
        if self.request.edges.features {
            self.graph.named.insert(from, named);
        }
        from
    }

    fn is_shown(
        &self,
        dependency: &Dependency,
        (id, whom, kind): (&PackageId, FeaturesFor, &CompileKind),
    ) -> bool {
        let host = CompileKind::Host;
        let kind = if dependency.kind() == DepKind::Build { &host } else { kind };
        let is_needed_here = || {
            dependency.platform().is_none_or(|platform| {
                is_active(self.toolchain, std::slice::from_ref(kind), platform, FeaturesFor::Target)
            })
        };
        let is_on = || {
            let features = &self.narrowed.features;
            !dependency.is_optional() || features.is_dependency_on(id, whom, dependency.name_in_toml())
        };
        (self.request.all_platforms || is_needed_here())
            && self.request.edges.kinds.contains(&dependency.kind())
            && is_on()
    }

    /// A plain edge; when features are drawn, by way of those that the dependency asks for.
    fn edge(&mut self, from: NodeIx, dependency: &Dependency, to: NodeIx) {
        let kind = EdgeKind::from(dependency.kind());
        let default = dependency.uses_default_features().then(super::features::default_name);
        let asked: Vec<FeatureName> =
            default.into_iter().chain(dependency.features().iter().cloned()).collect();
        if !self.request.edges.features || asked.is_empty() {
            self.graph.connect(from, kind, to);
            return;
        }
        let mut features = Features::of(&mut self.graph, &self.narrowed.resolution);
        for name in asked {
            features.add(Some((from, kind)), name, to);
        }
    }
}
