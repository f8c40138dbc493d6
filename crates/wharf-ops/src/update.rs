//! `update` and `generate-lockfile`: moves what the lockfile holds.

use std::collections::{BTreeMap, BTreeSet};

use wharf_core::source::Precise;
use wharf_core::{PackageId, Resolution, Version};
use wharf_resolve::{LockedGraph, PreciseVersion};
use wharf_sources::{Freshness, Sources};

use crate::failure::{Failure, Result};
use crate::lock_changes::{Comparison, LockChanges, Moved};
use crate::narrow::find_among;
use crate::resolve::{Found, LockPolicy, ResolveOptions, Unlock, graph_of, lock, resolve_unwritten};
use crate::workspace::{Workspace, parse_spec};

/// What `update` is asked.
#[derive(Clone, Debug, Default)]
pub struct UpdateRequest {
    /// The packages to move; none for all of them.
    pub specs: Vec<String>,
    /// `--precise`: the version or git object to move to.
    pub precise: Option<String>,
    /// `--recursive`: what they depend on moves too.
    pub recursive: bool,
    /// `--workspace`: nothing moves but what members need.
    pub workspace: bool,
}

/// A lockfile that could be written.
pub struct Update {
    /// The new graph.
    pub resolution: Resolution,
    /// What it changes.
    pub changes: LockChanges,
    previous: Option<Found>,
}

impl Update {
    /// Writes the lockfile, if it says something else than before; tells whether it did.
    ///
    /// # Errors
    /// If `policy` forbids what has to be written, or writing fails.
    pub fn write(&self, workspace: &Workspace, policy: LockPolicy) -> Result<bool> {
        lock::write(workspace, &self.resolution, self.previous.as_ref(), policy)
    }
}

/// Resolves as if there were no lockfile.
///
/// # Errors
/// If no versions fit, or a source fails.
pub fn generate_lockfile(
    workspace: &Workspace,
    sources: &Sources,
    options: &ResolveOptions,
) -> Result<Update> {
    let anew = ResolveOptions { lock: LockPolicy::Ignore, ..options.clone() };
    let resolution = resolve_unwritten(workspace, sources, &anew, &Unlock::Nothing)?.whole;
    let comparison = Comparison { workspace, sources, options, before: None, now: &resolution };
    let changes = comparison.noticed()?;
    // What the old file said of other things is lost, broken or not.
    let previous = lock::read(workspace).ok().flatten();
    Ok(Update { resolution, changes, previous })
}

/// Finds out what moves.
///
/// # Errors
/// If a specification names no package of the lockfile or several, no versions fit, or a source fails.
pub fn update(
    workspace: &Workspace,
    sources: &Sources,
    options: &ResolveOptions,
    request: &UpdateRequest,
) -> Result<Update> {
    if request.recursive && request.precise.is_some() {
        return Err(Failure::new("cannot specify both recursive and precise simultaneously"));
    }
    if workspace.members().next().is_none() {
        return Err(Failure::new("you can't generate a lockfile for an empty workspace."));
    }
    let previous = lock::read(workspace)?;
    let (graph, before) = match &previous {
        Some(found) => (
            lock::graph(&found.lockfile, workspace, &options.patches),
            lock::ids(&found.lockfile, workspace, &options.patches),
        ),
        None if request.precise.is_none() => return generate_lockfile(workspace, sources, options),
        None => {
            let graph = graph_of(&resolve_unwritten(workspace, sources, options, &Unlock::Nothing)?.whole);
            let before = graph.packages.iter().map(|package| package.id.clone()).collect();
            (graph, before)
        }
    };
    let unlock = unlock(workspace, &graph, request)?;
    let resolution = match &previous {
        Some(_) => resolve_unwritten(workspace, sources, options, &unlock)?.whole,
        None => crate::resolve::resolve_from(workspace, sources, options, (&graph, &unlock))?,
    };
    let comparison = Comparison { workspace, sources, options, before: Some(&before), now: &resolution };
    let versions: &[PreciseVersion] = match &unlock {
        Unlock::Packages { precise, .. } => precise,
        Unlock::Nothing | Unlock::Everything => &[],
    };
    // What is on disk will do to tell of newer versions where nothing was to move.
    let freshness = match unlock {
        Unlock::Nothing => Freshness::Cached,
        Unlock::Packages { .. } | Unlock::Everything => Freshness::Current,
    };
    let changes =
        comparison.updated(&Moved { is_precise: request.precise.is_some(), versions, freshness })?;
    Ok(Update { resolution, changes, previous })
}

/// What may move.
fn unlock(workspace: &Workspace, graph: &LockedGraph, request: &UpdateRequest) -> Result<Unlock> {
    if request.specs.is_empty() {
        return Ok(if request.workspace { Unlock::Nothing } else { Unlock::Everything });
    }
    let mut avoided: BTreeSet<PackageId> = BTreeSet::new();
    let mut precise = Vec::new();
    let mut git = Vec::new();
    let ids: Vec<&PackageId> = graph.packages.iter().map(|package| &package.id).collect();
    for text in &request.specs {
        let spec = parse_spec(text)?;
        let id = find_among(ids.iter().copied(), &spec)?;
        if request.recursive {
            with_dependencies(graph, &id, &mut avoided);
        } else {
            if let Some(wanted) = &request.precise {
                match id.source() {
                    source if source.is_registry() => precise.push(precise_version(&id, wanted)?),
                    source => git.push(source.with_precise(Some(Precise::GitObject(wanted.clone())))),
                }
            }
            avoided.insert(id);
        }
        if let Ok(unused) = find_among(graph.unused_patches.iter(), &spec) {
            avoided.insert(unused);
        }
    }
    // Members move with their manifests; their versions in the lockfile may be old.
    avoided.retain(|id| {
        let is_same = |member: &PackageId| member.name() == id.name() && member.source() == id.source();
        !workspace.member_ids().iter().any(is_same)
    });
    // All packages of one repository move together.
    let places: Vec<_> =
        avoided.iter().map(|id| id.source().clone()).filter(|source| !source.is_registry()).collect();
    let dragged = ids.into_iter().filter(|id| places.iter().any(|place| place.same_place(id.source())));
    avoided.extend(dragged.cloned());
    Ok(Unlock::Packages { ids: avoided, precise, git })
}

fn precise_version(id: &PackageId, wanted: &str) -> Result<PreciseVersion> {
    let to = Version::parse(wanted).map_err(|error| {
        let failure =
            Failure::new(format!("invalid version format for precise version `{wanted}`")).because(error);
        match wanted.strip_prefix('v').filter(|rest| Version::parse(rest).is_ok()) {
            Some(rest) => failure.help(format!("write `{rest}`, without the `v`")),
            None => failure,
        }
    })?;
    Ok(PreciseVersion {
        source: id.source().without_precise(),
        name: id.name().clone(),
        from: id.version().clone(),
        to,
    })
}

fn with_dependencies(graph: &LockedGraph, from: &PackageId, found: &mut BTreeSet<PackageId>) {
    let packages: BTreeMap<&PackageId, _> =
        graph.packages.iter().map(|package| (&package.id, package)).collect();
    let mut pending = vec![from];
    while let Some(id) = pending.pop() {
        if found.insert(id.clone())
            && let Some(package) = packages.get(id)
        {
            pending.extend(&package.dependencies);
        }
    }
}
