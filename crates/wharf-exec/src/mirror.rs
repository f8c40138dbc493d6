//! A second place for what a command filled a directory with. It is named by the content, so that its path is the same
//! in every checkout, and what is compiled from it too.

use std::path::{Path, PathBuf};

use wharf_base::fs;
use wharf_base::lock::{self, Mode};

use crate::signatures::Signatures;
use crate::step::TreeCopy;
use crate::tree::{Manifest, Node};

/// More bytes than this are not laid down twice.
const MOST: u64 = 64 << 20;

/// Sees to it that the content of `source` is in its second place. `None` if it has none: there is nothing in it, too
/// much, or links, which lead somewhere else from there.
pub(crate) fn fill(
    copy: &TreeCopy,
    manifest: &Manifest,
    source: &Path,
    signatures: &Signatures,
) -> fs::Result<Option<PathBuf>> {
    let mut bytes = None;
    for entry in &manifest.entries {
        match &entry.node {
            Node::Dir => {}
            Node::File { size, .. } => *bytes.get_or_insert(0) += size,
            Node::Link(_) => return Ok(None),
        }
    }
    if bytes.is_none_or(|bytes| bytes > MOST) {
        return Ok(None);
    }
    let name = manifest.digest().short();
    let path = copy.root.join(&name).join(&copy.below);
    if manifest.is_at(&path, signatures) {
        return Ok(Some(path));
    }
    fs::create_dir_all(&copy.root)?;
    let _lock = lock::acquire(&copy.root.join(format!("{name}.lock")), Mode::Exclusive, || ())?;
    if !manifest.is_at(&path, signatures) {
        fs::remove_any(&path)?;
        fs::create_dir_all(&path)?;
        for entry in &manifest.entries {
            let (from, to) = (source.join(&entry.path), path.join(&entry.path));
            match &entry.node {
                Node::Dir => fs::create_dir(&to)?,
                Node::File { executable, .. } => {
                    fs::copy_with_mode(&from, &to, if *executable { 0o755 } else { 0o644 })?;
                }
                Node::Link(_) => {}
            }
        }
        if !manifest.is_at(&path, signatures) {
            return Ok(None);
        }
    }
    fs::write_atomic(&copy.root.join(&name).join("whole"), manifest.digest().to_hex())?;
    Ok(Some(path))
}

#[cfg(test)]
mod tests {
    use wharf_base::digest::Digest;

    use super::*;

    #[test]
    fn equal_contents_have_one_place() {
        let dir = tempfile::tempdir().unwrap();
        let signatures = Signatures::load(&dir.path().join("signatures"), Digest::of("boot"));
        let copy = TreeCopy { root: dir.path().join("out"), below: "build/out".into() };
        let place = |name: &str, content: &str| {
            let source = dir.path().join(name);
            fs::create_dir_all(&source.join("sub")).unwrap();
            fs::write(&source.join("sub/file"), content).unwrap();
            let manifest = Manifest::scan(&source, &signatures).unwrap();
            fill(&copy, &manifest, &source, &signatures).unwrap()
        };
        let first = place("one", "a").unwrap();
        assert_eq!(place("two", "a"), Some(first.clone()));
        assert_ne!(place("three", "b"), Some(first.clone()));
        // Somebody wrote there.
        fs::write(&first.join("more"), "x").unwrap();
        assert_eq!(place("one", "a"), Some(first.clone()));
        assert!(!first.join("more").exists());
        assert_eq!(fs::read_to_string(&first.join("sub/file")).unwrap(), "a");

        let empty = dir.path().join("empty");
        fs::create_dir_all(&empty).unwrap();
        assert_eq!(fill(&copy, &Manifest::default(), &empty, &signatures).unwrap(), None);
    }
}
