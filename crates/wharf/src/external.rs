//! Commands that are programs of their own: `cargo-foo` for `foo`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use wharf_ops::{Failure, Result, nearest};

use crate::aliases;
use crate::cli::Cli;
use crate::session::Session;

/// One command that can be run, for lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Built in, with its first line of help.
    BuiltIn(String),
    /// Stands for these words.
    Alias(String),
    /// A program.
    Program(PathBuf),
}

/// The directories that hold such programs: `$CARGO_HOME/bin` first, unless `PATH` has it at a place of its own.
fn directories(session: &Session) -> Vec<PathBuf> {
    let own = session.config.cargo_home().join("bin");
    let path = session.env().get_os("PATH").unwrap_or_default();
    let mut directories: Vec<PathBuf> = std::env::split_paths(path).collect();
    if !directories.contains(&own) {
        directories.insert(0, own);
    }
    directories
}

/// The program behind a command.
pub fn find(name: &str, session: &Session) -> Option<PathBuf> {
    let program = format!("cargo-{name}");
    directories(session).into_iter().find_map(|directory| {
        session.env().find_program(&session.cwd().join(directory).join(&program), session.cwd())
    })
}

/// Becomes the program behind a command; comes back only if that fails.
///
/// # Errors
/// If there is no such program or it does not start.
pub fn run(words: &[OsString], session: &Session) -> Result<()> {
    let name = words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    let Some(program) = find(&name, session) else { return Err(unknown(&name, session)) };
    let error = std::process::Command::new(&program)
        .args(words)
        .env_clear()
        .envs(session.env().variables().as_ref())
        .env("CARGO", &session.invocation.executable)
        .exec();
    Err(Failure::from(error).context(format!("cannot run `{}`", program.display())))
}

/// All commands that can be run, by name.
pub fn list(session: &Session) -> BTreeMap<String, Listed> {
    let mut commands = BTreeMap::new();
    for directory in directories(session) {
        let entries = std::fs::read_dir(session.cwd().join(directory));
        for entry in entries.into_iter().flatten().flatten() {
            let file = entry.file_name();
            let Some(name) = file.to_str().and_then(|file| file.strip_prefix("cargo-")) else { continue };
            if session.env().find_program(&entry.path(), Path::new("/")).is_some() {
                commands.entry(name.to_owned()).or_insert_with(|| Listed::Program(entry.path()));
            }
        }
    }
    for command in Cli::command_named(session.program().name()).get_subcommands() {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        commands.insert(command.get_name().to_owned(), Listed::BuiltIn(about));
    }
    for (short, long) in aliases::BUILT_IN {
        commands.insert((*short).to_owned(), Listed::Alias((*long).to_owned()));
    }
    for (name, alias) in session.config.aliases().unwrap_or_default() {
        commands.insert(name, Listed::Alias(alias.words.join(" ")));
    }
    commands
}

fn unknown(name: &str, session: &Session) -> Failure {
    let failure = Failure::new(format!("no such command: `{name}`"));
    let program = session.program().name();
    let mut help = Vec::new();
    let commands = list(session);
    if let Some(near) = nearest(name, commands.keys().map(String::as_str)) {
        help.push(format!("a command with a similar name exists: `{near}`"));
    }
    help.push(format!("`{program} --list` shows every command"));
    help.push(format!("find a package to install `{name}` with `{program} search cargo-{name}`"));
    failure.help(help.join("\n"))
}
