//! Commands that edit manifests.

use std::path::PathBuf;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::{ManifestOptions, OnePackage};

const SECTION: &str = "Section";
const SOURCE: &str = "Source";
const MANIFEST: &str = "Manifest Options";

/// Which table of dependencies.
#[derive(Clone, Debug, Default, Args)]
pub struct SectionOptions {
    /// A development dependency: for tests, examples and benchmarks
    #[arg(long, group = "section", help_heading = SECTION)]
    pub dev: bool,
    /// A dependency of the build script
    #[arg(long, group = "section", help_heading = SECTION)]
    pub build: bool,
    /// A dependency on this platform only: a triple or `cfg(…)`
    #[arg(long, value_name = "TARGET", value_parser = NonEmptyStringValueParser::new(),
        help_heading = SECTION)]
    pub target: Option<String>,
}

/// `add`
#[derive(Clone, Debug, Default, Args)]
#[command(group = clap::ArgGroup::new("selected").multiple(true).required(true))]
pub struct AddArgs {
    /// Packages to depend on: `name`, or `name@requirement`
    #[arg(value_name = "DEP_ID", num_args = 0.., group = "selected")]
    pub crates: Vec<String>,
    /// Leave the `default` feature of the dependency off
    #[arg(long)]
    pub no_default_features: bool,
    /// Turn the `default` feature of the dependency on again
    #[arg(long, overrides_with = "no_default_features")]
    pub default_features: bool,
    /// Features to turn on, apart by blanks or commas
    #[arg(short = 'F', long, value_name = "FEATURES")]
    pub features: Vec<String>,
    /// Make the dependency optional; a feature of its name switches it on
    #[arg(long, conflicts_with = "dev")]
    pub optional: bool,
    /// Make the dependency required
    #[arg(long, conflicts_with = "dev", overrides_with = "optional")]
    pub no_optional: bool,
    /// Make the dependency public (unstable)
    #[arg(long, conflicts_with_all = ["dev", "build"])]
    pub public: bool,
    /// Make the dependency private (unstable)
    #[arg(long, conflicts_with_all = ["dev", "build"], overrides_with = "public")]
    pub no_public: bool,
    /// Another name for the dependency
    #[arg(long, value_name = "NAME")]
    pub rename: Option<String>,
    /// Show what would be added, and write nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Take versions that ask for a newer compiler
    #[arg(long, help_heading = MANIFEST)]
    pub ignore_rust_version: bool,
    /// A package in this directory
    #[arg(long, value_name = "PATH", group = "selected", conflicts_with = "git", help_heading = SOURCE)]
    pub path: Option<PathBuf>,
    /// A named directory that the path starts from (unstable)
    #[arg(long, value_name = "BASE", requires = "path", help_heading = SOURCE)]
    pub base: Option<String>,
    /// A package in this git repository
    #[arg(long, value_name = "URI", group = "selected", help_heading = SOURCE)]
    pub git: Option<String>,
    /// The branch of the repository
    #[arg(long, value_name = "BRANCH", requires = "git", group = "git-ref", help_heading = SOURCE)]
    pub branch: Option<String>,
    /// The tag of the repository
    #[arg(long, value_name = "TAG", requires = "git", group = "git-ref", help_heading = SOURCE)]
    pub tag: Option<String>,
    /// The commit of the repository, or anything else that names one
    #[arg(long, value_name = "REV", requires = "git", group = "git-ref", help_heading = SOURCE)]
    pub rev: Option<String>,
    /// A package in this registry
    #[arg(long, value_name = "NAME", help_heading = SOURCE)]
    pub registry: Option<String>,
    /// Which table.
    #[command(flatten)]
    pub section: SectionOptions,
    /// Which package is edited.
    #[command(flatten)]
    pub package: OnePackage,
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
}

/// `remove`
#[derive(Clone, Debug, Default, Args)]
pub struct RemoveArgs {
    /// Dependencies to remove
    #[arg(value_name = "DEP_ID", num_args = 1.., required = true)]
    pub dependencies: Vec<String>,
    /// Show what would be removed, and write nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Which table.
    #[command(flatten)]
    pub section: SectionOptions,
    /// Which package is edited.
    #[command(flatten)]
    pub package: OnePackage,
    /// Which manifest.
    #[command(flatten)]
    pub manifest: ManifestOptions,
}
