//! `tree`: the dependency graph as people read it.

mod features;
mod format;
mod graph;
mod render;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use wharf_core::{DepKind, PackageId, PackageIdSpec};
use wharf_plan::{CompileKind, Toolchain};
use wharf_sources::Sources;

use crate::failure::{Context, Failure, Result};
use crate::narrow::{Scope, find_one, narrow};
use crate::resolve::{CliFeatures, ResolveOptions, Unlock, resolve_workspace};
use crate::workspace::{PackageSelection, Workspace, parse_spec};

use format::Pattern;
use graph::Builder;
use render::Renderer;

/// Which edges are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edges {
    /// Tables whose dependencies are followed.
    pub kinds: BTreeSet<DepKind>,
    /// Features stand between packages as nodes of their own.
    pub features: bool,
    /// Procedural macros count.
    pub proc_macros: bool,
}

/// How deep the tree goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// So many levels below the roots.
    Levels(usize),
    /// As far as it stays within the workspace.
    Workspace,
}

/// How lines begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// With nothing.
    None,
    /// With lines that draw the tree.
    Indent,
    /// With the depth as a number.
    Depth,
}

/// What `tree` is asked.
#[derive(Clone, Debug)]
pub struct TreeRequest {
    /// The packages to start from.
    pub packages: PackageSelection,
    /// With which features.
    pub features: CliFeatures,
    /// For which platforms.
    pub kinds: Vec<CompileKind>,
    /// Dependencies of every platform, whatever `kinds` says.
    pub all_platforms: bool,
    /// Which edges.
    pub edges: Edges,
    /// `--invert`: start from these packages and go up.
    pub invert: Vec<String>,
    /// `--prune`: packages that are left out with what is below them.
    pub prune: Vec<String>,
    /// `--duplicates`: start from packages that are there more than once and go up.
    pub duplicates: bool,
    /// How it looks.
    pub style: TreeStyle,
}

/// How a tree looks.
#[derive(Clone, Debug)]
pub struct TreeStyle {
    /// How lines begin.
    pub prefix: Prefix,
    /// How deep it goes.
    pub depth: Depth,
    /// Whether what was shown before is shown again in full.
    pub repeat: bool,
    /// `--format`
    pub format: String,
    /// Whether lines are drawn with characters outside of ASCII.
    pub unicode: bool,
}

/// The answer of `tree`.
pub struct Tree {
    /// What is printed; empty when nothing is in the tree.
    pub text: String,
    /// `--exclude` entries that matched nothing.
    pub useless_excludes: Vec<String>,
}

/// Resolves and draws.
///
/// # Errors
/// If the workspace cannot be resolved, a specification names no package, or the format is malformed.
pub fn tree(
    workspace: &Workspace,
    sources: &Sources,
    toolchain: &Toolchain,
    options: &ResolveOptions,
    request: &TreeRequest,
) -> Result<Tree> {
    if request.edges.features && request.duplicates {
        return Err(Failure::new("the `-e features` flag does not support `--duplicates`"));
    }
    let resolved = resolve_workspace(workspace, sources, options, &Unlock::Nothing)?;
    let scope = Scope {
        packages: request.packages.clone(),
        features: request.features.clone(),
        dev_dependencies: request.edges.kinds.contains(&DepKind::Development),
        kinds: request.kinds.clone(),
        all_platforms: request.all_platforms,
    };
    let narrowed = narrow(workspace, sources, toolchain, options, (&resolved, &scope))?;
    let mut graph = Builder::new(&narrowed, toolchain, request).build();

    let roots: BTreeSet<PackageId> = if request.invert.is_empty() {
        narrowed.selected.iter().cloned().collect()
    } else {
        let named = request.invert.iter().map(|text| find_one(&narrowed.resolution, &parse_spec(text)?));
        named.collect::<Result<_>>()?
    };
    let mut starts = graph.nodes_of(&roots);
    if request.duplicates {
        graph.keep_reachable(&starts);
        starts = graph.duplicates();
    }
    if request.duplicates || !request.invert.is_empty() {
        graph.invert();
    }
    let prune = request.prune.iter().map(|text| {
        let spec = parse_spec(text)?;
        find_one(&narrowed.resolution, &spec)?;
        Ok(spec)
    });
    let prune: Vec<PackageIdSpec> = prune.collect::<Result<_>>()?;
    let pattern = Pattern::parse(&request.style.format)
        .context(|| format!("tree format `{}` not valid", request.style.format))?;
    let members = workspace.member_ids();
    let text = Renderer::new(&graph, &pattern, &request.style, (&prune, members)).render(&starts);
    Ok(Tree { text, useless_excludes: narrowed.useless_excludes })
}
