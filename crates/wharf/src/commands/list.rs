//! `--list`

use wharf_ops::Result;

use crate::external::{self, Listed};
use crate::session::Session;
use crate::shell::Verbosity;

/// Programs that come with Rust, which say nothing of themselves.
const KNOWN: &[(&str, &str)] = &[
    ("clippy", "Find common mistakes and what could be written better"),
    ("fmt", "Format the sources of a package"),
    ("miri", "Run a package in an interpreter that finds undefined behaviour"),
];

/// Shows all commands that can be run. Tools read this: a name, blanks, and what it is.
pub fn run(session: &Session) -> Result<()> {
    let verbose = session.shell.verbosity() >= Verbosity::Verbose;
    session.shell.out("Installed Commands:");
    for (name, command) in external::list(session) {
        let known = KNOWN.iter().find(|(known, _)| *known == name);
        let about = match (&command, known) {
            (Listed::BuiltIn(about), _) => about.clone(),
            (Listed::Alias(words), _) => format!("alias: {words}"),
            (Listed::Program(path), _) if verbose => path.display().to_string(),
            (Listed::Program(_), Some((_, about))) => (*about).to_owned(),
            (Listed::Program(_), None) => String::new(),
        };
        let line = format!("    {name:<20} {about}");
        session.shell.out(line.trim_end());
    }
    Ok(())
}
