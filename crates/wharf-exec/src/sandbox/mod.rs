//! What a command may do beside computing: where it may write and read, and whether it may reach the network.
//!
//! On Linux a confined command puts a Landlock ruleset and a seccomp filter on itself before it becomes another program,
//! and neither it nor what it starts can take them off. Landlock decides about files and tells nobody; so the filter
//! asks this process about calls that change files, only to know what was wanted, and the kernel decides. Sockets are
//! decided here. Elsewhere, and on kernels that lack either, commands run as far unconfined, which is told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::step::TreeWatch;

#[cfg(target_os = "linux")]
mod filter;
mod glimpse;
#[cfg(target_os = "linux")]
mod question;
#[cfg(target_os = "linux")]
mod room;

pub(crate) use glimpse::Glimpse;
#[cfg(target_os = "linux")]
pub(crate) use room::Room;

/// What a command may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confinement {
    /// Whether it may make sockets for anything but the kernel itself.
    pub network: bool,
    /// Files, and directories with all below them, that it may change beside its scratch directory and the directory
    /// that it fills; `None` is any. A missing one is made, as a directory.
    pub writes: Option<Vec<PathBuf>>,
    /// The same for reading and running; `None` is any. What may be written may be read.
    pub reads: Option<Vec<PathBuf>>,
    /// Whether it is noticed which files it changes, allowed or not. Costs some time for each.
    pub watches: bool,
    /// Of the changed files, those that belong to the result: it serves only in this checkout, and while they are there.
    pub own: Option<TreeWatch>,
    /// Which files that it opens to read them become a part of what its result rests on; `None` is none. Costs some
    /// time for each, too.
    pub noticed: Option<Noticed>,
    /// Variables that name the command's own directory for temporary files, or a directory in it.
    pub temporary: Vec<(String, PathBuf)>,
}

/// Files whose content counts if a command opens them: all but these, but its own ones, and but shared libraries, which
/// every program opens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Noticed {
    /// Directories whose files do not count.
    pub skip: Vec<PathBuf>,
    /// Nor do those below directories of these names.
    pub skip_names: Vec<String>,
    /// Of these directories files count that are there; elsewhere also that one is not there.
    pub system: Vec<PathBuf>,
    /// Files of those directories whose names end so do not count.
    pub system_skip_endings: Vec<String>,
    /// Whether the names in a directory that the command opens count, too.
    pub lists: bool,
    /// What is read below directories of these names is different in each checkout, whatever it is: the result then
    /// serves in no other.
    pub local_names: Vec<String>,
}

/// Something that a confined command wanted and was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stopped {
    /// The command line of the process that wanted it: the command, or something that it started.
    pub program: String,
    /// What it wanted.
    pub deed: Deed,
}

/// What can be refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Deed {
    /// A socket that reaches other machines, or this one as if it were another.
    Network,
    /// A socket to processes of this machine. Name services try it in vain on many machines.
    LocalSocket,
    /// Changing this file or directory.
    Write(PathBuf),
}

/// What was noticed of a command.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// What it was refused.
    pub stopped: Vec<Stopped>,
    /// Files of its own that it changed.
    pub wrote: BTreeSet<PathBuf>,
    /// Files and directories that it read, or tried to, and what was there.
    pub read: BTreeMap<PathBuf, Glimpse>,
    /// Whether it read what is different in each checkout.
    pub is_local: bool,
}

/// What the kernel lacks of a sandbox. Commands run without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lacking {
    /// Nothing keeps commands from reading and writing files (Landlock, Linux 5.19).
    pub files: bool,
    /// Nothing keeps commands off the network (seccomp with user notification, Linux 5.0).
    pub network: bool,
}

/// What begins a kept line that holds something else than text.
const MARK: &str = "\u{1}stopped ";

impl Stopped {
    /// As a line that can be kept with a result.
    pub(crate) fn to_line(&self) -> String {
        format!("{MARK}{}", serde_json::to_string(self).unwrap_or_default())
    }

    /// Reads such a line.
    pub(crate) fn of_line(line: &str) -> Option<Stopped> {
        serde_json::from_str(line.strip_prefix(MARK)?).ok()
    }
}

impl Lacking {
    /// Whether nothing is lacking.
    pub fn is_nothing(self) -> bool {
        self == Lacking::default()
    }
}

/// What is lacking here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn lacking() -> Lacking {
    Lacking { files: true, network: true }
}

/// What is lacking here.
#[cfg(target_os = "linux")]
pub(crate) fn lacking() -> Lacking {
    use std::sync::OnceLock;
    static LACKING: OnceLock<Lacking> = OnceLock::new();
    *LACKING.get_or_init(|| Lacking {
        // Before version 2 no file could be moved from one directory to another, which compilers do.
        files: crate::sys::landlock_version() < 2,
        network: !filter::IS_KNOWN || !crate::sys::has_seccomp(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_the_same() {
        let stopped = Stopped { program: "sh -c 'x'".into(), deed: Deed::Write("/home/a b".into()) };
        assert_eq!(Stopped::of_line(&stopped.to_line()), Some(stopped));
        assert_eq!(Stopped::of_line("stopped {}"), None);
    }
}
