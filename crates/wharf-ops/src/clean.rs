//! `clean`: removes what builds have made.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use wharf_core::profile::{ProfileSet, ProfileSources};
use wharf_core::{CrateType, Package, PackageId, PackageIdSpec, Target, TargetKind};
use wharf_plan::{CompileKind, FileName, Toolchain};
use wharf_sources::Sources;

use crate::config::Config;
use crate::failure::{Context, Failure, Result};
use crate::packages;
use crate::resolve::{LockPolicy, ResolveOptions, Unlock, resolve_workspace};
use crate::workspace::{Workspace, matches_spec, parse_spec};

/// Something to tell while cleaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CleanNote {
    /// This is being removed.
    Removing(PathBuf),
    /// This would be removed.
    WouldRemove(PathBuf),
    /// This cannot be looked at.
    Inaccessible(PathBuf, String),
}

/// What was removed, or would have been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Files and links.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Bytes in files.
    pub bytes: u64,
}

/// Removes files and counts.
pub struct Cleaner<'a> {
    /// Nothing is removed, only counted and told.
    pub dry_run: bool,
    /// Hears of every path.
    pub notes: &'a mut dyn FnMut(CleanNote),
    /// The counts so far.
    pub cleaned: Cleaned,
    /// Where large directories are moved to, to be removed by another process: removing takes long, moving does not.
    pub trash: Option<PathBuf>,
}

/// A directory of more files than this is moved away first.
const LARGE: u64 = 1000;

impl<'a> Cleaner<'a> {
    /// A cleaner that has removed nothing yet.
    pub fn new(dry_run: bool, notes: &'a mut dyn FnMut(CleanNote)) -> Self {
        Self { dry_run, notes, cleaned: Cleaned::default(), trash: None }
    }

    /// Removes a file or a directory with everything in it; what is not there needs no removing.
    ///
    /// # Errors
    /// If something cannot be removed.
    pub fn remove(&mut self, path: &Path) -> Result<()> {
        let metadata = match std::fs::symlink_metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                (self.notes)(CleanNote::Inaccessible(path.to_owned(), error.to_string()));
                return Ok(());
            }
        };
        if !self.dry_run {
            (self.notes)(CleanNote::Removing(path.to_owned()));
        }
        if !metadata.is_dir() {
            return self.file(path, metadata.len());
        }
        if let Some(trash) = self.trash.as_ref().filter(|_| !self.dry_run) {
            let counted = count(path);
            if counted.files > LARGE && discard(path, trash).is_ok() {
                self.cleaned.files += counted.files;
                self.cleaned.directories += counted.directories;
                self.cleaned.bytes += counted.bytes;
                return Ok(());
            }
        }
        self.directory(path)
    }

    fn directory(&mut self, path: &Path) -> Result<()> {
        let failed = || format!("failed to remove directory `{}`", path.display());
        let mut entries: Vec<std::fs::DirEntry> =
            std::fs::read_dir(path).and_then(Iterator::collect).context(failed)?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let (below, metadata) = (entry.path(), entry.metadata().context(failed)?);
            if metadata.is_dir() {
                self.directory(&below)?;
            } else {
                if self.dry_run {
                    (self.notes)(CleanNote::WouldRemove(below.clone()));
                }
                self.file(&below, metadata.len())?;
            }
        }
        self.cleaned.directories += 1;
        if self.dry_run {
            (self.notes)(CleanNote::WouldRemove(path.to_owned()));
            return Ok(());
        }
        // Another process may have put something there since.
        std::fs::remove_dir(path).or_else(|_| std::fs::remove_dir_all(path)).context(failed)
    }

    fn file(&mut self, path: &Path, bytes: u64) -> Result<()> {
        self.cleaned.bytes += bytes;
        self.cleaned.files += 1;
        if self.dry_run {
            return Ok(());
        }
        std::fs::remove_file(path).context(|| format!("failed to remove file `{}`", path.display()))
    }
}

/// What is in a directory, itself included.
fn count(dir: &Path) -> Cleaned {
    let mut counted = Cleaned { directories: 1, ..Cleaned::default() };
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => {
                let below = count(&entry.path());
                counted.files += below.files;
                counted.directories += below.directories;
                counted.bytes += below.bytes;
            }
            Ok(metadata) => {
                counted.files += 1;
                counted.bytes += metadata.len();
            }
            Err(_) => {}
        }
    }
    counted
}

/// Moves a directory away, where that is no more than a new name, and has it removed without waiting for it. What
/// stays because the machine goes down is removed when the build cache is tidied.
fn discard(dir: &Path, trash: &Path) -> std::io::Result<()> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let place = trash.join(format!(".trash-{}-{now}", std::process::id()));
    std::fs::rename(dir, &place)?;
    let mut remove = Command::new("rm");
    remove.arg("-rf").arg("--").arg(&place).process_group(0);
    remove.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if remove.spawn().is_err() {
        std::fs::remove_dir_all(&place).ok();
    }
    Ok(())
}

/// The directory that a profile's artifacts lie in: `debug`, `release`, or its own name.
///
/// # Errors
/// If there is no such profile, or profiles are malformed.
pub fn profile_dir(workspace: &Workspace, config: &Config, profile: &str) -> Result<String> {
    let sources = ProfileSources {
        manifest: workspace.profiles(),
        config: &config.profiles([profile])?,
        incremental: None,
        unstable: config.unstable(),
    };
    Ok(ProfileSet::new(&sources, profile)?.dir_name().to_owned())
}

/// Packages to clean, and where.
pub struct CleanPackages<'a> {
    /// The packages.
    pub specs: &'a [String],
    /// The platforms asked for; [`CompileKind::Host`] alone when there was no `--target`.
    pub kinds: &'a [CompileKind],
    /// The directory of the profile: `debug`, `release`.
    pub profile_dir: &'a str,
    /// Where intermediates go; often the target directory.
    pub build_dir: &'a Path,
}

/// Removes what was made of some packages. Gives the specifications that name a version or URL, which do not count:
/// every version goes.
///
/// # Errors
/// If a specification names no package, the workspace cannot be resolved, or something cannot be removed.
pub fn packages(
    workspace: &Workspace,
    sources: &Sources,
    (toolchain, options): (&Toolchain, &ResolveOptions),
    request: &CleanPackages<'_>,
    cleaner: &mut Cleaner<'_>,
) -> Result<Vec<PackageIdSpec>> {
    let lock = if cleaner.dry_run { LockPolicy::Preview } else { options.lock };
    let options = ResolveOptions { lock, ..options.clone() };
    let resolved = resolve_workspace(workspace, sources, &options, &Unlock::Nothing)?;
    let mut too_precise = Vec::new();
    let mut ids: BTreeSet<PackageId> = BTreeSet::new();
    for text in request.specs {
        let spec = parse_spec(text)?;
        if spec.partial_version().is_some() || spec.url().is_some() {
            too_precise.push(spec.clone());
        }
        let found: Vec<_> = resolved.whole.ids().filter(|id| matches_spec(&spec, id)).cloned().collect();
        if found.is_empty() {
            let failure = Failure::new(format!("no package matches the specification `{spec}`"));
            let names = resolved.whole.ids().map(|id| id.name().as_str());
            return Err(match crate::suggest::nearest(spec.name(), names) {
                Some(name) => failure.help(format!("a package with a similar name exists: `{name}`")),
                None => failure,
            });
        }
        ids.extend(found);
    }
    let packages = packages::load(workspace, sources, &resolved.whole, &ids)?;
    let mut sweep = Sweep::default();
    for package in packages.values() {
        sweep.package(package, workspace.target_dir(), toolchain, request);
        if request.build_dir != workspace.target_dir() {
            sweep.package(package, request.build_dir, toolchain, request);
        }
    }
    for path in &sweep.found {
        cleaner.remove(path)?;
    }
    Ok(too_precise)
}

/// Finds files by the patterns of their names, reading each directory once.
#[derive(Default)]
struct Sweep {
    listings: BTreeMap<PathBuf, Vec<String>>,
    found: BTreeSet<PathBuf>,
}

impl Sweep {
    fn package(
        &mut self,
        package: &Package,
        root: &Path,
        toolchain: &Toolchain,
        request: &CleanPackages<'_>,
    ) {
        let host = root.join(request.profile_dir);
        let places: Vec<(&CompileKind, PathBuf)> = request
            .kinds
            .iter()
            .map(|kind| match kind {
                CompileKind::Host => (kind, host.clone()),
                CompileKind::Target(target) => {
                    (kind, root.join(target.short_name()).join(request.profile_dir))
                }
            })
            .collect();
        let own = package.name().as_str();
        // What runs on the host lies there whatever the target is.
        let with_host = std::iter::once(&host).chain(places.iter().map(|(_, dir)| dir));
        for dir in with_host {
            let scripts = package.manifest.build_script().map(|_| "build");
            for below in scripts.into_iter().chain([".fingerprint"]) {
                self.mark(&dir.join(below), |name| {
                    name.rsplit_once('-').is_some_and(|(before, _)| before == own)
                });
            }
        }
        self.mark(&root.join(".wharf/units"), |name| is_record(name, own));
        let targets = package.manifest.targets.iter().filter(|target| !target.is_custom_build());
        for target in targets {
            for (kind, dir) in &places {
                self.target(target, dir, &toolchain.info(kind).file_names);
            }
        }
    }

    fn target(&mut self, target: &Target, dir: &Path, names: &BTreeMap<CrateType, FileName>) {
        let crate_name = target.crate_name();
        let (below, uplifted) = match target.kind {
            TargetKind::ExampleBin | TargetKind::ExampleLib(_) => {
                (dir.join("examples"), Some(dir.join("examples")))
            }
            TargetKind::Test | TargetKind::Bench => (dir.join("deps"), None),
            _ => (dir.join("deps"), Some(dir.to_owned())),
        };
        for (file, stem) in file_names(target, names) {
            let whole = format!("{}{crate_name}{}", file.prefix, file.suffix);
            let hashed = format!("{}{crate_name}-", file.prefix);
            self.mark(&below, |name| {
                *name == *whole || (name.starts_with(&hashed) && name.ends_with(&file.suffix))
            });
            if let Some(dir) = &uplifted {
                let path = dir.join(format!("{}{stem}{}", file.prefix, file.suffix));
                self.found.insert(path.with_extension("d"));
                self.found.insert(path);
            }
        }
        let (dash, dot) = (format!("{crate_name}-"), format!("{crate_name}."));
        self.mark(&below, |name| {
            let is_debug_information = || [".o", ".dwo", ".dwp"].iter().any(|suffix| name.ends_with(suffix));
            (name.starts_with(&dash) && name.ends_with(".d"))
                || (name.starts_with(&dot) && (name.ends_with(".d") || is_debug_information()))
        });
        self.mark(&dir.join("incremental"), |name| name.starts_with(&dash));
    }

    fn mark(&mut self, dir: &Path, wanted: impl Fn(&str) -> bool) {
        let names = self.listings.entry(dir.to_owned()).or_insert_with(|| {
            let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
        });
        let marked = names.iter().filter(|name| wanted(name)).map(|name| dir.join(name));
        self.found.extend(marked);
    }
}

/// Whether a record of what was built, `<package>-<mode>-<hash>`, is about this package.
fn is_record(name: &str, package: &str) -> bool {
    const MODES: [&str; 6] = ["build", "check", "test", "doc", "doctest", "run-custom-build"];
    name.rsplit_once('-')
        .and_then(|(before, _)| before.strip_prefix(package)?.strip_prefix('-'))
        .is_some_and(|mode| MODES.contains(&mode))
}

/// What surrounds the names of the files that are made of a target (as a program, a library, a test or metadata),
/// and the name that final artifacts go by.
fn file_names(target: &Target, names: &BTreeMap<CrateType, FileName>) -> Vec<(FileName, String)> {
    let crate_name = target.crate_name();
    let program = || names.get(&CrateType::Bin).cloned();
    let plain =
        |prefix: &str, suffix: &str| FileName { prefix: prefix.to_owned(), suffix: suffix.to_owned() };
    let mut files = Vec::new();
    match &target.kind {
        TargetKind::Lib(types) | TargetKind::ExampleLib(types) => {
            for kind in types {
                // Metadata comes with every library that others compile against.
                files.extend(names.get(kind).cloned().map(|file| (file, crate_name.clone())));
            }
            files.push((plain("lib", ".rmeta"), crate_name.clone()));
            // Its tests are programs.
            files.extend(program().map(|file| (file, crate_name.clone())));
        }
        _ => {
            files.extend(program().map(|file| (file, target.name.to_string())));
            files.push((plain("lib", ".rmeta"), crate_name));
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records() {
        assert!(is_record("foo-bar-build-408ea8cd506aef4c", "foo-bar"));
        assert!(is_record("foo-run-custom-build-408ea8cd506aef4c", "foo"));
        assert!(!is_record("foo-bar-build-408ea8cd506aef4c", "foo"));
        assert!(!is_record("foo-build-build-408ea8cd506aef4c", "foo"));
    }

    #[test]
    fn counts_and_removes() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("target");
        std::fs::create_dir_all(root.join("debug/deps")).unwrap();
        std::fs::write(root.join("debug/deps/a.d"), "12345").unwrap();
        let mut told = Vec::new();
        let mut notes = |note| told.push(note);
        let mut dry = Cleaner::new(true, &mut notes);
        dry.remove(&root).unwrap();
        assert_eq!(dry.cleaned, Cleaned { files: 1, directories: 3, bytes: 5 });
        assert_eq!(told.len(), 4);
        assert!(root.exists());
        let mut quiet = |_| {};
        let mut real = Cleaner::new(false, &mut quiet);
        real.remove(&root).unwrap();
        real.remove(&root).unwrap();
        assert_eq!(real.cleaned, Cleaned { files: 1, directories: 3, bytes: 5 });
        assert!(!root.exists());
    }

    #[test]
    fn large_directories_are_moved_away_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let (root, trash) = (dir.path().join("target"), dir.path().join("home"));
        std::fs::create_dir_all(root.join("deps")).unwrap();
        std::fs::create_dir(&trash).unwrap();
        for index in 0..=LARGE {
            std::fs::write(root.join(format!("deps/{index}")), "x").unwrap();
        }
        let mut quiet = |_| {};
        let mut cleaner = Cleaner::new(false, &mut quiet);
        cleaner.trash = Some(trash);
        cleaner.remove(&root).unwrap();
        assert_eq!(cleaner.cleaned, Cleaned { files: LARGE + 1, directories: 2, bytes: LARGE + 1 });
        assert!(!root.exists());
    }
}
