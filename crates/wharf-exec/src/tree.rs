//! Directories that a command fills: what is in one, and putting it back.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wharf_base::digest::{Digest, Hasher};
use wharf_base::fs;

use crate::sealed::os;
use crate::signatures::Signatures;

/// All that is in a directory, in order of path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub entries: Vec<TreeEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TreeEntry {
    /// Relative to the directory.
    #[serde(with = "os")]
    pub path: PathBuf,
    pub node: Node,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Node {
    Dir,
    File { digest: Digest, size: u64, executable: bool },
    Link(#[serde(with = "os")] PathBuf),
}

impl Manifest {
    /// What is in `root` now. Sockets and the like are left out: nobody can put them back.
    pub(crate) fn scan(root: &Path, signatures: &Signatures) -> fs::Result<Manifest> {
        let mut manifest = Manifest::default();
        manifest.add(root, Path::new(""), signatures)?;
        Ok(manifest)
    }

    fn add(&mut self, root: &Path, below: &Path, signatures: &Signatures) -> fs::Result<()> {
        for entry in fs::read_dir(&root.join(below))? {
            let path = below.join(&entry.name);
            if entry.kind.is_symlink() {
                self.entries.push(TreeEntry { path, node: Node::Link(fs::read_link(&entry.path)?) });
            } else if entry.kind.is_dir() {
                self.entries.push(TreeEntry { path: path.clone(), node: Node::Dir });
                self.add(root, &path, signatures)?;
            } else if entry.kind.is_file() {
                let metadata = fs::metadata(&entry.path)?;
                let digest = signatures.content(&entry.path, &metadata)?.digest;
                let executable = metadata.permissions().mode() & 0o100 != 0;
                self.entries
                    .push(TreeEntry { path, node: Node::File { digest, size: metadata.size(), executable } });
            }
        }
        Ok(())
    }

    /// Whether `root` holds this and nothing else.
    pub(crate) fn is_at(&self, root: &Path, signatures: &Signatures) -> bool {
        Manifest::scan(root, signatures).is_ok_and(|now| now == *self)
    }

    /// A digest of the whole.
    pub(crate) fn digest(&self) -> Digest {
        let mut hasher = Hasher::for_purpose("tree made");
        for TreeEntry { path, node } in &self.entries {
            hasher.value(path.as_os_str().as_bytes());
            match node {
                Node::Dir => hasher.value("directory"),
                Node::File { digest, size: _, executable } => {
                    hasher.value(if *executable { "program" } else { "file" }).digest(digest)
                }
                Node::Link(target) => hasher.value("link").value(target.as_os_str().as_bytes()),
            };
        }
        hasher.finish()
    }
}
