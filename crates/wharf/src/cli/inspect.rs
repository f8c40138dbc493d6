//! Commands that only tell.

use clap::{Args, Subcommand};

use super::{FeatureSelection, ManifestOptions, RegistryOptions, TargetDir};

const COMPILATION: &str = "Compilation Options";
const PACKAGES: &str = "Package Selection";

/// `config`
#[derive(Clone, Debug, Args)]
pub struct ConfigArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// What `config` can do.
#[derive(Clone, Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show the value of a key, or everything
    Get(ConfigGetArgs),
}

/// `config get`
#[derive(Clone, Debug, Args)]
pub struct ConfigGetArgs {
    /// The key to show
    #[arg(value_name = "KEY")]
    pub key: Option<String>,
    /// How to show it
    #[arg(long, value_name = "FORMAT", value_parser = ["toml", "json", "json-value"], default_value = "toml")]
    pub format: String,
    /// Show where each value was set
    #[arg(long)]
    pub show_origin: bool,
    /// Whether to merge what files and arguments say
    #[arg(long, value_name = "MERGED", value_parser = ["yes", "no"], default_value = "yes")]
    pub merged: String,
}

/// `info`
#[derive(Clone, Debug, Default, Args)]
pub struct InfoArgs {
    /// The package to show, by specification
    #[arg(value_name = "SPEC", help_heading = PACKAGES)]
    pub package: String,
    /// Where it is looked for.
    #[command(flatten)]
    pub registry: RegistryOptions,
}

/// `search`
#[derive(Clone, Debug, Default, Args)]
pub struct SearchArgs {
    /// What to look for
    #[arg(value_name = "QUERY", num_args = 0..)]
    pub query: Vec<String>,
    /// How many results to show (default: 10, at most 100)
    #[arg(long, value_name = "LIMIT")]
    pub limit: Option<u32>,
    /// Where it is looked for.
    #[command(flatten)]
    pub registry: RegistryOptions,
}

/// `locate-project`
#[derive(Clone, Debug, Default, Args)]
pub struct LocateProjectArgs {
    /// The manifest of the workspace's root instead
    #[arg(long)]
    pub workspace: bool,
    /// How to show it
    #[arg(long, value_name = "FMT", value_parser = ["json", "plain"], ignore_case = true)]
    pub message_format: Option<String>,
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
}

/// `metadata`
#[derive(Clone, Debug, Default, Args)]
pub struct MetadataArgs {
    /// Only dependencies that this platform has
    #[arg(long, value_name = "TRIPLE")]
    pub filter_platform: Vec<String>,
    /// Only the members of the workspace, without fetching dependencies
    #[arg(long)]
    pub no_deps: bool,
    /// Version of the format
    #[arg(long, value_name = "VERSION", value_parser = ["1"])]
    pub format_version: Option<String>,
    /// Which features.
    #[command(flatten)]
    pub features: FeatureSelection,
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
}

/// `pkgid`
#[derive(Clone, Debug, Default, Args)]
pub struct PkgidArgs {
    /// The package to show, as short as it is unambiguous
    #[arg(value_name = "SPEC")]
    pub spec: Option<String>,
    /// The package to show, as short as it is unambiguous
    #[arg(short, long, value_name = "SPEC", num_args = 0..=1, default_missing_value = "",
        conflicts_with = "spec", help_heading = PACKAGES)]
    pub package: Option<String>,
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
}

/// `read-manifest`
#[derive(Clone, Debug, Default, Args)]
pub struct ReadManifestArgs {
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
}

/// `verify-project`
#[derive(Clone, Debug, Default, Args)]
pub struct VerifyProjectArgs {
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
}

/// `version`
#[derive(Clone, Debug, Default, Args)]
pub struct VersionArgs {}

/// How lines of `tree` begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Prefix {
    /// With the depth as a number.
    Depth,
    /// With lines that show the tree.
    #[default]
    Indent,
    /// With nothing.
    None,
}

/// `tree`
#[derive(Clone, Debug, Args)]
pub struct TreeArgs {
    /// Kinds of dependencies to show
    #[arg(short, long, value_name = "KINDS", value_delimiter = ',', value_parser = [
        "all", "normal", "build", "dev", "features", "public", "no-normal", "no-build", "no-dev",
        "no-proc-macro",
    ])]
    pub edges: Vec<String>,
    /// Show what depends on this package
    #[arg(short, long, value_name = "SPEC", num_args = 0..=1, default_missing_value = "",
        action = clap::ArgAction::Append)]
    pub invert: Vec<String>,
    /// Leave this package and what is below it out
    #[arg(long, value_name = "SPEC")]
    pub prune: Vec<String>,
    /// How many levels to show
    #[arg(long, value_name = "DEPTH")]
    pub depth: Option<String>,
    /// How lines begin
    #[arg(long, value_name = "PREFIX", value_enum, default_value = "indent")]
    pub prefix: Prefix,
    /// Show every occurrence of a package in full
    #[arg(long)]
    pub no_dedupe: bool,
    /// Show only packages that come in several versions (implies -i)
    #[arg(short, long, alias = "duplicate")]
    pub duplicates: bool,
    /// Characters to draw with
    #[arg(long, value_name = "CHARSET", value_parser = ["utf8", "ascii"])]
    pub charset: Option<String>,
    /// How to show a package
    #[arg(short, long, value_name = "FORMAT", default_value = "{p}")]
    pub format: String,
    /// Packages to start from
    #[arg(short, long, value_name = "SPEC", num_args = 0..=1, default_missing_value = "",
        action = clap::ArgAction::Append, help_heading = PACKAGES)]
    pub package: Vec<String>,
    /// Start from all packages of the workspace
    #[arg(long, help_heading = PACKAGES)]
    pub workspace: bool,
    /// Packages to leave out
    #[arg(long, value_name = "SPEC", help_heading = PACKAGES)]
    pub exclude: Vec<String>,
    /// Which features.
    #[command(flatten)]
    pub features: FeatureSelection,
    /// Only dependencies that this platform has (the host's if not given, `all` for every platform)
    #[arg(long, value_name = "TRIPLE", num_args = 0..=1, default_missing_value = "",
        action = clap::ArgAction::Append, help_heading = COMPILATION)]
    pub target: Vec<String>,
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
    /// Old spellings.
    #[command(flatten)]
    pub old: OldTreeArgs,
}

/// What `tree` took before it was a part of Cargo.
#[derive(Clone, Debug, Default, Args)]
pub struct OldTreeArgs {
    /// Now --no-dedupe
    #[arg(short = 'a', long, hide = true)]
    pub all: bool,
    /// Now --target=all
    #[arg(long, hide = true)]
    pub all_targets: bool,
    /// Now -e=no-dev
    #[arg(long, hide = true)]
    pub no_dev_dependencies: bool,
    /// Now --prefix=none
    #[arg(long, hide = true)]
    pub no_indent: bool,
    /// Now --prefix=depth
    #[arg(long, hide = true)]
    pub prefix_depth: bool,
    /// Print the version and exit
    #[arg(short = 'V', long = "version", id = "tree_version", hide = true)]
    pub version: bool,
}

/// `why`
#[derive(Clone, Debug, Args)]
pub struct WhyArgs {
    /// Only this unit: a part of its description, such as `lib` or `build script`
    #[arg(value_name = "UNIT")]
    pub unit: Option<String>,
    /// Only units of this package
    #[arg(short, long, value_name = "NAME", help_heading = PACKAGES)]
    pub package: Option<String>,
    /// How to tell it
    #[arg(long, value_name = "FORMAT", value_parser = ["human", "json"], default_value = "human")]
    pub format: String,
    /// Where the build was.
    #[command(flatten)]
    pub target_dir: TargetDir,
    /// Which workspace.
    #[command(flatten)]
    pub manifest: ManifestOptions,
}

/// `report`
#[derive(Clone, Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct ReportArgs {
    /// What about.
    #[command(subcommand)]
    pub command: ReportCommand,
}

/// What there are reports of.
#[derive(Clone, Debug, Subcommand)]
pub enum ReportCommand {
    /// Code that later compilers will refuse
    #[command(alias = "future-incompat")]
    FutureIncompatibilities(FutureArgs),
    /// How long builds took (unstable)
    Timings(UnstableReportArgs),
    /// Which builds there were (unstable)
    Sessions(UnstableReportArgs),
    /// Why something was built again (unstable)
    Rebuilds(UnstableReportArgs),
}

/// `report future-incompatibilities`
#[derive(Clone, Debug, Default, Args)]
pub struct FutureArgs {
    /// The number of the report, as the build told it
    #[arg(long, value_name = "id")]
    pub id: Option<String>,
    /// The package to show the report of
    #[arg(short, long, value_name = "SPEC", num_args = 0..=1, default_missing_value = "",
        help_heading = PACKAGES)]
    pub package: Option<String>,
}

/// Reports that Cargo holds unstable: their words are taken so that they can be refused.
#[derive(Clone, Debug, Default, Args)]
pub struct UnstableReportArgs {
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
    /// Open what was written in a browser
    #[arg(long)]
    pub open: bool,
    /// Which build
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// How many
    #[arg(long, value_name = "N")]
    pub limit: Option<String>,
}
