//! `info`

use wharf_ops::info::{self, InfoRequest};
use wharf_ops::resolve::LockPolicy;
use wharf_ops::workspace::{Places, parse_spec};
use wharf_ops::{Failure, Result};

use super::package::registry;
use crate::cli::{InfoArgs, ManifestOptions};
use crate::open::Opened;
use crate::report;
use crate::session::Session;

/// Shows what there is to know of a package.
pub fn run(args: &InfoArgs, session: &Session) -> Result<()> {
    let spec = parse_spec(&args.package)?;
    let inside = Opened::new(session, &ManifestOptions::default(), None).ok();
    let is_inside = inside.is_some();
    let mut opened = match inside {
        Some(opened) => opened,
        // Outside of any workspace, or in one that is broken, there is still the registry.
        None => Opened::bare(session, &Places::default())?,
    };
    if let (false, LockPolicy::Refuse { because }) = (is_inside, opened.resolve.lock) {
        return Err(Failure::new(format!("`{because}` means a lockfile, and there is no workspace here")));
    }
    // Without a compiler, versions are taken whatever compiler they ask for.
    let _ = opened.compiler(session);
    let loader = opened.workspace.loader();
    let choice = registry(&args.registry, session)?;
    let request = InfoRequest {
        spec,
        registry: choice.map(|choice| choice.source(loader)).transpose()?,
        is_explicit: args.registry.index.is_some() || args.registry.registry.is_some(),
        workspace: is_inside.then_some((&opened.workspace, &opened.resolve)),
        rustc: opened.resolve.rustc.clone(),
    };
    let info = info::info(loader, &opened.sources, &request, &mut |from, to| {
        session.shell.warn(format!("translating `{from}` to `{to}`"));
    })?;
    report::info::show(&info, session.cwd(), &session.shell);
    Ok(())
}
