//! What a call that waits for an answer is about: which files it names. For telling only; see
//! [`Question::args`](crate::sys::Question).

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use wharf_base::process::quote;

use crate::sys::Question;

/// What a call wants.
#[derive(Debug)]
pub(crate) enum Asked {
    Socket {
        /// Only processes of this machine can be reached by it.
        local: bool,
    },
    Changes(Vec<Change>),
    Nothing,
}

/// A file that a call wants to change.
#[derive(Debug)]
pub(crate) struct Change {
    /// The descriptor of the directory that a relative path begins in, if it is not the current one.
    dir: Option<i32>,
    /// Where the path lies in the asker's memory.
    address: u64,
    way: Way,
}

/// What must be so for the call to come as far as being refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The file is there, or is made.
    Open { makes: bool },
    /// It is not there.
    Make,
    /// It is there.
    Touch,
    /// Nothing.
    Replace,
}

/// The longest path that the kernel takes.
const LONGEST: usize = 4096;
/// Longer command lines are cut.
const LONGEST_SHOWN: usize = 300;

/// Reads a call.
pub(crate) fn read(question: &Question) -> Asked {
    let args = &question.args;
    let here = |address: usize, way| vec![Change { dir: None, address: args[address], way }];
    let at = |dir: usize, way| {
        // Descriptors are 32 bits wide; what is above them is chance.
        vec![Change { dir: Some(args[dir] as i32), address: args[dir + 1], way }]
    };
    let makes = |flags: u64| flags & libc::O_CREAT as u64 != 0;
    #[cfg(target_arch = "x86_64")]
    match question.call {
        libc::SYS_open => return Asked::Changes(here(0, Way::Open { makes: makes(args[1]) })),
        libc::SYS_creat => return Asked::Changes(here(0, Way::Open { makes: true })),
        libc::SYS_mkdir | libc::SYS_mknod => return Asked::Changes(here(0, Way::Make)),
        libc::SYS_symlink | libc::SYS_link => return Asked::Changes(here(1, Way::Make)),
        libc::SYS_unlink | libc::SYS_rmdir => return Asked::Changes(here(0, Way::Touch)),
        libc::SYS_rename => {
            return Asked::Changes(
                [here(0, Way::Touch), here(1, Way::Replace)].into_iter().flatten().collect(),
            );
        }
        libc::SYS_renameat => return Asked::Changes(moved(&at)),
        _ => {}
    }
    match question.call {
        libc::SYS_socket => Asked::Socket { local: args[0] as i32 == libc::AF_UNIX },
        libc::SYS_openat => Asked::Changes(at(0, Way::Open { makes: makes(args[2]) })),
        libc::SYS_openat2 => match number(question.pid, args[2]) {
            Some(flags) if flags & (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC) as u64 != 0 => {
                Asked::Changes(at(0, Way::Open { makes: makes(flags) }))
            }
            _ => Asked::Nothing,
        },
        libc::SYS_mkdirat | libc::SYS_mknodat => Asked::Changes(at(0, Way::Make)),
        libc::SYS_symlinkat => Asked::Changes(at(1, Way::Make)),
        libc::SYS_linkat => Asked::Changes(at(2, Way::Make)),
        libc::SYS_unlinkat => Asked::Changes(at(0, Way::Touch)),
        libc::SYS_renameat2 => Asked::Changes(moved(&at)),
        libc::SYS_truncate => Asked::Changes(here(0, Way::Touch)),
        _ => Asked::Nothing,
    }
}

fn moved(at: &dyn Fn(usize, Way) -> Vec<Change>) -> Vec<Change> {
    [at(0, Way::Touch), at(2, Way::Replace)].into_iter().flatten().collect()
}

impl Change {
    /// The file, links resolved; `None` if the call fails anyway.
    pub(crate) fn path_of(&self, pid: u32) -> Option<PathBuf> {
        let given = text(pid, self.address)?;
        let path = if given.is_absolute() {
            given
        } else {
            let base = match self.dir {
                Some(dir) if dir >= 0 => format!("/proc/{pid}/fd/{dir}"),
                _ => format!("/proc/{pid}/cwd"),
            };
            std::fs::read_link(base).ok()?.join(given)
        };
        let follows = matches!(self.way, Way::Open { .. });
        let is_there = if follows { path.exists() } else { path.symlink_metadata().is_ok() };
        let comes_so_far = match self.way {
            Way::Open { makes } => is_there || makes,
            Way::Make => !is_there,
            Way::Touch => is_there,
            Way::Replace => true,
        };
        if !comes_so_far {
            return None;
        }
        if follows && is_there {
            return path.canonicalize().ok();
        }
        match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => Some(parent.canonicalize().ok()?.join(name)),
            _ => path.canonicalize().ok(),
        }
    }
}

/// The command line of a process, as a shell would take it.
pub(crate) fn command_line(pid: u32) -> String {
    let bytes = std::fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline")).unwrap_or_default();
    let words: Vec<String> = bytes
        .strip_suffix(b"\0")
        .unwrap_or(&bytes)
        .split(|byte| *byte == 0)
        .map(|word| quote(&OsString::from_vec(word.to_vec())))
        .collect();
    let mut line = words.join(" ");
    if let Some((cut, _)) = line.char_indices().nth(LONGEST_SHOWN) {
        line.truncate(cut);
        line.push('…');
    }
    line
}

/// A string in the memory of a process.
fn text(pid: u32, address: u64) -> Option<PathBuf> {
    let memory = memory(pid)?;
    let mut bytes = Vec::new();
    let mut at = address;
    while bytes.len() < LONGEST {
        // Not beyond the end of a page: the next one may not be there.
        let mut buffer = [0_u8; 256];
        let rest = usize::try_from(256 - at % 256).ok()?;
        let count = memory.read_at(&mut buffer[..rest], at).ok().filter(|count| *count > 0)?;
        let part = &buffer[..count];
        if let Some(end) = part.iter().position(|byte| *byte == 0) {
            bytes.extend_from_slice(&part[..end]);
            return (!bytes.is_empty()).then(|| PathBuf::from(OsString::from_vec(bytes)));
        }
        bytes.extend_from_slice(part);
        at += count as u64;
    }
    None
}

fn number(pid: u32, address: u64) -> Option<u64> {
    let mut bytes = [0; 8];
    memory(pid)?.read_exact_at(&mut bytes, address).ok()?;
    Some(u64::from_ne_bytes(bytes))
}

fn memory(pid: u32) -> Option<File> {
    File::open(format!("/proc/{pid}/mem")).ok()
}
