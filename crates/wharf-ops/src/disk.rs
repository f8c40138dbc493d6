//! What a manifest asks about the directory around it, answered by the file system.

use std::path::{Path, PathBuf};

use wharf_base::fs;
use wharf_core::manifest::{Entry, Files};

/// Answers for one package directory.
pub(crate) struct PackageDir {
    root: PathBuf,
}

impl PackageDir {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }
}

impl Files for PackageDir {
    fn is_file(&self, path: &Path) -> bool {
        fs::is_file(&self.root.join(path))
    }

    fn is_dir(&self, path: &Path) -> bool {
        fs::is_dir(&self.root.join(path))
    }

    fn entries(&self, path: &Path) -> Vec<Entry> {
        let entries = fs::read_dir(&self.root.join(path)).unwrap_or_default();
        let named = |entry: fs::DirEntry| {
            let is_dir = if entry.kind.is_symlink() { fs::is_dir(&entry.path) } else { entry.kind.is_dir() };
            Some(Entry { name: entry.name.into_string().ok()?, is_dir })
        };
        entries.into_iter().filter_map(named).collect()
    }
}
