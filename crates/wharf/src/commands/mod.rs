//! One file for each command: settle what was typed, call the operation, show what it returns.

mod build;
mod compile;
mod completions;
mod doc;
mod explain;
mod help;
mod list;
mod locate_project;
mod new;
mod run;
mod test;
mod version;

use wharf_ops::{Failure, Result};

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
        Some(Command::Completions(args)) => completions::run(&args, session),
        Some(Command::Help(args)) => help::run(&args, session),
        Some(Command::Init(args)) => new::init(args, session),
        Some(Command::LocateProject(args)) => locate_project::run(&args, session),
        Some(Command::New(args)) => new::new(args, session),
        Some(Command::Version(_)) => version::run(session),
        Some(Command::Bench(args)) => test::bench(&args, session),
        Some(Command::Build(args)) => build::build(&args, session),
        Some(Command::Check(args)) => build::check(&args, session),
        Some(Command::Clean(_)) => unavailable("clean"),
        Some(Command::Doc(args)) => doc::doc(&args, session),
        Some(Command::Fetch(_)) => unavailable("fetch"),
        Some(Command::GenerateLockfile(_)) => unavailable("generate-lockfile"),
        Some(Command::Metadata(_)) => unavailable("metadata"),
        Some(Command::Pkgid(_)) => unavailable("pkgid"),
        Some(Command::ReadManifest(_)) => unavailable("read-manifest"),
        Some(Command::Run(args)) => run::run(&args, session),
        Some(Command::Rustc(args)) => build::rustc(&args, session),
        Some(Command::Rustdoc(args)) => doc::rustdoc(&args, session),
        Some(Command::Test(args)) => test::test(&args, session),
        Some(Command::Tree(_)) => unavailable("tree"),
        Some(Command::Update(_)) => unavailable("update"),
        Some(Command::External(words)) => crate::external::run(&words, session),
    }
}

fn unavailable(command: &str) -> Result<()> {
    Err(Failure::new(format!("`{command}` is not yet available")))
}
