//! Which files may be changed.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wharf_base::{fs, paths};

/// The place that source files of members lie in. Macros lead the compiler to suggest changes of files elsewhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Region {
    /// The workspace.
    pub within: Vec<PathBuf>,
    /// What belongs to nobody or to somebody else although it lies there: what was downloaded, and what was made.
    pub without: Vec<PathBuf>,
}

impl Region {
    /// Whether a file, named as the compiler names it from `cwd`, may be changed.
    pub(super) fn holds(&self, cwd: &Path, file: &str) -> bool {
        let path = paths::normalize(&cwd.join(file));
        let is_in = |directories: &[PathBuf]| directories.iter().any(|directory| path.starts_with(directory));
        is_in(&self.within) && !is_in(&self.without) && !self.is_vendored(&path)
    }

    /// Vendored packages have a list of checksums that must go on to fit.
    fn is_vendored(&self, path: &Path) -> bool {
        let own = |above: &&Path| self.within.iter().any(|root| above.starts_with(root));
        let mut above = path.ancestors().skip(1).take_while(own);
        above.any(|directory| fs::exists(&directory.join(".cargo-checksum.json")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sources_of_the_workspace() {
        let region =
            Region { within: vec!["/w".into()], without: vec!["/w/target".into(), "/w/home/.cargo".into()] };
        let cwd = Path::new("/w/foo");
        for file in ["src/lib.rs", "../bar/src/lib.rs", "/w/x.rs", "target/x.rs"] {
            assert!(region.holds(cwd, file), "{file}");
        }
        let others =
            ["../../x.rs", "/x.rs", "/w/target/debug/build/foo/out/x.rs", "/w/home/.cargo/registry/x.rs"];
        for file in others {
            assert!(!region.holds(cwd, file), "{file}");
        }
    }

    #[test]
    fn vendored_packages_stay() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().to_owned();
        std::fs::create_dir_all(root.join("vendor/bar/src")).unwrap();
        std::fs::write(root.join("vendor/bar/.cargo-checksum.json"), "{}").unwrap();
        let region = Region { within: vec![root.clone()], without: Vec::new() };
        assert!(!region.holds(&root, "vendor/bar/src/lib.rs"));
        assert!(region.holds(&root, "vendor/foo/src/lib.rs"));
    }
}
