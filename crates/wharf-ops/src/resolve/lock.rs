//! `Cargo.lock`: from the file to what the resolver may keep, and from a resolution back to the file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use wharf_base::{fs, paths};
use wharf_core::lockfile::{LockVersion, LockedDependency, Lockfile, are_equal};
use wharf_core::manifest::Patch;
use wharf_core::{Dependency, Package, PackageId, Resolution, SourceId};
use wharf_resolve::{LockedGraph, LockedPackage};

use crate::failure::{Context, Failure, Result};
use crate::workspace::Workspace;

/// What may happen to the lockfile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockPolicy {
    /// It is written when it has to change.
    Update,
    /// It must be right as it is (`--locked`, `--frozen`).
    Refuse {
        /// The flag that said so.
        because: &'static str,
    },
    /// It is neither read nor written (`--dry-run` reads it: see [`LockPolicy::Preview`]).
    Ignore,
    /// It is read, and what would change is only told.
    Preview,
}

/// A lockfile as found on disk.
pub struct Found {
    /// What it says.
    pub lockfile: Lockfile,
    /// The bytes, to keep line endings and to notice changes.
    pub text: String,
}

/// Reads the workspace's lockfile, if there is one.
pub fn read(workspace: &Workspace) -> Result<Option<Found>> {
    let path = workspace.lockfile();
    let Some(bytes) = fs::read_if_exists(path)? else { return Ok(None) };
    let text = String::from_utf8(bytes).map_err(|error| {
        Failure::new(format!("lockfile `{}` is not UTF-8", path.display())).because(error)
    })?;
    let lockfile = Lockfile::parse(&text, path).map_err(|error| {
        let help = error.help.clone().unwrap_or_else(|| {
            "restore it from version control, or delete it: the next command writes it anew, with the newest \
             versions that fit"
                .to_owned()
        });
        Failure::from(error).help(help)
    })?;
    Ok(Some(Found { lockfile, text }))
}

/// Translates a lockfile for the resolver. Packages without a source are those that `workspace` and the path
/// dependencies of its packages, patches and replacements reach.
pub fn graph(lockfile: &Lockfile, workspace: &Workspace, patches: &[Patch]) -> LockedGraph {
    let local = LocalIds::of(workspace, patches);
    let ids: Vec<Option<PackageId>> = lockfile
        .packages
        .iter()
        .map(|package| match &package.source {
            Some(source) => {
                Some(PackageId::new(package.name.clone(), package.version.clone(), source.clone()))
            }
            None => local.find(&package.name, &package.version),
        })
        .collect();
    let id_of = |dependency: &LockedDependency| dependency.package.and_then(|index| ids[index].clone());
    let mut graph = LockedGraph::default();
    for (package, id) in lockfile.packages.iter().zip(&ids) {
        let Some(id) = id else { continue };
        if let Some(replacement) = package.replace.as_ref().and_then(id_of) {
            graph.replacements.insert(id.clone(), replacement);
        }
        graph.packages.push(LockedPackage {
            id: id.clone(),
            dependencies: package.dependencies.iter().filter_map(id_of).collect(),
            checksum: package.checksum.clone(),
            keep: true,
        });
    }
    graph.unused_patches = lockfile
        .unused_patches
        .iter()
        .filter_map(|package| match &package.source {
            Some(source) => {
                Some(PackageId::new(package.name.clone(), package.version.clone(), source.clone()))
            }
            None => local.find(&package.name, &package.version),
        })
        .collect();
    graph.default_branch_may_be_master = lockfile.version < LockVersion::V3;
    graph
}

/// The packages of a lockfile with the versions that it names. Where [`graph`] has the version that a path package
/// has now, this has the one that it had.
pub fn ids(lockfile: &Lockfile, workspace: &Workspace, patches: &[Patch]) -> Vec<PackageId> {
    let local = LocalIds::of(workspace, patches);
    let id = |package: &wharf_core::lockfile::LockedPackage| {
        let source = match &package.source {
            Some(source) => source.clone(),
            None => local.find(&package.name, &package.version)?.source().clone(),
        };
        Some(PackageId::new(package.name.clone(), package.version.clone(), source))
    };
    lockfile.packages.iter().filter_map(id).collect()
}

/// The path packages that a lockfile may mean by a bare name.
struct LocalIds(BTreeMap<String, Vec<PackageId>>);

impl LocalIds {
    fn of(workspace: &Workspace, patches: &[Patch]) -> Self {
        let mut ids = Self(BTreeMap::new());
        let mut seen = BTreeSet::new();
        for member in workspace.members() {
            ids.visit(workspace, member, &mut seen);
        }
        let more = workspace.patches().iter().chain(patches).map(|patch| &patch.dependency);
        let more = more.chain(workspace.replaces().iter().map(|(_, dependency)| dependency));
        for dependency in more {
            ids.visit_dependency(workspace, dependency, &mut seen);
        }
        ids
    }

    fn visit(&mut self, workspace: &Workspace, package: &Package, seen: &mut BTreeSet<PathBuf>) {
        if !seen.insert(package.manifest_path.clone()) {
            return;
        }
        let id = package.id().clone();
        self.0.entry(id.name().to_string()).or_default().push(id);
        for dependency in &package.manifest.summary.dependencies {
            self.visit_dependency(workspace, dependency, seen);
        }
    }

    fn visit_dependency(
        &mut self,
        workspace: &Workspace,
        dependency: &Dependency,
        seen: &mut BTreeSet<PathBuf>,
    ) {
        let Some(dir) = dependency.source().local_path().filter(|_| dependency.source().is_path()) else {
            return;
        };
        let manifest = paths::normalize(&dir.join("Cargo.toml"));
        if seen.contains(&manifest) {
            return;
        }
        // A package that cannot be read is told of when it is resolved, not when an old lockfile is.
        if let Ok(package) = local_package(workspace, dependency.source()) {
            self.visit(workspace, &package, seen);
        }
    }

    fn find(&self, name: &str, version: &wharf_core::Version) -> Option<PackageId> {
        let named = self.0.get(name)?;
        // A version that was edited in the manifest since is still the same package.
        named
            .iter()
            .find(|id| id.version() == version)
            .or_else(|| named.first().filter(|_| named.len() == 1))
            .cloned()
    }
}

/// The package in a path source: a member as it was read already, else from disk.
pub(crate) fn local_package(workspace: &Workspace, source: &SourceId) -> Result<Arc<Package>> {
    let dir = source
        .local_path()
        .ok_or_else(|| Failure::new(format!("`{}` is not a path on this machine", source.url())))?;
    let manifest = paths::normalize(&dir.join("Cargo.toml"));
    if let Some(member) = workspace.member_at(&manifest) {
        return Ok(member.clone());
    }
    workspace.loader().load_package(&manifest, source)
}

/// Writes the lockfile if the resolution says something else than `previous`; tells whether it did or would.
pub fn write(
    workspace: &Workspace,
    resolution: &Resolution,
    previous: Option<&Found>,
    policy: LockPolicy,
) -> Result<bool> {
    let lowest = workspace.members().filter_map(|member| member.manifest.rust_version.as_ref()).min();
    let mut version = LockVersion::for_rust_version(lowest);
    if let Some(found) = previous {
        // A lockfile keeps its encoding until something in it changes, and never goes back to an older one.
        version = version.max(found.lockfile.version);
    }
    let render = |version| {
        Lockfile::from_resolution(resolution, version, previous.map(|found| &found.lockfile))
            .render(previous.map(|found| found.text.as_str()))
    };
    if let Some(found) = previous
        && found.lockfile.version < version
    {
        let same = render(found.lockfile.version);
        if are_equal(&found.text, &same) {
            return Ok(false);
        }
    }
    let text = render(version);
    if previous.is_some_and(|found| are_equal(&found.text, &text)) {
        return Ok(false);
    }
    if let (LockPolicy::Refuse { .. }, Some(found)) = (policy, previous)
        && means_the_same(workspace, found, &render(found.lockfile.version))
    {
        return Ok(false);
    }
    match policy {
        LockPolicy::Update => {}
        LockPolicy::Ignore | LockPolicy::Preview => return Ok(true),
        LockPolicy::Refuse { because } => {
            let path = workspace.lockfile().display();
            let failure = match previous {
                None => Failure::new(format!(
                    "there is no lockfile `{path}`, and {because} does not let one be written"
                )),
                Some(_) => Failure::new(format!(
                    "lockfile `{path}` does not fit the manifests any more, and {because} does not let it change"
                )),
            };
            return Err(failure.help(format!(
                "leave {because} out once to bring the lockfile up to date; `--offline` in its place does so without \
                 the network"
            )));
        }
    }
    let path = workspace.lockfile();
    // `resolver.lockfile-path` may name a directory that is not there yet.
    let made = path.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write_atomic(path, text.as_bytes()))
        .context(|| format!("cannot write lockfile `{}`", workspace.lockfile().display()))?;
    Ok(true)
}

/// Whether a text says the same as a lockfile that was perhaps written in an older form, or by hand.
fn means_the_same(workspace: &Workspace, found: &Found, text: &str) -> bool {
    let facts = |lockfile: &Lockfile| {
        let LockedGraph { packages, unused_patches, replacements, .. } = graph(lockfile, workspace, &[]);
        let packages: BTreeSet<_> = packages
            .into_iter()
            .map(|package| {
                let dependencies: BTreeSet<PackageId> = package.dependencies.into_iter().collect();
                (package.id, dependencies, package.checksum)
            })
            .collect();
        (packages, unused_patches.into_iter().collect::<BTreeSet<_>>(), replacements)
    };
    Lockfile::parse(text, workspace.lockfile()).is_ok_and(|now| facts(&now) == facts(&found.lockfile))
}
