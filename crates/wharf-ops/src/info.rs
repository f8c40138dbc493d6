//! `info`: what there is to know of a package.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wharf_core::features::FeatureMap;
use wharf_core::{
    DepKind, Dependency, FeatureName, FeatureValue, Package, PackageId, PackageIdSpec, PackageName,
    PartialVersion, SourceId, Summary, Version,
};
use wharf_sources::Sources;

use crate::failure::{Failure, Result};
use crate::packages;
use crate::resolve::{ResolveOptions, Unlock, resolve_workspace};
use crate::spelling::usable_versions;
use crate::workspace::{Loader, Workspace, matches_spec};

/// Which package, and where to look for it.
pub struct InfoRequest<'a> {
    /// The package.
    pub spec: PackageIdSpec,
    /// The registry that was named, or is the default.
    pub registry: Option<SourceId>,
    /// Whether the registry was named on the command line: what the workspace uses does not count then, unless it
    /// comes from there.
    pub is_explicit: bool,
    /// The workspace around, if there is one, and how to resolve it.
    pub workspace: Option<(&'a Workspace, &'a ResolveOptions)>,
    /// The version of the compiler, which decides between versions where nothing states a `rust-version`.
    pub rustc: Option<PartialVersion>,
}

/// What there is to know of a package.
pub struct Info {
    /// The package.
    pub package: Arc<Package>,
    /// The newest version of its source.
    pub latest: Option<Version>,
    /// Whether it is used by the workspace without being part of it.
    pub is_used: bool,
    /// Features, those that are on first.
    pub features: Vec<(FeatureName, State, Vec<FeatureValue>)>,
}

/// Whether a feature or a dependency is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Because nothing else was said.
    Chosen,
    /// Because something that is on needs it.
    Implied,
    /// Not at all.
    Off,
}

/// Finds a package: the one that the workspace uses, else the newest that the compiler can do with. `translated`
/// hears when it goes by another spelling.
///
/// # Errors
/// If there is no such package, or it cannot be downloaded.
pub fn info(
    loader: &Arc<Loader>,
    sources: &Sources,
    request: &InfoRequest<'_>,
    translated: &mut dyn FnMut(&str, &PackageName),
) -> Result<Info> {
    let spec = &request.spec;
    let used =
        request.workspace.and_then(|(workspace, resolve)| find_used(workspace, sources, resolve, spec));
    let registry = request.registry.as_ref().filter(|_| used.is_none() || request.is_explicit);
    let (used, source) = match (used, registry) {
        (Some(used), registry) => match registry.filter(|registry| registry.url() != used.0.source().url()) {
            Some(other) => (None, other.clone()),
            None => {
                let source = used.0.source().clone();
                (Some(used), source)
            }
        },
        (None, Some(registry)) => (None, registry.clone()),
        (None, None) => (None, SourceId::crates_io()),
    };
    let name = PackageName::new(spec.name())?;
    let summaries = usable_versions(sources, &source, &name, None)?;
    let is_used = used.as_ref().is_some_and(|(_, is_member)| !is_member);
    let id = match used {
        Some((id, _)) => id,
        None => best(&summaries, request)
            .ok_or_else(|| Failure::new(format!("could not find `{spec}` in registry `{}`", source.url())))?,
    };
    if *id.name() != name {
        translated(name.as_str(), id.name());
    }
    let checksum = summaries.iter().find(|summary| summary.id == id);
    let checksum = checksum.and_then(|summary| summary.checksum.clone());
    let package = packages::load_one(loader, sources, &id, checksum)?;
    let latest = summaries.iter().map(|summary| summary.id.version()).max().cloned();
    let features = features(&package.manifest.summary);
    Ok(Info { package, latest, is_used, features })
}

/// The package as the workspace has it: a member, or a dependency of the current package, of a member, or any.
fn find_used(
    workspace: &Workspace,
    sources: &Sources,
    resolve: &ResolveOptions,
    spec: &PackageIdSpec,
) -> Option<(PackageId, bool)> {
    let fits = |id: &&PackageId| matches_spec(spec, id);
    if let Some(member) = workspace.member_ids().iter().find(fits) {
        return Some((member.clone(), true));
    }
    // A workspace that cannot be resolved has nothing to say here.
    let resolved = resolve_workspace(workspace, sources, resolve, &Unlock::Nothing).ok()?.whole;
    let newest =
        |ids: &mut dyn Iterator<Item = &PackageId>| ids.filter(fits).max_by_key(|id| id.version()).cloned();
    let of_current = workspace
        .current()
        .ok()
        .and_then(|current| newest(&mut resolved.edges(current.id()).iter().map(|edge| &edge.to)));
    let of_members = || {
        let edges = workspace.member_ids().iter().flat_map(|member| resolved.edges(member));
        newest(&mut edges.map(|edge| &edge.to))
    };
    let found = of_current.or_else(of_members).or_else(|| newest(&mut resolved.ids()));
    found.map(|id| (id, false))
}

/// The newest version, of those that the compiler is known to do with if there are any.
fn best(summaries: &[Arc<Summary>], request: &InfoRequest<'_>) -> Option<PackageId> {
    let rust = rust_version(request);
    let supports = |summary: &Summary| match (&summary.rust_version, &rust) {
        (Some(wanted), Some(rust)) => wanted.is_compatible_with(rust),
        _ => false,
    };
    let wanted = &request.spec;
    let fits = |summary: &&Arc<Summary>| {
        // The registry was settled before, and knows the name by its right spelling.
        let id = &summary.id;
        wanted.partial_version().is_none_or(|version| version.matches(id.version()))
            && wanted.url().is_none_or(|url| url == id.source().url())
            && wanted.kind().is_none_or(|kind| kind == id.source().kind())
    };
    let newest =
        summaries.iter().filter(fits).max_by_key(|summary| (supports(summary), summary.id.version().clone()));
    newest.map(|summary| summary.id.clone())
}

fn rust_version(request: &InfoRequest<'_>) -> Option<PartialVersion> {
    let of = |package: &Arc<Package>| package.manifest.rust_version;
    let stated = request.workspace.and_then(|(workspace, _)| {
        let current = workspace.current().ok().and_then(of);
        current.or_else(|| workspace.members().filter_map(of).min())
    });
    stated.map(|version| version.to_partial()).or_else(|| request.rustc.clone())
}

/// The features of a package used as it comes.
fn features(summary: &Summary) -> Vec<(FeatureName, State, Vec<FeatureValue>)> {
    let states = states(&summary.features);
    let mut features: Vec<_> = summary
        .features
        .iter()
        .map(|(name, values)| (name.clone(), states[name.as_str()], values.clone()))
        .collect();
    features.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
    features
}

fn states(features: &FeatureMap) -> BTreeMap<&str, State> {
    let mut states: BTreeMap<&str, State> = features.keys().map(|name| (name.as_str(), State::Off)).collect();
    let mut pending = Vec::new();
    if let Some((name, values)) = features.get_key_value("default") {
        states.insert(name.as_str(), State::Chosen);
        pending.extend(values);
    }
    while let Some(value) = pending.pop() {
        let FeatureValue::Feature(name) = value else { continue };
        let Some(state @ State::Off) = states.get_mut(name.as_str()) else { continue };
        *state = State::Implied;
        pending.extend(&features[name]);
    }
    states
}

impl Info {
    /// The dependencies of one kind, those that are on first.
    pub fn dependencies(&self, kind: DepKind) -> Vec<(&Dependency, State)> {
        let on: BTreeSet<&str> = self
            .features
            .iter()
            .filter(|(_, state, _)| *state != State::Off)
            .flat_map(|(_, _, values)| values)
            .filter_map(|value| match value {
                FeatureValue::Dep { dep } | FeatureValue::DepFeature { dep, .. } => Some(dep.as_str()),
                FeatureValue::Feature(_) => None,
            })
            .collect();
        let state = |dependency: &Dependency| match dependency.is_optional() {
            false => State::Chosen,
            true if on.contains(dependency.name_in_toml().as_str()) => State::Implied,
            true => State::Off,
        };
        let all = self.package.manifest.summary.dependencies.iter();
        let mut found: Vec<_> = all
            .filter(|dependency| dependency.kind() == kind)
            .map(|dependency| (dependency, state(dependency)))
            .collect();
        found.sort_by_key(|(dependency, state)| (*state, dependency.name().clone()));
        found
    }
}
