//! From configuration to what a plan needs beside packages and compiler.

use std::path::{Path, PathBuf};

use wharf_base::digest::Hasher;
use wharf_base::fs;
use wharf_core::CrateType;
use wharf_plan::{Diagnostics, IncrementalPolicy, Settings};

use crate::cache;
use crate::config::{Config, TemplateRoots};
use crate::failure::{Failure, Result};
use crate::workspace::{Places, Workspace};

/// What the command line says of a build beside packages and targets.
#[derive(Clone, Debug)]
pub struct BuildFlags {
    /// The value of `CARGO`: this program.
    pub cargo: PathBuf,
    /// Which build cache is used.
    pub cache: cache::Choice,
    /// How many commands at once.
    pub jobs: usize,
    /// How diagnostics are rendered.
    pub diagnostics: Diagnostics,
    /// `-vv`
    pub all_warnings: bool,
    /// `rustc -- …`, `rustdoc -- …`
    pub root_args: Vec<String>,
    /// `rustc --crate-type`
    pub root_crate_types: Vec<CrateType>,
    /// `doc --document-private-items`
    pub document_private_items: bool,
    /// `-Z any-build-script-metadata`
    pub any_script_metadata: bool,
    /// Not `--ignore-rust-version`.
    pub check_rust_version: bool,
    /// `--artifact-dir`
    pub artifact_dir: Option<PathBuf>,
}

/// Settles everything for one workspace.
pub fn settle(config: &Config, workspace: &Workspace, flags: BuildFlags) -> Result<Settings> {
    let (wharf_home, _) = home(config, workspace, flags.cache)?;
    Ok(Settings {
        workspace_root: workspace.root().to_owned(),
        real_root: fs::canonicalize(workspace.root()).unwrap_or_else(|_| workspace.root().to_owned()),
        target_dir: workspace.target_dir().to_owned(),
        build_dir: build_dir(config, workspace)?,
        wharf_home,
        cargo: flags.cargo,
        jobs: flags.jobs,
        base_env: config.env().variables().clone(),
        env: config.env_table()?,
        diagnostics: flags.diagnostics,
        all_warnings: flags.all_warnings,
        incremental: match incremental(config)? {
            Some(true) => IncrementalPolicy::Always,
            _ => IncrementalPolicy::WhenEdited,
        },
        root_args: flags.root_args,
        root_crate_types: flags.root_crate_types,
        document_private_items: flags.document_private_items,
        allows_unstable: config.unstable().allowed,
        any_script_metadata: flags.any_script_metadata,
        check_rust_version: flags.check_rust_version,
        fixer: None,
        artifact_dir: flags.artifact_dir,
        compile_time_deps: false,
        sandbox: crate::sandbox::settle(config, workspace.root())?,
    })
}

/// Where the build cache is. One of the workspace's own is among its intermediates, and serves it alone. So is the
/// shared one, with a failure, if that is not where it should be because nothing can be written there.
pub fn home(
    config: &Config,
    workspace: &Workspace,
    cache: cache::Choice,
) -> Result<(PathBuf, Option<Failure>)> {
    let own = build_dir(config, workspace)?.join(".wharf/home");
    if cache == cache::Choice::Own {
        return Ok((own, None));
    }
    let failure = match config.env().wharf_home(config.cwd()) {
        Ok(home) => match wharf_exec::Store::probe(&home) {
            Ok(()) => return Ok((home, None)),
            Err(error) => Failure::from(error),
        },
        Err(failure) => Failure::from(failure),
    };
    Ok((own, Some(failure)))
}

/// Where intermediates of a workspace go: `build.build-dir`, else its target directory.
pub fn build_dir(config: &Config, workspace: &Workspace) -> Result<PathBuf> {
    let real = fs::canonicalize(workspace.root_manifest());
    let manifest = real.unwrap_or_else(|_| workspace.root_manifest().to_owned());
    let mut hasher = Hasher::for_purpose("workspace path 1");
    hasher.value(manifest.as_os_str().as_encoded_bytes());
    let hash = hasher.finish().short();
    // Two levels, so that no directory gets too many entries.
    let (first, rest) = hash.split_at(2);
    let roots = TemplateRoots {
        workspace_root: workspace.root(),
        cargo_cache_home: config.cargo_home(),
        workspace_path_hash: &format!("{first}/{rest}"),
    };
    let configured = config.build()?.build_dir(config.cwd(), &roots)?;
    Ok(configured.unwrap_or_else(|| workspace.target_dir().to_owned()))
}

/// `CARGO_INCREMENTAL`, else `build.incremental`.
pub fn incremental(config: &Config) -> Result<Option<bool>> {
    match config.env().get("CARGO_INCREMENTAL") {
        Some(value) => Ok(Some(value == "1")),
        None => Ok(config.build()?.incremental),
    }
}

/// Where a workspace keeps things, by flags, environment and configuration.
pub fn places(config: &Config, target_dir: Option<&Path>, lockfile: Option<&Path>) -> Result<Places> {
    let target_dir = match target_dir {
        Some(dir) => Some(config.cwd().join(dir)),
        None => match config.env().get_filled("CARGO_TARGET_DIR") {
            Some(dir) => Some(config.cwd().join(dir)),
            None => config.build()?.target_dir,
        },
    };
    Ok(Places { target_dir, lockfile: lockfile.map(|path| config.cwd().join(path)) })
}
