//! The target directories that use a store, and which directories of build scripts they refer to: one small file for
//! each target directory in `roots/`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wharf_base::digest::Digest;
use wharf_base::{fs, sealed};

use crate::signatures::now;
use crate::step::Made;
use crate::store::Store;

const MAGIC: &[u8] = b"wharf root 1\n";

/// How exactly the last use is known.
const STAMPED: Duration = Duration::from_hours(24);

/// A target directory.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Root {
    /// Its file in the store.
    #[serde(skip)]
    pub file: PathBuf,
    #[serde(with = "sealed::os")]
    pub target: PathBuf,
    /// When it was last built in, in nanoseconds since 1970.
    pub used: i64,
    /// The directories that builds used here, by package and name, and when they last did.
    pub directories: Vec<((String, String), i64)>,
}

impl Root {
    pub(crate) fn has(&self, package: &str, name: &str) -> bool {
        self.directories.iter().any(|((known, other), _)| known == package && other == name)
    }
}

/// All of them.
pub(crate) fn all(store: &Store) -> Vec<Root> {
    let files = fs::read_dir(&store.root().join("roots")).unwrap_or_default();
    files.into_iter().filter_map(|file| read(&file.path)).collect()
}

fn read(file: &Path) -> Option<Root> {
    let root: Root = sealed::open(MAGIC, &std::fs::read(file).ok()?)?;
    Some(Root { file: file.to_owned(), ..root })
}

/// Notes that a target directory uses the store, and what of it.
pub(crate) fn register<'a>(
    store: &Store,
    target: &Path,
    made: impl Iterator<Item = &'a Made>,
) -> fs::Result<()> {
    let out = store.root().join("out");
    let mut directories: Vec<(String, String)> = made
        .flat_map(|made| made.tree_path.iter().chain(&made.tree_copy))
        .filter_map(|path| {
            let mut below =
                path.strip_prefix(&out).ok()?.iter().map(|part| part.to_string_lossy().into_owned());
            Some((below.next()?, below.next()?))
        })
        .collect();
    directories.sort();
    directories.dedup();
    let dir = store.root().join("roots");
    let file = dir.join(&Digest::of(target.as_os_str().as_encoded_bytes()).to_hex()[..32]);
    let now = now();
    let fresh = now - i64::try_from(STAMPED.as_nanos()).unwrap_or(i64::MAX);
    let old = read(&file).unwrap_or_default();
    let is_known = |wanted: &(String, String)| {
        old.directories.iter().any(|(known, used)| known == wanted && *used > fresh)
    };
    if old.used > fresh && old.target == target && directories.iter().all(is_known) {
        return Ok(());
    }
    let mut all: Vec<_> = old.directories;
    all.retain(|(known, _)| !directories.contains(known));
    all.extend(directories.into_iter().map(|directory| (directory, now)));
    let root = Root { file: PathBuf::new(), target: target.to_owned(), used: now, directories: all };
    let Some(bytes) = sealed::seal(MAGIC, &root) else { return Ok(()) };
    fs::create_dir_all(&dir)?;
    fs::write_atomic(&file, bytes)
}
