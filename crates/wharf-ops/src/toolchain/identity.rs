//! How a compiler is known again.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wharf_base::digest::Hasher;
use wharf_base::fs;

/// What tells without reading that a file is the one seen before. Times are in nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Signature {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Signature {
    /// The signature of the file behind all links.
    pub(super) fn of(path: &Path) -> fs::Result<Signature> {
        let found = fs::metadata(path)?;
        Ok(Signature {
            device: found.dev(),
            inode: found.ino(),
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }

    pub(super) fn is_same_file(&self, other: &Signature) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// Adds a file, or its absence, to what a remembered answer depends on.
pub(super) fn add_file(hasher: &mut Hasher, path: &Path) {
    hasher.value(path.as_os_str().as_encoded_bytes());
    match Signature::of(path) {
        Err(_) => hasher.number(0),
        Ok(Signature { device, inode, size, modified, changed }) => {
            let time =
                |(seconds, nanoseconds): (i64, i64)| [seconds.cast_unsigned(), nanoseconds.cast_unsigned()];
            let numbers = [[1, device], [inode, size], time(modified), time(changed)];
            numbers.into_iter().flatten().fold(hasher, |hasher, number| hasher.number(number))
        }
    };
}

/// The files that hold the compiler's code: the program and the library that it is a shell around.
pub(super) fn files(rustc: &Path, sysroot: &Path) -> Vec<PathBuf> {
    let mut files = vec![rustc.to_owned()];
    for entry in fs::read_dir(&sysroot.join("lib")).unwrap_or_default() {
        if entry.name.as_encoded_bytes().starts_with(b"librustc_driver-") {
            files.push(entry.path);
        }
    }
    files
}
