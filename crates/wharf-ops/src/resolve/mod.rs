//! Resolves a workspace: first everything for the lockfile, then what one command really needs.

pub mod features;
mod index;
pub mod lock;
mod path_overrides;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use wharf_core::manifest::{PatchTarget, ResolverVersion};
use wharf_core::source::CRATES_IO;
use wharf_core::{Package, PackageId, PackageIdSpec, PartialVersion, Resolution, SourceId};
use wharf_resolve::{
    Conflict, LockedGraph, LockedPackage, Patch, PreciseVersion, Problem, Replace, RequestedFeatures, Root,
    RustVersionPolicy,
};
use wharf_sources::Sources;

pub use features::CliFeatures;
pub use lock::{Found, LockPolicy};
pub use wharf_resolve::VersionOrder;

use crate::config::Sourced;
use crate::failure::{Failure, Result};
use crate::lock_changes::{Comparison, LockChanges};
use crate::workspace::Workspace;

use index::WorkspaceIndex;
use path_overrides::PathOverrides;

/// How a workspace is resolved.
#[derive(Clone, Debug)]
pub struct ResolveOptions {
    /// What may happen to the lockfile.
    pub lock: LockPolicy,
    /// Newest or oldest first.
    pub order: VersionOrder,
    /// Whether candidates that support the members' `rust-version` (or this toolchain) go first; `None` follows
    /// the workspace's resolver version.
    pub prefer_rust_version: Option<bool>,
    /// The version of the compiler, for members that state no `rust-version`.
    pub rustc: Option<PartialVersion>,
    /// What forbids the network, for a hint when something is not found.
    pub offline: Option<&'static str>,
    /// `[patch]` of configuration; goes before the manifest's.
    pub patches: Vec<wharf_core::manifest::Patch>,
    /// `--publish-time` (unstable): later versions do not exist; RFC 3339 in UTC, whole seconds.
    pub published_until: Option<Arc<str>>,
    /// `paths` of configuration.
    pub path_overrides: Vec<Sourced<PathBuf>>,
    /// Hears of changes of the lockfile, before anything is downloaded.
    pub lock_changed: LockListener,
    /// Only what a command needs is resolved, and no lockfile is written: what is installed from elsewhere may have
    /// dev-dependencies and optional ones that cannot be found here.
    pub only_needed: bool,
}

/// Hears what changed in a lockfile.
#[derive(Clone)]
pub struct LockListener(pub Arc<dyn Fn(&LockChanges) + Send + Sync>);

impl std::fmt::Debug for LockListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LockListener")
    }
}

/// What of the lockfile may move.
#[derive(Clone, Debug)]
pub enum Unlock {
    /// Nothing that still fits.
    Nothing,
    /// Everything.
    Everything,
    /// These packages, and those that `update --precise` names a version for.
    Packages {
        /// Ids of the previous resolution.
        ids: BTreeSet<PackageId>,
        /// Wanted versions.
        precise: Vec<PreciseVersion>,
        /// Git sources pinned by `--precise`.
        git: Vec<SourceId>,
    },
}

/// The whole graph of a workspace.
pub struct Resolved {
    /// Every member with every feature, for every platform.
    pub whole: Resolution,
    /// The lockfile before.
    pub previous: Option<Found>,
    /// The previous graph with ids.
    pub locked: LockedGraph,
    /// Whether the lockfile was (or would be) written.
    pub changed: bool,
}

/// Resolves every member with all its features and writes the lockfile, as `policy` allows.
pub fn resolve_workspace(
    workspace: &Workspace,
    sources: &Sources,
    options: &ResolveOptions,
    unlock: &Unlock,
) -> Result<Resolved> {
    let resolved = resolve_unwritten(workspace, sources, options, unlock)?;
    let changed = lock::write(workspace, &resolved.whole, resolved.previous.as_ref(), options.lock)?;
    if changed && options.lock != LockPolicy::Ignore {
        let found = resolved.previous.as_ref();
        let before = found.map(|found| lock::ids(&found.lockfile, workspace, &options.patches));
        let (before, now) = (before.as_deref(), &resolved.whole);
        (options.lock_changed.0)(&Comparison { workspace, sources, options, before, now }.noticed()?);
    }
    Ok(Resolved { changed, ..resolved })
}

/// As [`resolve_workspace`], but the lockfile is left as it is.
pub fn resolve_unwritten(
    workspace: &Workspace,
    sources: &Sources,
    options: &ResolveOptions,
    unlock: &Unlock,
) -> Result<Resolved> {
    let (previous, locked) = previous(workspace, options)?;
    let whole = resolve_from(workspace, sources, options, (&locked, unlock))?;
    Ok(Resolved { whole, previous, locked, changed: false })
}

/// The lockfile as it is, if it is to be read, and the graph that it holds.
fn previous(workspace: &Workspace, options: &ResolveOptions) -> Result<(Option<Found>, LockedGraph)> {
    let found = match options.lock {
        LockPolicy::Ignore => None,
        _ => lock::read(workspace)?,
    };
    let graph = found.as_ref().map(|found| lock::graph(&found.lockfile, workspace, &options.patches));
    Ok((found, graph.unwrap_or_default()))
}

/// Resolves every member with all its features, starting from a graph that may stay as far as `unlock` says.
pub(crate) fn resolve_from(
    workspace: &Workspace,
    sources: &Sources,
    options: &ResolveOptions,
    (locked, unlock): (&LockedGraph, &Unlock),
) -> Result<Resolution> {
    let everything = |member: &Arc<Package>| Root {
        summary: member.manifest.summary.clone(),
        features: RequestedFeatures::everything(),
        dev_dependencies: true,
    };
    let mut problem = problem(workspace, options, workspace.members().map(everything).collect())?;
    problem.locked = locked.clone();
    apply(unlock, &mut problem);
    let index = WorkspaceIndex::new(workspace, sources);
    wharf_resolve::resolve(&problem, &index).map_err(|conflict| told(conflict, options))
}

/// Resolves only what some members with some features need, keeping to the lockfile as far as it is read. Nothing is
/// written.
pub(crate) fn resolve_needed(
    workspace: &Workspace,
    sources: &Sources,
    options: &ResolveOptions,
    members: &[(Arc<Package>, RequestedFeatures)],
    dev_dependencies: bool,
) -> Result<Resolved> {
    let (previous, locked) = previous(workspace, options)?;
    let roots = members
        .iter()
        .map(|(package, features)| Root {
            summary: package.manifest.summary.clone(),
            features: features.clone(),
            dev_dependencies,
        })
        .collect();
    let mut problem = problem(workspace, options, roots)?;
    problem.locked = locked.clone();
    let index = WorkspaceIndex::new(workspace, sources);
    let whole = wharf_resolve::resolve(&problem, &index).map_err(|conflict| told(conflict, options))?;
    if previous.is_none() {
        let comparison = Comparison { workspace, sources, options, before: None, now: &whole };
        (options.lock_changed.0)(&comparison.noticed()?);
    }
    Ok(Resolved { whole, previous, locked, changed: false })
}

/// Resolves for some members with some features, keeping to what `whole` chose.
pub fn resolve_members(
    workspace: &Workspace,
    sources: &Sources,
    options: &ResolveOptions,
    whole: &Resolution,
    members: &[(Arc<Package>, RequestedFeatures)],
    dev_dependencies: bool,
) -> Result<Resolution> {
    let roots = members
        .iter()
        .map(|(package, features)| Root {
            summary: package.manifest.summary.clone(),
            features: features.clone(),
            dev_dependencies,
        })
        .collect();
    let mut problem = problem(workspace, options, roots)?;
    problem.locked = graph_of(whole);
    let overrides = PathOverrides::read(workspace, &options.path_overrides)?;
    let index = WorkspaceIndex::with_overrides(workspace, sources, &overrides);
    let mut resolution =
        wharf_resolve::resolve(&problem, &index).map_err(|conflict| told(conflict, options))?;
    overrides.apply(workspace, &mut resolution);
    Ok(resolution)
}

/// A resolution as the lock of another one.
pub(crate) fn graph_of(resolution: &Resolution) -> LockedGraph {
    LockedGraph {
        packages: resolution
            .packages
            .iter()
            .map(|(id, package)| LockedPackage {
                id: id.clone(),
                dependencies: package.edges.iter().map(|edge| edge.to.clone()).collect(),
                checksum: package.checksum.clone(),
                keep: true,
            })
            .collect(),
        unused_patches: resolution.unused_patches.clone(),
        replacements: resolution.replacements.clone(),
        default_branch_may_be_master: false,
    }
}

fn problem(workspace: &Workspace, options: &ResolveOptions, roots: Vec<Root>) -> Result<Problem> {
    let mut problem = Problem::new(roots);
    problem.members = workspace.members().map(|member| member.manifest.summary.clone()).collect();
    problem.order = options.order;
    problem.published_until = options.published_until.clone();
    problem.rust_version = rust_version_policy(workspace, options);
    for patch in &options.patches {
        let target = patch_target(workspace, &patch.target)?;
        problem.patches.push(Patch { target, dependency: patch.dependency.clone() });
    }
    let configured = problem.patches.len();
    for patch in workspace.patches() {
        let target = patch_target(workspace, &patch.target)?;
        // An entry of the configuration stands in for the manifest's of the same name.
        let is_overridden = problem.patches[..configured].iter().any(|other| {
            other.target.canonical_url() == target.canonical_url()
                && other.dependency.name_in_toml() == patch.dependency.name_in_toml()
        });
        if !is_overridden {
            problem.patches.push(Patch { target, dependency: patch.dependency.clone() });
        }
    }
    let replaces = workspace.replaces().iter();
    problem.replaces = replaces
        .map(|(spec, dependency): &(PackageIdSpec, _)| Replace {
            spec: spec.clone(),
            dependency: dependency.clone(),
        })
        .collect();
    Ok(problem)
}

fn patch_target(workspace: &Workspace, target: &PatchTarget) -> Result<SourceId> {
    match target {
        PatchTarget::Registry(name) if name == CRATES_IO => Ok(SourceId::crates_io()),
        PatchTarget::Registry(name) => workspace.loader().registry(name).ok_or_else(|| {
            Failure::new(format!("[patch] entry `{name}` should be a URL or registry name"))
                .help(format!("name a registry that `[registries.{name}]` configures, or give a URL"))
        }),
        PatchTarget::Url(url) => match workspace.loader().registry(url) {
            Some(registry) => Ok(registry),
            None => SourceId::for_registry(url).map_err(|error| {
                Failure::from(error)
                    .context(format!("[patch] entry `{url}` should be a URL or registry name"))
            }),
        },
    }
}

/// Whether candidates that the members' toolchains can build go first.
pub fn honours_rust_version(workspace: &Workspace, options: &ResolveOptions) -> bool {
    options.prefer_rust_version.unwrap_or_else(|| workspace.resolver() == ResolverVersion::V3)
}

fn rust_version_policy(workspace: &Workspace, options: &ResolveOptions) -> RustVersionPolicy {
    if !honours_rust_version(workspace, options) {
        return RustVersionPolicy::Ignore;
    }
    let mut stated: Vec<PartialVersion> = workspace
        .members()
        .filter_map(|member| member.manifest.rust_version.as_ref())
        .map(|version| version.to_partial())
        .collect();
    if stated.is_empty() {
        stated.extend(options.rustc.clone());
    }
    if stated.is_empty() { RustVersionPolicy::Ignore } else { RustVersionPolicy::Prefer(stated) }
}

fn apply(unlock: &Unlock, problem: &mut Problem) {
    match unlock {
        Unlock::Nothing => {}
        Unlock::Everything => {
            for package in &mut problem.locked.packages {
                package.keep = false;
            }
            problem.locked.unused_patches.clear();
        }
        Unlock::Packages { ids, precise, git } => {
            for package in &mut problem.locked.packages {
                if ids.contains(&package.id) {
                    package.keep = false;
                }
                if let Some(pinned) = git.iter().find(|source| source.same_place(package.id.source()))
                    && ids.contains(&package.id)
                {
                    package.id = package.id.with_source(pinned.clone());
                    package.keep = true;
                }
            }
            problem.precise.clone_from(precise);
        }
    }
}

fn told(conflict: Conflict, options: &ResolveOptions) -> Failure {
    let help = conflict.help();
    let may_be_missing = conflict.may_lack_packages();
    let mut failure = Failure::from(conflict);
    if let Some(help) = help {
        failure = failure.help(help);
    }
    if let Some(because) = options.offline.filter(|_| may_be_missing) {
        failure = failure.help(format!(
            "{because} keeps the network out, and what is on disk may be too little: retry without it"
        ));
    }
    failure
}

/// Newest or, with `-Z minimal-versions`, oldest first.
pub fn order(minimal: bool) -> VersionOrder {
    if minimal { VersionOrder::Lowest } else { VersionOrder::Highest }
}

/// A compiler's version as `rust-version` fields are compared with: pre-releases count as the release.
pub fn partial_version(version: &wharf_core::Version) -> PartialVersion {
    let release = wharf_core::Version::new(version.major, version.minor, version.patch);
    PartialVersion::from(release)
}
