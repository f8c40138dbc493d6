//! Where a package comes from: an id that names a source and never opens it.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cargo_util_schemas::core::{GitReference, SourceKind};
use url::Url;

/// The URL that stands for crates.io in lockfiles and manifests, whatever protocol fetches it.
pub const CRATES_IO_INDEX: &str = "https://github.com/rust-lang/crates.io-index";
/// The URL of the sparse index of crates.io.
pub const CRATES_IO_SPARSE: &str = "https://index.crates.io/";
/// The name that configuration uses for crates.io.
pub const CRATES_IO: &str = "crates-io";

/// Names one source of packages. Two ids are equal when a lockfile could not tell them apart: kind and
/// canonical URL decide, and the [`Precise`] part is compared too, since it pins what is fetched.
#[derive(Clone)]
pub struct SourceId(Arc<Inner>);

struct Inner {
    kind: SourceKind,
    url: Url,
    canonical: String,
    precise: Option<Precise>,
    /// The name in configuration by which the registry was reached; decoration only, never compared.
    registry_name: Option<String>,
}

/// A source narrowed down further than its URL says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Precise {
    /// The source takes whatever the lockfile holds (registries and paths).
    Locked,
    /// A git object id, whole or abbreviated as typed by `update --precise`.
    GitObject(String),
    /// `update --precise` asks a registry for exactly this version.
    Version {
        /// The package that is being moved.
        name: String,
        /// The version that it has now.
        from: semver::Version,
        /// The version that was asked for.
        to: semver::Version,
    },
}

/// Why a source string or URL was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceIdError {
    /// The text has no `kind+` prefix.
    #[error("invalid source `{text}`: expected `registry+`, `sparse+`, `git+` or `path+` and a URL")]
    Kind {
        /// The text as it was found.
        text: String,
    },
    /// The part after the kind is not a URL.
    #[error("invalid url `{text}`: {reason}")]
    Url {
        /// The text as it was found.
        text: String,
        /// What the URL parser said.
        reason: String,
    },
}

impl SourceId {
    /// An id of `kind` at `url`.
    pub fn new(kind: SourceKind, url: Url) -> Self {
        let canonical = canonical_url(&kind, &url);
        Self(Arc::new(Inner { kind, url, canonical, precise: None, registry_name: None }))
    }

    /// crates.io, spelled as lockfiles spell it.
    pub fn crates_io() -> Self {
        static ID: std::sync::OnceLock<SourceId> = std::sync::OnceLock::new();
        ID.get_or_init(|| {
            let url = Url::parse(CRATES_IO_INDEX).expect("the constant is a URL");
            Self::new(SourceKind::Registry, url).with_registry_name(CRATES_IO)
        })
        .clone()
    }

    /// A directory that holds one package.
    pub fn for_path(path: &Path) -> Result<Self, SourceIdError> {
        Ok(Self::new(SourceKind::Path, file_url(path)?))
    }

    /// A directory that holds vendored packages.
    pub fn for_directory(path: &Path) -> Result<Self, SourceIdError> {
        Ok(Self::new(SourceKind::Directory, file_url(path)?))
    }

    /// A directory with an index and `.crate` files.
    pub fn for_local_registry(path: &Path) -> Result<Self, SourceIdError> {
        Ok(Self::new(SourceKind::LocalRegistry, file_url(path)?))
    }

    /// A git repository at `reference`.
    pub fn for_git(url: Url, reference: GitReference) -> Self {
        Self::new(SourceKind::Git(reference), url)
    }

    /// A registry by the URL of its index; `sparse+` in front chooses the sparse protocol.
    pub fn for_registry(url: &str) -> Result<Self, SourceIdError> {
        let (kind, rest) = match url.strip_prefix("sparse+") {
            Some(rest) => (SourceKind::SparseRegistry, rest),
            None => (SourceKind::Registry, url),
        };
        Ok(Self::new(kind, parse_url(rest)?))
    }

    /// Reads the form that lockfiles and package ids use (`registry+https://…`, `git+https://…?tag=v1#abc`).
    pub fn from_encoded(text: &str) -> Result<Self, SourceIdError> {
        let Some((kind, rest)) = text.split_once('+') else {
            return Err(SourceIdError::Kind { text: text.to_owned() });
        };
        match kind {
            "git" => {
                let mut url = parse_url(rest)?;
                let reference = GitReference::from_query(url.query_pairs());
                let precise = url.fragment().map(|object| Precise::GitObject(object.to_owned()));
                url.set_fragment(None);
                url.set_query(None);
                let id = Self::for_git(url, reference);
                Ok(match precise {
                    Some(precise) => id.with_precise(Some(precise)),
                    None => id,
                })
            }
            "registry" => Ok(Self::new(SourceKind::Registry, parse_url(rest)?).locked()),
            "sparse" => Ok(Self::new(SourceKind::SparseRegistry, parse_url(rest)?).locked()),
            "path" => Ok(Self::new(SourceKind::Path, parse_url(rest)?)),
            "local-registry" => Ok(Self::new(SourceKind::LocalRegistry, parse_url(rest)?)),
            "directory" => Ok(Self::new(SourceKind::Directory, parse_url(rest)?)),
            _ => Err(SourceIdError::Kind { text: text.to_owned() }),
        }
    }

    /// The form that lockfiles and package ids use; the precise git object is the fragment.
    pub fn encoded(&self) -> String {
        let url = &self.0.url;
        match &self.0.kind {
            SourceKind::Git(reference) => {
                let mut text = format!("git+{url}");
                if let Some(pretty) = reference.pretty_ref(true) {
                    text.push_str(&format!("?{pretty}"));
                }
                if let Some(Precise::GitObject(object)) = &self.0.precise {
                    text.push_str(&format!("#{object}"));
                }
                text
            }
            SourceKind::Path => format!("path+{url}"),
            SourceKind::Registry => format!("registry+{url}"),
            SourceKind::SparseRegistry => format!("sparse+{url}"),
            SourceKind::LocalRegistry => format!("local-registry+{url}"),
            SourceKind::Directory => format!("directory+{url}"),
        }
    }

    /// What kind of source this is.
    pub fn kind(&self) -> &SourceKind {
        &self.0.kind
    }

    /// The URL as it was written (without `sparse+`).
    pub fn url(&self) -> &Url {
        &self.0.url
    }

    /// The URL as package id specifications and `metadata` write it: `sparse+` is part of it.
    pub fn spec_url(&self) -> Url {
        match self.0.kind {
            SourceKind::SparseRegistry => {
                Url::parse(&format!("sparse+{}", self.0.url)).expect("a longer scheme is a scheme too")
            }
            _ => self.0.url.clone(),
        }
    }

    /// The URL by which ids are compared: no trailing slash or `.git`, lower case on hosts that ignore case.
    pub fn canonical_url(&self) -> &str {
        &self.0.canonical
    }

    /// What the source is narrowed down to, if anything.
    pub fn precise(&self) -> Option<&Precise> {
        self.0.precise.as_ref()
    }

    /// The git object that a locked git source stands at.
    pub fn git_object(&self) -> Option<&str> {
        match &self.0.precise {
            Some(Precise::GitObject(object)) => Some(object),
            _ => None,
        }
    }

    /// The git reference of a git source.
    pub fn git_reference(&self) -> Option<&GitReference> {
        match &self.0.kind {
            SourceKind::Git(reference) => Some(reference),
            _ => None,
        }
    }

    /// The name in configuration by which the registry was reached.
    pub fn registry_name(&self) -> Option<&str> {
        self.0.registry_name.as_deref()
    }

    /// The same source with another precise part.
    #[must_use]
    pub fn with_precise(&self, precise: Option<Precise>) -> Self {
        if self.0.precise == precise {
            return self.clone();
        }
        let Inner { kind, url, canonical, precise: _, registry_name } = &*self.0;
        Self(Arc::new(Inner {
            kind: kind.clone(),
            url: url.clone(),
            canonical: canonical.clone(),
            precise,
            registry_name: registry_name.clone(),
        }))
    }

    /// The same source as a lockfile pins it.
    #[must_use]
    pub fn locked(&self) -> Self {
        self.with_precise(Some(Precise::Locked))
    }

    /// The same source with nothing pinned.
    #[must_use]
    pub fn without_precise(&self) -> Self {
        self.with_precise(None)
    }

    /// The same source, remembered under a configured registry name.
    #[must_use]
    pub fn with_registry_name(&self, name: &str) -> Self {
        let Inner { kind, url, canonical, precise, registry_name: _ } = &*self.0;
        Self(Arc::new(Inner {
            kind: kind.clone(),
            url: url.clone(),
            canonical: canonical.clone(),
            precise: precise.clone(),
            registry_name: Some(name.to_owned()),
        }))
    }

    /// Whether this is a directory with one package.
    pub fn is_path(&self) -> bool {
        self.0.kind == SourceKind::Path
    }

    /// Whether this is a git repository.
    pub fn is_git(&self) -> bool {
        matches!(self.0.kind, SourceKind::Git(_))
    }

    /// Whether this is a registry of any form (remote, local or a vendored directory is not one).
    pub fn is_registry(&self) -> bool {
        matches!(self.0.kind, SourceKind::Registry | SourceKind::SparseRegistry | SourceKind::LocalRegistry)
    }

    /// Whether this is a registry that is reached by a network protocol.
    pub fn is_remote_registry(&self) -> bool {
        matches!(self.0.kind, SourceKind::Registry | SourceKind::SparseRegistry)
    }

    /// Whether this is crates.io, under either of its index URLs.
    pub fn is_crates_io(&self) -> bool {
        match self.0.kind {
            SourceKind::Registry => self.0.url.as_str() == CRATES_IO_INDEX,
            SourceKind::SparseRegistry => self.0.url.as_str() == CRATES_IO_SPARSE,
            _ => false,
        }
    }

    /// The directory behind a `path`, `directory` or `local-registry` source.
    pub fn local_path(&self) -> Option<PathBuf> {
        match self.0.kind {
            SourceKind::Path | SourceKind::Directory | SourceKind::LocalRegistry => {
                self.0.url.to_file_path().ok()
            }
            _ => None,
        }
    }

    /// How the source is shown beside a package on status lines: a path, or `url#object`; `None` for
    /// crates.io, which goes without saying.
    pub fn display_for_status(&self) -> Option<String> {
        if self.is_crates_io() {
            return None;
        }
        Some(self.to_string())
    }

    /// Whether both name the same source when the precise part is left out.
    pub fn same_place(&self, other: &Self) -> bool {
        self.0.canonical == other.0.canonical && self.0.kind == other.0.kind
    }

    fn rank(&self) -> u8 {
        match self.0.kind {
            SourceKind::Path => 0,
            SourceKind::Registry => 1,
            SourceKind::SparseRegistry => 2,
            SourceKind::LocalRegistry => 3,
            SourceKind::Directory => 4,
            SourceKind::Git(_) => 5,
        }
    }
}

impl PartialEq for SourceId {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.cmp(other) == Ordering::Equal
    }
}

impl Eq for SourceId {}

impl PartialOrd for SourceId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SourceId {
    /// Kind, then canonical URL, then what pins a git source. `Locked` is not compared: a registry
    /// package is the same package whether a lockfile named it or not.
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Ordering::Equal;
        }
        self.rank()
            .cmp(&other.rank())
            .then_with(|| self.0.kind.cmp(&other.0.kind))
            .then_with(|| self.0.canonical.cmp(&other.0.canonical))
            .then_with(|| self.git_object().cmp(&other.git_object()))
    }
}

impl Hash for SourceId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rank().hash(state);
        self.0.canonical.hash(state);
    }
}

impl fmt::Debug for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.encoded())
    }
}

impl fmt::Display for SourceId {
    /// How people see a source: a path, `url?ref#object`, or `` `registry-url` `` with its kind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.kind {
            SourceKind::Git(reference) => {
                write!(f, "{}", self.0.url)?;
                if let Some(pretty) = reference.pretty_ref(true) {
                    write!(f, "?{pretty}")?;
                }
                if let Some(Precise::GitObject(object)) = &self.0.precise {
                    write!(f, "#{}", object.get(..8).unwrap_or(object))?;
                }
                Ok(())
            }
            SourceKind::Path => match self.0.url.to_file_path() {
                Ok(path) => write!(f, "{}", path.display()),
                Err(()) => write!(f, "{}", self.0.url),
            },
            SourceKind::Registry | SourceKind::SparseRegistry => match self.registry_name() {
                Some(name) => write!(f, "registry `{name}`"),
                None if self.is_crates_io() => write!(f, "registry `{CRATES_IO}`"),
                None => write!(f, "registry `{}`", self.0.url),
            },
            SourceKind::LocalRegistry => write!(f, "registry `{}`", local(&self.0.url)),
            SourceKind::Directory => write!(f, "dir {}", local(&self.0.url)),
        }
    }
}

fn local(url: &Url) -> String {
    url.to_file_path().map_or_else(|()| url.to_string(), |path| path.display().to_string())
}

fn parse_url(text: &str) -> Result<Url, SourceIdError> {
    Url::parse(text).map_err(|error| SourceIdError::Url { text: text.to_owned(), reason: error.to_string() })
}

fn file_url(path: &Path) -> Result<Url, SourceIdError> {
    Url::from_file_path(path).map_err(|()| SourceIdError::Url {
        text: path.display().to_string(),
        reason: "a path must be absolute to become a URL".to_owned(),
    })
}

/// The spelling by which URLs of one source are compared. Git hosts ignore a trailing slash and `.git`,
/// and GitHub ignores case; nothing of that holds for registries beyond the slash of git indexes.
fn canonical_url(kind: &SourceKind, url: &Url) -> String {
    if matches!(kind, SourceKind::SparseRegistry) {
        return url.as_str().to_owned();
    }
    let mut url = url.clone();
    if url.path().ends_with('/')
        && let Ok(mut segments) = url.path_segments_mut()
    {
        segments.pop_if_empty();
    }
    if url.host_str() == Some("github.com") {
        let lower = url.path().to_lowercase();
        url.set_path(&lower);
        if let Ok(secure) = Url::parse(&format!("https{}", &url[url::Position::AfterScheme..])) {
            url = secure;
        }
    }
    if matches!(kind, SourceKind::Git(_) | SourceKind::Registry) && url.path().ends_with(".git") {
        let shorter = url.path().trim_end_matches(".git").to_owned();
        url.set_path(&shorter);
    }
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_round_trip() {
        for text in [
            "registry+https://github.com/rust-lang/crates.io-index",
            "sparse+https://example.com/index/",
            "git+https://github.com/a/b?branch=dev#0123456789",
            "git+https://github.com/a/b#0123456789",
            "git+https://github.com/a/b?tag=v1.0",
            "path+file:///w/a",
        ] {
            assert_eq!(SourceId::from_encoded(text).unwrap().encoded(), text);
        }
        assert!(SourceId::from_encoded("https://a").is_err());
        assert!(SourceId::from_encoded("git+nothing").is_err());
    }

    #[test]
    fn one_repository_has_many_spellings() {
        let id = |text| SourceId::from_encoded(text).unwrap();
        assert_eq!(id("git+https://github.com/A/b.git"), id("git+https://github.com/a/B/"));
        assert_ne!(id("git+https://example.com/A/b"), id("git+https://example.com/a/b"));
        assert_ne!(id("git+https://e.com/a?tag=x"), id("git+https://e.com/a?branch=x"));
        assert!(id("git+https://e.com/a#1").same_place(&id("git+https://e.com/a#2")));
        assert_eq!(id("registry+https://github.com/rust-lang/crates.io-index"), SourceId::crates_io());
    }
}
