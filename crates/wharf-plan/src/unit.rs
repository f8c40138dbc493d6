//! Units: one compiler call or build-script run each.

use std::path::PathBuf;
use std::sync::Arc;

use wharf_core::profile::Profile;
use wharf_core::{CrateType, FeatureName, Package, PackageId, Target, TargetKind};

use crate::request::CompileKind;
use crate::script::ScriptOutput;
use std::collections::BTreeMap;

/// The index of a unit in [`Plan::units`](crate::Plan::units).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnitId(pub usize);

/// What is done with a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    /// Compiled with the test harness or `cfg(test)`.
    Test,
    /// Compiled.
    Build,
    /// Checked: metadata alone.
    Check {
        /// With `cfg(test)`.
        test: bool,
    },
    /// Documented.
    Doc,
    /// Its documentation's examples are to be tested after the build.
    Doctest,
    /// Its compiled build script is run.
    RunScript,
}

impl Mode {
    /// Whether only metadata is made.
    pub fn is_check(self) -> bool {
        matches!(self, Self::Check { .. })
    }

    /// Whether `cfg(test)` or doc tests are in play.
    pub fn is_any_test(self) -> bool {
        matches!(self, Self::Test | Self::Doctest | Self::Check { test: true })
    }

    /// The word of unit graphs and timings (`build`, `check`, `test`, `doc`, `doctest`, `run-custom-build`).
    pub fn name(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Build => "build",
            Self::Check { .. } => "check",
            Self::Doc => "doc",
            Self::Doctest => "doctest",
            Self::RunScript => "run-custom-build",
        }
    }
}

/// One thing to be done for one target.
#[derive(Clone, Debug)]
pub struct Unit {
    /// The package.
    pub package: Arc<Package>,
    /// The target.
    pub target: Target,
    /// The profile, final.
    pub profile: Profile,
    /// The platform.
    pub kind: CompileKind,
    /// What is done.
    pub mode: Mode,
    /// The features that are on, sorted.
    pub features: Arc<[FeatureName]>,
    /// Flags from the user for the compiler.
    pub rustflags: Arc<[String]>,
    /// Flags from the user for rustdoc.
    pub rustdocflags: Arc<[String]>,
    /// What takes the place of build scripts on this platform.
    pub links_overrides: Arc<BTreeMap<String, ScriptOutput>>,
    /// Whether the package belongs to the workspace.
    pub is_member: bool,
    /// Whether the package is one of those asked for (`CARGO_PRIMARY_PACKAGE`).
    pub is_primary: bool,
    /// Arguments for this unit alone (`cargo rustc -- …`).
    pub root_args: Vec<String>,
    /// The units that it needs, sorted by Cargo's order of units.
    pub dependencies: Vec<UnitDependency>,
}

/// An edge between units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitDependency {
    /// The unit needed.
    pub unit: UnitId,
    /// Under which name the crate is known to the dependent.
    pub extern_name: String,
    /// The key in the manifest, when the edge comes from a dependency.
    pub dep_name: Option<String>,
    /// `public = true`
    pub public: bool,
}

impl Unit {
    /// The package's id.
    pub fn id(&self) -> &PackageId {
        self.package.id()
    }

    /// Whether the package lies in a directory of the user's.
    pub fn is_local(&self) -> bool {
        self.id().source().is_path()
    }

    /// Whether it is code for the compiler's own platform: a procedural macro or a build script.
    pub fn is_for_host(&self) -> bool {
        is_for_host(&self.target)
    }

    /// Whether the target is a program.
    pub fn is_executable(&self) -> bool {
        is_executable(&self.target)
    }

    /// Whether dependencies must be whole, code and all, before it starts.
    pub fn needs_objects(&self) -> bool {
        self.mode.is_any_test() || self.target.crate_types().iter().any(CrateType::requires_upstream_objects)
    }

    /// The package with the target in parentheses, as errors name a unit: `` `foo` (lib test) ``.
    pub fn description(&self) -> String {
        let target = &self.target;
        let named = match &target.kind {
            TargetKind::Lib(_) => "lib".to_owned(),
            TargetKind::CustomBuild => "build script".to_owned(),
            TargetKind::Test => format!("test \"{}\"", target.name),
            kind => format!("{} \"{}\"", kind.description(), target.name),
        };
        let suffix = match self.mode {
            Mode::Test | Mode::Check { test: true } if !(target.is_test() || target.is_bench()) => " test",
            Mode::Doctest => " doctest",
            Mode::Doc => " doc",
            _ => "",
        };
        format!("`{}` ({named}{suffix})", self.id().name())
    }

    /// The verb of status lines when the unit runs; `None` for a build script's run and doc tests, which are not
    /// told at that point.
    pub fn verb(&self) -> Option<&'static str> {
        match self.mode {
            Mode::Build | Mode::Test => Some("Compiling"),
            Mode::Check { .. } => Some("Checking"),
            Mode::Doc => Some("Documenting"),
            Mode::Doctest | Mode::RunScript => None,
        }
    }
}

/// Whether a target is code for the compiler's own platform.
pub(crate) fn is_for_host(target: &Target) -> bool {
    target.is_custom_build() || target.is_proc_macro()
}

/// Whether a target is a program.
pub(crate) fn is_executable(target: &Target) -> bool {
    target.is_bin() || target.is_exe_example()
}

/// Whether a target is or holds a library of one crate type.
pub(crate) fn has_crate_type(target: &Target, wanted: &CrateType) -> bool {
    match &target.kind {
        TargetKind::Lib(types) | TargetKind::ExampleLib(types) => types.contains(wanted),
        _ => false,
    }
}

/// A file that a unit makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// Its name in the directory that the compiler writes to.
    pub name: String,
    /// Where it lies among the intermediates.
    pub path: PathBuf,
    /// Where it lies for people, if it does.
    pub uplifted: Option<PathBuf>,
    /// What it is.
    pub flavor: Flavor,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    /// Not to be linked against: a program, a `staticlib`, a `cdylib`, documentation.
    Normal,
    /// Comes along and may be missing, such as an import library.
    Auxiliary,
    /// To be linked against.
    Linkable,
    /// Metadata.
    Rmeta,
    /// Debug information beside the code; may be missing.
    DebugInfo,
}

impl OutputFile {
    /// Whether the compiler may leave it out.
    pub fn is_optional(&self) -> bool {
        matches!(self.flavor, Flavor::Auxiliary | Flavor::DebugInfo)
    }

    /// The uplifted path if there is one.
    pub fn final_path(&self) -> &PathBuf {
        self.uplifted.as_ref().unwrap_or(&self.path)
    }
}
