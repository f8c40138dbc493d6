//! `build`, `check` and `rustc`

use wharf_core::CrateType;
use wharf_ops::plan::Intent;
use wharf_ops::{Failure, Result, programs, toolchain};

use crate::cli::{BuildArgs, CheckArgs, RustcArgs};
use crate::open::Opened;
use crate::session::Session;
use crate::settings::compile::{self as settle, Typed};
use crate::settings::profile;

/// Compiles packages.
pub fn build(args: &BuildArgs, session: &Session) -> Result<()> {
    let mut opened = Opened::new(session, &args.manifest, args.compile.target_dir.path.as_ref())?;
    let artifact_dir = match &args.artifact_dir {
        Some(dir) => {
            session.refuse_unstable("--artifact-dir")?;
            Some(dir.clone())
        }
        None if session.allows_unstable() && session.has_unstable("unstable-options") => {
            session.config.build()?.artifact_dir
        }
        None => None,
    };
    let typed = Typed {
        packages: settle::packages(&args.packages, &opened, session)?,
        targets: settle::targets(&args.targets, &opened)?,
        features: &args.features,
        intent: Intent::Build,
        profile: profile(args.compile.profile.as_deref(), args.release, "dev")?,
        keep_going: args.keep_going,
        compile: &args.compile,
        ignore_rust_version: args.ignore_rust_version,
        root_args: Vec::new(),
        root_crate_types: Vec::new(),
        document_private_items: false,
        artifact_dir,
    };
    let mut settled = settle::settle(typed, &mut opened, session)?;
    settled.future_report = args.future_incompat_report;
    super::compile::build(&opened, &settled, session).map(drop)
}

/// Checks packages.
pub fn check(args: &CheckArgs, session: &Session) -> Result<()> {
    let mut opened = Opened::new(session, &args.manifest, args.compile.target_dir.path.as_ref())?;
    // `test` as a profile of `check` has meant `cfg(test)` since before profiles had names.
    let test = args.compile.profile.as_deref() == Some("test");
    let typed = Typed {
        packages: settle::packages(&args.packages, &opened, session)?,
        targets: settle::targets(&args.targets, &opened)?,
        features: &args.features,
        intent: Intent::Check { test },
        profile: profile(args.compile.profile.as_deref(), args.release, "dev")?,
        keep_going: args.keep_going,
        compile: &args.compile,
        ignore_rust_version: args.ignore_rust_version,
        root_args: Vec::new(),
        root_crate_types: Vec::new(),
        document_private_items: false,
        artifact_dir: None,
    };
    let mut settled = settle::settle(typed, &mut opened, session)?;
    settled.future_report = args.future_incompat_report;
    super::compile::build(&opened, &settled, session).map(drop)
}

/// Compiles one target with arguments of the user's.
pub fn rustc(args: &RustcArgs, session: &Session) -> Result<()> {
    let mut opened = Opened::new(session, &args.manifest, args.compile.target_dir.path.as_ref())?;
    if let Some(what) = &args.print {
        session.refuse_unstable("--print")?;
        return print(what, &args.compile.target, &mut opened, session);
    }
    // These names chose a mode before they could be profiles.
    let (intent, name) = match args.compile.profile.as_deref() {
        Some("check") => (Intent::Check { test: false }, None),
        Some("test") => (Intent::Test, Some("test")),
        Some("bench") => (Intent::Bench, Some("bench")),
        other => (Intent::Build, other),
    };
    let mut crate_types: Vec<CrateType> = Vec::new();
    for name in args.crate_type.iter().flat_map(|list| list.split(',')).filter(|name| !name.is_empty()) {
        let crate_type = CrateType::parse(name);
        if !crate_types.contains(&crate_type) {
            crate_types.push(crate_type);
        }
    }
    let typed = Typed {
        packages: settle::only_package(&args.package, &opened)?,
        targets: settle::targets(&args.targets, &opened)?,
        features: &args.features,
        intent,
        profile: profile(name, args.release, "dev")?,
        keep_going: args.keep_going,
        compile: &args.compile,
        ignore_rust_version: args.ignore_rust_version,
        root_args: args.args.clone(),
        root_crate_types: crate_types,
        document_private_items: false,
        artifact_dir: None,
    };
    let mut settled = settle::settle(typed, &mut opened, session)?;
    settled.future_report = args.future_incompat_report;
    super::compile::build(&opened, &settled, session).map(drop)
}

/// `rustc --print`: the compiler answers, once for each platform.
fn print(what: &str, targets: &[String], opened: &mut Opened, session: &Session) -> Result<()> {
    let (toolchain, kinds) = opened.toolchain(session, targets)?;
    for (index, kind) in kinds.iter().enumerate() {
        if index > 0 {
            session.shell.out("");
        }
        let command = toolchain::print_command(&session.config, &toolchain, kind, what)?;
        let status = programs::wait_for(&command)?;
        if !status.success() {
            return Err(Failure::new(format!(
                "process didn't exit successfully: `{command}` ({})",
                wharf_ops::describe_status(&status)
            )));
        }
    }
    Ok(())
}

impl Session {
    /// Refuses a flag that Cargo holds unstable.
    ///
    /// # Errors
    /// Unless this is a nightly with `-Z unstable-options`.
    pub fn refuse_unstable(&self, flag: &str) -> Result<()> {
        if self.allows_unstable() && self.has_unstable("unstable-options") {
            return Ok(());
        }
        Err(Failure::new(format!(
            "the `{flag}` flag is unstable, and only available on the nightly channel of Cargo, with \
             `-Z unstable-options`"
        )))
    }
}
