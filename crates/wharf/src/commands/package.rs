//! `package`, and the verification that `publish` does too

use std::mem::swap;

use wharf_core::SourceId;
use wharf_core::source::CRATES_IO;
use wharf_ops::package::{self, PackageRequest, Packaged};
use wharf_ops::plan::{Intent, TargetFilter};
use wharf_ops::publish::registry::RegistryChoice;
use wharf_ops::resolve::LockPolicy;
use wharf_ops::workspace::PackageSelection;
use wharf_ops::{Failure, Note, Result};

use crate::cli::{CompileOptions, FeatureSelection, PackageArgs, PackagingOptions, RegistryOptions};
use crate::open::Opened;
use crate::session::Session;
use crate::settings::compile::{self as settle, Typed};
use crate::shell::Verbosity;

/// Makes archives.
pub fn package(args: &PackageArgs, session: &Session) -> Result<()> {
    let options = &args.packaging;
    let mut opened = Opened::new(session, &options.manifest, options.target_dir.path.as_ref())?;
    if args.message_format.is_some() {
        session.refuse_unstable("--message-format")?;
    }
    let mut request = request(options, &opened, session)?;
    request.check_metadata = !args.no_metadata;
    request.lockfile = !args.exclude_lockfile;
    let mut tell = |note| show(note, session);
    if args.list {
        for listing in package::list(&opened.workspace, &opened.sources, &request, &mut tell)? {
            if args.message_format.as_deref() == Some("json") {
                session.shell.out(listing.json);
            } else {
                listing.paths.iter().for_each(|path| session.shell.out(path));
            }
        }
        return Ok(());
    }
    let chosen = package::select(&opened.workspace, &request)?;
    let packaged = package::assemble(&opened.workspace, &opened.sources, &request, chosen, &mut tell)?;
    if request.verify {
        verify(&mut opened, &packaged, options, session)?;
    }
    package::deliver(&opened.workspace, &packaged)
}

/// Shows what an operation says.
pub fn show(note: Note, session: &Session) {
    let shell = &session.shell;
    match note {
        Note::Status(word, message) => shell.status(word, message),
        Note::Verbose(word, message) if shell.verbosity() >= Verbosity::Verbose => {
            shell.status(word, message)
        }
        Note::Verbose(..) => {}
        Note::Warning(message) => shell.warn(message),
        Note::Remark(message) => shell.note(message),
        Note::Help(message) => shell.help(message),
    }
}

/// What the flags that `package` and `publish` share ask for.
pub fn request(options: &PackagingOptions, opened: &Opened, session: &Session) -> Result<PackageRequest> {
    settle::list_if_empty(&options.package, opened)?;
    let packages = if options.workspace || !options.exclude.is_empty() {
        if !options.workspace {
            return Err(Failure::new("--exclude can only be used together with --workspace"));
        }
        PackageSelection::All { except: options.exclude.clone() }
    } else if options.package.is_empty() {
        PackageSelection::Default
    } else {
        PackageSelection::Named(options.package.clone())
    };
    Ok(PackageRequest {
        packages,
        features: settle::cli_features(&options.features)?,
        check_metadata: true,
        allow_dirty: options.allow_dirty,
        lockfile: true,
        verify: !options.no_verify,
        dry_run: false,
        registry: registry(&options.registry, session)?,
        resolve: opened.resolve.clone(),
        cwd: session.cwd().to_owned(),
    })
}

/// `--registry`, `--index` or `registry.default`.
pub fn registry(options: &RegistryOptions, session: &Session) -> Result<Option<RegistryChoice>> {
    Ok(match (&options.registry, &options.index) {
        (Some(name), _) => {
            wharf_core::PackageName::new(name)
                .map_err(|error| Failure::from(error).context(format!("invalid registry name `{name}`")))?;
            Some(RegistryChoice::Named(name.clone()))
        }
        (None, Some(index)) => {
            let source = SourceId::for_registry(index)
                .map_err(|error| Failure::from(error).context(format!("invalid index `{index}`")))?;
            Some(RegistryChoice::Index(source))
        }
        (None, None) => {
            let default = session.config.registries()?.default.map(|default| default.value);
            default.filter(|name| name != CRATES_IO).map(RegistryChoice::Named)
        }
    })
}

/// Builds what came out of the archives.
pub fn verify(
    opened: &mut Opened,
    packaged: &[Packaged],
    options: &PackagingOptions,
    session: &Session,
) -> Result<()> {
    for packaged in packaged {
        session.shell.status("Verifying", packaged.package.id());
        verify_one(opened, packaged, options, session)
            .map_err(|failure| failure.context("failed to verify package tarball"))?;
    }
    Ok(())
}

fn verify_one(
    opened: &mut Opened,
    packaged: &Packaged,
    options: &PackagingOptions,
    session: &Session,
) -> Result<()> {
    let mut unpacked = package::unpack(&opened.workspace, packaged)?;
    let features = FeatureSelection {
        features: packaged.features.named.iter().map(ToString::to_string).collect(),
        all_features: packaged.features.all,
        no_default_features: !packaged.features.default,
    };
    let compile = CompileOptions {
        jobs: options.jobs.clone(),
        target: options.target.clone(),
        cache: options.cache,
        ..CompileOptions::default()
    };
    let typed = Typed {
        packages: PackageSelection::Default,
        targets: TargetFilter::Default { skip_missing_features: true },
        features: &features,
        intent: Intent::Build,
        profile: "dev".to_owned(),
        keep_going: options.keep_going,
        compile: &compile,
        ignore_rust_version: false,
        root_args: Vec::new(),
        root_crate_types: Vec::new(),
        document_private_items: false,
        artifact_dir: None,
    };
    swap(&mut opened.workspace, &mut unpacked.workspace);
    // The lockfile of the archive stays as it is.
    let policy = std::mem::replace(&mut opened.resolve.lock, LockPolicy::Preview);
    let listener = opened.resolve.lock_changed.clone();
    opened.resolve.lock_changed = wharf_ops::resolve::LockListener(std::sync::Arc::new(|_| {}));
    let built = settle::settle(typed, opened, session)
        .and_then(|settled| super::compile::build(opened, &settled, session));
    opened.resolve.lock = policy;
    opened.resolve.lock_changed = listener;
    swap(&mut opened.workspace, &mut unpacked.workspace);
    built?;
    unpacked.check()
}
