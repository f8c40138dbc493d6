//! Directories of trees whose place is chosen: `<root>/<number>/<below>`. One that is whole carries the digest of
//! what it holds in `<root>/<number>/whole` and never changes again; one without is being filled, or was left behind.

use std::path::{Path, PathBuf};

use wharf_base::digest::Digest;
use wharf_base::fs;
use wharf_base::lock::{self, Lock, Mode};

use crate::signatures::Signatures;
use crate::step::TreeOutput;
use crate::tree::Manifest;

/// A directory that this run may fill.
pub(crate) struct Claim {
    pub number: u32,
    _lock: Lock,
}

/// Where a tree lies. `None` if its place is chosen and the number is not known.
pub(crate) fn path_of(tree: &TreeOutput, number: Option<u32>) -> Option<PathBuf> {
    match tree {
        TreeOutput::At(path) => Some(path.clone()),
        TreeOutput::Chosen { root, below, .. } => {
            number.map(|number| root.join(number.to_string()).join(below))
        }
    }
}

/// Takes the lowest number that is neither whole nor being filled.
pub(crate) fn claim(root: &Path) -> fs::Result<Claim> {
    fs::create_dir_all(root)?;
    let mut number = 0;
    loop {
        number += 1;
        if marked(root, number)?.is_some() {
            continue;
        }
        let Some(lock) = lock::try_acquire(&lock_path(root, number), Mode::Exclusive)? else {
            continue;
        };
        // Another process may have finished between the two looks.
        if marked(root, number)?.is_none() {
            return Ok(Claim { number, _lock: lock });
        }
    }
}

/// The lock of whoever fills a directory.
pub(crate) fn lock_path(root: &Path, number: u32) -> PathBuf {
    root.join(format!("{number}.lock"))
}

/// Whether the directory of this number (`<root>/<number>`) holds what its mark says; one without a mark is being
/// filled.
pub(crate) fn is_unaltered(numbered: &Path) -> bool {
    let Ok(Some(marked)) = fs::read_if_exists(&numbered.join("whole")) else { return true };
    let name = numbered.parent().and_then(Path::file_name).unwrap_or_default();
    // As the plan shapes it: `<profile>/build/<name>/out`.
    let trees = fs::read_dir(numbered).unwrap_or_default().into_iter().filter(|entry| entry.kind.is_dir());
    let signatures = Signatures::load(&numbered.join("none"), Digest::of("none"));
    trees.map(|tree| tree.path.join("build").join(name).join("out")).all(|tree| {
        Manifest::scan(&tree, &signatures).is_ok_and(|now| now.digest().to_hex().as_bytes() == marked)
    })
}

/// Says that a directory is whole.
pub(crate) fn mark(root: &Path, number: u32, content: Digest) -> fs::Result<()> {
    fs::write_atomic(&marker(root, number), content.to_hex())
}

/// The digest of a whole directory's content, as text.
pub(crate) fn marked(root: &Path, number: u32) -> fs::Result<Option<String>> {
    let text = fs::read_if_exists(&marker(root, number))?;
    Ok(text.map(|text| String::from_utf8_lossy(&text).into_owned()))
}

/// An older directory that holds the same, untouched.
pub(crate) fn same_as(
    tree: &TreeOutput,
    manifest: &Manifest,
    newest: u32,
    signatures: &Signatures,
) -> fs::Result<Option<u32>> {
    let TreeOutput::Chosen { root, .. } = tree else { return Ok(None) };
    let wanted = manifest.digest().to_hex();
    for number in 1..newest {
        let is_same = marked(root, number)?.is_some_and(|content| content == wanted)
            && path_of(tree, Some(number)).is_some_and(|path| manifest.is_at(&path, signatures));
        if is_same {
            return Ok(Some(number));
        }
    }
    Ok(None)
}

fn marker(root: &Path, number: u32) -> PathBuf {
    root.join(number.to_string()).join("whole")
}
