//! Puts the packages of a resolution on disk and reads their manifests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;
use wharf_base::fs;
use wharf_core::manifest::{AnyManifest, Origin, TomlDocument, Unstable};
use wharf_core::resolution::ResolvedEdge;
use wharf_core::{DepKind, Package, PackageId, Platform, Resolution};
use wharf_sources::{Sources, Wanted};

use crate::disk::PackageDir;
use crate::failure::{Context, Failure, Result};
use crate::workspace::{Loader, Workspace};

/// Packages by id.
pub type Packages = BTreeMap<PackageId, Arc<Package>>;

/// Which edges count when one asks what a build may touch.
pub struct Reach<'a> {
    /// Whether dev-dependencies of the roots count.
    pub dev_dependencies: bool,
    /// Whether a dependency of this platform may be needed.
    pub is_active: &'a dyn Fn(&Platform) -> bool,
}

/// Everything that the roots reach.
pub fn reachable(
    resolution: &Resolution,
    roots: &BTreeSet<PackageId>,
    reach: &Reach<'_>,
) -> BTreeSet<PackageId> {
    let mut found = BTreeSet::new();
    let mut pending: Vec<&PackageId> = roots.iter().collect();
    while let Some(id) = pending.pop() {
        if !found.insert(id.clone()) {
            continue;
        }
        let is_root = roots.contains(id);
        let counts = |edge: &&ResolvedEdge| {
            edge.dependencies.iter().any(|dependency| {
                (dependency.kind() != DepKind::Development || (is_root && reach.dev_dependencies))
                    && dependency.platform().is_none_or(|platform| (reach.is_active)(platform))
            })
        };
        pending.extend(resolution.edges(id).iter().filter(counts).map(|edge| resolution.used_for(&edge.to)));
    }
    found
}

/// Downloads what is missing and reads every manifest of `ids`.
pub fn load(
    workspace: &Workspace,
    sources: &Sources,
    resolution: &Resolution,
    ids: &BTreeSet<PackageId>,
) -> Result<Packages> {
    let mut packages = Packages::new();
    let mut remote = Vec::new();
    for id in ids {
        if id.source().is_path() {
            packages.insert(id.clone(), crate::resolve::lock::local_package(workspace, id.source())?);
        } else {
            let checksum = resolution.get(id).and_then(|package| package.checksum.clone());
            remote.push(Wanted { id: id.clone(), checksum });
        }
    }
    let dirs = sources.fetch(&remote)?;
    let read = |(id, dir): (PackageId, std::path::PathBuf)| -> Result<(PackageId, Arc<Package>)> {
        let manifest_path = dir.join("Cargo.toml");
        let package = if id.source().is_git() {
            workspace.loader().load_package(&manifest_path, id.source())
        } else {
            read_released(&id, &manifest_path, workspace.loader().unstable())
        };
        let package = package.context(|| format!("cannot read the manifest of `{id}`"))?;
        Ok((id, package))
    };
    let loaded: Vec<_> = dirs.into_par_iter().map(read).collect::<Result<_>>()?;
    packages.extend(loaded);
    Ok(packages)
}

/// Downloads one package if it is missing, and reads its manifest.
///
/// # Errors
/// If it is not to be had, or malformed.
pub fn load_one(
    loader: &Loader,
    sources: &Sources,
    id: &PackageId,
    checksum: Option<String>,
) -> Result<Arc<Package>> {
    let dirs = sources.fetch(&[Wanted { id: id.clone(), checksum }])?;
    let dir = dirs.into_values().next();
    let dir = dir.ok_or_else(|| Failure::new(format!("`{id}` is not to be had")))?;
    let manifest = dir.join("Cargo.toml");
    let is_released = !id.source().is_git() && !id.source().is_path();
    let package = if is_released {
        read_released(id, &manifest, loader.unstable())
    } else {
        loader.load_package(&manifest, id.source())
    };
    package.context(|| format!("cannot read the manifest of `{id}`"))
}

/// The manifest of a registry package: it inherits nothing, and nobody can mend what it should be warned of.
pub(crate) fn read_released(
    id: &PackageId,
    manifest_path: &std::path::Path,
    unstable: &Unstable,
) -> Result<Arc<Package>> {
    let text = fs::read_to_string(manifest_path)?;
    let origin = Origin {
        path: manifest_path,
        source: id.source(),
        inheritable: None,
        // Released manifests name registries by URL.
        registries: &|_| None,
        is_local: false,
        unstable,
    };
    let dir = manifest_path.parent().unwrap_or(std::path::Path::new("/"));
    match TomlDocument::read(text, manifest_path, false)?.into_manifest(&origin, &PackageDir::new(dir))? {
        AnyManifest::Real(manifest) => {
            Ok(Arc::new(Package { manifest: Arc::new(*manifest), manifest_path: manifest_path.to_owned() }))
        }
        AnyManifest::Virtual(_) => Err(Failure::new(format!("`{}` has no package", manifest_path.display()))),
    }
}
