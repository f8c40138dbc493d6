//! Commands that stand for other commands.

use std::ffi::OsString;

use wharf_ops::{Failure, Result};

use crate::cli::{Cli, Command};
use crate::external;
use crate::session::Session;

/// The short forms that exist without configuration, and may be redefined there.
pub const BUILT_IN: &[(&str, &str)] =
    &[("b", "build"), ("c", "check"), ("d", "doc"), ("r", "run"), ("rm", "remove"), ("t", "test")];

/// What came of looking for an alias.
pub enum Expanded {
    /// The command line that the alias stands for.
    Cli(Box<Cli>),
    /// There is none: it must be a program.
    External(Vec<OsString>),
    /// The expansion is wrong in itself, as clap says.
    Usage(clap::Error),
}

/// Follows aliases until the command is built in or a program.
///
/// # Errors
/// If an alias is malformed, is empty, or leads back to itself.
pub fn expand(words: Vec<OsString>, session: &Session) -> Result<Expanded> {
    let mut words = words;
    let mut seen: Vec<String> = Vec::new();
    let mut global = session.global.clone();
    loop {
        let Some(name) = words.first().and_then(|word| word.to_str()).map(str::to_owned) else {
            return Ok(Expanded::External(words));
        };
        let Some(alias) = target(&name, session)? else { return Ok(Expanded::External(words)) };
        warn_of_shadow(&name, session);
        seen.push(name.clone());
        let mut expanded: Vec<OsString> = alias.into_iter().map(OsString::from).collect();
        expanded.extend(words.into_iter().skip(1));
        let cli = match Cli::read(session.program().name(), &expanded) {
            Ok(cli) => cli,
            Err(error) => return Ok(Expanded::Usage(error)),
        };
        global = global.merged(cli.global.clone());
        match cli.command {
            None => {
                return Err(Failure::new(format!("alias `{name}` names no command")));
            }
            Some(Command::External(next)) => {
                let next_name =
                    next.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
                if seen.contains(&next_name) {
                    return Err(Failure::new(format!(
                        "alias `{}` leads back to itself: {} -> {next_name}",
                        seen[0],
                        seen.join(" -> ")
                    )));
                }
                words = next;
            }
            Some(command) => {
                let cli = Cli { global, command: Some(command), ..cli };
                return Ok(Expanded::Cli(Box::new(cli)));
            }
        }
    }
}

/// What a name stands for, the user's word before ours.
fn target(name: &str, session: &Session) -> Result<Option<Vec<String>>> {
    if let Some(alias) = session.config.alias(name)? {
        if alias.words.is_empty() {
            return Err(Failure::new(format!("subcommand is required, but `alias.{name}` is empty")));
        }
        return Ok(Some(alias.words));
    }
    let found = BUILT_IN.iter().find(|(short, _)| *short == name);
    Ok(found.map(|(_, long)| vec![(*long).to_owned()]))
}

fn warn_of_shadow(name: &str, session: &Session) {
    if BUILT_IN.iter().any(|(short, _)| *short == name) {
        return;
    }
    if let Some(path) = external::find(name, session) {
        session.shell.warn(format!(
            "user-defined alias `{name}` is shadowing an external subcommand found at `{}`",
            path.display()
        ));
    }
}

/// Warns of a user's alias that has the name of a built-in command, which goes first.
pub fn warn_of_ignored(name: &str, session: &Session) {
    if matches!(session.config.alias(name), Ok(Some(_))) {
        session.shell.warn(format!(
            "user-defined alias `{name}` is ignored, because it is shadowed by a built-in command"
        ));
    }
}
