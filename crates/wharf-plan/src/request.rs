//! What a plan is asked for. Everything is decided above: configuration, environment and flags come in dissolved.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wharf_core::profile::ProfileSet;
use wharf_core::resolution::{ActivatedFeatures, Resolution};
use wharf_core::{Cfg, CrateType, Package, PackageId, Version};

use crate::cost::Costs;
use crate::sandbox::Sandbox;
use crate::script::ScriptOutput;

/// What to build, and with what.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Every package and its edges.
    pub resolution: &'a Resolution,
    /// The packages that may take part, unpacked.
    pub packages: &'a BTreeMap<PackageId, Arc<Package>>,
    /// The features that are on.
    pub features: &'a ActivatedFeatures,
    /// The members of the workspace.
    pub members: &'a BTreeSet<PackageId>,
    /// The packages whose targets are asked for.
    pub selected: &'a [PackageId],
    /// How the packages were selected, for messages.
    pub selection: &'a Selection,
    /// What for.
    pub intent: Intent,
    /// Which of their targets.
    pub targets: &'a TargetFilter,
    /// The platforms asked for: [`CompileKind::Host`] when no `--target` was given.
    pub kinds: &'a [CompileKind],
    /// Whether development dependencies were resolved for.
    pub dev_units: bool,
    /// Whether checks use what builds make of packages that cannot change, instead of checking those too. Metadata of
    /// checks and of builds do not mix, so it is one or the other for all of them.
    pub lends: bool,
    /// The profiles, of which one was asked for.
    pub profiles: &'a ProfileSet,
    /// The compiler.
    pub toolchain: &'a Arc<Toolchain>,
    /// Everything else.
    pub settings: &'a Arc<Settings>,
    /// How long units took before.
    pub costs: &'a Costs,
}

/// How packages were selected: what a message about a missing target says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// By default, by `--workspace` or by `--exclude`.
    Default,
    /// By `-p`, with what was typed.
    Named(Vec<String>),
}

/// What a command wants of its targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Intent {
    /// `build`, `run`, `rustc`, `install`
    Build,
    /// `check`, `fix`
    Check {
        /// With `cfg(test)`, as `rustc --profile=check --test` asks.
        test: bool,
    },
    /// `test`
    Test,
    /// `bench`
    Bench,
    /// `doc`, `rustdoc`
    Doc {
        /// Dependencies as well.
        deps: bool,
        /// JSON instead of HTML (unstable).
        json: bool,
    },
    /// `test --doc`
    Doctest,
}

impl Intent {
    /// Whether tests or benchmarks are built.
    pub fn is_test(self) -> bool {
        matches!(self, Self::Test | Self::Bench | Self::Doctest | Self::Check { test: true })
    }

    /// Whether something is documented.
    pub fn is_doc(self) -> bool {
        matches!(self, Self::Doc { .. })
    }
}

/// Which targets of the selected packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetFilter {
    /// No flag was given: what the intent builds by default.
    Default {
        /// Whether a target whose features are missing is left out (`build`, `test`) or an error (`install`
        /// of a named thing).
        skip_missing_features: bool,
    },
    /// Flags were given.
    Only(Box<NamedTargets>),
}

/// The target flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedTargets {
    /// `--all-targets`
    pub all: bool,
    /// `--lib`
    pub lib: LibRule,
    /// `--bins`, `--bin`
    pub bins: Names,
    /// `--examples`, `--example`
    pub examples: Names,
    /// `--tests`, `--test`
    pub tests: Names,
    /// `--benches`, `--bench`
    pub benches: Names,
}

/// Whether the library is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LibRule {
    /// `--lib`: there must be one.
    Wanted,
    /// If there is one.
    IfAny,
    /// No.
    No,
}

/// Targets of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Names {
    /// All of them.
    All,
    /// Those with these names or patterns; empty for none.
    Just(Vec<String>),
}

impl TargetFilter {
    /// `--all-targets`
    pub fn everything() -> Self {
        Self::Only(Box::new(NamedTargets {
            all: true,
            lib: LibRule::IfAny,
            bins: Names::All,
            examples: Names::All,
            tests: Names::All,
            benches: Names::All,
        }))
    }

    /// Whether any flag was given.
    pub fn is_specific(&self) -> bool {
        matches!(self, Self::Only(_))
    }
}

/// For which platform a unit is compiled.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CompileKind {
    /// The one that the compiler runs on, without `--target`.
    Host,
    /// One given with `--target`, be it equal to the host or not.
    Target(CompileTarget),
}

impl CompileKind {
    /// Whether it is [`CompileKind::Host`].
    pub fn is_host(&self) -> bool {
        *self == Self::Host
    }
}

/// The value of `--target`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CompileTarget(Arc<str>);

impl CompileTarget {
    /// A triple, or the absolute path of a `.json` specification.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// As rustc's `--target` takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The triple, or the specification's file name without `.json`: directories and `TARGET` are named so.
    pub fn short_name(&self) -> &str {
        if self.0.ends_with(".json") {
            return Path::new(&*self.0).file_stem().and_then(|stem| stem.to_str()).unwrap_or(&self.0);
        }
        &self.0
    }
}

/// The compiler and what it said of itself.
#[derive(Clone, Debug)]
pub struct Toolchain {
    /// The compiler to call, its real path.
    pub rustc: PathBuf,
    /// What `RUSTC` says to build scripts when it is not `rustc` above (the name that the user gave).
    pub rustc_shown: Option<PathBuf>,
    /// What `RUSTDOC` says to build scripts when it is not `rustdoc` below.
    pub rustdoc_shown: Option<PathBuf>,
    /// `build.rustc-wrapper`
    pub wrapper: Option<PathBuf>,
    /// `build.rustc-workspace-wrapper`
    pub workspace_wrapper: Option<PathBuf>,
    /// The documentation tool to call.
    pub rustdoc: PathBuf,
    /// The version.
    pub version: Version,
    /// The whole answer of `rustc -vV`.
    pub verbose_version: String,
    /// What identifies the compiler's and the wrappers' bytes: changes whenever they do.
    pub content_id: String,
    /// The triple that it runs on.
    pub host: String,
    /// `rustc --print sysroot`
    pub sysroot: PathBuf,
    /// What is known of each platform; always holds [`CompileKind::Host`], every requested kind, and the host's
    /// triple as a target if it was requested.
    pub targets: BTreeMap<CompileKind, TargetInfo>,
}

impl Toolchain {
    /// What is known of a platform.
    pub fn info(&self, kind: &CompileKind) -> &TargetInfo {
        self.targets
            .get(kind)
            .or_else(|| self.targets.get(&CompileKind::Host))
            .expect("a toolchain always knows its host")
    }

    /// The triple or short name of a platform.
    pub fn triple<'a>(&'a self, kind: &'a CompileKind) -> &'a str {
        match kind {
            CompileKind::Host => &self.host,
            CompileKind::Target(target) => target.short_name(),
        }
    }
}

/// One platform: what the compiler says of it, and what configuration says.
#[derive(Clone, Debug, Default)]
pub struct TargetInfo {
    /// `rustc --print cfg`, with this platform's `rustflags`.
    pub cfgs: Vec<Cfg>,
    /// What surrounds the crate name in a file of each crate type (`lib`, `.so`); one that is missing cannot be
    /// made for this platform.
    pub file_names: BTreeMap<CrateType, FileName>,
    /// The values that `-C split-debuginfo` takes.
    pub split_debuginfo: Vec<String>,
    /// Where the standard library lies: `<sysroot>/lib/rustlib/<triple>/lib`.
    pub libdir: PathBuf,
    /// `RUSTFLAGS` or its equals.
    pub rustflags: Arc<[String]>,
    /// `RUSTDOCFLAGS` or its equals.
    pub rustdocflags: Arc<[String]>,
    /// `target.<triple>.linker`, and the like; a program name or a path.
    pub linker: Option<PathBuf>,
    /// What identifies the linker's bytes, and those of the C library: changes whenever they do.
    pub linker_id: String,
    /// `target.<triple>.runner`, and the like.
    pub runner: Option<Runner>,
    /// `target.<triple>.<links>`: what takes the place of a build script.
    pub links_overrides: Arc<BTreeMap<String, ScriptOutput>>,
    /// For a `.json` specification: what identifies its content.
    pub spec_id: Option<String>,
}

/// What surrounds a crate name in a file name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName {
    /// Before, such as `lib`.
    pub prefix: String,
    /// After, such as `.so`.
    pub suffix: String,
}

/// A program that runs what was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runner {
    /// The program.
    pub program: PathBuf,
    /// Arguments before the built program's path.
    pub args: Vec<String>,
}

/// Everything that is decided outside of packages and compiler.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory of the workspace's root manifest.
    pub workspace_root: PathBuf,
    /// The same without links on the way: compilers see their own directory so.
    pub real_root: PathBuf,
    /// `target/`, absolute.
    pub target_dir: PathBuf,
    /// Where intermediates go (`build.build-dir`), absolute; often the same.
    pub build_dir: PathBuf,
    /// Where Wharf keeps its own state, absolute.
    pub wharf_home: PathBuf,
    /// The value of `CARGO`.
    pub cargo: PathBuf,
    /// The value of `NUM_JOBS`.
    pub jobs: usize,
    /// The environment that children start from.
    pub base_env: Arc<BTreeMap<OsString, OsString>>,
    /// `[env]`
    pub env: Vec<ConfiguredVariable>,
    /// How diagnostics are rendered.
    pub diagnostics: Diagnostics,
    /// `-vv`: warnings of all packages are shown.
    pub all_warnings: bool,
    /// When members are compiled incrementally, where their profile allows it.
    pub incremental: IncrementalPolicy,
    /// `cargo rustc -- …` or `cargo rustdoc -- …`: arguments for the one root.
    pub root_args: Vec<String>,
    /// `cargo rustc --crate-type`: instead of those of the one root; empty for its own.
    pub root_crate_types: Vec<CrateType>,
    /// `doc --document-private-items`
    pub document_private_items: bool,
    /// Whether unstable features may be used.
    pub allows_unstable: bool,
    /// Whether every build script hands metadata on, not only those of packages with `links` (unstable).
    pub any_script_metadata: bool,
    /// Whether a package whose `rust-version` is newer than the compiler is an error.
    pub check_rust_version: bool,
    /// What is called in the compiler's place for the selected packages (`fix`).
    pub fixer: Option<Fixer>,
    /// Where finals are copied to as well (`--artifact-dir`, unstable).
    pub artifact_dir: Option<PathBuf>,
    /// Only what compilers need to run is built: procedural macros and build scripts, which are run
    /// (`--compile-time-deps`, unstable).
    pub compile_time_deps: bool,
    /// What packages may do while they are built.
    pub sandbox: Sandbox,
}

/// A program that is called in the compiler's place, and changes the sources that it compiles.
///
/// It gets the compiler's command line after its own arguments. What comes of it is never kept: the sources at the
/// beginning are not those that were compiled in the end.
#[derive(Clone, Debug)]
pub struct Fixer {
    /// The program.
    pub program: PathBuf,
    /// Its own arguments.
    pub args: Vec<OsString>,
    /// What it may read even where it is confined, because macros run in the compiler that it starts.
    pub reads: Vec<PathBuf>,
    /// The same for changing.
    pub writes: Vec<PathBuf>,
}

/// One entry of `[env]`, relative paths made absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfiguredVariable {
    /// The variable.
    pub name: String,
    /// Its value.
    pub value: OsString,
    /// Whether it wins over the environment's own.
    pub force: bool,
}

/// How the compiler is asked to render diagnostics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    /// `--message-format short` and `json-diagnostic-short`
    pub short: bool,
    /// Whether doc tests report as JSON.
    pub json: bool,
    /// The terminal's width, if it is one.
    pub width: Option<usize>,
}

/// When a unit whose profile says `incremental` is compiled so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncrementalPolicy {
    /// Once its sources were edited in this checkout.
    WhenEdited,
    /// Always (`CARGO_INCREMENTAL=1`).
    Always,
}
