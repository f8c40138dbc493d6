//! `metadata`, `read-manifest` and `pkgid`

use std::sync::Arc;

use wharf_core::metadata::PackageJson;
use wharf_ops::metadata::{self, MetadataRequest};
use wharf_ops::{Failure, Result, pkgid, settings};

use crate::cli::{MetadataArgs, PkgidArgs, ReadManifestArgs};
use crate::open::Opened;
use crate::session::Session;
use crate::settings::compile::{cli_features, list_if_empty};

/// Shows the workspace and its graph as JSON.
pub fn metadata(args: &MetadataArgs, session: &Session) -> Result<()> {
    let mut opened = Opened::new(session, &args.manifest, None)?;
    if args.format_version.is_none() {
        session
            .shell
            .warn("please specify `--format-version` flag explicitly to avoid compatibility problems");
    }
    let features = cli_features(&args.features)?;
    let toolchain = match &args.filter_platform[..] {
        _ if args.no_deps => None,
        [] => {
            // Without a compiler there is still an answer, only less is known of what versions ask for.
            let _ = opened.compiler(session);
            None
        }
        platforms => Some(opened.toolchain(session, platforms)?),
    };
    let (toolchain, platforms) = toolchain.unzip();
    let request =
        MetadataRequest { no_deps: args.no_deps, features, platforms: platforms.unwrap_or_default() };
    let answer = metadata::metadata(
        &opened.workspace,
        &opened.sources,
        toolchain.as_ref().map(Arc::as_ref),
        &opened.resolve,
        &request,
    )?;
    let build_dir = settings::build_dir(&session.config, &opened.workspace)?;
    json(session, &answer.view(build_dir))
}

/// Shows the manifest of the current package as JSON.
pub fn read_manifest(args: &ReadManifestArgs, session: &Session) -> Result<()> {
    let opened = Opened::new(session, &args.manifest, None)?;
    json(session, &PackageJson::new(opened.workspace.current()?))
}

/// Shows the whole specification of a package.
pub fn pkgid(args: &PkgidArgs, session: &Session) -> Result<()> {
    let opened = Opened::new(session, &args.manifest, None)?;
    list_if_empty(args.package.as_slice(), &opened)?;
    let spec = args.spec.as_deref().or(args.package.as_deref());
    session.shell.out(pkgid::pkgid(&opened.workspace, &opened.resolve.patches, spec)?);
    Ok(())
}

fn json(session: &Session, value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_string(value)
        .map_err(|error| Failure::new("a path is not Unicode, as JSON has to be").because(error))?;
    session.shell.out(text);
    Ok(())
}
