//! The workspace that a command works in: its root, its members, and where its lockfile and artifacts are.
//!
//! Source of the rules: Cargo reference, "Workspaces".

mod loader;
mod members;
mod select;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cargo_util_schemas::core::PackageIdSpec;
use cargo_util_schemas::manifest::TomlProfiles;
use wharf_base::{fs, paths};
use wharf_core::manifest::{AnyManifest, Patch, ResolverVersion, VirtualManifest, Warning};
use wharf_core::{Dependency, Package, PackageId, SourceId};

pub use loader::{Loader, RegistryNames};
pub use select::{PackageSelection, matches_spec, parse_spec};

use crate::failure::{Failure, Result};

/// A workspace, or a package on its own, which is a workspace of one.
pub struct Workspace {
    loader: Arc<Loader>,
    root_manifest: PathBuf,
    current_manifest: PathBuf,
    packages: BTreeMap<PathBuf, Loaded>,
    members: Vec<PathBuf>,
    member_ids: BTreeSet<PackageId>,
    default_members: Vec<PathBuf>,
    target_dir: PathBuf,
    lockfile: PathBuf,
}

/// A manifest that was read, of either kind.
pub(crate) enum Loaded {
    /// One with a package.
    Real(Arc<Package>),
    /// A root without one.
    Virtual(Box<VirtualManifest>),
}

/// Where a workspace keeps things when not in the usual places.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// `--target-dir`, `CARGO_TARGET_DIR` or `build.target-dir`.
    pub target_dir: Option<PathBuf>,
    /// `--lockfile-path`
    pub lockfile: Option<PathBuf>,
}

/// The nearest `Cargo.toml` at or above `dir`.
pub fn find_manifest(dir: &Path) -> Result<PathBuf> {
    for above in dir.ancestors() {
        let candidate = above.join("Cargo.toml");
        if fs::exists(&candidate) {
            return Ok(candidate);
        }
        // Cargo finds a wrongly spelled manifest on file systems that tell case apart, to say so.
        let misspelled = above.join("cargo.toml");
        if fs::exists(&misspelled) {
            return Err(Failure::new(format!(
                "could not find `Cargo.toml` in `{}` or any directory above it, but found cargo.toml",
                dir.display()
            ))
            .help(format!("rename `{}` to `Cargo.toml`", misspelled.display())));
        }
    }
    Err(Failure::new(format!("could not find `Cargo.toml` in `{}` or any directory above it", dir.display()))
        .help("go to a package's directory, name one with `--manifest-path`, or make one with `wharf init`"))
}

/// The manifest that a command is about: `--manifest-path` or the nearest one.
pub fn settle_manifest(cwd: &Path, stated: Option<&Path>) -> Result<PathBuf> {
    let Some(stated) = stated else { return find_manifest(cwd) };
    let path = paths::normalize(&cwd.join(stated));
    if path.file_name() != Some("Cargo.toml".as_ref()) {
        let failure = Failure::new("`--manifest-path` must name a file called `Cargo.toml`");
        return Err(if fs::is_dir(&path) {
            failure.help(format!("try `--manifest-path {}`", stated.join("Cargo.toml").display()))
        } else {
            failure
        });
    }
    if !fs::exists(&path) {
        return Err(Failure::new(format!("there is no manifest at `{}`", stated.display()))
            .help("name the path of a `Cargo.toml`, or leave `--manifest-path` out to take the nearest"));
    }
    Ok(path)
}

impl Workspace {
    /// Opens the workspace that `manifest` (absolute) belongs to.
    pub fn open(loader: Arc<Loader>, manifest: &Path, places: &Places) -> Result<Self> {
        let root_manifest = loader.root_of(manifest)?;
        let root = root_manifest.clone().unwrap_or_else(|| manifest.to_owned());
        let dir = root.parent().unwrap_or(Path::new("/")).to_owned();
        let mut workspace = Self {
            loader,
            current_manifest: manifest.to_owned(),
            packages: BTreeMap::new(),
            members: Vec::new(),
            member_ids: BTreeSet::new(),
            default_members: Vec::new(),
            target_dir: places.target_dir.clone().unwrap_or_else(|| dir.join("target")),
            lockfile: places.lockfile.clone().unwrap_or_else(|| dir.join("Cargo.lock")),
            root_manifest: root,
        };
        workspace.read(&workspace.root_manifest.clone())?;
        workspace.read(manifest)?;
        workspace.find_members(root_manifest.is_some())?;
        workspace.check(root_manifest.is_some())?;
        Ok(workspace)
    }

    /// A workspace of one package that lies outside of any, such as one being installed.
    pub fn ephemeral(loader: Arc<Loader>, package: Arc<Package>, places: &Places) -> Self {
        let path = package.manifest_path.clone();
        let dir = package.root().to_owned();
        let id = package.id().clone();
        Self {
            loader,
            root_manifest: path.clone(),
            current_manifest: path.clone(),
            packages: BTreeMap::from([(path.clone(), Loaded::Real(package))]),
            members: vec![path.clone()],
            member_ids: BTreeSet::from([id]),
            default_members: vec![path],
            target_dir: places.target_dir.clone().unwrap_or_else(|| dir.join("target")),
            lockfile: places.lockfile.clone().unwrap_or_else(|| dir.join("Cargo.lock")),
        }
    }

    /// A workspace without any package, as if there were an empty manifest in `dir`: a place for another one.
    pub fn empty(loader: Arc<Loader>, dir: &Path, places: &Places) -> Self {
        let path = dir.join("Cargo.toml");
        Self {
            loader,
            root_manifest: path.clone(),
            current_manifest: path,
            packages: BTreeMap::new(),
            members: Vec::new(),
            member_ids: BTreeSet::new(),
            default_members: Vec::new(),
            target_dir: places.target_dir.clone().unwrap_or_else(|| dir.join("target")),
            lockfile: places.lockfile.clone().unwrap_or_else(|| dir.join("Cargo.lock")),
        }
    }

    fn read(&mut self, path: &Path) -> Result<&Loaded> {
        if !self.packages.contains_key(path) {
            let dir = path.parent().unwrap_or(Path::new("/"));
            let source = SourceId::for_path(dir)?;
            let loaded = match self.loader.load(path, &source)? {
                AnyManifest::Real(manifest) => Loaded::Real(Arc::new(Package {
                    manifest: Arc::new(*manifest),
                    manifest_path: path.to_owned(),
                })),
                AnyManifest::Virtual(manifest) => Loaded::Virtual(manifest),
            };
            self.packages.insert(path.to_owned(), loaded);
        }
        Ok(&self.packages[path])
    }

    /// The reader of manifests that this workspace was opened with.
    pub fn loader(&self) -> &Arc<Loader> {
        &self.loader
    }

    /// The directory of the root manifest.
    pub fn root(&self) -> &Path {
        self.root_manifest.parent().unwrap_or(Path::new("/"))
    }

    /// The root manifest.
    pub fn root_manifest(&self) -> &Path {
        &self.root_manifest
    }

    /// The manifest that the command was started for.
    pub fn current_manifest(&self) -> &Path {
        &self.current_manifest
    }

    /// `Cargo.lock`
    pub fn lockfile(&self) -> &Path {
        &self.lockfile
    }

    /// The directory for artifacts.
    pub fn target_dir(&self) -> &Path {
        &self.target_dir
    }

    /// Whether the command was started in the root of a workspace without a package.
    pub fn is_virtual(&self) -> bool {
        matches!(self.packages.get(&self.current_manifest), Some(Loaded::Virtual(_)))
    }

    /// All members, in the order in which they were found.
    pub fn members(&self) -> impl Iterator<Item = &Arc<Package>> {
        self.members.iter().filter_map(|path| self.package_at(path))
    }

    /// The members that a command without selection works on.
    pub fn default_members(&self) -> impl Iterator<Item = &Arc<Package>> {
        self.default_members.iter().filter_map(|path| self.package_at(path))
    }

    /// The ids of all members.
    pub fn member_ids(&self) -> &BTreeSet<PackageId> {
        &self.member_ids
    }

    /// Whether a package is a member.
    pub fn is_member(&self, id: &PackageId) -> bool {
        self.member_ids.contains(id)
    }

    /// The package that the command was started for.
    pub fn current(&self) -> Result<&Arc<Package>> {
        self.package_at(&self.current_manifest).ok_or_else(|| {
            Failure::new(format!(
                "`{}` is the root of a workspace without a package, so there is no current package",
                self.current_manifest.display()
            ))
            .help("name a package with `-p`")
        })
    }

    /// The member with this manifest.
    pub(crate) fn member_at(&self, manifest: &Path) -> Option<&Arc<Package>> {
        self.package_at(manifest).filter(|package| self.is_member(package.id()))
    }

    fn package_at(&self, path: &Path) -> Option<&Arc<Package>> {
        match self.packages.get(path)? {
            Loaded::Real(package) => Some(package),
            Loaded::Virtual(_) => None,
        }
    }

    /// The root manifest, read.
    pub(crate) fn root_any(&self) -> &Loaded {
        &self.packages[&self.root_manifest]
    }

    /// The resolver that the root manifest names or that follows from its edition.
    pub fn resolver(&self) -> ResolverVersion {
        match self.root_any() {
            Loaded::Real(package) => {
                let manifest = &package.manifest;
                manifest.resolver.unwrap_or_else(|| manifest.edition.default_resolver())
            }
            Loaded::Virtual(manifest) => manifest.resolver.unwrap_or(ResolverVersion::V1),
        }
    }

    /// `[profile.*]` of the root manifest.
    pub fn profiles(&self) -> Option<&TomlProfiles> {
        match self.root_any() {
            Loaded::Real(package) => package.manifest.profiles.as_ref(),
            Loaded::Virtual(manifest) => manifest.profiles.as_ref(),
        }
    }

    /// `[patch.*]` of the root manifest.
    pub fn patches(&self) -> &[Patch] {
        match self.root_any() {
            Loaded::Real(package) => &package.manifest.patches,
            Loaded::Virtual(manifest) => &manifest.patches,
        }
    }

    /// `[replace]` of the root manifest.
    pub fn replaces(&self) -> &[(PackageIdSpec, Dependency)] {
        match self.root_any() {
            Loaded::Real(package) => &package.manifest.replaces,
            Loaded::Virtual(manifest) => &manifest.replaces,
        }
    }

    /// `workspace.metadata`
    pub fn metadata(&self) -> Option<&toml::Value> {
        use wharf_core::manifest::WorkspaceRole;
        match self.root_any() {
            Loaded::Real(package) => match &package.manifest.workspace {
                WorkspaceRole::Root(table) => table.metadata.as_ref(),
                WorkspaceRole::Member { .. } => None,
            },
            Loaded::Virtual(manifest) => manifest.workspace.metadata.as_ref(),
        }
    }

    /// What the manifests of the root and the members should be warned of, with the manifest that it is about.
    pub fn warnings(&self) -> Vec<(PathBuf, Warning)> {
        let mut warnings = Vec::new();
        for (path, manifest) in &self.packages {
            let theirs = match manifest {
                Loaded::Real(package) => &package.manifest.warnings,
                Loaded::Virtual(manifest) => &manifest.warnings,
            };
            warnings.extend(theirs.iter().map(|warning| (path.clone(), warning.clone())));
        }
        warnings.extend(self.misplaced_tables());
        if let Loaded::Virtual(root) = self.root_any() {
            warnings.extend(self.resolver_warning(root));
        }
        warnings
    }

    fn misplaced_tables(&self) -> Vec<(PathBuf, Warning)> {
        let mut warnings = Vec::new();
        for path in self.members.iter().filter(|path| **path != self.root_manifest) {
            let Some(package) = self.package_at(path) else { continue };
            let manifest = &package.manifest;
            let mut warn = |what: &str| {
                let message = format!(
                    "{what} of a member have no effect: they belong into the root of the workspace\n\
                     package:   {}\nworkspace: {}",
                    path.display(),
                    self.root_manifest.display()
                );
                warnings.push((path.clone(), Warning { message, critical: false }));
            };
            if manifest.profiles.is_some() {
                warn("profiles");
            }
            if !manifest.patches.is_empty() {
                warn("patch");
            }
            if !manifest.replaces.is_empty() {
                warn("replace");
            }
            if manifest.resolver.is_some() && manifest.resolver != Some(self.resolver()) {
                warn("resolver");
            }
        }
        warnings
    }

    fn resolver_warning(&self, root: &VirtualManifest) -> Option<(PathBuf, Warning)> {
        if root.resolver.is_some() {
            return None;
        }
        let newest = self.members().map(|package| package.manifest.edition).max()?;
        let implied = newest.default_resolver();
        if implied == ResolverVersion::V1 {
            return None;
        }
        let wanted = match implied {
            ResolverVersion::V1 => "1",
            ResolverVersion::V2 => "2",
            ResolverVersion::V3 => "3",
        };
        let message = format!(
            "virtual workspace defaulting to `resolver = \"1\"` although a member of edition {} implies \
             `resolver = \"{wanted}\"`: state `workspace.resolver` in the root manifest",
            newest.as_str()
        );
        Some((self.root_manifest.clone(), Warning { message, critical: false }))
    }
}
