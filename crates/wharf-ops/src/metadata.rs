//! `metadata`: the workspace and its graph as data for tools (reference, `cargo metadata`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use wharf_core::metadata::{EdgeJson, EdgeKindJson, Metadata, NodeJson, PackageJson, ResolveJson};
use wharf_core::resolution::ResolvedEdge;
use wharf_core::{Dependency, Package, PackageId, Resolution};
use wharf_plan::{CompileKind, Toolchain};
use wharf_sources::Sources;

use crate::failure::{Failure, Result};
use crate::narrow::is_active;
use crate::packages::{self, Packages, Reach};
use crate::resolve::features::distribute;
use crate::resolve::{CliFeatures, ResolveOptions, Unlock, resolve_members, resolve_workspace};
use crate::workspace::Workspace;

/// What `metadata` is asked.
#[derive(Clone, Debug)]
pub struct MetadataRequest {
    /// `--no-deps`: the members alone, nothing is resolved.
    pub no_deps: bool,
    /// With which features.
    pub features: CliFeatures,
    /// `--filter-platform`; empty for all platforms.
    pub platforms: Vec<CompileKind>,
}

/// The packages behind an answer; [`MetadataAnswer::view`] puts them into the printed shape.
pub struct MetadataAnswer<'a> {
    workspace: &'a Workspace,
    packages: Vec<std::sync::Arc<Package>>,
    resolve: Option<ResolveJson>,
}

/// Resolves as far as asked and reads every package. `toolchain` is needed when there are platforms to filter by.
///
/// # Errors
/// If the workspace cannot be resolved or a package not be had.
pub fn metadata<'a>(
    workspace: &'a Workspace,
    sources: &Sources,
    toolchain: Option<&Toolchain>,
    options: &ResolveOptions,
    request: &MetadataRequest,
) -> Result<MetadataAnswer<'a>> {
    if request.no_deps {
        let packages = workspace.members().cloned().collect();
        return Ok(MetadataAnswer { workspace, packages, resolve: None });
    }
    let resolved = resolve_workspace(workspace, sources, options, &Unlock::Nothing)?;
    let members: Vec<_> = workspace.members().cloned().collect();
    let roots = distribute(workspace, &members, &request.features)?;
    let resolution = resolve_members(workspace, sources, options, &resolved.whole, &roots, true)?;
    let filter = |dependency: &Dependency| match (toolchain, dependency.platform()) {
        (Some(toolchain), Some(platform)) => {
            is_active(toolchain, &request.platforms, platform, wharf_core::resolution::FeaturesFor::Target)
        }
        _ => true,
    };
    let root_ids: BTreeSet<PackageId> = workspace.member_ids().clone();
    let reach = Reach {
        dev_dependencies: true,
        is_active: &|platform| {
            toolchain.is_none_or(|toolchain| {
                use wharf_core::resolution::FeaturesFor::{Host, Target};
                is_active(toolchain, &request.platforms, platform, Target)
                    || is_active(toolchain, &request.platforms, platform, Host)
            })
        },
    };
    let needed = packages::reachable(&resolution, &root_ids, &reach);
    let packages = packages::load(workspace, sources, &resolution, &needed)?;
    let nodes = nodes(workspace, &resolution, &packages, &filter)?;
    let used: BTreeSet<&PackageId> = nodes.keys().copied().collect();
    let packages_used =
        packages.iter().filter(|(id, _)| used.contains(id)).map(|(_, package)| package.clone()).collect();
    let root = workspace.current().ok().map(|package| package.id().to_spec());
    let resolve = ResolveJson { nodes: nodes.into_values().collect(), root };
    Ok(MetadataAnswer { workspace, packages: packages_used, resolve: Some(resolve) })
}

/// The nodes that members reach by way of libraries.
fn nodes<'r>(
    workspace: &Workspace,
    resolution: &'r Resolution,
    packages: &Packages,
    filter: &dyn Fn(&Dependency) -> bool,
) -> Result<BTreeMap<&'r PackageId, NodeJson>> {
    let mut nodes = BTreeMap::new();
    let mut pending: Vec<&PackageId> =
        resolution.ids().filter(|id| workspace.member_ids().contains(*id)).collect();
    while let Some(id) = pending.pop() {
        if nodes.contains_key(id) {
            continue;
        }
        let mut edges: Vec<(&PackageId, &ResolvedEdge)> = resolution
            .edges(id)
            .iter()
            .filter(|edge| edge.dependencies.iter().any(filter))
            .map(|edge| (resolution.used_for(&edge.to), edge))
            .collect();
        edges.sort_by_key(|(to, _)| *to);
        let mut deps = Vec::new();
        for (to, edge) in edges {
            let Some(package) = packages.get(to) else { continue };
            if let Some(json) = edge_json(id, edge, package)? {
                deps.push(json);
                pending.push(to);
            }
        }
        let features = resolution.get(id).map(|package| &package.features);
        let node = NodeJson {
            id: id.to_spec(),
            dependencies: deps.iter().map(|edge| edge.pkg.clone()).collect(),
            deps,
            features: features.into_iter().flatten().map(ToString::to_string).collect(),
        };
        nodes.insert(id, node);
    }
    Ok(nodes)
}

/// How code sees the library of a package; `None` if it has none.
fn edge_json(from: &PackageId, edge: &ResolvedEdge, package: &Package) -> Result<Option<EdgeJson>> {
    let Some(library) = package.manifest.library() else { return Ok(None) };
    let name_in = |dependency: &Dependency| match &dependency.fields().rename {
        Some(rename) => rename.crate_name(),
        None => library.crate_name(),
    };
    let names: BTreeSet<String> = edge.dependencies.iter().map(name_in).collect();
    if names.len() > 1 {
        return Err(Failure::new(format!(
            "the crate `{from}` depends on crate `{}` multiple times with different names",
            package.id()
        ))
        .help("give all entries one name"));
    }
    let mut dep_kinds: Vec<EdgeKindJson> = edge
        .dependencies
        .iter()
        .map(|dependency| EdgeKindJson { kind: dependency.kind(), target: dependency.platform().cloned() })
        .collect();
    dep_kinds.sort();
    let name = names.into_iter().next().unwrap_or_default();
    Ok(Some(EdgeJson { name, pkg: package.id().to_spec(), dep_kinds }))
}

impl MetadataAnswer<'_> {
    /// The shape that is printed; `build_directory` is where intermediates go.
    pub fn view(&self, build_directory: PathBuf) -> Metadata<'_> {
        let workspace = self.workspace;
        let specs = |packages: Vec<&std::sync::Arc<Package>>| {
            packages.into_iter().map(|package| package.id().to_spec()).collect()
        };
        Metadata {
            packages: self.packages.iter().map(|package| PackageJson::new(package)).collect(),
            workspace_members: specs(workspace.members().collect()),
            workspace_default_members: specs(workspace.default_members().collect()),
            resolve: self.resolve.as_ref(),
            build_directory,
            target_directory: workspace.target_dir().to_owned(),
            version: 1,
            workspace_root: workspace.root().to_owned(),
            metadata: workspace.metadata().cloned(),
        }
    }
}
