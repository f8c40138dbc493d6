//! `paths` of the configuration: packages on disk that are built in place of others with the same name (reference,
//! "Overriding Dependencies": "Overriding with local dependencies").
//!
//! The lockfile does not see them. They must not change the graph, so their dependencies are looked for among the
//! packages that were resolved without them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use wharf_core::resolution::{ResolvedEdge, ResolvedPackage};
use wharf_core::{DepKind, Dependency, Package, PackageId, Resolution, SourceId};

use super::lock::local_package;
use crate::config::Sourced;
use crate::failure::{Context, Failure, Result};
use crate::workspace::Workspace;

/// Puts the packages at `paths` in the place of those with their names.
///
/// # Errors
/// If a path holds no package, or one needs what the graph does not have.
pub(super) fn apply(
    workspace: &Workspace,
    paths: &[Sourced<PathBuf>],
    resolution: &mut Resolution,
) -> Result<()> {
    for path in paths {
        let failed = || {
            format!(
                "failed to update path override `{}` (defined in {})",
                path.value.display(),
                path.definition
            )
        };
        let packages = packages_below(workspace, &path.value).context(failed)?;
        for package in packages {
            let replaced: Vec<PackageId> = resolution
                .ids()
                .filter(|id| id.name() == package.name() && id.source() != package.id().source())
                .filter(|id| !workspace.member_ids().contains(*id))
                .cloned()
                .collect();
            for original in replaced {
                let id = add(workspace, resolution, &package, Some(&original)).context(failed)?;
                resolution.replacements.insert(original, id);
            }
        }
    }
    Ok(())
}

/// The package in a directory, or those in the directories below it.
fn packages_below(workspace: &Workspace, dir: &std::path::Path) -> Result<Vec<Arc<Package>>> {
    let dir = wharf_base::paths::normalize(dir);
    let load = |dir: &std::path::Path| local_package(workspace, &SourceId::for_path(dir)?);
    if dir.join("Cargo.toml").is_file() {
        return Ok(vec![load(&dir)?]);
    }
    let mut packages = Vec::new();
    for entry in wharf_base::fs::read_dir(&dir)? {
        if entry.path.join("Cargo.toml").is_file() {
            packages.push(load(&entry.path)?);
        }
    }
    Ok(packages)
}

/// Adds a package to the graph, with edges to what it finds there. `original` is the one it stands for.
fn add(
    workspace: &Workspace,
    resolution: &mut Resolution,
    package: &Arc<Package>,
    original: Option<&PackageId>,
) -> Result<PackageId> {
    let id = package.id().clone();
    if resolution.get(&id).is_some() {
        return Ok(id);
    }
    let summary = package.manifest.summary.clone();
    let features = original.and_then(|original| resolution.get(original)).map(|known| known.features.clone());
    let resolved = ResolvedPackage {
        summary: summary.clone(),
        edges: Vec::new(),
        features: features.unwrap_or_default(),
        checksum: None,
    };
    resolution.packages.insert(id.clone(), resolved);
    let mut edges: BTreeMap<PackageId, Vec<Dependency>> = BTreeMap::new();
    for dependency in &summary.dependencies {
        if dependency.kind() == DepKind::Development {
            continue;
        }
        let target = target(workspace, resolution, dependency, original)?;
        match target {
            Some(target) => edges.entry(target).or_default().push(dependency.clone()),
            None if dependency.is_optional() => {}
            None => {
                return Err(Failure::new(format!(
                    "path override for crate `{}` needs `{}`, which the original does not depend on",
                    package.name(),
                    dependency.name()
                ))
                .help("use `[patch]` to change the graph of dependencies"));
            }
        }
    }
    let edges = edges.into_iter().map(|(to, dependencies)| ResolvedEdge { to, dependencies }).collect();
    if let Some(resolved) = resolution.packages.get_mut(&id) {
        resolved.edges = edges;
    }
    Ok(id)
}

/// The package that satisfies a dependency: what the original uses, else anything in the graph.
fn target(
    workspace: &Workspace,
    resolution: &mut Resolution,
    dependency: &Dependency,
    original: Option<&PackageId>,
) -> Result<Option<PackageId>> {
    let of_original = original.map(|original| resolution.edges(original)).unwrap_or_default();
    let used = of_original.iter().map(|edge| &edge.to).find(|id| dependency.matches_ignoring_source(id));
    if let Some(found) = used {
        return Ok(Some(found.clone()));
    }
    if dependency.source().is_path() && !dependency.is_optional() {
        let package = local_package(workspace, dependency.source())?;
        return add(workspace, resolution, &package, None).map(Some);
    }
    Ok(resolution.ids().find(|id| dependency.matches_id(id)).cloned())
}
