//! `completions`

use wharf_ops::Result;

use crate::cli::{Cli, CompletionsArgs};
use crate::session::Session;

/// Writes a script that lets a shell complete commands and options.
pub fn run(args: &CompletionsArgs, session: &Session) -> Result<()> {
    let name = session.program().name();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command_named(name), name, &mut script);
    session.shell.out_raw(&script);
    Ok(())
}
