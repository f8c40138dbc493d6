//! What a manifest asks about the directory around it, answered by the file system.

use std::path::{Path, PathBuf};

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
        self.root.join(path).is_file()
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.root.join(path).is_dir()
    }

    fn entries(&self, path: &Path) -> Vec<Entry> {
        let Ok(entries) = std::fs::read_dir(self.root.join(path)) else {
            return Vec::new();
        };
        let mut entries: Vec<Entry> = entries
            .filter_map(Result::ok)
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let kind = entry.file_type().ok()?;
                let is_dir = if kind.is_symlink() { entry.path().is_dir() } else { kind.is_dir() };
                Some(Entry { name, is_dir })
            })
            .collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries
    }
}
