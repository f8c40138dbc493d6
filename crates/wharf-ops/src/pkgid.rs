//! `pkgid`: the whole specification of a package in the lockfile.

use wharf_core::PackageIdSpec;
use wharf_core::manifest::Patch;

use crate::failure::{Failure, Result};
use crate::narrow::find_among;
use crate::resolve::lock;
use crate::workspace::{Workspace, parse_spec};

/// The package that `spec` names, or the current one.
///
/// # Errors
/// If there is no lockfile, or `spec` names no package in it, or several.
pub fn pkgid(workspace: &Workspace, patches: &[Patch], spec: Option<&str>) -> Result<PackageIdSpec> {
    let Some(found) = lock::read(workspace)? else {
        return Err(Failure::new("a Cargo.lock must exist for this command")
            .help("write one with `generate-lockfile`"));
    };
    let Some(spec) = spec else { return Ok(workspace.current()?.id().to_spec()) };
    let ids = lock::ids(&found.lockfile, workspace, patches);
    Ok(find_among(ids.iter(), &parse_spec(spec)?)?.to_spec())
}
