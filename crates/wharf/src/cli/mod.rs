//! What can be typed: clap structs, and nothing that acts on them.
//!
//! Flags, value names and conflicts are Cargo 1.95's; the help texts are our own.

mod build;
mod cache;
mod edit;
mod global;
mod groups;
mod inspect;
mod manage;
mod registry;
mod ship;

use std::ffi::OsString;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

pub use build::{
    BenchArgs, BuildArgs, CheckArgs, CleanArgs, DocArgs, FixArgs, RunArgs, RustcArgs, RustdocArgs, TestArgs,
};
pub use cache::{CacheArgs, CacheCommand, CacheFormat};
pub use edit::{AddArgs, RemoveArgs, SectionOptions};
pub use global::GlobalArgs;
pub use groups::{
    CacheOptions, CompileOptions, FeatureSelection, ManifestOptions, OnePackage, PackageSelection,
    RunTargets, TargetDir, TargetSelection,
};
pub use inspect::{
    ConfigArgs, ConfigCommand, ConfigGetArgs, FutureArgs, InfoArgs, LocateProjectArgs, MetadataArgs,
    PkgidArgs, Prefix, ReadManifestArgs, ReportArgs, ReportCommand, SearchArgs, TreeArgs, VerifyProjectArgs,
    VersionArgs, WhyArgs,
};
pub use manage::{
    CompletionsArgs, FetchArgs, GenerateLockfileArgs, HelpArgs, InitArgs, NewArgs, NewOptions, UpdateArgs,
    VendorArgs,
};
pub use registry::{LoginArgs, LogoutArgs};
pub use ship::{
    InstallArgs, OwnerArgs, PackageArgs, PackagingOptions, PublishArgs, RegistryOptions, UninstallArgs,
    YankArgs,
};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    about = "Builds, manages and ships Rust packages",
    disable_version_flag = true,
    disable_help_subcommand = true,
    allow_external_subcommands = true,
    arg_required_else_help = false,
    max_term_width = 100,
    override_usage = "<name> [+toolchain] [OPTIONS] [COMMAND]"
)]
pub struct Cli {
    /// Options that stand before or after the command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// Print the version and exit
    #[arg(short = 'V', long)]
    pub version: bool,
    /// List the commands that can be run
    #[arg(long)]
    pub list: bool,
    /// Explain an error of the compiler at length
    #[arg(long, value_name = "CODE")]
    pub explain: Option<String>,
    /// Change to this directory first (nightly-only)
    #[arg(short = 'C', value_name = "DIRECTORY")]
    pub directory: Option<std::path::PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The word that chose the command.
    #[arg(skip)]
    pub command_name: Option<String>,
}

/// Commands that Cargo does not have. Under Cargo's name these words belong to programs such as `cargo-cache`.
const OWN: [&str; 3] = ["cache", "completions", "why"];

/// Options that Cargo does not have, by the name of their field.
const OWN_OPTIONS: [&str; 1] = ["no_cache"];

/// The commands. Short forms (`b`, `c`, …) are aliases, which users may redefine.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add dependencies to a manifest
    Add(AddArgs),
    /// Execute benchmarks
    Bench(BenchArgs),
    /// Compile a package and its dependencies
    Build(BuildArgs),
    /// Look after the build cache
    Cache(CacheArgs),
    /// Check a package and its dependencies for errors, without making programs
    Check(CheckArgs),
    /// Remove what builds have made
    Clean(CleanArgs),
    /// Write a completion script for a shell
    Completions(CompletionsArgs),
    /// Show configuration (unstable)
    Config(ConfigArgs),
    /// Build the documentation of a package
    Doc(DocArgs),
    /// Download the dependencies of a package
    Fetch(FetchArgs),
    /// Apply to sources what the compiler suggests
    Fix(FixArgs),
    /// Write the lockfile of a package
    GenerateLockfile(GenerateLockfileArgs),
    /// Show help for a command
    Help(HelpArgs),
    /// Show what there is to know of a package
    Info(InfoArgs),
    /// Make a package in a directory that exists
    Init(InitArgs),
    /// Install programs of packages
    Install(InstallArgs),
    /// Show where the manifest is, as JSON
    LocateProject(LocateProjectArgs),
    /// Keep the token of a registry
    Login(LoginArgs),
    /// Forget the token of a registry
    Logout(LogoutArgs),
    /// Show a package and its resolved dependencies, as JSON
    Metadata(MetadataArgs),
    /// Make a package in a new directory
    New(NewArgs),
    /// Show and change who may publish a package
    Owner(OwnerArgs),
    /// Make the archive of a package
    Package(PackageArgs),
    /// Show the full specification of a package
    Pkgid(PkgidArgs),
    /// Upload a package to a registry
    Publish(PublishArgs),
    /// Show a manifest as JSON (deprecated)
    ReadManifest(ReadManifestArgs),
    /// Remove dependencies from a manifest
    Remove(RemoveArgs),
    /// Show what was found out earlier
    Report(ReportArgs),
    /// Run a program or an example of a package
    Run(RunArgs),
    /// Compile a package, passing arguments to the compiler
    Rustc(RustcArgs),
    /// Build the documentation of a package, passing arguments to rustdoc
    Rustdoc(RustdocArgs),
    /// Search a registry for packages
    Search(SearchArgs),
    /// Execute unit, integration and documentation tests
    Test(TestArgs),
    /// Show the dependencies as a tree
    Tree(TreeArgs),
    /// Remove installed programs
    Uninstall(UninstallArgs),
    /// Move the versions in the lockfile
    Update(UpdateArgs),
    /// Copy all dependencies into the project
    Vendor(VendorArgs),
    /// Check a manifest and answer in JSON (deprecated)
    VerifyProject(VerifyProjectArgs),
    /// Show version information
    Version(VersionArgs),
    /// Tell what the last build did, and why
    Why(WhyArgs),
    /// Keep a published version from being chosen anew
    Yank(YankArgs),
    /// Anything else: an alias or a program named `cargo-<command>`.
    #[command(external_subcommand)]
    External(Vec<OsString>),
}

impl Cli {
    /// Reads arguments, the program's name left out. `program` is the name to show in help.
    ///
    /// # Errors
    /// As clap says; asking for help is one of them.
    pub fn read(program: &str, args: &[OsString]) -> Result<Cli, clap::Error> {
        let mut command = Cli::command_named(program);
        let words = std::iter::once(OsString::from(program)).chain(args.iter().cloned());
        let matches = command.try_get_matches_from_mut(words)?;
        let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
        Ok(Cli { command_name: matches.subcommand_name().map(str::to_owned), ..cli })
    }

    /// The command line as a clap command that calls itself `program`.
    pub fn command_named(program: &str) -> clap::Command {
        let command = Cli::command()
            .name(program.to_owned())
            .bin_name(program.to_owned())
            .override_usage(format!("{program} [+toolchain] [OPTIONS] [COMMAND]"));
        if program != "cargo" {
            return command;
        }
        // Nobody can type a name that begins with a blank, so what is typed goes to a program of that name.
        let command = OWN.iter().fold(command, |command, name| {
            command.mut_subcommand(name, |own| own.name(format!(" {name}")).hide(true))
        });
        command.mut_subcommands(without_own_options)
    }
}

/// A command with the options that Cargo has; the others keep their places, under names that nobody can type.
fn without_own_options(command: clap::Command) -> clap::Command {
    OWN_OPTIONS.iter().enumerate().fold(command, |command, (index, name)| {
        if !command.get_arguments().any(|argument| argument.get_id() == name) {
            return command;
        }
        command.mut_arg(name, |own| own.long(" ".repeat(index + 1)).hide(true))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Cli, clap::Error> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        Cli::read("wharf", &words)
    }

    #[test]
    fn clap_finds_no_fault() {
        Cli::command().debug_assert();
    }

    #[test]
    fn under_cargos_name_only_cargos_commands_are_built_in() {
        Cli::command_named("cargo").debug_assert();
        for name in OWN {
            let external = Cli::read("cargo", &[name.into(), "--flag".into()]).unwrap();
            assert!(matches!(external.command, Some(Command::External(words)) if words == [name, "--flag"]));
            assert!(!matches!(read(name).map(|cli| cli.command), Ok(Some(Command::External(_)))));
        }
    }

    #[test]
    fn under_cargos_name_there_are_no_options_of_our_own() {
        for command in ["build", "test", "rustc", "doc", "install", "package"] {
            let words: [OsString; 2] = [command.into(), "--no-cache".into()];
            assert!(Cli::read("wharf", &words).is_ok(), "{command}");
            let error = Cli::read("cargo", &words).unwrap_err();
            assert_eq!(error.kind(), clap::error::ErrorKind::UnknownArgument, "{command}");
            let help = Cli::read("cargo", &[command.into(), "--help".into()]).unwrap_err().to_string();
            assert!(!help.contains("build cache"), "{help}");
        }
    }

    #[test]
    fn global_options_stand_anywhere() {
        let cli = read("-v build --config a=1 -q --config b=2 -vv --locked").unwrap();
        assert_eq!(cli.global.config, ["a=1", "b=2"]);
        assert!(cli.global.locked && cli.global.quiet);
        assert!(cli.global.verbose > 0);
    }

    #[test]
    fn selections() {
        let Some(Command::Build(args)) =
            read("build -p a -pb --exclude c --bin x --bin -j -2 -r").unwrap().command
        else {
            panic!("not a build");
        };
        assert_eq!(args.packages.package, ["a", "b"]);
        assert_eq!(args.targets.bin, ["x", ""]);
        assert_eq!(args.compile.jobs.as_deref(), Some("-2"));
        assert!(args.release);
        assert!(read("build --release --profile x").is_err());
        assert!(read("build a").is_err());
    }

    #[test]
    fn trailing_arguments() {
        let Some(Command::Run(args)) = read("run --bin x a --flag -p y").unwrap().command else {
            panic!("not a run");
        };
        assert_eq!(args.args, ["a", "--flag", "-p", "y"]);
        let Some(Command::Test(args)) = read("test name -- --nocapture x").unwrap().command else {
            panic!("not a test");
        };
        assert_eq!((args.name.as_deref(), args.args.len()), (Some("name"), 2));
        assert!(read("test a b").is_err());
        let Some(Command::External(words)) = read("nextest run --foo").unwrap().command else {
            panic!("not external");
        };
        assert_eq!(words, ["nextest", "run", "--foo"]);
    }
}
