//! One file for each command: settle what was typed, call the operation, show what it returns.

mod build;
mod cache;
mod clean;
mod compile;
mod completions;
mod config;
mod doc;
mod edit;
mod explain;
mod fix;
mod help;
mod info;
mod install;
mod list;
mod locate_project;
mod login;
mod metadata;
mod new;
mod package;
mod publish;
mod report;
mod run;
mod search;
mod test;
mod tree;
mod update;
mod vendor;
mod version;
mod why;

use wharf_ops::Result;

use crate::cli::{Cli, Command};
use crate::session::Session;

/// Does what was typed.
pub fn run(cli: Cli, session: &Session) -> Result<()> {
    if session.has_unstable("help") {
        session.shell.out("Wharf has no unstable flags: it does what stable Cargo does.");
        return Ok(());
    }
    if cli.version {
        return version::run(session);
    }
    if let Some(code) = &cli.explain {
        return explain::run(code, session);
    }
    if cli.list {
        return list::run(session);
    }
    match cli.command {
        None => help::overview(session),
        Some(Command::Add(args)) => edit::add(&args, session),
        Some(Command::Remove(args)) => edit::remove(&args, session),
        Some(Command::Completions(args)) => completions::run(&args, session),
        Some(Command::Config(args)) => config::run(&args, session),
        Some(Command::Help(args)) => help::run(&args, session),
        Some(Command::Info(args)) => info::run(&args, session),
        Some(Command::Init(args)) => new::init(args, session),
        Some(Command::LocateProject(args)) => locate_project::run(&args, session),
        Some(Command::New(args)) => new::new(args, session),
        Some(Command::VerifyProject(args)) => locate_project::verify(&args, session),
        Some(Command::Version(_)) => version::run(session),
        Some(Command::Bench(args)) => test::bench(&args, session),
        Some(Command::Build(args)) => build::build(&args, session),
        Some(Command::Cache(args)) => cache::run(&args, session),
        Some(Command::Check(args)) => build::check(&args, session),
        Some(Command::Clean(args)) => clean::run(&args, session),
        Some(Command::Doc(args)) => doc::doc(&args, session),
        Some(Command::Fetch(args)) => update::fetch(&args, session),
        Some(Command::Fix(args)) => fix::run(&args, session),
        Some(Command::GenerateLockfile(args)) => update::generate_lockfile(&args, session),
        Some(Command::Login(args)) => login::login(&args, session),
        Some(Command::Logout(args)) => login::logout(&args, session),
        Some(Command::Metadata(args)) => metadata::metadata(&args, session),
        Some(Command::Pkgid(args)) => metadata::pkgid(&args, session),
        Some(Command::ReadManifest(args)) => metadata::read_manifest(&args, session),
        Some(Command::Report(args)) => report::run(&args, session),
        Some(Command::Run(args)) => run::run(&args, session),
        Some(Command::Search(args)) => search::run(&args, session),
        Some(Command::Rustc(args)) => build::rustc(&args, session),
        Some(Command::Rustdoc(args)) => doc::rustdoc(&args, session),
        Some(Command::Test(args)) => test::test(&args, session),
        Some(Command::Tree(args)) => tree::run(&args, session),
        Some(Command::Update(args)) => update::update(&args, session),
        Some(Command::Vendor(args)) => vendor::vendor(&args, session),
        Some(Command::Install(args)) => install::install(&args, session),
        Some(Command::Owner(args)) => publish::owner(&args, session),
        Some(Command::Package(args)) => package::package(&args, session),
        Some(Command::Publish(args)) => publish::publish(&args, session),
        Some(Command::Uninstall(args)) => install::uninstall(&args, session),
        Some(Command::Why(args)) => why::run(&args, session),
        Some(Command::Yank(args)) => publish::yank(&args, session),
        Some(Command::External(words)) => crate::external::run(&words, session),
    }
}
