//! From a graph to text.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;

use wharf_core::{PackageId, PackageIdSpec};

use super::format::Pattern;
use super::graph::{EdgeKind, Graph, Node, NodeIx};
use super::{Depth, Prefix, TreeStyle};
use crate::workspace::matches_spec;

/// What lines are drawn with.
struct Symbols {
    down: &'static str,
    tee: &'static str,
    end: &'static str,
    right: &'static str,
}

const UNICODE: Symbols = Symbols { down: "│", tee: "├", end: "└", right: "─" };
const ASCII: Symbols = Symbols { down: "|", tee: "|", end: "`", right: "-" };

/// Draws one graph.
pub(super) struct Renderer<'a> {
    graph: &'a Graph<'a>,
    pattern: &'a Pattern,
    style: &'a TreeStyle,
    prune: &'a [PackageIdSpec],
    members: &'a BTreeSet<PackageId>,
    symbols: &'static Symbols,
    text: String,
    shown: HashSet<NodeIx>,
    /// The nodes above, to notice circles.
    path: Vec<NodeIx>,
    /// For each level, whether more siblings follow.
    continues: Vec<bool>,
}

impl<'a> Renderer<'a> {
    pub(super) fn new(
        graph: &'a Graph<'a>,
        pattern: &'a Pattern,
        style: &'a TreeStyle,
        (prune, members): (&'a [PackageIdSpec], &'a BTreeSet<PackageId>),
    ) -> Self {
        Self {
            graph,
            pattern,
            style,
            prune,
            members,
            symbols: if style.unicode { &UNICODE } else { &ASCII },
            text: String::new(),
            shown: HashSet::new(),
            path: Vec::new(),
            continues: Vec::new(),
        }
    }

    /// A tree for each root, with empty lines between them.
    pub(super) fn render(mut self, roots: &[NodeIx]) -> String {
        for (position, root) in roots.iter().enumerate() {
            if position > 0 {
                self.text.push('\n');
            }
            self.node(*root);
        }
        self.text
    }

    fn node(&mut self, node: NodeIx) {
        let is_new = self.style.repeat || self.shown.insert(node);
        let in_circle = self.path.contains(&node);
        let is_cut = !is_new || in_circle;
        self.prefix();
        self.text.push_str(&self.pattern.show(self.graph, node));
        // Where nothing is below, nothing was left out.
        self.text.push_str(if is_cut && self.graph.has_edges(node) { " (*)\n" } else { "\n" });
        if is_cut {
            return;
        }
        self.path.push(node);
        for kind in EdgeKind::ALL {
            self.section(node, kind);
        }
        self.path.pop();
    }

    fn prefix(&mut self) {
        match self.style.prefix {
            Prefix::None => {}
            Prefix::Depth => {
                let depth = self.continues.len();
                write!(self.text, "{depth}").expect("writing to a string succeeds");
            }
            Prefix::Indent => {
                let Some((last, above)) = self.continues.split_last() else { return };
                let Symbols { tee, end, right, .. } = self.symbols;
                let above = above.to_vec();
                let turn = if *last { tee } else { end };
                self.indent(&above);
                self.text.extend([*turn, right, right, " "]);
            }
        }
    }

    fn indent(&mut self, levels: &[bool]) {
        for continues in levels {
            self.text.push_str(if *continues { self.symbols.down } else { " " });
            self.text.push_str("   ");
        }
    }

    fn section(&mut self, node: NodeIx, kind: EdgeKind) {
        let below = self.graph.below(node, kind);
        if below.is_empty() {
            return;
        }
        let title = match kind {
            EdgeKind::Build => Some("[build-dependencies]\n"),
            EdgeKind::Development => Some("[dev-dependencies]\n"),
            EdgeKind::Normal | EdgeKind::Feature => None,
        };
        if let (Some(title), Prefix::Indent) = (title, self.style.prefix) {
            let levels = self.continues.clone();
            self.indent(&levels);
            self.text.push_str(title);
        }
        if matches!(self.style.depth, Depth::Levels(levels) if self.continues.len() >= levels) {
            return;
        }
        let below: Vec<NodeIx> = below.into_iter().filter(|ix| self.is_drawn(*ix)).collect();
        let count = below.len();
        for (position, ix) in below.into_iter().enumerate() {
            self.continues.push(position + 1 < count);
            self.node(ix);
            self.continues.pop();
        }
    }

    fn is_drawn(&self, ix: NodeIx) -> bool {
        let Node::Package { id, .. } = self.graph.node(ix) else { return true };
        (self.style.depth != Depth::Workspace || self.members.contains(id))
            && !self.prune.iter().any(|spec| matches_spec(spec, id))
    }
}
