//! `update`, `generate-lockfile` and `fetch`

use wharf_ops::fetch::{self, FetchPlatforms};
use wharf_ops::update::{self, UpdateRequest};
use wharf_ops::{Failure, Result};

use crate::cli::{FetchArgs, GenerateLockfileArgs, UpdateArgs};
use crate::open::Opened;
use crate::report::lock;
use crate::session::Session;
use crate::settings::compile::{list_if_empty, refuse_empty_target};

/// Moves versions in the lockfile.
pub fn update(args: &UpdateArgs, session: &Session) -> Result<()> {
    let mut opened = Opened::new(session, &args.manifest, None)?;
    list_if_empty(&args.package, &opened)?;
    let specs = if args.package.is_empty() { &args.specs } else { &args.package };
    if let Some(toolchain) = specs.iter().find_map(|spec| spec.strip_prefix('+')) {
        return Err(Failure::new(format!("invalid character `+` in package name: `+{toolchain}`")).help(
            format!("to choose the `{toolchain}` toolchain, write `+{toolchain}` before the command"),
        ));
    }
    if args.breaking {
        session.refuse_unstable("--breaking")?;
        return Err(Failure::new("`--breaking` is not available"));
    }
    ignore_rust_version(args.ignore_rust_version, &mut opened, session);
    let request = UpdateRequest {
        specs: specs.clone(),
        precise: args.precise.clone(),
        recursive: args.recursive,
        workspace: args.workspace,
    };
    let update = update::update(&opened.workspace, &opened.sources, &opened.resolve, &request)?;
    lock::show_update(&update.changes, &session.shell);
    if args.dry_run {
        session.shell.warn("not updating lockfile due to dry run");
        return Ok(());
    }
    update.write(&opened.workspace, opened.resolve.lock).map(drop)
}

/// Writes the lockfile anew.
pub fn generate_lockfile(args: &GenerateLockfileArgs, session: &Session) -> Result<()> {
    let mut opened = Opened::new(session, &args.manifest, None)?;
    if let Some(instant) = &args.publish_time {
        session.refuse_unstable("--publish-time")?;
        opened.resolve.published_until = Some(publish_time(instant)?);
    }
    ignore_rust_version(args.ignore_rust_version, &mut opened, session);
    let update = update::generate_lockfile(&opened.workspace, &opened.sources, &opened.resolve)?;
    update.write(&opened.workspace, opened.resolve.lock)?;
    lock::show(&update.changes, &session.shell);
    Ok(())
}

/// Downloads dependencies.
pub fn fetch(args: &FetchArgs, session: &Session) -> Result<()> {
    let mut opened = Opened::new(session, &args.manifest, None)?;
    refuse_empty_target(&args.target)?;
    opened.tell_warnings(session)?;
    let (toolchain, kinds) = opened.toolchain(session, &args.target)?;
    let platforms = FetchPlatforms { kinds: &kinds, toolchain: &toolchain };
    let platforms = (!args.target.is_empty()).then_some(&platforms);
    fetch::fetch(&opened.workspace, &opened.sources, &opened.resolve, platforms).map(drop)
}

fn ignore_rust_version(ignore: bool, opened: &mut Opened, session: &Session) {
    if ignore {
        opened.resolve.prefer_rust_version = Some(false);
    }
    // Without a compiler there is still an answer, only less is known of what versions ask for.
    let _ = opened.compiler(session);
}

/// An instant as registries write it: `2026-01-31T12:00:00Z`.
fn publish_time(text: &str) -> Result<std::sync::Arc<str>> {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00Z";
    let fits = |(got, shape): (&u8, &u8)| if *shape == b'0' { got.is_ascii_digit() } else { got == shape };
    if text.len() != SHAPE.len() || !text.bytes().zip(SHAPE).all(|(got, shape)| fits((&got, shape))) {
        return Err(Failure::new(format!("`{text}` is no instant to publish until"))
            .help("write it as 2026-01-31T12:00:00Z"));
    }
    Ok(text.into())
}
