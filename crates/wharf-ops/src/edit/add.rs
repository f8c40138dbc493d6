//! `add`: puts dependencies into a manifest.

use std::sync::Arc;

use wharf_core::{Package, PartialVersion};
use wharf_sources::Sources;

use super::available::FeatureList;
use super::entry::{Entry, Origin};
use super::manifest::{ManifestFile, Section};
use super::settle::{Settler, WantedDependency};
use crate::failure::{Failure, Result};
use crate::resolve::LockPolicy;
use crate::workspace::Workspace;

/// What to add, and where.
#[derive(Clone, Debug)]
pub struct AddRequest {
    /// The member to edit.
    pub package: Arc<Package>,
    /// The dependencies.
    pub dependencies: Vec<WantedDependency>,
    /// The table that they go to.
    pub section: Section,
    /// Do everything but write.
    pub dry_run: bool,
    /// Take the newest version even if it asks for a newer compiler.
    pub ignore_rust_version: bool,
    /// The version of the compiler, for packages that state none.
    pub rustc: Option<PartialVersion>,
    /// Whether the manifest may change: `--locked` means it as well.
    pub lock: LockPolicy,
}

/// What happens meanwhile.
#[derive(Clone, Debug)]
pub enum Note {
    /// A dependency has been found and goes in.
    Adding(Added),
    /// The features of that dependency.
    Features(FeatureList),
    /// A feature that switches it on goes in.
    AddingFeature(String),
    /// What people should know.
    Warning(String),
}

/// One dependency that goes in.
#[derive(Clone, Debug)]
pub struct Added {
    /// The entry.
    pub entry: Entry,
    /// Where it goes.
    pub section: Section,
}

impl std::fmt::Display for Added {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.entry.name)?;
        match &self.entry.origin {
            Some(Origin::Registry { version }) => {
                let v = if version.starts_with(|c: char| c.is_ascii_digit()) { "v" } else { "" };
                write!(f, " {v}{version}")?;
            }
            Some(Origin::Path { .. }) => f.write_str(" (local)")?,
            Some(Origin::Git { .. }) => f.write_str(" (git)")?,
            Some(Origin::Workspace) => f.write_str(" (workspace)")?,
            None => {}
        }
        f.write_str(" to")?;
        if self.entry.optional == Some(true) {
            f.write_str(" optional")?;
        }
        if self.entry.public == Some(true) {
            f.write_str(" public")?;
        }
        write!(f, " {}", self.section.title())
    }
}

/// The first version of Rust that knows `dep:` in features.
const NAMESPACED_FEATURES: PartialVersion =
    PartialVersion { major: 1, minor: Some(60), patch: Some(0), pre: None, build: None };

/// Finds the dependencies, and writes them into the manifest unless this is a dry run. The lockfile is left to
/// whoever resolves next.
///
/// # Errors
/// If a package or a feature does not exist, or the manifest may not be edited.
pub fn add(
    workspace: &Workspace,
    sources: &Sources,
    request: &AddRequest,
    tell: &mut dyn FnMut(Note),
) -> Result<()> {
    let AddRequest { package, section, .. } = request;
    let mut manifest = ManifestFile::read(&package.manifest_path)?;
    let legacy = manifest.legacy_sections();
    if !legacy.is_empty() {
        return Err(Failure::new(format!(
            "sections of an old form are not edited: {}",
            legacy.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        ))
        .help("write `-` for `_` in their names"));
    }
    let mut found = Vec::new();
    for wanted in &request.dependencies {
        let mut settler = Settler { workspace, sources, request, manifest: &manifest, tell: &mut *tell };
        found.push(settler.settle(wanted)?);
    }
    let was_sorted = manifest.is_sorted(section);
    for settled in found {
        let entry = &settled.entry;
        tell(Note::Adding(Added { entry: entry.clone(), section: section.clone() }));
        if let Some(Origin::Path { dir, .. }) = &entry.origin
            && dir == manifest.dir()
        {
            return Err(Failure::new(format!("`{}` cannot depend on itself", package.name())));
        }
        settled.available.check(entry, &settled.inherited)?;
        tell(Note::Features(settled.available.list(entry, &settled.inherited)));
        manifest.put(section, entry)?;
        if entry.optional == Some(true)
            && knows_namespaced_features(package)
            && manifest.add_feature_for(entry)
        {
            tell(Note::AddingFeature(entry.key().to_owned()));
        }
        manifest.prune_features(entry.key());
    }
    if was_sorted {
        manifest.sort(section)?;
    }
    if let LockPolicy::Refuse { because } = request.lock
        && manifest.is_changed()
    {
        return Err(Failure::new(format!(
            "the manifest `{}` would change, which {because} forbids",
            manifest.path().display()
        )));
    }
    if !request.dry_run {
        manifest.write()?;
        workspace.loader().forget(manifest.path());
    }
    Ok(())
}

fn knows_namespaced_features(package: &Package) -> bool {
    let stated = package.manifest.rust_version.as_ref();
    stated.is_none_or(|version| {
        let version = version.to_partial();
        (version.major, version.minor) >= (NAMESPACED_FEATURES.major, NAMESPACED_FEATURES.minor)
    })
}
