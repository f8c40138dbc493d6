//! Opens the workspace that a command works in, and what it needs beside it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use wharf_core::SourceId;
use wharf_ops::config::IncompatibleRustVersions;
use wharf_ops::connect::{self, Network, SourceEvent, Sources};
use wharf_ops::plan::{CompileKind, Toolchain};
use wharf_ops::resolve::{LockListener, ResolveOptions};
use wharf_ops::toolchain::{self, Compiler};
use wharf_ops::workspace::{Places, settle_manifest};
use wharf_ops::{Config, Result, Workspace, settings};

use crate::cli::ManifestOptions;
use crate::session::Session;
use crate::shell::{Progress, Shell, Verbosity};

/// A workspace and the sources of its packages.
pub struct Opened {
    /// The workspace.
    pub workspace: Workspace,
    /// Where packages come from.
    pub sources: Sources,
    /// How it is resolved.
    pub resolve: ResolveOptions,
    wharf_home: PathBuf,
    network: Network,
    told: Told,
}

impl Opened {
    /// Opens the workspace of `--manifest-path` or of the current directory.
    ///
    /// # Errors
    /// If there is none, or it is malformed.
    pub fn new(
        session: &Session,
        manifest: &ManifestOptions,
        target_dir: Option<&PathBuf>,
    ) -> Result<Opened> {
        Self::with_config(session, &session.config, manifest, target_dir)
    }

    /// The same with another configuration than the session's.
    ///
    /// # Errors
    /// As [`Opened::new`].
    pub fn with_config(
        session: &Session,
        config: &Arc<Config>,
        manifest: &ManifestOptions,
        target_dir: Option<&PathBuf>,
    ) -> Result<Opened> {
        let loader = connect::loader(config)?;
        let path = settle_manifest(session.cwd(), manifest.manifest_path.as_deref())?;
        let lockfile = config.resolver()?.lockfile_path.filter(|_| session.allows_unstable());
        let places = settings::places(config, target_dir.map(PathBuf::as_path), lockfile.as_deref())?;
        let workspace = Workspace::open(loader.clone(), &path, &places)?;
        Self::around(workspace, config, session)
    }

    /// Opens everything but a workspace, which the caller puts into the place of an empty one.
    ///
    /// # Errors
    /// If the configuration is malformed.
    pub fn bare(session: &Session, places: &Places) -> Result<Opened> {
        let loader = connect::loader(&session.config)?;
        Self::around(Workspace::empty(loader, session.cwd(), places), &session.config, session)
    }

    fn around(workspace: Workspace, config: &Arc<Config>, session: &Session) -> Result<Opened> {
        let loader = workspace.loader().clone();
        let access = session.access()?;
        let network = match access.offline {
            Some(because) => Network::Offline { because },
            None => Network::Online,
        };
        let told = Told::default();
        let sources = connect::sources(config, &loader, network, told.listener(session))?;
        let shell = session.shell.clone();
        let lock_changed = LockListener(Arc::new(move |changes| crate::report::lock::show(changes, &shell)));
        let prefer = config.resolver()?.incompatible_rust_versions;
        let resolve = ResolveOptions {
            lock: access.lock,
            order: wharf_ops::resolve::order(session.has_unstable("minimal-versions")),
            prefer_rust_version: prefer.map(|prefer| prefer == IncompatibleRustVersions::Fallback),
            rustc: None,
            offline: access.offline,
            patches: connect::config_patches(config, &loader)?,
            published_until: None,
            path_overrides: config.misc()?.path_overrides,
            lock_changed,
            only_needed: false,
        };
        let wharf_home = config.env().wharf_home(config.cwd())?;
        Ok(Opened { workspace, sources, resolve, wharf_home, network, told })
    }

    /// Reads the workspace again after manifests were edited.
    ///
    /// # Errors
    /// If it is malformed now.
    pub fn reopen(&mut self, session: &Session) -> Result<()> {
        let (lockfile, target) =
            (self.workspace.lockfile().to_owned(), self.workspace.target_dir().to_owned());
        let places = settings::places(&session.config, Some(&target), Some(&lockfile))?;
        let loader = self.workspace.loader().clone();
        let manifest = self.workspace.current_manifest().to_owned();
        self.workspace = Workspace::open(loader, &manifest, &places)?;
        Ok(())
    }

    /// Shows what sources and credential providers do.
    pub fn listener(&self, session: &Session) -> Box<dyn Fn(SourceEvent) + Send + Sync> {
        self.told.listener(session)
    }

    /// The sources of packages without the replacements of the configuration, for the web API.
    ///
    /// # Errors
    /// If the configuration is malformed.
    pub fn registries(&self, session: &Session, quietly: bool) -> Result<Sources> {
        let listener = if quietly { Box::new(|_| {}) } else { self.told.listener(session) };
        connect::unreplaced_sources(&session.config, self.workspace.loader(), self.network, listener)
    }

    /// Finds the compiler; its version decides where members say nothing.
    ///
    /// # Errors
    /// If there is none.
    pub fn compiler(&mut self, session: &Session) -> Result<Compiler> {
        let build = session.config.build()?;
        let compiler = toolchain::compiler(&session.config, &build, &self.wharf_home)?;
        self.resolve.rustc = Some(wharf_ops::resolve::partial_version(&compiler.version));
        Ok(compiler)
    }

    /// Asks the compiler about the platforms of `--target`, or of the configuration.
    ///
    /// # Errors
    /// If it does not know one of them.
    pub fn toolchain(
        &mut self,
        session: &Session,
        targets: &[String],
    ) -> Result<(Arc<Toolchain>, Vec<CompileKind>)> {
        let compiler = self.compiler(session)?;
        let configured = session.config.build()?.target;
        let targets = if targets.is_empty() { &configured } else { targets };
        let kinds = toolchain::compile_kinds(targets, &compiler.host, session.allows_unstable())?;
        let toolchain = toolchain::toolchain(&session.config, &compiler, &kinds, &self.wharf_home)?;
        Ok((Arc::new(toolchain), kinds))
    }

    /// Shows what the manifests should be warned of; what is critical ends the command.
    ///
    /// # Errors
    /// The first critical warning.
    pub fn tell_warnings(&self, session: &Session) -> Result<()> {
        for (path, warning) in self.workspace.warnings() {
            let text = if path == self.workspace.root_manifest() {
                warning.message
            } else {
                format!("{}: {}", path.display(), warning.message)
            };
            if warning.critical {
                return Err(wharf_ops::Failure::new(text)
                    .context(format!("failed to parse manifest at `{}`", path.display())));
            }
            session.shell.warn(text);
        }
        Ok(())
    }
}

/// What was told of sources, for those that are opened twice.
#[derive(Clone, Default)]
pub struct Told(Arc<Mutex<BTreeSet<SourceId>>>);

impl Told {
    /// Shows what sources do.
    pub fn listener(&self, session: &Session) -> Box<dyn Fn(SourceEvent) + Send + Sync> {
        let (shell, told) = (session.shell.clone(), self.clone());
        Box::new(move |event| {
            if let SourceEvent::UpdatingIndex { source } = &event
                && !told.0.lock().unwrap_or_else(PoisonError::into_inner).insert(source.clone())
            {
                return;
            }
            tell(&shell, event);
        })
    }
}

/// What sources do, as status lines.
pub fn tell(shell: &Shell, event: SourceEvent) {
    match event {
        SourceEvent::UpdatingIndex { source } => {
            let name = match source.registry_name() {
                Some(name) => format!("`{name}`"),
                None if source.is_crates_io() => "crates.io".to_owned(),
                None => format!("`{}`", source.url()),
            };
            let name = if source.is_crates_io() { "crates.io".to_owned() } else { name };
            shell.status("Updating", format!("{name} index"));
        }
        SourceEvent::IndexProgress { done, pending } => {
            let detail = format!("{done} complete; {pending} pending");
            shell.progress(&Progress { word: "Fetch", done: 0, total: 0, detail: &detail });
        }
        SourceEvent::UpdatingGit { url, submodule: false } => {
            shell.status("Updating", format!("git repository `{url}`"));
        }
        SourceEvent::UpdatingGit { url, submodule: true } => {
            shell.status("Updating", format!("git submodule `{url}`"));
        }
        SourceEvent::SkippedSubmodule { url } => {
            shell.status_warning(
                "Skipping",
                format!("git submodule `{url}` due to update strategy in .gitmodules"),
            );
        }
        SourceEvent::Downloading { .. } => shell.status("Downloading", "crates ..."),
        SourceEvent::Progress { bytes, remaining } => {
            let detail = format!("{remaining} crates, {}", human_bytes(bytes));
            shell.progress(&Progress { word: "Downloading", done: 0, total: 0, detail: &detail });
        }
        SourceEvent::Downloaded { package, .. } => shell.status("Downloaded", package),
        SourceEvent::DownloadsFinished { .. } => {}
        SourceEvent::Unpacking { package } => shell.status("Unpacking", package),
        SourceEvent::Retrying { url, reason, remaining } => {
            let tries = if remaining == 1 { "try" } else { "tries" };
            shell.warn(format!("spurious network error ({remaining} {tries} remaining): {reason} (`{url}`)"));
        }
        SourceEvent::AskingProvider { provider, action, registry } => {
            if shell.verbosity() >= Verbosity::Verbose {
                shell.status("Credential", format!("{provider} {action} {registry}"));
            }
        }
        SourceEvent::Warning { text } => shell.warn(text),
        SourceEvent::WaitingForLock { what } => {
            shell.status_note("Blocking", format!("waiting for file lock on {what}"));
        }
    }
}

/// `1.5MiB`
pub fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes}B") } else { format!("{size:.1}{}", UNITS[unit]) }
}
