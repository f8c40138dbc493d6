//! `version`

use wharf_ops::{CARGO_VERSION, Result};

use crate::invocation::Program;
use crate::session::Session;
use crate::shell::Verbosity;

/// Shows which program this is. Tools read the first line, and `release` and `host` of the long form.
pub fn run(session: &Session) -> Result<()> {
    let own = env!("CARGO_PKG_VERSION");
    let verbose = session.global.verbose > 0 || session.shell.verbosity() >= Verbosity::Verbose;
    let (first, release) = match session.program() {
        Program::Cargo => (format!("cargo {CARGO_VERSION} (wharf {own})"), CARGO_VERSION),
        Program::Wharf => (format!("wharf {own} (cargo {CARGO_VERSION})"), own),
    };
    session.shell.out(first);
    if verbose {
        session.shell.out(format_args!("release: {release}"));
        session.shell.out(format_args!("host: {}", env!("WHARF_HOST")));
        session.shell.out(format_args!("os: {}", std::env::consts::OS));
    }
    Ok(())
}
