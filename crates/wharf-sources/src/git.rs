//! The `git` command line.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use wharf_base::fs;
use wharf_base::process::{self, Command};

use crate::context::Context;
use crate::error::SourceError;
use crate::event::SourceEvent;

/// Variables by which a git that calls us would lead ours astray.
const STRAY_VARIABLES: [&str; 5] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
];

/// A repository on disk.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    /// What `GIT_DIR` names.
    git_dir: PathBuf,
    work_tree: Option<PathBuf>,
}

impl Repository {
    /// A repository without a work tree.
    pub fn bare(dir: PathBuf) -> Self {
        Self { git_dir: dir, work_tree: None }
    }

    /// A repository with one; `.git` lies inside.
    pub fn with_work_tree(dir: PathBuf) -> Self {
        Self { git_dir: dir.join(".git"), work_tree: Some(dir) }
    }

    /// Whether there is a repository, as far as one look can tell.
    pub fn exists(&self) -> bool {
        fs::is_file(&self.git_dir.join("HEAD"))
    }

    pub fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// Makes an empty repository, removing what is there.
    pub fn init(&self) -> Result<(), SourceError> {
        let dir = self.work_tree.as_ref().unwrap_or(&self.git_dir);
        fs::remove_any(dir)?;
        fs::create_dir_all(dir)?;
        let mut command = plain(["init", "--quiet", "--template="]);
        if self.work_tree.is_none() {
            command = command.arg("--bare");
        }
        process::run(&command.arg("--").arg(dir))?;
        Ok(())
    }

    /// A git command on this repository.
    pub fn command<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Command {
        let command = plain(args).env("GIT_DIR", &self.git_dir);
        match &self.work_tree {
            Some(tree) => command.env("GIT_WORK_TREE", tree).cwd(tree),
            None => command.cwd(&self.git_dir),
        }
    }

    /// The commit that is checked out; `None` if there is none.
    pub fn head(&self) -> Result<Option<String>, SourceError> {
        // Wharf and Cargo leave the commit here, or the name of a branch that has a file of its own: no process is
        // needed for these.
        let head = self.text("HEAD")?;
        if head.is_empty() {
            return Ok(None);
        }
        let Some(branch) = head.strip_prefix("ref:").map(str::trim) else { return Ok(Some(head)) };
        let is_plain = Path::new(branch).components().all(|part| matches!(part, Component::Normal(_)));
        let object = if is_plain { self.text(branch)? } else { String::new() };
        if is_object(&object) { Ok(Some(object)) } else { self.commit("HEAD") }
    }

    /// A file of the repository's own, without white space around; empty if it is missing.
    fn text(&self, name: &str) -> Result<String, SourceError> {
        let bytes = fs::read_if_exists(&self.git_dir.join(name))?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    /// The commit that `revision` leads to; `None` if there is none.
    pub fn commit(&self, revision: &str) -> Result<Option<String>, SourceError> {
        if !self.exists() {
            return Ok(None);
        }
        let wanted = format!("{revision}^{{commit}}");
        let output = process::output(&self.command([
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &wanted,
        ]))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let found = output.status.success().then(|| text.trim().to_owned());
        Ok(found.filter(|commit| !commit.is_empty()))
    }
}

/// Whether a text is the whole id of an object, by SHA-1 or SHA-256.
pub(crate) fn is_object(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A git command that is bound to no repository and never asks questions.
pub(crate) fn plain<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new("git").args(args).env("GIT_TERMINAL_PROMPT", "0");
    for name in STRAY_VARIABLES {
        command.env.remove(name);
    }
    command
}

/// What to fetch.
pub(crate) struct Fetch<'a> {
    /// References, as git writes them.
    pub refspecs: &'a [String],
    /// All tags too.
    pub tags: bool,
    /// Leave history behind.
    pub shallow: bool,
}

/// Fetches from `url`, trying again when it fails.
pub(crate) fn fetch(
    context: &Context,
    repository: &Repository,
    url: &str,
    wanted: &Fetch<'_>,
) -> Result<(), SourceError> {
    let command = repository
        .command(["fetch", "--quiet", "--force", "--update-head-ok"])
        .arg(if wanted.tags { "--tags" } else { "--no-tags" })
        .args(wanted.shallow.then_some("--depth=1"))
        .arg("--")
        .arg(url)
        .args(wanted.refspecs);
    remove_partial_packs(repository);
    let mut failures = 0;
    loop {
        let error = match process::run(&command) {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        if failures >= context.options.retries || is_final(&error) {
            return Err(SourceError::Git { url: url.to_owned(), cause: Arc::new(error) });
        }
        let remaining = context.options.retries - failures;
        failures += 1;
        context.tell(SourceEvent::Retrying { url: url.to_owned(), reason: error.to_string(), remaining });
        let pause = Duration::from_millis(500 + u64::from(failures - 1) * 3000).min(Duration::from_secs(10));
        std::thread::sleep(context.options.retry_pause.unwrap_or(pause));
    }
}

/// A fetch that was killed leaves a pack behind that nobody will ever finish; they can be large. The lock on the
/// home is held, so nobody is writing one now. What cannot be removed does no harm.
fn remove_partial_packs(repository: &Repository) {
    for entry in fs::read_dir(&repository.git_dir.join("objects/pack")).unwrap_or_default() {
        let name = entry.name.as_encoded_bytes();
        // As git and libgit2 call them.
        if name.starts_with(b"tmp_pack_") || name.starts_with(b"pack_git2_") {
            drop(fs::remove_file(&entry.path));
        }
    }
}

/// Whether trying again cannot help: the repository or the reference does not exist, or access is refused.
fn is_final(error: &process::Error) -> bool {
    let process::Error::Failed { stderr, .. } = error else { return true };
    let text = String::from_utf8_lossy(stderr).to_lowercase();
    [
        "not found",
        "not a git repository",
        "does not appear to be a git repository",
        "couldn't find remote ref",
        "does not exist",
        "could not read username",
        "permission denied",
        "authentication failed",
    ]
    .iter()
    .any(|sign| text.contains(sign))
}
