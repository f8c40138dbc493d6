//! `doc` and `rustdoc`

use wharf_ops::plan::{Intent, Mode};
use wharf_ops::{Failure, Result};

use super::compile::Built;
use crate::cli::{DocArgs, RustdocArgs, TargetSelection};
use crate::open::Opened;
use crate::session::Session;
use crate::settings::compile::{self as settle, Typed};
use crate::settings::profile;

/// Builds documentation.
pub fn doc(args: &DocArgs, session: &Session) -> Result<()> {
    let mut opened = Opened::new(session, &args.manifest, args.compile.target_dir.path.as_ref())?;
    let flags = TargetSelection {
        lib: args.lib,
        bins: args.bins,
        bin: args.bin.clone(),
        examples: args.examples,
        example: args.example.clone(),
        ..TargetSelection::default()
    };
    let typed = Typed {
        packages: settle::packages(&args.packages, &opened, session)?,
        targets: settle::targets(&flags, &opened)?,
        features: &args.features,
        intent: Intent::Doc { deps: !args.no_deps, json: false },
        profile: profile(args.compile.profile.as_deref(), args.release, "dev")?,
        keep_going: args.keep_going,
        compile: &args.compile,
        ignore_rust_version: args.ignore_rust_version,
        root_args: Vec::new(),
        root_crate_types: Vec::new(),
        document_private_items: args.document_private_items,
        artifact_dir: None,
    };
    let settled = settle::settle(typed, &mut opened, session)?;
    let built = super::compile::build(&opened, &settled, session)?;
    told(&built, args.open, session)
}

/// Builds the documentation of one target with arguments of the user's.
pub fn rustdoc(args: &RustdocArgs, session: &Session) -> Result<()> {
    let mut opened = Opened::new(session, &args.manifest, args.compile.target_dir.path.as_ref())?;
    if args.output_format.is_some() {
        session.refuse_unstable("--output-format")?;
    }
    let json = args.output_format.as_deref() == Some("json");
    let typed = Typed {
        packages: settle::only_package(&args.package, &opened)?,
        targets: settle::targets(&args.targets, &opened)?,
        features: &args.features,
        intent: Intent::Doc { deps: false, json },
        profile: profile(args.compile.profile.as_deref(), args.release, "dev")?,
        keep_going: args.keep_going,
        compile: &args.compile,
        ignore_rust_version: args.ignore_rust_version,
        root_args: args.args.clone(),
        root_crate_types: Vec::new(),
        document_private_items: false,
        artifact_dir: None,
    };
    let settled = settle::settle(typed, &mut opened, session)?;
    let built = super::compile::build(&opened, &settled, session)?;
    told(&built, args.open, session)
}

/// Says where the documentation is, and opens it if asked.
fn told(built: &Built, open: bool, session: &Session) -> Result<()> {
    let plan = &built.prepared.plan;
    let pages: Vec<_> = plan
        .roots
        .iter()
        .filter(|id| plan.unit(**id).mode == Mode::Doc)
        .flat_map(|id| plan.outputs(*id))
        .map(|file| file.final_path().clone())
        .collect();
    let Some(first) = pages.first() else {
        return if open { Err(Failure::new("no crates with documentation")) } else { Ok(()) };
    };
    if !open {
        let more = match pages.len() - 1 {
            0 => String::new(),
            1 => " and 1 other file".to_owned(),
            n => format!(" and {n} other files"),
        };
        session.shell.status("Generated", format!("{}{more}", first.display()));
        return Ok(());
    }
    session.shell.status("Opening", first.display());
    open_page(first, session)
}

fn open_page(page: &std::path::Path, session: &Session) -> Result<()> {
    let configured = session.config.misc()?.doc_browser;
    let (program, args) = match (configured, session.env().get_filled("BROWSER")) {
        (Some((program, args)), _) => (program, args),
        (None, Some(browser)) => (std::path::PathBuf::from(browser), Vec::new()),
        (None, None) => (std::path::PathBuf::from("xdg-open"), Vec::new()),
    };
    let command = wharf_ops::Command::new(&program).args(args).arg(page);
    let status = wharf_ops::programs::wait_for(&command).map_err(|failure| {
        failure.help("name a browser in `BROWSER` or in `doc.browser` of the configuration")
    })?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("cannot open the documentation with `{}`", program.display())))
}
