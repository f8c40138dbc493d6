//! `--explain`

use wharf_ops::{Exit, Failure, Result, toolchain};

use crate::session::Session;

/// Lets the compiler explain an error of its own.
pub fn run(code: &str, session: &Session) -> Result<()> {
    let home = session.env().wharf_home(session.cwd())?;
    let compiler = toolchain::compiler(&session.config, &session.config.build()?, &home)?;
    let status =
        std::process::Command::new(&compiler.rustc).args(["--explain", code]).status().map_err(|cause| {
            Failure::from(cause).context(format!("cannot run `{}`", compiler.rustc.display()))
        })?;
    if status.success() { Ok(()) } else { Err(Failure::reported(Exit::Failed)) }
}
