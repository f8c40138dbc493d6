//! What git knows about a package's directory, asked of the `git` command line.

use std::path::{Path, PathBuf};

use wharf_base::process::{self, Command};
use wharf_base::{fs, paths};

use crate::failure::{Context, Failure, Result};

/// Variables by which a git that calls us would lead ours astray.
const STRAY_VARIABLES: [&str; 3] = ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"];
/// The mode of a submodule in the index.
const SUBMODULE: &str = "160000";

/// A work tree.
#[derive(Clone, Debug)]
pub(super) struct Repository {
    /// The root of the work tree, spelled like the path that it was found from.
    pub root: PathBuf,
}

/// A path that git lists.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    /// Absolute.
    pub path: PathBuf,
    /// Whether it is in the index.
    pub tracked: bool,
}

impl Repository {
    /// The repository around `dir`, if there is one with a work tree.
    pub(super) fn around(dir: &Path) -> Option<Self> {
        // Starting a process only to hear that there is nothing would cost every package without git.
        dir.ancestors().find(|above| above.join(".git").exists())?;
        let output = process::output(&git(dir, ["rev-parse", "--show-cdup"])).ok()?;
        if !output.status.success() {
            return None;
        }
        let up = String::from_utf8_lossy(&output.stdout);
        Some(Self { root: paths::normalize(&dir.join(up.trim_end_matches('\n'))) })
    }

    /// Whether a file is in the index.
    pub(super) fn tracks(&self, file: &Path) -> Result<bool> {
        let command = git(&self.root, ["ls-files", "-z", "--"]).arg(pathspec(file));
        let output = process::output(&command)?;
        if !output.status.success() {
            return Err(Failure::new(format!(
                "failed to open git index of `{}`: {}",
                self.root.display(),
                String::from_utf8_lossy(&output.stderr).trim()
            )));
        }
        Ok(!output.stdout.is_empty())
    }

    /// Whether the ignore files match a file, tracked or not.
    pub(super) fn ignores(&self, file: &Path) -> Result<bool> {
        let command = git(&self.root, ["check-ignore", "--quiet", "--no-index", "--"]).arg(file);
        Ok(process::output(&command)?.status.success())
    }

    /// Everything below `dir` that is tracked, or neither tracked nor ignored. Repositories inside are one entry.
    pub(super) fn list(&self, dir: &Path) -> Result<Vec<Listed>> {
        let listed = |args: &[&str], tracked: bool| -> Result<Vec<Listed>> {
            let mut command = git(&self.root, ["ls-files", "-z"]).args(args.iter().copied());
            command = command.arg("--").arg(pathspec(dir));
            let output = process::run(&command)
                .context(|| format!("cannot list the files of git repository `{}`", self.root.display()))?;
            let names = zero_separated(&output.stdout);
            Ok(names.into_iter().map(|name| Listed { path: self.root.join(name), tracked }).collect())
        };
        let mut all = listed(&["--cached"], true)?;
        all.extend(listed(&["--others", "--exclude-standard"], false)?);
        all.dedup_by(|a, b| a.path == b.path);
        Ok(all)
    }

    /// The commit that is checked out; `None` before the first one.
    pub(super) fn head(&self) -> Result<Option<String>> {
        let output = process::output(&git(&self.root, ["rev-parse", "--verify", "--quiet", "HEAD"]))?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok(Some(text).filter(|commit| output.status.success() && !commit.is_empty()))
    }

    /// Paths that differ from the commit, are not tracked, or are ignored (directories as one path), below `within`.
    /// An ignored `Cargo.lock` does not count.
    pub(super) fn dirty(&self, within: &[&Path]) -> Result<Vec<PathBuf>> {
        let mut command = git(&self.root, ["status", "--porcelain", "-z", "--no-renames"])
            .args(["--untracked-files=all", "--ignored=matching", "--ignore-submodules=all", "--"])
            .env("GIT_OPTIONAL_LOCKS", "0");
        for path in within {
            command = command.arg(pathspec(path));
        }
        let output = process::run(&command)
            .context(|| format!("cannot ask git for the status of `{}`", self.root.display()))?;
        let mut dirty = Vec::new();
        for entry in zero_separated(&output.stdout) {
            let Some((state, name)) = entry.to_str().and_then(|entry| entry.split_at_checked(3)) else {
                continue;
            };
            let path = self.root.join(name.trim_end_matches('/'));
            if state.starts_with("!!") && path.ends_with("Cargo.lock") {
                continue;
            }
            dirty.push(path);
        }
        Ok(dirty)
    }

    /// As [`Repository::dirty`] for the submodules that are checked out, and for theirs.
    pub(super) fn dirty_submodules(&self) -> Result<Vec<PathBuf>> {
        let mut dirty = Vec::new();
        if !self.root.join(".gitmodules").exists() {
            return Ok(dirty);
        }
        let output = process::run(&git(&self.root, ["ls-files", "-s", "-z"]))?;
        for entry in zero_separated(&output.stdout) {
            let Some(entry) = entry.to_str().filter(|entry| entry.starts_with(SUBMODULE)) else { continue };
            let Some((_, name)) = entry.split_once('\t') else { continue };
            let root = self.root.join(name);
            if !root.join(".git").exists() {
                continue;
            }
            let inner = Self { root };
            dirty.extend(inner.dirty(&[&inner.root])?);
            dirty.extend(inner.dirty_submodules()?);
        }
        Ok(dirty)
    }
}

fn git<const N: usize>(dir: &Path, args: [&str; N]) -> Command {
    let mut command = Command::new("git").args(args).cwd(dir);
    for name in STRAY_VARIABLES {
        command.env.remove(name);
    }
    command
}

/// A path that git takes as it is: nothing in it is a pattern.
fn pathspec(path: &Path) -> std::ffi::OsString {
    let mut spec = std::ffi::OsString::from(":(literal)");
    spec.push(path);
    spec
}

fn zero_separated(bytes: &[u8]) -> Vec<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    bytes
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .map(|name| PathBuf::from(std::ffi::OsStr::from_bytes(name)))
        .collect()
}

/// The path below `base`, links resolved where the plain spelling does not fit.
pub(super) fn below(path: &Path, base: &Path) -> Option<PathBuf> {
    if let Ok(rest) = path.strip_prefix(base) {
        return Some(rest.to_owned());
    }
    let base = fs::canonicalize(base).ok()?;
    let real = match fs::canonicalize(path) {
        Ok(path) => path,
        Err(_) => fs::canonicalize(path.parent()?).ok()?.join(path.file_name()?),
    };
    real.strip_prefix(&base).ok().map(Path::to_owned)
}
