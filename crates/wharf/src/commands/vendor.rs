//! `vendor`

use std::sync::Arc;

use wharf_ops::Result;
use wharf_ops::vendor::{self, VendorRequest, Vendored};

use crate::cli::{ManifestOptions, VendorArgs};
use crate::open::Opened;
use crate::session::Session;
use crate::shell::Verbosity;

/// Copies dependencies into the project.
pub fn vendor(args: &VendorArgs, session: &Session) -> Result<()> {
    let config = match args.respect_source_config {
        true => session.config.clone(),
        // Packages are to come from where they are published, and not from what was vendored before.
        false => Arc::new(session.config.without_sources()),
    };
    let mut opened = Vec::new();
    for path in &args.sync {
        let manifest = ManifestOptions { manifest_path: Some(session.cwd().join(path)) };
        opened.push(Opened::with_config(session, &config, &manifest, None)?);
    }
    opened.push(Opened::with_config(session, &config, &args.manifest, None)?);
    for one in &mut opened {
        one.tell_warnings(session)?;
    }
    let workspaces: Vec<Vendored<'_>> = opened
        .iter()
        .map(|one| Vendored { workspace: &one.workspace, sources: &one.sources, resolve: &one.resolve })
        .collect();
    let request = VendorRequest {
        destination: args.path.clone().unwrap_or_else(|| "vendor".into()),
        cwd: session.cwd().to_owned(),
        no_delete: args.no_delete,
        versioned_dirs: args.versioned_dirs,
    };
    let shell = &session.shell;
    let configuration = vendor::vendor(&workspaces, &request, &|id, from, to| {
        shell.status("Vendoring", format!("{id} ({}) to {}", from.display(), to.display()));
    })
    .map_err(|failure| failure.context("failed to sync"))?;
    if shell.verbosity() == Verbosity::Quiet {
        return Ok(());
    }
    match configuration {
        None => shell.err("There is no dependency to vendor in this project."),
        Some(text) => {
            shell.err("To use vendored sources, add this to your .cargo/config.toml for this project:\n");
            shell.out_raw(text.as_bytes());
        }
    }
    Ok(())
}
