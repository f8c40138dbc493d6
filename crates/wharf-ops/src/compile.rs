//! Plans and runs a build: from a settled request to finished actions.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use cargo_util_schemas::manifest::TomlProfile;
use wharf_base::digest::{Digest, Hasher};
use wharf_base::{fs, lock, trail};
use wharf_core::Profile;
use wharf_core::profile::{ProfileSet, ProfileSources};
use wharf_exec::{Event, Jobserver, Options, Store, Summary};
use wharf_plan::{CompileKind, Costs, Intent, Plan, Request, Settings, TargetFilter, Toolchain};
use wharf_sources::Sources;

use crate::costs;
use crate::failure::{Context, Failure, Result};
use crate::lending::{Lending, lends_marker};
use crate::narrow::{Narrowed, Scope, narrow};
use crate::resolve::features::distribute;
use crate::resolve::{ResolveOptions, Resolved, Unlock, resolve_needed, resolve_workspace};
use crate::timeline::Timeline;
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
    /// Whether checks may use what builds made of packages that cannot change, where it is there already.
    pub may_lend: bool,
    /// How the workspace is resolved.
    pub resolve: ResolveOptions,
    /// `build.dep-info-basedir`: paths in `.d` files are relative to it.
    pub dep_info_base: Option<PathBuf>,
    /// Everything that command lines and environments need.
    pub settings: Arc<Settings>,
    /// How much at once, and what after a failure.
    pub run: RunOptions,
}

impl CompileRequest {
    /// What tells this request from others in one target directory. It stays the same when sources, dependencies or a
    /// compiler of the same place change: what was made of the old ones is then superseded.
    fn name(&self, toolchain: &Toolchain) -> Digest {
        let Scope { packages, features, dev_dependencies, kinds, all_platforms: _ } = &self.scope;
        let flags: Vec<_> = toolchain.targets.iter().map(|(kind, info)| (kind, &info.rustflags)).collect();
        let words = (packages, features, dev_dependencies, kinds, self.intent, &self.targets, &self.profile);
        let mut hasher = Hasher::for_purpose("request 1");
        hasher.value(format!("{words:?} {flags:?}"));
        hasher.value(toolchain.rustc.as_os_str().as_encoded_bytes());
        for program in [&toolchain.wrapper, &toolchain.workspace_wrapper].into_iter().flatten() {
            hasher.value(program.as_os_str().as_encoded_bytes());
        }
        hasher.finish()
    }
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
    /// Whether no other build may use the target directory meanwhile. Else they share it, and one that is overtaken
    /// by another of other sources is to be run again.
    pub alone: bool,
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
    profiles: ProfileSet,
    costs: Costs,
    lending: Lending,
    /// Package overrides of profiles that match nothing.
    pub warnings: Vec<String>,
}

/// Resolves, downloads and plans.
pub fn prepare(
    workspace: &Workspace,
    sources: &Sources,
    toolchain: &Arc<Toolchain>,
    request: &CompileRequest,
) -> Result<Prepared> {
    let profiles = profiles(workspace, request)?;
    let resolved = if request.resolve.only_needed {
        let chosen = workspace.select(&request.scope.packages)?;
        let roots = distribute(workspace, &chosen.packages, &request.scope.features)?;
        resolve_needed(workspace, sources, &request.resolve, &roots, request.scope.dev_dependencies)?
    } else {
        resolve_workspace(workspace, sources, &request.resolve, &Unlock::Nothing)?
    };
    let narrowed = narrow(workspace, sources, toolchain, &request.resolve, (&resolved, &request.scope))?;
    let warnings = profiles.check_packages(resolved.whole.ids())?;
    let lends = request.may_lend && fs::exists(&lends_marker(&request.settings.build_dir));
    let costs = costs::load(&request.settings.wharf_home);
    let plan = plan(workspace, toolchain, request, (&narrowed, &profiles, &costs), lends)?;
    check_sources(&plan)?;
    let lending = Lending::new(&plan, lends, request.may_lend);
    let profile = profiles.base();
    Ok(Prepared { resolved, narrowed, plan, profile, profiles, costs, lending, warnings })
}

fn plan(
    workspace: &Workspace,
    toolchain: &Arc<Toolchain>,
    request: &CompileRequest,
    (narrowed, profiles, costs): (&Narrowed, &ProfileSet, &Costs),
    lends: bool,
) -> Result<Plan> {
    Ok(wharf_plan::plan(&Request {
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
        lends,
        profiles,
        toolchain,
        settings: &request.settings,
        costs,
    })?)
}

/// Plans again after a run that was given up: what it found of the packages that cannot change decides whether checks
/// use what builds made of them.
pub fn plan_again(
    workspace: &Workspace,
    toolchain: &Arc<Toolchain>,
    request: &CompileRequest,
    prepared: &mut Prepared,
    found: usize,
) -> Result<()> {
    let before = prepared.lending;
    prepared.lending = before.after(prepared.plan.lendable_actions().len().saturating_sub(found));
    if prepared.lending.lends != before.lends {
        let input = (&prepared.narrowed, &prepared.profiles, &prepared.costs);
        prepared.plan = plan(workspace, toolchain, request, input, prepared.lending.lends)?;
    }
    Ok(())
}

/// Finds targets that were asked for and have no source before anything is compiled: the compiler would name the
/// file, but not the manifest that is wrong.
fn check_sources(plan: &Plan) -> Result<()> {
    let mut problems = BTreeSet::new();
    for root in &plan.roots {
        let unit = plan.unit(*root);
        let path = &unit.target.src_path;
        let fault = match fs::metadata(path) {
            Ok(found) if found.is_dir() => "is a directory, but should be a source file",
            Ok(_) => continue,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "does not exist",
            // The compiler will say what is wrong with it.
            Err(_) => continue,
        };
        problems.insert(format!(
            "`{}`, the source of {} `{}` in `{}`, {fault}",
            path.display(),
            unit.target.kind.description(),
            unit.target.name,
            unit.package.manifest_path.display()
        ));
    }
    match problems.into_iter().collect::<Vec<_>>() {
        problems if problems.is_empty() => Ok(()),
        problems => Err(Failure::new(problems.join("\n"))
            .help("correct `path` of the target in the manifest, or create the file")),
    }
}

fn profiles(workspace: &Workspace, request: &CompileRequest) -> Result<ProfileSet> {
    let sources = ProfileSources {
        manifest: workspace.profiles(),
        config: &request.config_profiles,
        incremental: request.incremental,
        unstable: workspace.loader().unstable(),
    };
    Ok(ProfileSet::new(&sources, &request.profile)?)
}

/// Runs everything that is not fresh, and writes the `.d` files beside finals.
///
/// The directories that Cargo would lock are locked, so that both may be used in turn; `waiting` is called when
/// another process has one. Builds of Wharf's share them.
pub fn run(
    workspace: &Workspace,
    prepared: &Prepared,
    request: &CompileRequest,
    waiting: &dyn Fn(),
    events: &mut dyn FnMut(Event),
) -> Result<Summary> {
    let home = &request.settings.wharf_home;
    let store =
        Store::open(home).context(|| format!("cannot open the build cache in `{}`", home.display()))?;
    let jobserver = match &request.run.jobserver {
        Some(inherited) => inherited.clone(),
        None => Jobserver::new(request.run.jobs).context(|| "cannot make a jobserver".to_owned())?,
    };
    let build_dir = &request.settings.build_dir;
    mark_as_cache(workspace.target_dir())?;
    mark_as_cache(build_dir)?;
    let _locks = lock_directories(prepared, request, waiting)?;
    let state = build_dir.join(".wharf");
    // What build scripts wrote counts, even if it lies in a cache of the target directory's own.
    trail::disregard(&state, &state.join("home/out"));
    let options = Options {
        state,
        jobserver,
        keep_going: request.run.keep_going,
        request: Some(request.name(prepared.plan.toolchain())),
        trial: prepared.lending.trial(&prepared.plan),
    };
    let mut timeline = Timeline::new(Instant::now());
    let summary = wharf_exec::run(&prepared.plan.graph, &prepared.plan, &store, &options, &mut |event| {
        timeline.apply(&event);
        events(event);
    })?;
    // Fixing a crate takes several runs of the compiler.
    if request.settings.fixer.is_none() {
        costs::learn(home, &prepared.plan, &timeline);
    }
    if summary.is_success() {
        prepared.lending.remember(request);
        write_dep_info(prepared, request, &summary)?;
    }
    Ok(summary)
}

/// Keeps the page about how long a build took: under a name with the time, and under the name of the newest one.
/// Returns the former.
pub fn save_timings(workspace: &Workspace, page: &str) -> Result<PathBuf> {
    trail::spoil();
    let dir = workspace.target_dir().join("cargo-timings");
    fs::create_dir_all(&dir)?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let path = dir.join(format!("cargo-timing-{}.html", utc(now)));
    fs::write_atomic(&path, page)?;
    fs::write_atomic(&dir.join("cargo-timing.html"), page)?;
    Ok(path)
}

/// `20260131T235959Z` from seconds since 1970. The calendar begins in March, so that the leap day comes last
/// (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn utc(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        0..10 => (year + era * 400, month + 3),
        _ => (year + era * 400 + 1, month - 9),
    };
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// Tells backup programs that everything in here can be made again (<https://bford.info/cachedir/>).
pub(crate) fn mark_as_cache(target_dir: &Path) -> Result<()> {
    let tag = target_dir.join("CACHEDIR.TAG");
    if fs::exists(target_dir) {
        return Ok(());
    }
    fs::create_dir_all(target_dir)?;
    let text = "Signature: 8a477f597d28d172789f06886806bc55\n\
                # This file is a cache directory tag created by wharf.\n\
                # For information about cache directory tags see https://bford.info/cachedir/\n";
    fs::write_atomic(&tag, text)?;
    Ok(())
}

fn lock_directories(
    prepared: &Prepared,
    request: &CompileRequest,
    waiting: &dyn Fn(),
) -> Result<Vec<lock::Lock>> {
    let layout = prepared.plan.layout();
    let mut kinds: Vec<&CompileKind> = vec![&CompileKind::Host];
    kinds.extend(&request.scope.kinds);
    let mut dirs: Vec<_> = kinds.iter().map(|kind| layout.build_dest(kind)).collect();
    if layout.has_finals() {
        dirs.extend(kinds.iter().map(|kind| layout.dest(kind)));
    }
    dirs.sort();
    dirs.dedup();
    let mut locks = Vec::new();
    for dir in dirs {
        fs::create_dir_all(&dir)?;
        let path = dir.join(".cargo-lock");
        let mode = if request.run.alone { lock::Mode::Exclusive } else { lock::Mode::Shared };
        locks.push(lock::acquire(&path, mode, waiting)?);
    }
    Ok(locks)
}

fn write_dep_info(prepared: &Prepared, request: &CompileRequest, summary: &Summary) -> Result<()> {
    let read = |path: &Path| fs::read_to_string(path).ok();
    let files = prepared.plan.dep_info_files(summary, request.dep_info_base.as_deref(), &read);
    for (path, text) in files {
        match text {
            Some(text) => drop(fs::write_if_changed(&path, text)?),
            None => drop(fs::remove_file_if_exists(&path)?),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_names() {
        assert_eq!(utc(0), "19700101T000000Z");
        assert_eq!(utc(951_782_399), "20000228T235959Z");
        assert_eq!(utc(951_782_400), "20000229T000000Z");
        assert_eq!(utc(1_798_761_599), "20261231T235959Z");
    }
}
