//! Installs programs of packages, and removes them again (source of the rules: Cargo reference, "cargo install").

mod find;
mod tracker;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use wharf_base::{fs, paths};
use wharf_core::{Package, PackageId, Target, TargetKind};
use wharf_plan::{Names, TargetFilter};

use crate::config::Config;
use crate::failure::{Context, Failure, Result};
use crate::tell::{Note, Tell};
use crate::workspace::{matches_spec, parse_spec};

pub use find::{CrateSpec, in_directory, in_git, in_registry, is_exact, parse_version};
pub use tracker::{Options, Tracker, Upgrade};
pub use wharf_sources::Freshness;

/// The root below which programs are installed: `--root`, `CARGO_INSTALL_ROOT`, `install.root`, or the home.
///
/// # Errors
/// If the configuration is malformed.
pub fn root(config: &Config, cwd: &Path, stated: Option<&Path>) -> Result<PathBuf> {
    let variable = config.env().get_filled("CARGO_INSTALL_ROOT").map(PathBuf::from);
    let root = match (stated, variable) {
        (Some(root), _) => root.to_owned(),
        (None, Some(root)) => root,
        (None, None) => configured_root(config)?.unwrap_or_else(|| config.cargo_home().to_owned()),
    };
    Ok(paths::normalize(&cwd.join(root)))
}

/// `install.root`. A bare name is no path below the configuration's directory, but one below the current directory.
fn configured_root(config: &Config) -> Result<Option<PathBuf>> {
    match config.get_string("install.root")? {
        Some(found) if !found.value.contains('/') => Ok(Some(PathBuf::from(found.value))),
        _ => Ok(config.misc()?.install_root),
    }
}

/// The file names of the programs that a filter names.
pub fn program_names(package: &Package, filter: &TargetFilter) -> BTreeSet<String> {
    let suffix = std::env::consts::EXE_SUFFIX;
    let of = |is_it: fn(&Target) -> bool| -> Vec<String> {
        package
            .manifest
            .targets
            .iter()
            .filter(|target| is_it(target))
            .map(|target| target.name.clone())
            .collect()
    };
    let is_example = |target: &Target| target.kind == TargetKind::ExampleBin;
    let names = |names: &Names, is_it: fn(&Target) -> bool| match names {
        Names::All => of(is_it),
        Names::Just(names) => names.clone(),
    };
    let mut all = match filter {
        TargetFilter::Default { .. } => of(Target::is_bin),
        TargetFilter::Only(only) => {
            let mut all = names(&only.bins, Target::is_bin);
            all.extend(names(&only.examples, is_example));
            all
        }
    };
    all.iter_mut().for_each(|name| name.push_str(suffix));
    all.into_iter().collect()
}

/// A build whose programs are to be installed.
pub struct Placing<'a> {
    /// The root.
    pub root: &'a Path,
    /// The package.
    pub package: &'a Package,
    /// What was asked for.
    pub filter: &'a TargetFilter,
    /// How it was made.
    pub options: &'a Options,
    /// `--force`
    pub force: bool,
    /// `--no-track`
    pub no_track: bool,
    /// `--dry-run`
    pub dry_run: bool,
    /// Whether what was built can be moved away.
    pub is_transient: bool,
}

/// Refuses to overwrite, for installations that are not tracked.
///
/// # Errors
/// If programs exist, and not `force`.
pub fn untracked_duplicates(
    root: &Path,
    package: &Package,
    filter: &TargetFilter,
    force: bool,
) -> Result<BTreeMap<String, Option<PackageId>>> {
    let bin = root.join("bin");
    let existing = program_names(package, filter).into_iter().filter(|name| bin.join(name).exists());
    let duplicates: BTreeMap<String, Option<PackageId>> = existing.map(|name| (name, None)).collect();
    if force || duplicates.is_empty() {
        return Ok(duplicates);
    }
    let lines: Vec<String> = duplicates
        .keys()
        .map(|name| format!("binary `{name}` already exists in destination `{}`", bin.join(name).display()))
        .collect();
    Err(Failure::new(lines.join("\n")).help("add --force to overwrite"))
}

/// Puts programs where they are found, new ones before those that replace others, and notes it.
///
/// # Errors
/// If programs are in the way, or cannot be written. Programs that were new are taken away again then.
pub fn place(placing: &Placing<'_>, programs: &[PathBuf], tell: Tell<'_>) -> Result<()> {
    let Placing { root, package, filter, options, force, no_track, dry_run, is_transient } = *placing;
    let bin = root.join("bin");
    let (mut tracker, duplicates) = if no_track {
        (None, untracked_duplicates(root, package, filter, force)?)
    } else {
        let tracker = Tracker::load(root, &|| {})?;
        let names = program_names(package, filter);
        let upgrade = tracker.compare(package, &names, options, force)?;
        (Some(tracker), upgrade.duplicates)
    };
    fs::create_dir_all(&bin)?;
    let staging = tempfile::Builder::new().prefix("cargo-install").tempdir_in(&bin)?;
    let mut names = Vec::new();
    for program in programs {
        let name = program.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let name = name.ok_or_else(|| Failure::new(format!("`{}` is not UTF-8", program.display())))?;
        let staged = staging.path().join(&name);
        let is_moved = !dry_run && is_transient && std::fs::rename(program, &staged).is_ok();
        if !dry_run && !is_moved {
            std::fs::copy(program, &staged)
                .context(|| format!("cannot copy `{}` to `{}`", program.display(), staged.display()))?;
        }
        names.push(name);
    }
    names.sort();
    let (replaced, new): (Vec<&String>, Vec<&String>) =
        names.iter().partition(|name| duplicates.contains_key(*name));
    let mut undo = Undo(Vec::new());
    let mut done = BTreeSet::new();
    let mut put = |name: &String, word: &'static str, tell: Tell<'_>| -> Result<()> {
        let target = bin.join(name);
        tell(Note::Status(word, target.display().to_string()));
        if !dry_run {
            let staged = staging.path().join(name);
            fs::rename(&staged, &target)?;
            done.insert(name.clone());
        }
        Ok(())
    };
    for name in &new {
        put(name, "Installing", tell)?;
        undo.0.push(bin.join(name));
    }
    // What could be replaced is noted even if the rest could not.
    let result = replaced.iter().try_for_each(|name| put(name, "Replacing", tell));
    if let Some(tracker) = tracker.as_mut().filter(|_| !dry_run) {
        tracker.add(package.id(), &done, options);
        remove_orphans(tracker, &duplicates, package, &bin, tell);
        tracker.save()?;
    }
    result?;
    undo.0.clear();
    report(package, &new, &duplicates, dry_run, tell);
    Ok(())
}

/// Takes new programs away again when something fails.
struct Undo(Vec<PathBuf>);

impl Drop for Undo {
    fn drop(&mut self) {
        for path in &self.0 {
            // There is nobody left to tell.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn report(
    package: &Package,
    new: &[&String],
    duplicates: &BTreeMap<String, Option<PackageId>>,
    dry_run: bool,
    tell: Tell<'_>,
) {
    let id = package.id();
    if dry_run {
        tell(Note::Warning("aborting install due to dry run".to_owned()));
        return;
    }
    if !new.is_empty() || duplicates.is_empty() {
        tell(Note::Status("Installed", format!("package `{id}` {}", executables(new))));
    }
    let mut by_owner: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    for (name, owner) in duplicates {
        let owner = owner.as_ref().map_or_else(|| "unknown".to_owned(), ToString::to_string);
        by_owner.entry(owner).or_default().push(name);
    }
    for (owner, names) in by_owner {
        tell(Note::Status("Replaced", format!("package `{owner}` with `{id}` {}", executables(&names))));
    }
}

fn executables(names: &[&String]) -> String {
    let list: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match list.as_slice() {
        [one] => format!("(executable {one})"),
        _ => format!("(executables {})", list.join(", ")),
    }
}

/// Removes programs of an earlier version that this one has no more.
fn remove_orphans(
    tracker: &mut Tracker,
    duplicates: &BTreeMap<String, Option<PackageId>>,
    package: &Package,
    bin: &Path,
    tell: Tell<'_>,
) {
    let is_own = |target: &&Target| target.is_bin() || target.is_exe_example();
    let suffix = std::env::consts::EXE_SUFFIX;
    let own: BTreeSet<String> = package
        .manifest
        .targets
        .iter()
        .filter(is_own)
        .map(|target| format!("{}{suffix}", target.name))
        .collect();
    let earlier: BTreeSet<&PackageId> =
        duplicates.values().flatten().filter(|id| id.name() == package.name()).collect();
    for id in earlier {
        let gone: Vec<String> =
            tracker.programs(id).into_iter().flatten().filter(|name| !own.contains(*name)).cloned().collect();
        for name in gone {
            tracker.remove(id, &name);
            let path = bin.join(&name);
            if path.exists() {
                let shown = path.display();
                tell(Note::Status("Removing", format!("executable `{shown}` from previous version {id}")));
                if let Err(error) = fs::remove_file(&path) {
                    tell(Note::Warning(format!("failed to remove orphan `{}`: {error}", path.display())));
                }
            }
        }
    }
}

/// Removes installed programs of a package: all of them, or the named ones.
///
/// # Errors
/// If the package is not installed, or not with these programs.
pub fn uninstall(root: &Path, spec: &str, programs: &[String], tell: Tell<'_>) -> Result<()> {
    let tracker = Tracker::load(root, &|| {})?;
    let wanted = parse_spec(spec)?;
    let ids: Vec<PackageId> = tracker.all().into_iter().map(|(id, _)| id).collect();
    let found: Vec<&PackageId> = ids.iter().filter(|id| matches_spec(&wanted, id)).collect();
    match found.as_slice() {
        [one] => uninstall_id(root, tracker, one, programs, tell),
        [] => {
            let failure =
                Failure::new(format!("package ID specification `{spec}` did not match any packages"));
            Err(match crate::suggest::nearest(wanted.name(), ids.iter().map(|id| id.name().as_str())) {
                Some(near) => failure.help(format!("a package with a similar name is installed: `{near}`")),
                None => failure,
            })
        }
        several => {
            let list: Vec<String> = several.iter().map(|id| id.to_spec().to_string()).collect();
            Err(Failure::new(format!("specification `{spec}` is ambiguous"))
                .help(format!("use one of these:\n  {}", list.join("\n  "))))
        }
    }
}

/// As [`uninstall`], by id.
///
/// # Errors
/// As [`uninstall`].
pub fn uninstall_id(
    root: &Path,
    mut tracker: Tracker,
    id: &PackageId,
    programs: &[String],
    tell: Tell<'_>,
) -> Result<()> {
    let installed = tracker
        .programs(id)
        .cloned()
        .ok_or_else(|| Failure::new(format!("package `{id}` is not installed")))?;
    let bin = root.join("bin");
    if let Some(missing) = installed.iter().map(|name| bin.join(name)).find(|path| !path.exists()) {
        return Err(Failure::new(format!(
            "corrupt metadata, `{}` does not exist when it should",
            missing.display()
        )));
    }
    let suffix = std::env::consts::EXE_SUFFIX;
    let named: BTreeSet<String> = programs
        .iter()
        .map(|name| if name.ends_with(suffix) { name.clone() } else { format!("{name}{suffix}") })
        .collect();
    if let Some(other) = named.iter().find(|name| !installed.contains(*name)) {
        return Err(Failure::new(format!("binary `{other}` not installed as part of `{id}`")));
    }
    for name in if named.is_empty() { installed } else { named } {
        let path = bin.join(&name);
        tell(Note::Status("Removing", path.display().to_string()));
        fs::remove_file(&path)?;
        tracker.remove(id, &name);
        tracker.save()?;
    }
    Ok(())
}
