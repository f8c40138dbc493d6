//! Plans and runs a build: from a settled request to finished actions.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use cargo_util_schemas::manifest::TomlProfile;
use wharf_core::Profile;
use wharf_core::profile::{ProfileSet, ProfileSources};
use wharf_exec::{Event, Jobserver, Options, Store, Summary};
use wharf_plan::{Intent, Plan, Request, Settings, TargetFilter, Toolchain};
use wharf_sources::Sources;

use crate::failure::{Context, Result};
use crate::narrow::{Narrowed, Scope, narrow};
use crate::resolve::{ResolveOptions, Resolved, Unlock, resolve_workspace};
use crate::workspace::Workspace;

/// What is to be built.
#[derive(Clone)]
pub struct CompileRequest {
    /// Packages, features and platforms.
    pub scope: Scope,
    /// What for.
    pub intent: Intent,
    /// Which targets.
    pub targets: TargetFilter,
    /// The profile by name.
    pub profile: String,
    /// `[profile]` of configuration.
    pub config_profiles: BTreeMap<String, TomlProfile>,
    /// `CARGO_INCREMENTAL` or `build.incremental`.
    pub incremental: Option<bool>,
    /// How the workspace is resolved.
    pub resolve: ResolveOptions,
    /// Everything that command lines and environments need.
    pub settings: Arc<Settings>,
    /// How much at once, and what after a failure.
    pub run: RunOptions,
}

/// How actions are run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// How many commands at once, unless a jobserver is inherited.
    pub jobs: NonZeroUsize,
    /// `--keep-going`
    pub keep_going: bool,
    /// The jobserver that this process was started under.
    pub jobserver: Option<Jobserver>,
}

/// A build that can start.
pub struct Prepared {
    /// The whole graph and the lockfile before.
    pub resolved: Resolved,
    /// What takes part.
    pub narrowed: Narrowed,
    /// The units and their actions.
    pub plan: Plan,
    /// The profile of members, for the last line.
    pub profile: Profile,
}

/// Resolves, downloads and plans.
pub fn prepare(
    workspace: &Workspace,
    sources: &Sources,
    toolchain: &Arc<Toolchain>,
    request: &CompileRequest,
) -> Result<Prepared> {
    let profiles = profiles(workspace, request)?;
    let resolved = resolve_workspace(workspace, sources, &request.resolve, &Unlock::Nothing)?;
    let narrowed = narrow(workspace, sources, toolchain, &request.resolve, (&resolved, &request.scope))?;
    let plan = wharf_plan::plan(&Request {
        resolution: &narrowed.resolution,
        packages: &narrowed.packages,
        features: &narrowed.features,
        members: workspace.member_ids(),
        selected: &narrowed.selected,
        selection: &narrowed.selection,
        intent: request.intent,
        targets: &request.targets,
        kinds: &request.scope.kinds,
        dev_units: request.scope.dev_dependencies,
        profiles: &profiles,
        toolchain,
        settings: &request.settings,
    })?;
    Ok(Prepared { resolved, narrowed, plan, profile: profiles.base() })
}

fn profiles(workspace: &Workspace, request: &CompileRequest) -> Result<ProfileSet> {
    let sources = ProfileSources {
        manifest: workspace.profiles(),
        config: &request.config_profiles,
        incremental: request.incremental,
    };
    Ok(ProfileSet::new(&sources, &request.profile)?)
}

/// Runs everything that is not fresh.
pub fn run(
    workspace: &Workspace,
    prepared: &Prepared,
    request: &CompileRequest,
    events: &mut dyn FnMut(Event),
) -> Result<Summary> {
    let home = &request.settings.wharf_home;
    let store =
        Store::open(home).context(|| format!("cannot open the build cache in `{}`", home.display()))?;
    let jobserver = match &request.run.jobserver {
        Some(inherited) => inherited.clone(),
        None => Jobserver::new(request.run.jobs).context(|| "cannot make a jobserver".to_owned())?,
    };
    let options = Options {
        state: workspace.target_dir().join(".wharf"),
        jobserver,
        keep_going: request.run.keep_going,
    };
    Ok(wharf_exec::run(&prepared.plan.graph, &prepared.plan, &store, &options, events)?)
}
