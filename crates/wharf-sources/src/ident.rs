//! Names of directories below `$CARGO_HOME`. They must equal Cargo's, byte for byte, or caches are not shared.

use std::hash::{Hash, Hasher};

use rustc_stable_hash::StableSipHasher128;
use url::{Position, Url};
use wharf_core::{SourceId, SourceKind};

/// The name of a registry's directories: `index.crates.io-1949cf8c6b5b557f`.
pub(crate) fn registry_dir(source: &SourceId) -> String {
    let url = spelled(source);
    let mut hasher = StableSipHasher128::new();
    source.kind().hash(&mut hasher);
    canonical(&url).as_str().hash(&mut hasher);
    format!("{}-{}", url.host_str().unwrap_or(""), short(hasher))
}

/// What is fetched without its history is kept apart.
pub(crate) fn with_depth(mut name: String, shallow: bool) -> String {
    if shallow {
        name.push_str("-shallow");
    }
    name
}

/// The name of a git repository's directories: the last part of its path, and a hash of its URL. All branches,
/// tags and revisions share it.
pub(crate) fn git_dir(source: &SourceId) -> String {
    let url = canonical(source.url());
    let mut hasher = StableSipHasher128::new();
    url.as_str().hash(&mut hasher);
    let last = url.path_segments().and_then(|mut segments| segments.next_back()).unwrap_or("");
    format!("{}-{}", if last.is_empty() { "_empty" } else { last }, short(hasher))
}

/// The URL with the protocol in front, as Cargo keeps sparse registries.
fn spelled(source: &SourceId) -> Url {
    match source.kind() {
        SourceKind::SparseRegistry => {
            Url::parse(&format!("sparse+{}", source.url())).unwrap_or_else(|_| source.url().clone())
        }
        _ => source.url().clone(),
    }
}

fn short(hasher: StableSipHasher128) -> String {
    hex::encode(Hasher::finish(&hasher).to_le_bytes())
}

/// The spelling of a URL that Cargo hashes: no trailing slash, no `.git`, GitHub in lower case.
fn canonical(url: &Url) -> Url {
    let mut url = url.clone();
    if url.cannot_be_a_base() {
        return url;
    }
    if url.path().ends_with('/')
        && let Ok(mut segments) = url.path_segments_mut()
    {
        segments.pop_if_empty();
    }
    if url.host_str() == Some("github.com") {
        let https = format!("https{}", &url[Position::AfterScheme..]);
        url = Url::parse(&https).unwrap_or(url);
        let path = url.path().to_lowercase();
        url.set_path(&path);
    }
    if let Some(stem) = url.path().strip_suffix(".git") {
        let last = stem.rsplit('/').next().unwrap_or("").to_owned();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop().push(&last);
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_core::GitReference;

    fn registry(url: &str) -> String {
        registry_dir(&SourceId::for_registry(url).unwrap())
    }

    fn git(url: &str) -> String {
        git_dir(&SourceId::for_git(Url::parse(url).unwrap(), GitReference::DefaultBranch))
    }

    // The values are those that cargo 1.95 makes on disk.
    #[test]
    fn registries() {
        assert_eq!(registry("sparse+https://index.crates.io/"), "index.crates.io-1949cf8c6b5b557f");
        assert_eq!(registry("https://github.com/rust-lang/crates.io-index"), "github.com-25cdd57fae9f0462");
        assert_eq!(registry("https://my-crates.io"), "my-crates.io-b2d65deb64f05373");
        let local = SourceId::for_local_registry(std::path::Path::new("/tmp/ws/crate")).unwrap();
        assert_eq!(registry_dir(&local), "-58d73c154f81d09f");
    }

    #[test]
    fn repositories() {
        assert_eq!(git("https://github.com/A/b.git"), git("https://github.com/a/B/"));
        assert!(git("https://e.com/").starts_with("_empty-"));
    }
}
