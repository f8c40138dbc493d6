//! Packages in git repositories. Clones and checkouts lie where Cargo has them.

use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use url::Url;
use wharf_base::{fs, process};
use wharf_core::source::Precise;
use wharf_core::{GitReference, Package, PackageName, SourceId};

use crate::context::Context;
use crate::download::tag_cache_directory;
use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::git::{self, Fetch, Repository};
use crate::ident;
use crate::manifests::Manifests;

/// The file that says that a checkout is whole.
const MARKER: &str = ".cargo-ok";

/// One git source: a repository and a reference or commit.
pub(crate) struct GitSource {
    /// The source that ids carry, the commit aside.
    shown: SourceId,
    /// The source that is fetched: another one under source replacement.
    served: SourceId,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    commit: Option<String>,
    checkout: Option<(PathBuf, Arc<Manifests>)>,
}

impl GitSource {
    pub fn new(shown: SourceId, served: SourceId) -> Self {
        Self { shown, served, state: Mutex::default() }
    }

    /// The source with the commit that it stands at.
    pub fn precise(&self, context: &Context) -> Result<SourceId, SourceError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.at_commit(&mut state, context)
    }

    /// The packages of one name.
    pub fn named(&self, context: &Context, name: &PackageName) -> Result<Arc<[Package]>, SourceError> {
        self.checkout(context)?.1.named(context, name)
    }

    /// All packages.
    pub fn packages(&self, context: &Context) -> Result<Vec<Package>, SourceError> {
        self.checkout(context)?.1.all(context)
    }

    fn at_commit(&self, state: &mut State, context: &Context) -> Result<SourceId, SourceError> {
        let commit = match &state.commit {
            Some(commit) => commit.clone(),
            None => {
                let wanted = Wanted::of(&self.served);
                let commit = match &wanted {
                    Wanted::Object(object, _) if self.checked_out(context, object)?.is_some() => {
                        object.clone()
                    }
                    _ => resolve(context, self.served.url(), &wanted, false)?,
                };
                state.commit.insert(commit).clone()
            }
        };
        Ok(self.shown.with_precise(Some(Precise::GitObject(commit))))
    }

    fn checkout(&self, context: &Context) -> Result<(PathBuf, Arc<Manifests>), SourceError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &state.checkout {
            return Ok(known.clone());
        }
        let precise = self.at_commit(&mut state, context)?;
        let commit = state.commit.clone().expect("it was just found");
        let dir = match self.checked_out(context, &commit)? {
            Some(dir) => dir,
            None => match self.place(context, &commit) {
                // A clone that was damaged is made anew.
                Err(SourceError::Process(_)) if context.is_online() => {
                    renew(context, self.served.url(), &Wanted::of(&self.served))?;
                    self.place(context, &commit)?
                }
                result => result?,
            },
        };
        let manifests = Arc::new(Manifests::below(precise, &dir)?);
        Ok(state.checkout.insert((dir, manifests)).clone())
    }

    /// The whole checkout of a commit, if there is one: found without git, which is a process for each question.
    fn checked_out(&self, context: &Context, commit: &str) -> Result<Option<PathBuf>, SourceError> {
        let checkouts = context.home.git_checkouts(&dir_name(context, &self.served));
        if !fs::is_dir(&checkouts) {
            return Ok(None);
        }
        for entry in fs::read_dir(&checkouts)? {
            let short = entry.name.to_string_lossy();
            // As `place` and Cargo shorten.
            let is_of_it = short.len() >= 7 && commit.starts_with(&*short);
            if is_of_it && is_whole(&entry.path, commit)? {
                return Ok(Some(entry.path));
            }
        }
        Ok(None)
    }

    /// The checkout of a commit.
    fn place(&self, context: &Context, commit: &str) -> Result<PathBuf, SourceError> {
        let name = dir_name(context, &self.served);
        let database = Repository::bare(context.home.git_database(&name));
        // At least seven digits, and more where seven are not unique: so Cargo shortens.
        let short = process::run(&database.command(["rev-parse", "--short=7", commit]))?;
        let short = String::from_utf8_lossy(&short.stdout).trim().to_owned();
        let dir = context.home.git_checkouts(&name).join(short);
        place(context, &database, commit, &dir, self.served.url())?;
        Ok(dir)
    }
}

/// What to look for in a repository.
enum Wanted {
    /// A whole object id: once it is on disk, nobody needs to be asked. The reference tells where it lies.
    Object(String, GitReference),
    /// Whatever a reference leads to now.
    Reference(GitReference),
}

impl Wanted {
    fn of(source: &SourceId) -> Self {
        let revision = match (source.git_object(), source.git_reference()) {
            (Some(object), _) => object,
            (None, Some(GitReference::Rev(revision))) => revision,
            (None, reference) => {
                return Self::Reference(reference.cloned().unwrap_or(GitReference::DefaultBranch));
            }
        };
        if git::is_object(revision) {
            let reference = source.git_reference().cloned();
            Self::Object(revision.to_owned(), reference.unwrap_or(GitReference::DefaultBranch))
        } else {
            Self::Reference(GitReference::Rev(revision.to_owned()))
        }
    }

    /// What git calls it in our clones.
    fn revision(&self) -> String {
        match self {
            Self::Object(object, _) => object.clone(),
            Self::Reference(GitReference::Branch(name)) => format!("refs/remotes/origin/{name}"),
            Self::Reference(GitReference::Tag(name)) => format!("refs/remotes/origin/tags/{name}"),
            Self::Reference(GitReference::DefaultBranch) => "refs/remotes/origin/HEAD".to_owned(),
            Self::Reference(GitReference::Rev(revision)) => revision.clone(),
        }
    }

    /// What to fetch, and whether tags too.
    fn refspecs(&self, url: &Url) -> (Vec<String>, bool) {
        match self {
            // There a single object is given out, and repositories are large.
            Self::Object(object, _) if url.host_str() == Some("github.com") => {
                (vec![format!("+{object}:refs/commit/{object}")], false)
            }
            Self::Object(_, reference) => Self::Reference(reference.clone()).refspecs(url),
            Self::Reference(GitReference::Branch(name)) => {
                (vec![format!("+refs/heads/{name}:refs/remotes/origin/{name}")], false)
            }
            Self::Reference(GitReference::Tag(name)) => {
                (vec![format!("+refs/tags/{name}:refs/remotes/origin/tags/{name}")], false)
            }
            Self::Reference(GitReference::DefaultBranch) => {
                (vec!["+HEAD:refs/remotes/origin/HEAD".to_owned()], false)
            }
            Self::Reference(GitReference::Rev(revision)) if revision.starts_with("refs/") => {
                (vec![format!("+{revision}:{revision}")], false)
            }
            Self::Reference(GitReference::Rev(_)) => (everything(), true),
        }
    }

    fn described(&self) -> String {
        match self {
            Self::Object(object, _) => format!("revision `{object}`"),
            Self::Reference(GitReference::Branch(name)) => format!("branch `{name}`"),
            Self::Reference(GitReference::Tag(name)) => format!("tag `{name}`"),
            Self::Reference(GitReference::DefaultBranch) => "the default branch".to_owned(),
            Self::Reference(GitReference::Rev(revision)) => format!("revision `{revision}`"),
        }
    }
}

/// The name of the directories of a repository.
fn dir_name(context: &Context, source: &SourceId) -> String {
    ident::with_depth(ident::git_dir(source), context.options.shallow.packages)
}

fn everything() -> Vec<String> {
    vec!["+refs/heads/*:refs/remotes/origin/*".to_owned(), "+HEAD:refs/remotes/origin/HEAD".to_owned()]
}

/// The commit that is wanted, fetched if need be.
fn resolve(context: &Context, url: &Url, wanted: &Wanted, submodule: bool) -> Result<String, SourceError> {
    let source = SourceId::for_git(url.clone(), GitReference::DefaultBranch);
    let database = Repository::bare(context.home.git_database(&dir_name(context, &source)));
    let known = database.commit(&wanted.revision())?;
    match (known, wanted) {
        (Some(commit), Wanted::Object(..)) => return Ok(commit),
        (Some(commit), _) if !context.is_online() => return Ok(commit),
        _ => context.need_network(|| format!("{} of git repository `{url}`", wanted.described()))?,
    }
    context.tell(SourceEvent::UpdatingGit { url: url.clone(), submodule });
    tag_cache_directory(&context.home.path().join("git"));
    let existed = database.exists();
    if !existed {
        database.init()?;
    }
    match bring(context, &database, url, wanted) {
        Ok(()) => {}
        Err(SourceError::Git { cause, .. }) if is_missing_reference(&cause) => {
            return Err(missing(url, wanted));
        }
        Err(SourceError::Git { .. }) if existed => renew(context, url, wanted)?,
        Err(error) => return Err(error),
    }
    database.commit(&wanted.revision())?.ok_or_else(|| missing(url, wanted))
}

/// Fetches what is wanted.
fn bring(context: &Context, database: &Repository, url: &Url, wanted: &Wanted) -> Result<(), SourceError> {
    let shallow = context.options.shallow.packages;
    let (refspecs, tags) = match wanted {
        // With one commit of history, a reference need not lead to the object.
        Wanted::Object(object, _) if shallow => (vec![format!("+{object}:refs/commit/{object}")], false),
        wanted => wanted.refspecs(url),
    };
    let fetch = Fetch { refspecs: &refspecs, tags, shallow: shallow && !tags };
    match (git::fetch(context, database, url.as_str(), &fetch), wanted) {
        // Not every server gives out single objects.
        (Err(_), Wanted::Object(..)) => {
            let fetch = Fetch { refspecs: &everything(), tags: true, shallow: false };
            git::fetch(context, database, url.as_str(), &fetch)
        }
        (fetched, _) => fetched,
    }
}

/// Makes the clone of a repository anew beside the one that does not work, and puts it in its place. Without a
/// network the old one stays.
fn renew(context: &Context, url: &Url, wanted: &Wanted) -> Result<(), SourceError> {
    let source = SourceId::for_git(url.clone(), GitReference::DefaultBranch);
    let dir = context.home.git_database(&dir_name(context, &source));
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh_dir = dir.with_file_name(name);
    let fresh = Repository::bare(fresh_dir.clone());
    fresh.init()?;
    if let Err(error) = bring(context, &fresh, url, wanted) {
        fs::remove_any(&fresh_dir)?;
        return Err(match error {
            SourceError::Git { cause, .. } if is_missing_reference(&cause) => missing(url, wanted),
            error => error,
        });
    }
    fs::remove_any(&dir)?;
    Ok(fs::rename(&fresh_dir, &dir)?)
}

fn missing(url: &Url, wanted: &Wanted) -> SourceError {
    SourceError::GitReference { url: url.to_string(), reference: wanted.described() }
}

fn is_missing_reference(error: &process::Error) -> bool {
    match error {
        process::Error::Failed { stderr, .. } => {
            String::from_utf8_lossy(stderr).contains("couldn't find remote ref")
        }
        process::Error::Start { .. } => false,
    }
}

/// Makes `dir` a checkout of `commit` with its submodules, unless it is one.
fn place(
    context: &Context,
    database: &Repository,
    commit: &str,
    dir: &Path,
    url: &Url,
) -> Result<(), SourceError> {
    if is_whole(dir, commit)? {
        return Ok(());
    }
    let checkout = Repository::with_work_tree(dir.to_owned());
    fs::remove_any(dir)?;
    fs::create_dir_all(dir.parent().unwrap_or(dir))?;
    if context.options.shallow.packages {
        // A clone takes what branches lead to, which is not everything that was fetched.
        process::run(&git::plain(["init", "--quiet", "--template=", "--"]).arg(dir))?;
        let fetch = checkout.command(["fetch", "--quiet", "--depth=1", "--no-tags", "--"]);
        process::run(&fetch.arg(database.git_dir()).arg(commit))?;
    } else {
        let clone = git::plain(["clone", "--quiet", "--local", "--no-checkout", "--template=", "--"]);
        process::run(&clone.arg(database.git_dir()).arg(dir))?;
    }
    // Sources must be the same everywhere, whatever the user's git does with line ends and large files.
    process::run(&checkout.command(["config", "core.autocrlf", "false"]))?;
    let reset = checkout.command(["-c", "core.hooksPath=/dev/null", "reset", "--quiet", "--hard", commit]);
    process::run(&reset.env("GIT_LFS_SKIP_SMUDGE", "1"))?;
    submodules(context, &checkout, dir, url)?;
    fs::write(&dir.join(MARKER), "")?;
    Ok(())
}

fn is_whole(dir: &Path, commit: &str) -> Result<bool, SourceError> {
    let checkout = Repository::with_work_tree(dir.to_owned());
    Ok(fs::exists(&dir.join(MARKER)) && checkout.head()?.as_deref() == Some(commit))
}

/// Checks out the submodules of a checkout, each at the commit that the tree names.
fn submodules(context: &Context, checkout: &Repository, dir: &Path, url: &Url) -> Result<(), SourceError> {
    if !fs::is_file(&dir.join(".gitmodules")) {
        return Ok(());
    }
    let tree = process::run(&checkout.command(["ls-tree", "-r", "-z", "HEAD"]))?;
    let links = String::from_utf8_lossy(&tree.stdout).into_owned();
    let config = process::run(&checkout.command(["config", "--file", ".gitmodules", "--list", "-z"]))?;
    let modules = modules(&String::from_utf8_lossy(&config.stdout));
    // `160000 commit <object>\t<path>`
    let links = links.split('\0').filter_map(|line| line.strip_prefix("160000 commit ")?.split_once('\t'));
    for (commit, path) in links {
        let Some(module) = modules.iter().find(|module| module.path == path) else { continue };
        let is_plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if !is_plain || module.url.is_empty() {
            continue;
        }
        if module.update == "none" {
            context.tell(SourceEvent::SkippedSubmodule { url: module.url.clone() });
            continue;
        }
        let url = submodule_url(url, &module.url)?;
        let wanted = Wanted::Object(commit.to_owned(), GitReference::Rev(commit.to_owned()));
        let commit = resolve(context, &url, &wanted, true)?;
        let source = SourceId::for_git(url.clone(), GitReference::DefaultBranch);
        let database = Repository::bare(context.home.git_database(&dir_name(context, &source)));
        place(context, &database, &commit, &dir.join(path), &url)?;
    }
    Ok(())
}

#[derive(Debug, Default)]
struct Module {
    path: String,
    url: String,
    update: String,
}

/// Reads `git config --list -z` of a `.gitmodules`: `submodule.<name>.<key>\n<value>\0`.
fn modules(text: &str) -> Vec<Module> {
    let mut found = std::collections::BTreeMap::<&str, Module>::new();
    for line in text.split('\0') {
        let Some((key, value)) = line.split_once('\n') else { continue };
        let Some((name, key)) = key.strip_prefix("submodule.").and_then(|key| key.rsplit_once('.')) else {
            continue;
        };
        let module = found.entry(name).or_default();
        match key {
            "path" => value.clone_into(&mut module.path),
            "url" => value.clone_into(&mut module.url),
            "update" => value.clone_into(&mut module.update),
            _ => {}
        }
    }
    found.into_values().collect()
}

/// The URL of a submodule, which may be relative to its parent's.
fn submodule_url(parent: &Url, text: &str) -> Result<Url, SourceError> {
    let bad = || SourceError::GitReference {
        url: parent.to_string(),
        reference: format!("a url in `{text}` of a submodule"),
    };
    if text.starts_with("./") || text.starts_with("../") {
        let mut base = parent.clone();
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", parent.path()));
        }
        return base.join(text).map_err(|_| bad());
    }
    if let Ok(url) = Url::parse(text) {
        return Ok(url);
    }
    // `user@host:path`, as git writes ssh.
    let (host, path) = text.split_once(':').ok_or_else(bad)?;
    Url::parse(&format!("ssh://{host}/{path}")).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_submodules() {
        let parent = Url::parse("https://e.com/a/b").unwrap();
        let url = |text| submodule_url(&parent, text).unwrap().to_string();
        assert_eq!(url("../c"), "https://e.com/a/c");
        assert_eq!(url("./c"), "https://e.com/a/b/c");
        assert_eq!(url("git@e.com:x/y.git"), "ssh://git@e.com/x/y.git");
        assert!(submodule_url(&parent, "nonsense").is_err());
    }

    #[test]
    fn listed_modules() {
        let text = "submodule.a.b.path\np\0submodule.a.b.url\nu\0core.x\ny\0submodule.a.b.update\nnone\0";
        let modules = modules(text);
        assert_eq!(modules.len(), 1);
        assert_eq!((&*modules[0].path, &*modules[0].url, &*modules[0].update), ("p", "u", "none"));
    }
}
