//! The `wharf` command line: a drop-in for `cargo`.
//!
//! Reads what was typed, settles what it means, calls an operation and shows what it returns. Holds no algorithms.

mod aliases;
mod cli;
mod commands;
mod external;
mod fixer;
mod invocation;
mod memo;
mod open;
mod report;
mod session;
mod settings;
mod shell;

use std::process::ExitCode;
use std::time::Instant;

use wharf_ops::{Exit, Result};

use aliases::Expanded;
use cli::{Cli, Command, GlobalArgs};
use invocation::Invocation;
use memo::{Memo, Recall};
use session::{Broken, Session};
use shell::{Shell, ShellOptions};

/// The status of failures that are not of the command line.
const FAILED: u8 = 101;
/// The status of a command line that cannot be understood.
const USAGE: u8 = 1;

fn main() -> ExitCode {
    let started = Instant::now();
    // As the compiler it must leave everything that was inherited to the real one.
    if let Some(code) = fixer::run() {
        return code;
    }
    // Cargo's own tests of interrupts need a process group that is theirs to signal.
    if std::env::var_os("__CARGO_TEST_SETSID_PLEASE_DONT_USE_ELSEWHERE").is_some() {
        wharf_exec::new_session();
    }
    // The environment names open descriptors by number, so this comes before any file is opened.
    let jobserver = wharf_exec::Jobserver::inherit();
    let mut invocation = match Invocation::of_process() {
        Ok(invocation) => invocation,
        Err(failure) => return end(&Shell::new(ShellOptions::default()), Err(failure)),
    };
    let memo = match memo::recall(&invocation, started) {
        Recall::Answered => return ExitCode::SUCCESS,
        Recall::Unknown(memo) => memo,
    };
    let program = invocation.program.name();
    let cli = match Cli::read(program, &invocation.args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    // Help must come even when configuration is broken.
    let broken = match &cli.command {
        Some(Command::Help(_) | Command::Version(_) | Command::Completions(_)) => Broken::Ignore,
        None => Broken::Ignore,
        Some(_) => Broken::Refuse,
    };
    let global = cli.global.clone();
    let open = |invocation: &Invocation, global: GlobalArgs, broken| {
        Session::open(invocation.clone(), global, broken, started, jobserver.clone())
    };
    let opened = open(&invocation, global.clone(), broken).and_then(|session| {
        let Some(directory) = &cli.directory else { return Ok(session) };
        session.refuse_unstable("-C")?;
        invocation.enter(directory)?;
        open(&invocation, global, broken)
    });
    let session = match opened {
        Ok(session) => session,
        Err(failure) => return end(&Shell::new(ShellOptions::default()), Err(failure)),
    };
    let Some(Command::External(words)) = cli.command else {
        if let Some(name) = &cli.command_name {
            aliases::warn_of_ignored(name, &session);
        }
        return finish(cli, &session, memo);
    };
    match aliases::expand(words, &session) {
        Err(failure) => end(&session.shell, Err(failure)),
        Ok(Expanded::Usage(error)) => usage(&error),
        Ok(Expanded::External(words)) => end(&session.shell, external::run(&words, &session)),
        Ok(Expanded::Cli(cli)) => {
            // The alias may bring configuration and verbosity of its own.
            match open(&invocation, cli.global.clone(), Broken::Refuse) {
                Ok(again) => {
                    // What the first session said is in no answer that the second one keeps.
                    let memo = memo.filter(|_| session.shell.recorded().said.is_empty());
                    finish(*cli, &again, memo)
                }
                Err(failure) => end(&session.shell, Err(failure)),
            }
        }
    }
}

fn finish(cli: Cli, session: &Session, memo: Option<Memo>) -> ExitCode {
    let memo = memo.filter(|_| memo::may_be_kept(cli.command.as_ref()));
    if memo.is_none() {
        session.shell.recorded();
    }
    let result = commands::run(cli, session);
    session.shell.progress_done();
    session.tell_warnings();
    if let (Ok(()), Some(memo)) = (&result, memo) {
        memo.keep(&session.shell);
    }
    end(&session.shell, result)
}

/// Shows a failure, if there is one, and turns the result into the status of the process.
fn end(shell: &Shell, result: Result<()>) -> ExitCode {
    let Err(failure) = result else { return ExitCode::SUCCESS };
    shell.failure(&failure);
    match failure.status() {
        Exit::Failed => ExitCode::from(FAILED),
        Exit::Usage => ExitCode::from(USAGE),
        Exit::Program(status) => ExitCode::from(u8::try_from(status).unwrap_or(FAILED)),
    }
}

/// Shows what clap has to say: an error, or the help that was asked for.
fn usage(error: &clap::Error) -> ExitCode {
    // Nothing can be told when the stream is gone.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
}
