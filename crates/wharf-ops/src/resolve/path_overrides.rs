//! `paths` of the configuration: packages on disk that are built in place of others with the same name (reference,
//! "Overriding Dependencies": "Overriding with local dependencies").
//!
//! The lockfile does not see them. A build is resolved as if the package that is replaced had the dependencies and
//! features of the one on disk, whatever its version; then the one takes the place of the other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wharf_base::fs;
use wharf_core::resolution::ResolvedPackage;
use wharf_core::summary::SharedSummary;
use wharf_core::{Package, PackageId, PackageName, Resolution, SourceId, Summary};

use super::lock::local_package;
use crate::config::Sourced;
use crate::failure::{Context, Result};
use crate::workspace::Workspace;

/// The packages that stand in for others, by name.
#[derive(Default)]
pub(super) struct PathOverrides(BTreeMap<PackageName, Arc<Package>>);

impl PathOverrides {
    /// Reads the packages.
    ///
    /// # Errors
    /// If a path is no directory, or a manifest cannot be read.
    pub fn read(workspace: &Workspace, paths: &[Sourced<PathBuf>]) -> Result<Self> {
        let mut packages = BTreeMap::new();
        for path in paths {
            let found = packages_below(workspace, &path.value).context(|| {
                format!(
                    "failed to update path override `{}` (defined in {})",
                    path.value.display(),
                    path.definition
                )
            })?;
            packages.extend(found.into_iter().map(|package| (package.name().clone(), package)));
        }
        Ok(Self(packages))
    }

    /// What stands in for a package.
    fn of(&self, id: &PackageId) -> Option<&Arc<Package>> {
        self.0.get(id.name()).filter(|package| package.id().source() != id.source())
    }

    /// A summary as the resolver is to see it.
    pub fn seen(&self, summary: &SharedSummary) -> SharedSummary {
        let Some(package) = self.of(&summary.id) else { return summary.clone() };
        let instead = &package.manifest.summary;
        Arc::new(Summary {
            dependencies: instead.dependencies.clone(),
            features: instead.features.clone(),
            ..(**summary).clone()
        })
    }

    /// Puts the packages into the places of those that they stand in for. Members stay what they are.
    pub fn apply(&self, workspace: &Workspace, resolution: &mut Resolution) {
        let replaced: Vec<(PackageId, Arc<Package>)> = resolution
            .ids()
            .filter(|id| !workspace.is_member(id))
            .filter_map(|id| Some((id.clone(), self.of(id)?.clone())))
            .collect();
        for (original, package) in replaced {
            let id = package.id().clone();
            if let Some(known) = resolution.get(&original) {
                let summary = package.manifest.summary.clone();
                let resolved = ResolvedPackage { summary, checksum: None, ..known.clone() };
                resolution.packages.insert(id.clone(), resolved);
            }
            resolution.replacements.insert(original, id);
        }
    }
}

/// The package in a directory, or those in the directories right below it.
fn packages_below(workspace: &Workspace, dir: &Path) -> Result<Vec<Arc<Package>>> {
    let dir = wharf_base::paths::normalize(dir);
    let load = |dir: &Path| local_package(workspace, &SourceId::for_path(dir)?);
    if fs::is_file(&dir.join("Cargo.toml")) {
        return Ok(vec![load(&dir)?]);
    }
    let mut packages = Vec::new();
    for entry in fs::read_dir(&dir)? {
        if fs::is_file(&entry.path.join("Cargo.toml")) {
            packages.push(load(&entry.path)?);
        }
    }
    Ok(packages)
}
