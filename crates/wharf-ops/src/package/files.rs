//! Which files a package consists of (reference, "The `exclude` and `include` fields").

use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use wharf_base::fs;
use wharf_core::Package;

use super::git::{Repository, below};
use crate::failure::{Context, Failure, Result};
use crate::tell::{Note, Tell};

/// The rules of one package.
struct Rules<'a> {
    root: &'a Path,
    include: Option<Gitignore>,
    exclude: Gitignore,
}

impl<'a> Rules<'a> {
    fn of(package: &'a Package, hidden_too: bool) -> Result<Self> {
        let root = package.root();
        let build = |lines: &[String], first: Option<&str>| -> Result<Gitignore> {
            let mut builder = GitignoreBuilder::new(root);
            for line in first.into_iter().chain(lines.iter().map(String::as_str)) {
                builder.add_line(None, line).context(|| {
                    format!("cannot read `{line}` in `include` or `exclude` of `{}`", package.name())
                })?;
            }
            Ok(builder.build()?)
        };
        let manifest = &package.manifest;
        let include = if manifest.include.is_empty() { None } else { Some(build(&manifest.include, None)?) };
        let exclude = build(&manifest.exclude, (!hidden_too).then_some(".*"))?;
        Ok(Self { root, include, exclude })
    }

    /// Whether a path is wanted. For `include`, directories are never asked: rules need not name them.
    fn take(&self, path: &Path, is_dir: bool) -> bool {
        let Ok(relative) = path.strip_prefix(self.root) else { return false };
        if relative == Path::new("Cargo.toml") || relative == Path::new("Cargo.lock") {
            return true;
        }
        match &self.include {
            None => !self.exclude.matched_path_or_any_parents(relative, is_dir).is_ignore(),
            Some(_) if is_dir => true,
            Some(include) => include.matched_path_or_any_parents(relative, false).is_ignore(),
        }
    }
}

/// Every file of a package, absolute. With a repository that tracks the manifest, its ignore files count; else, and
/// when there are `include` rules, everything on disk does.
pub(crate) fn of(package: &Package, tell: Tell<'_>) -> Result<Vec<PathBuf>> {
    let context = || format!("failed to determine list of files in {}", package.root().display());
    list(package, tell).context(context)
}

fn list(package: &Package, tell: Tell<'_>) -> Result<Vec<PathBuf>> {
    let root = package.root();
    let repository = match package.manifest.include.is_empty() {
        true => tracking(root)?,
        false => None,
    };
    let hidden_too = repository.is_some() || !package.manifest.include.is_empty();
    let rules = Rules::of(package, hidden_too)?;
    let mut files = Vec::new();
    match repository {
        Some(repository) => tracked(&repository, root, &rules, &mut files, tell)?,
        None => walk(root, true, &rules, &mut files, &mut Vec::new(), tell)?,
    }
    Ok(files)
}

fn tracking(root: &Path) -> Result<Option<Repository>> {
    let Some(repository) = Repository::around(root) else { return Ok(None) };
    let tracks = repository.tracks(&root.join("Cargo.toml"))?;
    Ok(tracks.then_some(repository))
}

fn tracked(
    repository: &Repository,
    root: &Path,
    rules: &Rules<'_>,
    files: &mut Vec<PathBuf>,
    tell: Tell<'_>,
) -> Result<()> {
    let listed = repository.list(root)?;
    let target = rules.root.join("target");
    let is_manifest = |path: &Path| path.file_name().is_some_and(|name| name == "Cargo.toml");
    // A directory with a manifest is another package.
    let others: Vec<PathBuf> = listed
        .iter()
        .filter(|entry| is_manifest(&entry.path) && fs::symlink_metadata(&entry.path).is_ok())
        .filter_map(|entry| entry.path.parent())
        .filter(|dir| *dir != rules.root)
        .map(Path::to_owned)
        .collect();
    for entry in listed {
        let path = entry.path;
        if !entry.tracked && path.starts_with(&target) {
            continue;
        }
        if others.iter().any(|dir| path.starts_with(dir)) {
            continue;
        }
        // One is made for the archive; a stray one at the root is none of the package's files.
        if !entry.tracked && path == repository.root.join("Cargo.lock") {
            continue;
        }
        // What was deleted and not committed is still listed.
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        let is_link = metadata.file_type().is_symlink();
        if metadata.is_dir() || (is_link && path.is_dir()) {
            // For git a link is no directory, so rules for directories do not reach it.
            if !entry.tracked && is_link && is_ignored_directory(&path, &repository.root) {
                continue;
            }
            if path.join(".git").exists() {
                let inner = Repository { root: path.clone() };
                tracked(&inner, &path, rules, files, tell)?;
            } else {
                walk(&path, false, rules, files, &mut Vec::new(), tell)?;
            }
        } else if (is_link || metadata.is_file()) && rules.take(&path, false) {
            files.push(path);
        }
    }
    Ok(())
}

/// Whether the ignore files between the root of a repository and `path` leave it out, taken as a directory.
fn is_ignored_directory(path: &Path, root: &Path) -> bool {
    let within = path.ancestors().skip(1).take_while(|dir| dir.starts_with(root));
    within
        .map(|dir| Gitignore::new(dir.join(".gitignore")).0)
        .any(|rules| rules.matched(path, true).is_ignore())
}

fn walk(
    dir: &Path,
    is_root: bool,
    rules: &Rules<'_>,
    files: &mut Vec<PathBuf>,
    above: &mut Vec<PathBuf>,
    tell: Tell<'_>,
) -> Result<()> {
    if !is_root && !rules.take(dir, true) {
        return Ok(());
    }
    if let Ok(real) = fs::canonicalize(dir) {
        if above.contains(&real) {
            tell(Note::Warning(format!(
                "`{}` is a link to a directory that it lies in: it is left out",
                dir.display()
            )));
            return Ok(());
        }
        above.push(real);
    }
    let mut paths: Vec<PathBuf> = fs::read_dir(dir)?.into_iter().map(|entry| entry.path).collect();
    paths.sort();
    for path in paths {
        let Ok(metadata) = fs::metadata(&path) else {
            // A broken link is told of when it is read.
            if rules.take(&path, false) {
                files.push(path);
            }
            continue;
        };
        if metadata.is_dir() {
            let is_target = is_root && path.ends_with("target");
            if !is_target && !path.join("Cargo.toml").exists() && rules.take(&path, true) {
                walk(&path, false, rules, files, above, tell)?;
            }
        } else if metadata.is_file() && rules.take(&path, false) {
            files.push(path);
        }
    }
    above.pop();
    Ok(())
}

/// Whether a path is a link, or lies behind one, below `root`.
pub(super) fn is_behind_link(path: &Path, root: &Path) -> bool {
    path.ancestors()
        .take_while(|above| *above != root && above.starts_with(root))
        .any(|above| fs::symlink_metadata(above).is_ok_and(|metadata| metadata.file_type().is_symlink()))
}

/// Refuses names that cannot be unpacked everywhere; tells whether Windows reserves the name.
pub(super) fn check_name(relative: &Path, tell: Tell<'_>) -> Result<()> {
    const SPECIAL: [char; 9] = ['/', '\\', '<', '>', ':', '"', '|', '?', '*'];
    const RESERVED: [&str; 22] = [
        "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
        "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
    ];
    let Some(name) = relative.file_name() else { return Ok(()) };
    let Some(name) = name.to_str() else {
        return Err(Failure::new(format!(
            "cannot package `{}`: its name is no Unicode, which not every platform can unpack",
            relative.display()
        )));
    };
    if let Some(special) = name.chars().find(|c| SPECIAL.contains(c)) {
        return Err(Failure::new(format!(
            "cannot package a filename with the special character `{special}`: {}",
            relative.display()
        )));
    }
    let is_reserved = relative.iter().filter_map(|part| part.to_str()).any(|part| {
        let stem = part.split('.').next().unwrap_or(part).to_ascii_lowercase();
        RESERVED.contains(&stem.as_str())
    });
    if is_reserved {
        tell(Note::Warning(format!(
            "file {} is a reserved Windows filename, so the package cannot be unpacked there",
            relative.display()
        )));
    }
    Ok(())
}

/// The state of the repository around a package, as `.cargo_vcs_info.json` has it.
#[derive(Clone, Debug, serde::Serialize)]
pub(super) struct VcsInfo {
    git: GitInfo,
    /// Where in the repository the package is.
    path_in_vcs: String,
}

#[derive(Clone, Debug, serde::Serialize)]
struct GitInfo {
    sha1: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dirty: bool,
}

/// What the check of a repository needs to know.
pub(super) struct RepositoryCheck<'a> {
    pub(super) package: &'a Package,
    pub(super) files: &'a [PathBuf],
    pub(super) root_manifest: &'a Path,
    pub(super) cwd: &'a Path,
    pub(super) allow_dirty: bool,
}

/// The commit that a package is made from; refuses files that are not as committed. `None` without a repository, and
/// where the manifest is ignored, since then the repository is about something else.
pub(super) fn check_repository(check: &RepositoryCheck<'_>) -> Result<Option<VcsInfo>> {
    let package = check.package;
    let root = package.root();
    let Some(repository) = Repository::around(root) else { return Ok(None) };
    let manifest = &package.manifest_path;
    if !manifest.exists() || repository.ignores(manifest)? {
        return Ok(None);
    }
    let mut changed = repository.dirty(&[root])?;
    changed.extend(repository.dirty_submodules()?);
    let is_changed = |path: &Path| changed.iter().any(|dirty| path.starts_with(dirty));
    let mut dirty: Vec<PathBuf> = Vec::new();
    for file in check.files {
        let behind = is_behind_link(file, root);
        let real = if behind { fs::canonicalize(file).unwrap_or(file.clone()) } else { file.clone() };
        if is_changed(&real) || (!behind && is_changed(file)) {
            dirty.push(file.clone());
        }
    }
    dirty.extend(outside(&repository, check)?);
    let is_dirty = !dirty.is_empty();
    if is_dirty && !check.allow_dirty {
        let mut shown: Vec<String> = dirty
            .iter()
            .map(|path| wharf_core::path_text::relative(path, check.cwd).display().to_string())
            .collect();
        shown.sort();
        return Err(Failure::new(format!(
            "{} files in the working directory contain changes that were not yet committed into git:\n\n{}",
            shown.len(),
            shown.join("\n")
        ))
        .help("commit them, or pass `--allow-dirty` to package them as they are"));
    }
    let Some(sha1) = repository.head()? else { return Ok(None) };
    let path = below(root, &repository.root).unwrap_or_default();
    let path_in_vcs = path.to_str().unwrap_or_default().replace('\\', "/");
    Ok(Some(VcsInfo { git: GitInfo { sha1, dirty: is_dirty }, path_in_vcs }))
}

/// Changed files outside of the package that become part of it: readme and license, what links lead to, and the
/// workspace manifest, from which keys may be inherited.
fn outside(repository: &Repository, check: &RepositoryCheck<'_>) -> Result<Vec<PathBuf>> {
    let root = check.package.root();
    let description = &check.package.manifest.description;
    let named = [&description.license_file, &description.readme].into_iter().flatten();
    let mut paths: Vec<PathBuf> = named.map(|path| wharf_base::paths::normalize(&root.join(path))).collect();
    paths.extend(check.files.iter().filter(|file| is_behind_link(file, root)).cloned());
    paths.push(check.root_manifest.to_owned());
    let relevant: Vec<PathBuf> = paths
        .iter()
        .filter(|path| below(path, root).is_none())
        .filter_map(|path| below(path, &repository.root))
        .map(|path| repository.root.join(path))
        .collect();
    if relevant.is_empty() {
        return Ok(Vec::new());
    }
    let relevant: Vec<&Path> = relevant.iter().map(PathBuf::as_path).collect();
    repository.dirty(&relevant)
}
