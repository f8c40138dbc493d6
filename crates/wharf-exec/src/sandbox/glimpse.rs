//! What a command found where it opened something, as far as can be told without reading it.

use std::fs::File;
use std::io;
use std::path::Path;

use wharf_base::digest::Digest;

use crate::look;
use crate::signatures::Stamp;

/// Where programs put files for a moment by name, if they may.
const TEMPORARY: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];

/// What was at a path when a command opened it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Glimpse {
    /// Nothing: the next time something may be there.
    Missing,
    File(Stamp),
    /// A directory, and a digest of the names in it.
    Names(Digest),
}

impl Glimpse {
    /// What is there now; `None` if it is nothing whose content can be held. `lists` says whether directories are.
    pub(crate) fn of(path: &Path, lists: bool) -> Option<Glimpse> {
        match path.metadata() {
            Ok(found) if found.is_file() => {
                File::open(path).is_ok().then(|| Glimpse::File(Stamp::of(&found)))
            }
            Ok(found) if found.is_dir() && lists => look::names(path).ok().map(Glimpse::Names),
            Ok(_) => None,
            Err(error) => is_absent(&error).then_some(Glimpse::Missing),
        }
    }

    /// Whether what is there now can be what the command saw. That it is the same file says nothing of its content if
    /// it was written since `started`: for that there is another look.
    pub(crate) fn is_still_so(&self, path: &Path, started: i64) -> bool {
        match (self, Glimpse::of(path, true)) {
            (Glimpse::File(then), Some(Glimpse::File(now))) => *then == now || now.latest() > started,
            (then, Some(now)) => *then == now,
            (_, None) => false,
        }
    }

    /// Whether it was a file that came and went with the command, where such files are.
    pub(crate) fn was_temporary(&self, path: &Path, started: i64) -> bool {
        let is_new = matches!(self, Glimpse::File(then) if then.latest() > started);
        is_new && TEMPORARY.iter().any(|dir| path.starts_with(dir)) && !path.exists()
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
