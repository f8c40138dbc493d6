//! `locate-project` and `verify-project`

use wharf_ops::{Exit, Failure, Result, connect, workspace};

use crate::cli::{LocateProjectArgs, VerifyProjectArgs};
use crate::open::Opened;
use crate::session::Session;

/// Shows where the manifest is.
pub fn run(args: &LocateProjectArgs, session: &Session) -> Result<()> {
    let manifest = workspace::settle_manifest(session.cwd(), args.manifest.manifest_path.as_deref())?;
    let path = if args.workspace && !connect::loader(&session.config)?.is_certain_root(&manifest)? {
        Opened::new(session, &args.manifest, None)?.workspace.root_manifest().to_owned()
    } else {
        manifest
    };
    let Some(text) = path.to_str() else {
        return Err(Failure::new(format!("the path `{}` is not Unicode, as JSON has to be", path.display())));
    };
    match args.message_format.as_deref() {
        Some(format) if format.eq_ignore_ascii_case("plain") => session.shell.out(text),
        _ => session.shell.out(serde_json::json!({ "root": text })),
    }
    Ok(())
}

/// Tells in JSON whether the manifest can be read. The exit status is 1 if not, as Cargo's is.
pub fn verify(args: &VerifyProjectArgs, session: &Session) -> Result<()> {
    match Opened::new(session, &args.manifest, None) {
        Ok(_) => {
            session.shell.out(serde_json::json!({ "success": "true" }));
            Ok(())
        }
        Err(failure) => {
            session.shell.out(serde_json::json!({ "invalid": failure.to_string() }));
            Err(Failure::reported(Exit::Program(1)))
        }
    }
}
