//! Commands that bring packages to registries and programs to machines.

use std::path::PathBuf;

use clap::Args;

use super::{CacheOptions, FeatureSelection, ManifestOptions, TargetDir};

const PACKAGES: &str = "Package Selection";
const COMPILATION: &str = "Compilation Options";
const TARGETS: &str = "Target Selection";
const MANIFEST: &str = "Manifest Options";

/// Which registry.
#[derive(Clone, Debug, Default, Args)]
pub struct RegistryOptions {
    /// The URL of the registry's index
    #[arg(long, value_name = "INDEX", conflicts_with = "registry")]
    pub index: Option<String>,
    /// The registry, as configuration names it
    #[arg(long, value_name = "REGISTRY")]
    pub registry: Option<String>,
}

/// What `package` and `publish` have in common.
#[derive(Clone, Debug, Default, Args)]
pub struct PackagingOptions {
    /// Which registry.
    #[command(flatten)]
    pub registry: RegistryOptions,
    /// Do not build what is in the archive
    #[arg(long)]
    pub no_verify: bool,
    /// Take files that are not as committed
    #[arg(long)]
    pub allow_dirty: bool,
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
    /// Which features.
    #[command(flatten)]
    pub features: FeatureSelection,
    /// Verify for this platform
    #[arg(long, value_name = "TRIPLE", num_args = 0..=1, default_missing_value = "",
        action = clap::ArgAction::Append, help_heading = COMPILATION)]
    pub target: Vec<String>,
    /// Where artifacts go.
    #[command(flatten)]
    pub target_dir: TargetDir,
    /// Which build cache.
    #[command(flatten)]
    pub cache: CacheOptions,
    /// How many jobs run at once
    #[arg(short, long, value_name = "N", allow_hyphen_values = true, help_heading = COMPILATION)]
    pub jobs: Option<String>,
    /// Go on with what does not depend on a failure
    #[arg(long, help_heading = COMPILATION)]
    pub keep_going: bool,
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
}

/// `package`
#[derive(Clone, Debug, Default, Args)]
pub struct PackageArgs {
    /// What `publish` takes too.
    #[command(flatten)]
    pub packaging: PackagingOptions,
    /// List the files of the archive, and make none
    #[arg(short, long)]
    pub list: bool,
    /// Do not warn of missing metadata
    #[arg(long)]
    pub no_metadata: bool,
    /// Leave the lockfile out
    #[arg(long)]
    pub exclude_lockfile: bool,
    /// How the list is shown (unstable)
    #[arg(long, value_name = "FMT", requires = "list", value_parser = ["human", "json"])]
    pub message_format: Option<String>,
}

/// `publish`
#[derive(Clone, Debug, Default, Args)]
pub struct PublishArgs {
    /// What `package` takes too.
    #[command(flatten)]
    pub packaging: PackagingOptions,
    /// Do everything but the upload
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// The token to send
    #[arg(long, value_name = "TOKEN", hide = true)]
    pub token: Option<String>,
}

/// `yank`
#[derive(Clone, Debug, Default, Args)]
pub struct YankArgs {
    /// The package, the current one if not given
    #[arg(value_name = "CRATE")]
    pub name: Option<String>,
    /// The version
    #[arg(long, alias = "vers", value_name = "VERSION")]
    pub version: Option<String>,
    /// Put a yanked version back
    #[arg(long)]
    pub undo: bool,
    /// Which registry.
    #[command(flatten)]
    pub registry: RegistryOptions,
    /// The token to send
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
}

/// `owner`
#[derive(Clone, Debug, Default, Args)]
pub struct OwnerArgs {
    /// The package, the current one if not given
    #[arg(value_name = "CRATE")]
    pub name: Option<String>,
    /// Ask a user or team to become an owner
    #[arg(short, long, value_name = "LOGIN")]
    pub add: Vec<String>,
    /// Make a user or team no owner any more
    #[arg(short, long, value_name = "LOGIN")]
    pub remove: Vec<String>,
    /// List the owners
    #[arg(short, long)]
    pub list: bool,
    /// Which registry.
    #[command(flatten)]
    pub registry: RegistryOptions,
    /// The token to send
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
}

/// `install`
#[derive(Clone, Debug, Default, Args)]
pub struct InstallArgs {
    /// Packages to install, each with a version if need be
    #[arg(value_name = "CRATE[@<VER>]", id = "crate")]
    pub names: Vec<String>,
    /// The version to install
    #[arg(long, alias = "vers", value_name = "VERSION", requires = "crate")]
    pub version: Option<String>,
    /// The URL of the registry's index
    #[arg(long, value_name = "INDEX", requires = "crate", conflicts_with_all = ["git", "directory", "registry"])]
    pub index: Option<String>,
    /// The registry, as configuration names it
    #[arg(long, value_name = "REGISTRY", requires = "crate", conflicts_with_all = ["git", "directory", "index"])]
    pub registry: Option<String>,
    /// The URL of a git repository to install from
    #[arg(long, value_name = "URL", conflicts_with_all = ["directory", "index", "registry"])]
    pub git: Option<String>,
    /// The branch of the repository
    #[arg(long, value_name = "BRANCH", requires = "git")]
    pub branch: Option<String>,
    /// The tag of the repository
    #[arg(long, value_name = "TAG", requires = "git")]
    pub tag: Option<String>,
    /// The commit of the repository
    #[arg(long, value_name = "SHA", requires = "git")]
    pub rev: Option<String>,
    /// The directory of a package to install
    #[arg(long = "path", id = "directory", value_name = "PATH", conflicts_with_all = ["git", "index", "registry"])]
    pub path: Option<PathBuf>,
    /// The directory to install into
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Overwrite programs that exist
    #[arg(short, long)]
    pub force: bool,
    /// Check everything, install nothing (unstable)
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Keep no record of what was installed
    #[arg(long)]
    pub no_track: bool,
    /// List what is installed
    #[arg(long)]
    pub list: bool,
    /// Install packages that ask for a newer compiler
    #[arg(long, help_heading = MANIFEST)]
    pub ignore_rust_version: bool,
    /// How diagnostics are shown
    #[arg(long, value_name = "FMT", value_delimiter = ',', ignore_case = true)]
    pub message_format: Vec<String>,
    /// Only this program
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "",
        action = clap::ArgAction::Append, help_heading = TARGETS)]
    pub bin: Vec<String>,
    /// All programs
    #[arg(long, help_heading = TARGETS)]
    pub bins: bool,
    /// Only this example
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "",
        action = clap::ArgAction::Append, help_heading = TARGETS)]
    pub example: Vec<String>,
    /// All examples
    #[arg(long, help_heading = TARGETS)]
    pub examples: bool,
    /// Which features.
    #[command(flatten)]
    pub features: FeatureSelection,
    /// How many jobs run at once
    #[arg(short, long, value_name = "N", allow_hyphen_values = true, help_heading = COMPILATION)]
    pub jobs: Option<String>,
    /// Go on with what does not depend on a failure
    #[arg(long, help_heading = COMPILATION)]
    pub keep_going: bool,
    /// Use the `dev` profile
    #[arg(long, conflicts_with = "profile", help_heading = COMPILATION)]
    pub debug: bool,
    /// What happens anyway
    #[arg(short, long, hide = true, conflicts_with_all = ["profile", "debug"])]
    pub release: bool,
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
    /// Report on how long each unit took
    #[arg(long, value_name = "FMTS", num_args = 0..=1, default_missing_value = "", require_equals = true,
        hide_possible_values = true, help_heading = COMPILATION)]
    pub timings: Option<String>,
}

/// `uninstall`
#[derive(Clone, Debug, Default, Args)]
pub struct UninstallArgs {
    /// Packages to remove, the current one if not given
    #[arg(value_name = "SPEC")]
    pub specs: Vec<String>,
    /// The directory that they were installed into
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Packages to remove
    #[arg(short, long, value_name = "SPEC", num_args = 0..=1, default_missing_value = "",
        action = clap::ArgAction::Append, help_heading = PACKAGES)]
    pub package: Vec<String>,
    /// Only this program
    #[arg(long, value_name = "NAME", help_heading = TARGETS)]
    pub bin: Vec<String>,
}
