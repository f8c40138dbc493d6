//! Commands that make packages and move versions, `help` and `completions`.

use std::path::PathBuf;

use clap::Args;

use super::ManifestOptions;

const COMPILATION: &str = "Compilation Options";
const MANIFEST: &str = "Manifest Options";
const PACKAGES: &str = "Package Selection";

/// What `new` and `init` have in common.
#[derive(Clone, Debug, Default, Args)]
pub struct NewOptions {
    /// Start a repository of this version control system
    #[arg(long, value_name = "VCS", value_parser = ["git", "hg", "pijul", "fossil", "none"])]
    pub vcs: Option<String>,
    /// A program (the default)
    #[arg(long)]
    pub bin: bool,
    /// A library
    #[arg(long)]
    pub lib: bool,
    /// The edition of the package
    #[arg(long, value_name = "YEAR", value_parser = ["2015", "2018", "2021", "2024"])]
    pub edition: Option<String>,
    /// The name of the package, if not that of the directory
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The only registry that the package may be published to
    #[arg(long, value_name = "REGISTRY")]
    pub registry: Option<String>,
}

/// `new`
#[derive(Clone, Debug, Args)]
pub struct NewArgs {
    /// The directory to make
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// What to make.
    #[command(flatten)]
    pub options: NewOptions,
}

/// `init`
#[derive(Clone, Debug, Args)]
pub struct InitArgs {
    /// The directory of the package
    #[arg(value_name = "PATH", default_value = ".")]
    pub path: PathBuf,
    /// What to make.
    #[command(flatten)]
    pub options: NewOptions,
}

/// `fetch`
#[derive(Clone, Debug, Default, Args)]
pub struct FetchArgs {
    /// Only what this platform needs
    #[arg(long, value_name = "TRIPLE", num_args = 0..=1, default_missing_value = "",
        action = clap::ArgAction::Append, help_heading = COMPILATION)]
    pub target: Vec<String>,
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
}

/// `generate-lockfile`
#[derive(Clone, Debug, Default, Args)]
pub struct GenerateLockfileArgs {
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
    /// Take versions that ask for a newer compiler
    #[arg(long, help_heading = MANIFEST)]
    pub ignore_rust_version: bool,
    /// Take no version that was published later (unstable)
    #[arg(long, value_name = "yyyy-mm-ddThh:mm:ssZ", help_heading = MANIFEST)]
    pub publish_time: Option<String>,
}

/// `update`
#[derive(Clone, Debug, Default, Args)]
pub struct UpdateArgs {
    /// Packages to update
    #[arg(value_name = "SPEC", num_args = 1.., group = "chosen", help_heading = PACKAGES)]
    pub specs: Vec<String>,
    /// Packages to update
    #[arg(short, long, value_name = "SPEC", num_args = 0..=1, default_missing_value = "", group = "chosen",
        action = clap::ArgAction::Append, hide = true, help_heading = PACKAGES)]
    pub package: Vec<String>,
    /// Show what would change, and write nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Update the dependencies of the packages as well
    #[arg(long, alias = "aggressive", conflicts_with = "precise")]
    pub recursive: bool,
    /// Move the package to exactly this version, or git object
    #[arg(long, value_name = "PRECISE", requires = "chosen")]
    pub precise: Option<String>,
    /// Move over incompatible versions (unstable)
    #[arg(short, long)]
    pub breaking: bool,
    /// Only the members of the workspace
    #[arg(short, long, help_heading = PACKAGES)]
    pub workspace: bool,
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
    /// Take versions that ask for a newer compiler
    #[arg(long, help_heading = MANIFEST)]
    pub ignore_rust_version: bool,
}

/// `vendor`
#[derive(Clone, Debug, Default, Args)]
pub struct VendorArgs {
    /// Where to (`vendor`)
    #[arg(value_name = "path")]
    pub path: Option<PathBuf>,
    /// Leave what is there of older packages
    #[arg(long)]
    pub no_delete: bool,
    /// More manifests whose dependencies are vendored too
    #[arg(short = 's', long = "sync", value_name = "TOML")]
    pub sync: Vec<PathBuf>,
    /// Follow `[source]` of the configuration
    #[arg(long)]
    pub respect_source_config: bool,
    /// Give every directory a version
    #[arg(long)]
    pub versioned_dirs: bool,
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
}

/// `help`
#[derive(Clone, Debug, Default, Args)]
pub struct HelpArgs {
    /// The command to explain
    #[arg(value_name = "COMMAND")]
    pub command: Option<String>,
}

/// `completions`
#[derive(Clone, Debug, Args)]
pub struct CompletionsArgs {
    /// The shell to complete in
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: clap_complete::Shell,
}
