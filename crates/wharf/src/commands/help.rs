//! `help`

use wharf_ops::Result;

use crate::aliases;
use crate::cli::{Cli, HelpArgs};
use crate::external;
use crate::session::Session;

/// Explains one command, or all in short.
pub fn run(args: &HelpArgs, session: &Session) -> Result<()> {
    let Some(name) = &args.command else { return overview(session) };
    let configured = session.config.alias(name)?;
    if let Some(alias) = configured
        && Cli::command_named("wharf").find_subcommand(name).is_none()
    {
        session.shell.out(format_args!("`{name}` is aliased to `{}`", alias.words.join(" ")));
        return Ok(());
    }
    let short = aliases::BUILT_IN.iter().find(|(short, _)| short == name);
    let name = short.map_or(name.as_str(), |(_, long)| long);
    let mut command = Cli::command_named(session.program().name());
    // Puts the names of parents into the usage lines of commands, and global options into each.
    command.build();
    match command.find_subcommand_mut(name) {
        Some(found) => {
            let help = found.render_long_help();
            show(&help, session);
            Ok(())
        }
        None => external::run(&[name.into(), "--help".into()], session),
    }
}

/// Shows what there is.
pub fn overview(session: &Session) -> Result<()> {
    let mut command = Cli::command_named(session.program().name());
    let help = command.render_help();
    show(&help, session);
    Ok(())
}

fn show(help: &clap::builder::StyledStr, session: &Session) {
    if session.shell.out_colors() {
        session.shell.out(help.ansi());
    } else {
        session.shell.out(help);
    }
}
