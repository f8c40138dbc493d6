//! From the flags of a command that compiles to a settled request.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use wharf_core::CrateType;
use wharf_ops::cache::Choice;
use wharf_ops::compile::{CompileRequest, RunOptions};
use wharf_ops::config::{Config, Warnings};
use wharf_ops::narrow::Scope;
use wharf_ops::plan::{Diagnostics, Intent, LibRule, NamedTargets, Names, TargetFilter, Toolchain};
use wharf_ops::resolve::CliFeatures;
use wharf_ops::workspace::PackageSelection as Selection;
use wharf_ops::{Failure, Result, settings};

use crate::cli::{CompileOptions, FeatureSelection, OnePackage, PackageSelection, TargetSelection};
use crate::open::Opened;
use crate::session::Session;
use crate::settings::{MessageFormat, jobs, message_format, whole_workspace};
use crate::shell::Verbosity;

/// What a command says of its build, flags put together.
pub struct Typed<'a> {
    /// Which packages.
    pub packages: Selection,
    /// Which targets.
    pub targets: TargetFilter,
    /// Which features.
    pub features: &'a FeatureSelection,
    /// What for.
    pub intent: Intent,
    /// The profile by name, settled.
    pub profile: String,
    /// `--keep-going` or what means the same.
    pub keep_going: bool,
    /// Shared options.
    pub compile: &'a CompileOptions,
    /// `--ignore-rust-version`
    pub ignore_rust_version: bool,
    /// Arguments for the one root.
    pub root_args: Vec<String>,
    /// `--crate-type`
    pub root_crate_types: Vec<CrateType>,
    /// `--document-private-items`
    pub document_private_items: bool,
    /// `--artifact-dir`
    pub artifact_dir: Option<PathBuf>,
}

/// A request that can be carried out, and with what.
pub struct Settled {
    /// The request.
    pub request: CompileRequest,
    /// The compiler.
    pub toolchain: Arc<Toolchain>,
    /// How results are shown.
    pub format: MessageFormat,
    /// What becomes of warnings.
    pub warnings: Warnings,
    /// Whether to report on how long everything took.
    pub timings: bool,
    /// Whether code that later compilers will refuse is shown in full (`--future-incompat-report`).
    pub future_report: bool,
    /// Whether to show the units instead of building them.
    pub unit_graph: bool,
}

/// Settles a request.
///
/// # Errors
/// If flags make no sense, or the compiler or configuration is in the way.
pub fn settle(typed: Typed<'_>, opened: &mut Opened, session: &Session) -> Result<Settled> {
    let config = &session.config;
    let format = message_format(&typed.compile.message_format)?;
    if typed.compile.unit_graph {
        session.refuse_unstable("--unit-graph")?;
    }
    if typed.compile.compile_time_deps {
        session.refuse_unstable("--compile-time-deps")?;
    }
    let jobs = jobs(typed.compile, config)?;
    refuse_empty_target(&typed.compile.target)?;
    if typed.compile.unit_graph {
        session.refuse_unstable("--unit-graph")?;
    }
    let (toolchain, kinds) = opened.toolchain(session, &typed.compile.target)?;
    let short = matches!(format, MessageFormat::Short | MessageFormat::Json { short: true, .. });
    let choice = cache(typed.compile, config)?;
    let flags = settings::BuildFlags {
        cargo: session.invocation.executable.clone(),
        cache: choice,
        jobs,
        diagnostics: Diagnostics {
            short,
            json: matches!(format, MessageFormat::Json { .. }),
            width: session.shell.width(),
        },
        all_warnings: session.shell.verbosity() == Verbosity::VeryVerbose,
        root_args: typed.root_args,
        root_crate_types: typed.root_crate_types,
        document_private_items: typed.document_private_items,
        any_script_metadata: session.has_unstable("any-build-script-metadata"),
        check_rust_version: !typed.ignore_rust_version,
        artifact_dir: typed.artifact_dir.map(|dir| session.cwd().join(dir)),
    };
    let mut settings = settings::settle(config, &opened.workspace, flags)?;
    settings.compile_time_deps = typed.compile.compile_time_deps;
    if let (home, Some(failure)) = settings::home(config, &opened.workspace, choice)? {
        let message =
            format!("the build cache cannot be written, so this build has its own in `{}`", home.display());
        session.shell.warn_failure(message, &failure);
    }
    let features = cli_features(typed.features)?;
    let request = CompileRequest {
        scope: Scope {
            packages: typed.packages,
            features,
            dev_dependencies: needs_dev_dependencies(typed.intent, &typed.targets),
            kinds,
            all_platforms: false,
        },
        intent: typed.intent,
        may_lend: matches!(typed.intent, Intent::Check { .. }) && !typed.compile.unit_graph,
        targets: typed.targets,
        config_profiles: config.profiles([typed.profile.as_str()])?,
        profile: typed.profile,
        incremental: settings::incremental(config)?,
        resolve: opened.resolve.clone(),
        dep_info_base: config.build()?.dep_info_basedir.map(|base| wharf_ops::normalize(&base)),
        settings: Arc::new(settings),
        run: RunOptions {
            jobs: NonZeroUsize::new(jobs).unwrap_or(NonZeroUsize::MIN),
            keep_going: typed.keep_going,
            jobserver: session.jobserver.clone(),
            alone: false,
        },
    };
    let warnings = match session.allows_unstable() && session.has_unstable("warnings") {
        true => config.build()?.warnings.unwrap_or_default(),
        false => Warnings::Warn,
    };
    let timings = timings(typed.compile, session)?;
    let unit_graph = typed.compile.unit_graph;
    Ok(Settled { request, toolchain, format, warnings, timings, future_report: false, unit_graph })
}

/// `--no-cache` over what environment and configuration say.
fn cache(compile: &CompileOptions, config: &Config) -> Result<Choice> {
    if compile.cache.no_cache { Ok(Choice::Own) } else { Choice::settle(config) }
}

/// `--timings`; formats other than the page for people are unstable in Cargo.
fn timings(compile: &CompileOptions, session: &Session) -> Result<bool> {
    let Some(formats) = &compile.timings else { return Ok(false) };
    if formats.is_empty() {
        return Ok(true);
    }
    session.refuse_unstable("--timings")?;
    match formats.split(',').find(|format| !["html", "json"].contains(format)) {
        Some(format) => {
            Err(Failure::new(format!("invalid timings format `{format}`: there are `html` and `json`")))
        }
        None => Ok(formats.split(',').any(|format| format == "html")),
    }
}

/// `--features` and its like.
///
/// # Errors
/// If a value is malformed.
pub fn cli_features(features: &FeatureSelection) -> Result<CliFeatures> {
    CliFeatures::parse(&features.features, features.all_features, features.no_default_features)
}

/// A `--target` without a value would mean a list of platforms, which only the compiler has.
pub fn refuse_empty_target(targets: &[String]) -> Result<()> {
    if targets.iter().any(String::is_empty) {
        return Err(Failure::new("`--target` needs the name of a platform")
            .help("`rustc --print target-list` shows those that the compiler knows"));
    }
    Ok(())
}

fn needs_dev_dependencies(intent: Intent, targets: &TargetFilter) -> bool {
    let any = |names: &Names| *names != Names::Just(Vec::new());
    match intent {
        Intent::Build | Intent::Check { test: false } | Intent::Doc { .. } => match targets {
            TargetFilter::Default { .. } => false,
            TargetFilter::Only(only) => any(&only.examples) || any(&only.tests) || any(&only.benches),
        },
        Intent::Check { test: true } | Intent::Test | Intent::Bench | Intent::Doctest => true,
    }
}

/// `-p`, `--workspace` and `--exclude`.
///
/// # Errors
/// If they contradict each other, or `-p` has no value.
pub fn packages(selection: &PackageSelection, opened: &Opened, session: &Session) -> Result<Selection> {
    let whole = whole_workspace(selection, &|warning| session.shell.warn(warning));
    list_if_empty(&selection.package, opened)?;
    if whole {
        if !selection.package.is_empty() {
            // Names beside `--workspace` choose nothing, but must not be slips of the fingers.
            let named = opened.workspace.select(&Selection::Named(selection.package.clone()))?;
            if let Some(spec) = named.outside.first() {
                return Err(Failure::new(format!("package `{spec}` is no member of this workspace"))
                    .help("leave out `-p`: `--workspace` chooses every member"));
            }
        }
        return Ok(Selection::All { except: selection.exclude.clone() });
    }
    if !selection.exclude.is_empty() {
        return Err(Failure::new("`--exclude` needs `--workspace` to leave something out of")
            .help("add `--workspace`"));
    }
    Ok(if selection.package.is_empty() {
        Selection::Default
    } else {
        Selection::Named(selection.package.clone())
    })
}

/// The `-p` of commands that take one package.
///
/// # Errors
/// If it has no value.
pub fn one_package(package: &OnePackage, opened: &Opened) -> Result<Selection> {
    match &package.package {
        None => Ok(Selection::Default),
        Some(spec) => {
            list_if_empty(std::slice::from_ref(spec), opened)?;
            Ok(Selection::Named(vec![spec.clone()]))
        }
    }
}

/// The `-p` of commands that work on the current package when nothing is said, and so need one.
///
/// # Errors
/// If it has no value, or the command was started in the root of a workspace without a package.
pub fn only_package(package: &OnePackage, opened: &Opened) -> Result<Selection> {
    if package.package.is_none() {
        opened.workspace.current()?;
    }
    one_package(package, opened)
}

/// A `-p` without a value asks what there is.
///
/// # Errors
/// The list.
pub fn list_if_empty(specs: &[String], opened: &Opened) -> Result<()> {
    if !specs.iter().any(String::is_empty) {
        return Ok(());
    }
    let mut names: Vec<String> =
        opened.workspace.members().map(|member| format!("    {}\n", member.name())).collect();
    names.sort();
    Err(Failure::new(format!(
        "`--package` needs a name or another specification of a package; these are members:\n{}",
        names.concat()
    )))
}

/// Whether a target is of a kind.
type IsKind = fn(&wharf_core::Target) -> bool;

/// The flags that choose targets.
///
/// # Errors
/// If one of them wants a name and has none.
pub fn targets(selection: &TargetSelection, opened: &Opened) -> Result<TargetFilter> {
    let TargetSelection { lib, bins, bin, examples, example, tests, test, benches, bench, all_targets } =
        selection;
    let kinds: [(&str, &str, &[String], IsKind); 4] = [
        ("bin", "binaries", bin, wharf_core::Target::is_bin),
        ("example", "examples", example, wharf_core::Target::is_example),
        ("test", "tests", test, wharf_core::Target::is_test),
        ("bench", "benches", bench, wharf_core::Target::is_bench),
    ];
    for (flag, plural, names, is_kind) in kinds {
        if names.iter().any(String::is_empty) {
            return Err(list_targets(flag, plural, opened, is_kind));
        }
    }
    if *all_targets {
        return Ok(TargetFilter::everything());
    }
    let names = |all: bool, named: &[String]| if all { Names::All } else { Names::Just(named.to_vec()) };
    let only = NamedTargets {
        all: false,
        lib: if *lib { LibRule::Wanted } else { LibRule::No },
        bins: names(*bins, bin),
        examples: names(*examples, example),
        tests: names(*tests, test),
        benches: names(*benches, bench),
    };
    Ok(filter(only))
}

/// Flags that say nothing are no filter.
pub fn filter(only: NamedTargets) -> TargetFilter {
    let none = Names::Just(Vec::new());
    let says_nothing = only.lib == LibRule::No
        && [&only.bins, &only.examples, &only.tests, &only.benches].into_iter().all(|names| *names == none);
    if says_nothing {
        TargetFilter::Default { skip_missing_features: true }
    } else {
        TargetFilter::Only(Box::new(only))
    }
}

fn list_targets(
    flag: &str,
    plural: &str,
    opened: &Opened,
    is_kind: impl Fn(&wharf_core::Target) -> bool,
) -> Failure {
    let mut names: Vec<&str> = opened
        .workspace
        .default_members()
        .flat_map(|package| &package.manifest.targets)
        .filter(|target| is_kind(target))
        .map(|target| target.name.as_str())
        .collect();
    names.sort_unstable();
    if names.is_empty() {
        return Failure::new(format!("`--{flag}` needs a name, and there are no {plural}"));
    }
    let list: Vec<String> = names.iter().map(|name| format!("    {name}\n")).collect();
    Failure::new(format!("`--{flag}` needs a name; these are the {plural}:\n{}", list.concat()))
}
