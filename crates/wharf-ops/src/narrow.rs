//! From the whole graph of a workspace to what one command needs of it: members, their features, the packages
//! that may take part, on disk.

use std::collections::BTreeSet;
use std::sync::Arc;

use wharf_core::manifest::ResolverVersion;
use wharf_core::resolution::{ActivatedFeatures, FeaturesFor};
use wharf_core::{Package, PackageId, PackageIdSpec, Platform, Resolution, Target};
use wharf_plan::{CompileKind, Selection, Toolchain};
use wharf_resolve::{FeatureRequest, MemberFeatures, RequestedFeatures, activate_features};
use wharf_sources::Sources;

use crate::failure::{Failure, Result};
use crate::packages::{self, Packages, Reach};
use crate::resolve::features::distribute;
use crate::resolve::{CliFeatures, ResolveOptions, Resolved, resolve_members};
use crate::workspace::{PackageSelection, Workspace, matches_spec};

/// What a command is about.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Which packages.
    pub packages: PackageSelection,
    /// With which features.
    pub features: CliFeatures,
    /// Whether tests, examples or benches take part, which see dev-dependencies.
    pub dev_dependencies: bool,
    /// For which platforms.
    pub kinds: Vec<CompileKind>,
    /// Dependencies of every platform, whatever is built.
    pub all_platforms: bool,
}

/// The part of the graph that a command needs.
pub struct Narrowed {
    /// The packages that were asked for: members, and dependencies named by `-p`.
    pub selected: Vec<PackageId>,
    /// The members that were resolved for, and the features asked of them.
    pub roots: Vec<(Arc<Package>, RequestedFeatures)>,
    /// How they were named, for messages.
    pub selection: Selection,
    /// The graph with the features of the command line.
    pub resolution: Resolution,
    /// Every package that may take part.
    pub packages: Packages,
    /// The features that are on.
    pub features: ActivatedFeatures,
    /// `--exclude` entries that matched nothing.
    pub useless_excludes: Vec<String>,
}

/// Narrows `resolved` to `scope`, downloading what is missing.
pub fn narrow(
    workspace: &Workspace,
    sources: &Sources,
    toolchain: &Toolchain,
    options: &ResolveOptions,
    (resolved, scope): (&Resolved, &Scope),
) -> Result<Narrowed> {
    let chosen = workspace.select(&scope.packages)?;
    let roots = distribute(workspace, &chosen.packages, &scope.features)?;
    // Dev-dependencies always, even where nothing sees them: under resolver 1 they switch features on.
    // What is installed from elsewhere may have some that cannot be found.
    let with_dev = scope.dev_dependencies || !options.only_needed;
    let resolution = resolve_members(workspace, sources, options, &resolved.whole, &roots, with_dev)?;
    let active = |platform: &Platform, whom: FeaturesFor| is_active(toolchain, &scope.kinds, platform, whom);
    let reach = Reach {
        dev_dependencies: scope.dev_dependencies,
        is_active: &|platform| {
            scope.all_platforms
                || active(platform, FeaturesFor::Target)
                || active(platform, FeaturesFor::Host)
        },
    };
    let root_ids: BTreeSet<PackageId> = roots.iter().map(|(package, _)| package.id().clone()).collect();
    let needed = packages::reachable(&resolution, &root_ids, &reach);
    let packages = packages::load(workspace, sources, &resolution, &needed)?;
    let mut selected: Vec<PackageId> = chosen.packages.iter().map(|package| package.id().clone()).collect();
    for spec in &chosen.outside {
        selected.push(find_one(&resolution, spec)?);
    }
    let selection = match &scope.packages {
        PackageSelection::Named(names) => Selection::Named(names.clone()),
        PackageSelection::Default | PackageSelection::All { .. } => Selection::Default,
    };
    let mut narrowed = Narrowed {
        selected,
        roots,
        selection,
        resolution,
        packages,
        features: ActivatedFeatures::default(),
        useless_excludes: chosen.useless_excludes,
    };
    narrowed.features = activated(&narrowed, toolchain, scope, workspace.resolver());
    Ok(narrowed)
}

/// The features that are on by the rules of a resolver.
pub(crate) fn activated(
    narrowed: &Narrowed,
    toolchain: &Toolchain,
    scope: &Scope,
    resolver: ResolverVersion,
) -> ActivatedFeatures {
    let Narrowed { roots, packages, resolution, .. } = narrowed;
    let request = FeatureRequest {
        members: roots.iter().map(|(package, features)| member_features(package, features)).collect(),
        resolver,
        dev_dependencies: scope.dev_dependencies,
        all_platforms: scope.all_platforms,
        is_proc_macro: &|id| packages.get(id).is_some_and(|package| package.manifest.is_proc_macro()),
        is_active: &|platform: &Platform, whom: FeaturesFor| {
            is_active(toolchain, &scope.kinds, platform, whom)
        },
    };
    activate_features(resolution, &request)
}

fn member_features(package: &Arc<Package>, features: &RequestedFeatures) -> MemberFeatures {
    MemberFeatures {
        id: package.id().clone(),
        features: features.clone(),
        has_proc_macro: package.manifest.targets.iter().any(Target::is_proc_macro),
    }
}

/// Whether a platform-specific dependency counts for the host, or for one of the requested platforms.
pub fn is_active(
    toolchain: &Toolchain,
    kinds: &[CompileKind],
    platform: &Platform,
    whom: FeaturesFor,
) -> bool {
    let fits = |kind: &CompileKind| {
        let info = toolchain.info(kind);
        platform.matches(toolchain.triple(kind), &info.cfgs)
    };
    match whom {
        FeaturesFor::Host => fits(&CompileKind::Host),
        FeaturesFor::Target => kinds.iter().any(fits),
    }
}

/// The one package of a graph that a specification names.
///
/// # Errors
/// If there is none, or more than one.
pub fn find_one(resolution: &Resolution, spec: &PackageIdSpec) -> Result<PackageId> {
    let ids: Vec<&PackageId> = resolution.ids().collect();
    find_among(ids.into_iter(), spec)
}

/// The one package among `ids` that a specification names.
///
/// # Errors
/// If there is none, or more than one.
pub fn find_among<'a>(
    ids: impl Iterator<Item = &'a PackageId> + Clone,
    spec: &PackageIdSpec,
) -> Result<PackageId> {
    let found: Vec<&PackageId> = ids.clone().filter(|id| matches_spec(spec, id)).collect();
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        [] => {
            let failure = Failure::new(format!("no package matches the specification `{spec}`"));
            let same_name: Vec<String> = ids
                .clone()
                .filter(|id| id.name().as_str() == spec.name())
                .map(|id| id.to_spec().to_string())
                .collect();
            if !same_name.is_empty() {
                return Err(failure.help(format!(
                    "there are similar package ID specifications:\n  {}",
                    same_name.join("\n  ")
                )));
            }
            let names = ids.map(|id| id.name().as_str());
            Err(match crate::suggest::nearest(spec.name(), names) {
                Some(name) => failure.help(format!("a package with a similar name exists: `{name}`")),
                None => failure,
            })
        }
        several => {
            let list: Vec<String> = several.iter().map(|id| shortest_spec(several, id)).collect();
            Err(Failure::new(format!(
                "there are multiple `{}` packages in your project, and the specification `{spec}` is ambiguous",
                spec.name()
            ))
            .help(format!("re-run this command with one of the following specifications:\n  {}", list.join("\n  "))))
        }
    }
}

/// `name@version` when that tells the candidates apart, else the whole specification.
fn shortest_spec(candidates: &[&PackageId], id: &PackageId) -> String {
    let same_version = candidates.iter().filter(|other| other.version() == id.version()).count();
    if same_version == 1 { format!("{}@{}", id.name(), id.version()) } else { id.to_spec().to_string() }
}
