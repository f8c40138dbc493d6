//! Commands that compile, and `clean`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::{
    CompileOptions, FeatureSelection, ManifestOptions, OnePackage, PackageSelection, RunTargets, TargetDir,
    TargetSelection,
};

const COMPILATION: &str = "Compilation Options";
const MANIFEST: &str = "Manifest Options";
const TARGETS: &str = "Target Selection";
const PACKAGES: &str = "Package Selection";

/// `build`
#[derive(Clone, Debug, Default, Args)]
pub struct BuildArgs {
    /// Which packages.
    #[command(flatten)]
    pub packages: PackageSelection,
    /// Which targets.
    #[command(flatten)]
    pub targets: TargetSelection,
    /// Which features.
    #[command(flatten)]
    pub features: FeatureSelection,
    /// Optimise: use the `release` profile
    #[arg(short, long, conflicts_with = "profile", help_heading = COMPILATION)]
    pub release: bool,
    /// How to compile.
    #[command(flatten)]
    pub compile: CompileOptions,
    /// Go on with what does not depend on a failure
    #[arg(long, help_heading = COMPILATION)]
    pub keep_going: bool,
    /// Copy what was made to this directory as well (unstable)
    #[arg(long, value_name = "PATH", help_heading = COMPILATION)]
    pub artifact_dir: Option<PathBuf>,
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
    /// Build packages that ask for a newer compiler
    #[arg(long, help_heading = MANIFEST)]
    pub ignore_rust_version: bool,
    /// Report what future compilers will refuse
    #[arg(long)]
    pub future_incompat_report: bool,
}

/// `check`
#[derive(Clone, Debug, Default, Args)]
pub struct CheckArgs {
    /// Which packages.
    #[command(flatten)]
    pub packages: PackageSelection,
    /// Which targets.
    #[command(flatten)]
    pub targets: TargetSelection,
    /// Which features.
    #[command(flatten)]
    pub features: FeatureSelection,
    /// Check as the `release` profile would build
    #[arg(short, long, conflicts_with = "profile", help_heading = COMPILATION)]
    pub release: bool,
    /// How to compile.
    #[command(flatten)]
    pub compile: CompileOptions,
    /// Go on with what does not depend on a failure
    #[arg(long, help_heading = COMPILATION)]
    pub keep_going: bool,
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
    /// Check packages that ask for a newer compiler
    #[arg(long, help_heading = MANIFEST)]
    pub ignore_rust_version: bool,
    /// Report what future compilers will refuse
    #[arg(long)]
    pub future_incompat_report: bool,
}

/// `fix`
#[derive(Clone, Debug, Default, Args)]
pub struct FixArgs {
    /// Make the code ready for the next edition
    #[arg(long)]
    pub edition: bool,
    /// Take up the habits of the edition
    #[arg(long)]
    pub edition_idioms: bool,
    /// Fix code that does not compile, too
    #[arg(long)]
    pub broken_code: bool,
    /// Fix code that is not in version control, too
    #[arg(long)]
    pub allow_no_vcs: bool,
    /// Fix code in a working directory with uncommitted changes, too
    #[arg(long)]
    pub allow_dirty: bool,
    /// Fix code in a working directory with staged changes, too
    #[arg(long)]
    pub allow_staged: bool,
    /// Which packages.
    #[command(flatten)]
    pub packages: PackageSelection,
    /// Which targets.
    #[command(flatten)]
    pub targets: TargetSelection,
    /// Which features.
    #[command(flatten)]
    pub features: FeatureSelection,
    /// Check as the `release` profile would build
    #[arg(short, long, conflicts_with = "profile", help_heading = COMPILATION)]
    pub release: bool,
    /// How to compile.
    #[command(flatten)]
    pub compile: CompileOptions,
    /// Go on with what does not depend on a failure
    #[arg(long, help_heading = COMPILATION)]
    pub keep_going: bool,
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
    /// Fix packages that ask for a newer compiler
    #[arg(long, help_heading = MANIFEST)]
    pub ignore_rust_version: bool,
}

/// `run`
#[derive(Clone, Debug, Default, Args)]
pub struct RunArgs {
    /// Arguments of the program
    #[arg(value_name = "ARGS", num_args = 0.., trailing_var_arg = true)]
    pub args: Vec<OsString>,
    /// Which package.
    #[command(flatten)]
    pub package: OnePackage,
    /// Which targets.
    #[command(flatten)]
    pub targets: RunTargets,
    /// Which features.
    #[command(flatten)]
    pub features: FeatureSelection,
    /// Optimise: use the `release` profile
    #[arg(short, long, conflicts_with = "profile", help_heading = COMPILATION)]
    pub release: bool,
    /// How to compile.
    #[command(flatten)]
    pub compile: CompileOptions,
    /// Go on with what does not depend on a failure
    #[arg(long, help_heading = COMPILATION)]
    pub keep_going: bool,
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
    /// Build packages that ask for a newer compiler
    #[arg(long, help_heading = MANIFEST)]
    pub ignore_rust_version: bool,
}

/// `test`
#[derive(Clone, Debug, Default, Args)]
pub struct TestArgs {
    /// Run only tests whose names hold this text
    #[arg(value_name = "TESTNAME")]
    pub name: Option<String>,
    /// Arguments of the test program
    #[arg(value_name = "ARGS", num_args = 0.., last = true)]
    pub args: Vec<String>,
    /// Build, but do not run
    #[arg(long)]
    pub no_run: bool,
    /// Run all tests, even after one failed
    #[arg(long)]
    pub no_fail_fast: bool,
    /// Report what future compilers will refuse
    #[arg(long)]
    pub future_incompat_report: bool,
    /// Which packages.
    #[command(flatten)]
    pub packages: PackageSelection,
    /// Which targets.
    #[command(flatten)]
    pub targets: TargetSelection,
    /// Only the examples in the documentation of the library
    #[arg(long, help_heading = TARGETS)]
    pub doc: bool,
    /// Which features.
    #[command(flatten)]
    pub features: FeatureSelection,
    /// Optimise: use the `release` profile
    #[arg(short, long, conflicts_with = "profile", help_heading = COMPILATION)]
    pub release: bool,
    /// How to compile.
    #[command(flatten)]
    pub compile: CompileOptions,
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
    /// Build packages that ask for a newer compiler
    #[arg(long, help_heading = MANIFEST)]
    pub ignore_rust_version: bool,
}

/// `bench`
#[derive(Clone, Debug, Default, Args)]
pub struct BenchArgs {
    /// Run only benchmarks whose names hold this text
    #[arg(value_name = "BENCHNAME")]
    pub name: Option<String>,
    /// Arguments of the benchmark program
    #[arg(value_name = "ARGS", num_args = 0.., last = true)]
    pub args: Vec<String>,
    /// Build, but do not run
    #[arg(long)]
    pub no_run: bool,
    /// Run all benchmarks, even after one failed
    #[arg(long)]
    pub no_fail_fast: bool,
    /// Which packages.
    #[command(flatten)]
    pub packages: PackageSelection,
    /// Which targets.
    #[command(flatten)]
    pub targets: TargetSelection,
    /// Which features.
    #[command(flatten)]
    pub features: FeatureSelection,
    /// How to compile.
    #[command(flatten)]
    pub compile: CompileOptions,
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
    /// Build packages that ask for a newer compiler
    #[arg(long, help_heading = MANIFEST)]
    pub ignore_rust_version: bool,
}

/// `doc`
#[derive(Clone, Debug, Default, Args)]
pub struct DocArgs {
    /// Open the documentation in a browser
    #[arg(long)]
    pub open: bool,
    /// Leave dependencies out
    #[arg(long)]
    pub no_deps: bool,
    /// Document private items as well
    #[arg(long)]
    pub document_private_items: bool,
    /// Which packages.
    #[command(flatten)]
    pub packages: PackageSelection,
    /// Which features.
    #[command(flatten)]
    pub features: FeatureSelection,
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
    /// Document as the `release` profile would build
    #[arg(short, long, conflicts_with = "profile", help_heading = COMPILATION)]
    pub release: bool,
    /// How to compile.
    #[command(flatten)]
    pub compile: CompileOptions,
    /// Go on with what does not depend on a failure
    #[arg(long, help_heading = COMPILATION)]
    pub keep_going: bool,
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
    /// Document packages that ask for a newer compiler
    #[arg(long, help_heading = MANIFEST)]
    pub ignore_rust_version: bool,
}

/// `rustc`
#[derive(Clone, Debug, Default, Args)]
pub struct RustcArgs {
    /// Arguments of the compiler
    #[arg(value_name = "ARGS", num_args = 0.., trailing_var_arg = true)]
    pub args: Vec<String>,
    /// Show what the compiler knows instead of compiling
    #[arg(long, value_name = "INFO")]
    pub print: Option<String>,
    /// Crate types to make, apart by commas
    #[arg(long, value_name = "CRATE-TYPE")]
    pub crate_type: Vec<String>,
    /// Report what future compilers will refuse
    #[arg(long)]
    pub future_incompat_report: bool,
    /// Which package.
    #[command(flatten)]
    pub package: OnePackage,
    /// Which targets.
    #[command(flatten)]
    pub targets: TargetSelection,
    /// Which features.
    #[command(flatten)]
    pub features: FeatureSelection,
    /// Optimise: use the `release` profile
    #[arg(short, long, conflicts_with = "profile", help_heading = COMPILATION)]
    pub release: bool,
    /// How to compile.
    #[command(flatten)]
    pub compile: CompileOptions,
    /// Go on with what does not depend on a failure
    #[arg(long, help_heading = COMPILATION)]
    pub keep_going: bool,
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
    /// Build packages that ask for a newer compiler
    #[arg(long, help_heading = MANIFEST)]
    pub ignore_rust_version: bool,
}

/// `rustdoc`
#[derive(Clone, Debug, Default, Args)]
pub struct RustdocArgs {
    /// Arguments of rustdoc
    #[arg(value_name = "ARGS", num_args = 0.., trailing_var_arg = true)]
    pub args: Vec<String>,
    /// Open the documentation in a browser
    #[arg(long)]
    pub open: bool,
    /// What to write (unstable)
    #[arg(long, value_name = "FMT", value_parser = ["html", "json"])]
    pub output_format: Option<String>,
    /// Which package.
    #[command(flatten)]
    pub package: OnePackage,
    /// Which targets.
    #[command(flatten)]
    pub targets: TargetSelection,
    /// Which features.
    #[command(flatten)]
    pub features: FeatureSelection,
    /// Document as the `release` profile would build
    #[arg(short, long, conflicts_with = "profile", help_heading = COMPILATION)]
    pub release: bool,
    /// How to compile.
    #[command(flatten)]
    pub compile: CompileOptions,
    /// Go on with what does not depend on a failure
    #[arg(long, help_heading = COMPILATION)]
    pub keep_going: bool,
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
    /// Document packages that ask for a newer compiler
    #[arg(long, help_heading = MANIFEST)]
    pub ignore_rust_version: bool,
}

/// `clean`
#[derive(Clone, Debug, Default, Args)]
pub struct CleanArgs {
    /// Only the documentation
    #[arg(long)]
    pub doc: bool,
    /// Show what would be removed, and remove nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Only what was made of these packages
    #[arg(short, long, value_name = "SPEC", num_args = 0..=1, default_missing_value = "",
        action = clap::ArgAction::Append, help_heading = PACKAGES)]
    pub package: Vec<String>,
    /// Only what was made of the members of the workspace
    #[arg(long, help_heading = PACKAGES)]
    pub workspace: bool,
    /// Only what the `release` profile made
    #[arg(short, long, conflicts_with = "profile", help_heading = COMPILATION)]
    pub release: bool,
    /// Only what this profile made
    #[arg(long, value_name = "PROFILE-NAME", help_heading = COMPILATION)]
    pub profile: Option<String>,
    /// Only what was made for this platform
    #[arg(long, value_name = "TRIPLE", num_args = 0..=1, default_missing_value = "",
        action = clap::ArgAction::Append, help_heading = COMPILATION)]
    pub target: Vec<String>,
    /// Where artifacts go.
    #[command(flatten)]
    pub target_dir: TargetDir,
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
}
