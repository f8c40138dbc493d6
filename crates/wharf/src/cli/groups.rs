//! Groups of options that several commands share.
//!
//! An option whose value is optional (`-p`, `--bin`, `--target`) holds an empty text where none was given: the
//! command then lists what could have been.

use std::path::PathBuf;

use clap::Args;

const PACKAGES: &str = "Package Selection";
const TARGETS: &str = "Target Selection";
const FEATURES: &str = "Feature Selection";
const COMPILATION: &str = "Compilation Options";
const MANIFEST: &str = "Manifest Options";

/// Which packages of the workspace.
#[derive(Clone, Debug, Default, Args)]
pub struct PackageSelection {
    /// Packages to work on, by specification or pattern
    #[arg(short, long, value_name = "SPEC", num_args = 0..=1, default_missing_value = "",
        action = clap::ArgAction::Append, help_heading = PACKAGES)]
    pub package: Vec<String>,
    /// All packages of the workspace
    #[arg(long, help_heading = PACKAGES)]
    pub workspace: bool,
    /// Packages to leave out
    #[arg(long, value_name = "SPEC", help_heading = PACKAGES)]
    pub exclude: Vec<String>,
    /// The same as --workspace (deprecated)
    #[arg(long, help_heading = PACKAGES)]
    pub all: bool,
}

/// The one package of commands that take no more.
#[derive(Clone, Debug, Default, Args)]
pub struct OnePackage {
    /// The package to work on
    #[arg(short, long, value_name = "SPEC", num_args = 0..=1, default_missing_value = "",
        help_heading = PACKAGES)]
    pub package: Option<String>,
}

/// Which targets of the packages.
#[derive(Clone, Debug, Default, Args)]
pub struct TargetSelection {
    /// Only the library
    #[arg(long, help_heading = TARGETS)]
    pub lib: bool,
    /// All programs
    #[arg(long, help_heading = TARGETS)]
    pub bins: bool,
    /// Only this program
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "",
        action = clap::ArgAction::Append, help_heading = TARGETS)]
    pub bin: Vec<String>,
    /// All examples
    #[arg(long, help_heading = TARGETS)]
    pub examples: bool,
    /// Only this example
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "",
        action = clap::ArgAction::Append, help_heading = TARGETS)]
    pub example: Vec<String>,
    /// All targets that have `test = true`
    #[arg(long, help_heading = TARGETS)]
    pub tests: bool,
    /// Only this test
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "",
        action = clap::ArgAction::Append, help_heading = TARGETS)]
    pub test: Vec<String>,
    /// All targets that have `bench = true`
    #[arg(long, help_heading = TARGETS)]
    pub benches: bool,
    /// Only this benchmark
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "",
        action = clap::ArgAction::Append, help_heading = TARGETS)]
    pub bench: Vec<String>,
    /// All targets
    #[arg(long, help_heading = TARGETS)]
    pub all_targets: bool,
}

/// The target of `run`.
#[derive(Clone, Debug, Default, Args)]
pub struct RunTargets {
    /// The program to run
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "",
        action = clap::ArgAction::Append, help_heading = TARGETS)]
    pub bin: Vec<String>,
    /// The example to run
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "",
        action = clap::ArgAction::Append, help_heading = TARGETS)]
    pub example: Vec<String>,
}

/// Which features of the packages.
#[derive(Clone, Debug, Default, Args)]
pub struct FeatureSelection {
    /// Features to turn on, apart by blanks or commas
    #[arg(short = 'F', long, value_name = "FEATURES", help_heading = FEATURES)]
    pub features: Vec<String>,
    /// Turn all features on
    #[arg(long, help_heading = FEATURES)]
    pub all_features: bool,
    /// Leave the `default` feature off
    #[arg(long, help_heading = FEATURES)]
    pub no_default_features: bool,
}

/// Which build cache. Cargo has no such option: under its name nobody can type it.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct CacheOptions {
    /// Take nothing from the build cache and put nothing there
    #[arg(long, help_heading = COMPILATION)]
    pub no_cache: bool,
}

/// How to compile.
#[derive(Clone, Debug, Default, Args)]
pub struct CompileOptions {
    /// How many jobs run at once: a number, a negative one (so many fewer than processors), or `default`
    #[arg(short, long, value_name = "N", allow_hyphen_values = true, help_heading = COMPILATION)]
    pub jobs: Option<String>,
    /// Use this profile
    #[arg(long, value_name = "PROFILE-NAME", help_heading = COMPILATION)]
    pub profile: Option<String>,
    /// Compile for this platform
    #[arg(long, value_name = "TRIPLE", num_args = 0..=1, default_missing_value = "",
        action = clap::ArgAction::Append, help_heading = COMPILATION)]
    pub target: Vec<String>,
    /// Where artifacts go.
    #[command(flatten)]
    pub target_dir: TargetDir,
    /// Which build cache.
    #[command(flatten)]
    pub cache: CacheOptions,
    /// Show the units and their edges as JSON (unstable)
    #[arg(long, help_heading = COMPILATION)]
    pub unit_graph: bool,
    /// Build and run only what compilers need to run: macros and build scripts (unstable)
    #[arg(long, hide = true, help_heading = COMPILATION)]
    pub compile_time_deps: bool,
    /// Report on how long each unit took
    #[arg(long, value_name = "FMTS", num_args = 0..=1, default_missing_value = "", require_equals = true,
        hide_possible_values = true, help_heading = COMPILATION)]
    pub timings: Option<String>,
    /// How diagnostics are shown
    #[arg(long, value_name = "FMT", value_delimiter = ',', ignore_case = true, value_parser = [
        "human", "short", "json", "json-diagnostic-short", "json-diagnostic-rendered-ansi",
        "json-render-diagnostics",
    ])]
    pub message_format: Vec<String>,
}

/// Where artifacts go.
#[derive(Clone, Debug, Default, Args)]
pub struct TargetDir {
    /// Directory for everything that is made
    #[arg(long = "target-dir", value_name = "DIRECTORY", help_heading = COMPILATION)]
    pub path: Option<PathBuf>,
}

/// Which manifest.
#[derive(Clone, Debug, Default, Args)]
pub struct ManifestOptions {
    /// Path of Cargo.toml
    #[arg(long, value_name = "PATH", help_heading = MANIFEST)]
    pub manifest_path: Option<PathBuf>,
}
