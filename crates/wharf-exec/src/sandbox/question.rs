//! What a call that waits for an answer is about: which files it names. For telling only; see
//! [`Question::args`](crate::sys::Question).

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use wharf_base::process::quote;

use crate::sys::{Question, read_memory};

/// What a call wants.
#[derive(Debug)]
pub(crate) enum Asked {
    Socket {
        /// Only processes of this machine can be reached by it.
        local: bool,
    },
    Changes(Vec<Change>),
    /// Opens a file to read it.
    Reads(Change),
    /// Opens a file to read and to change it.
    Both(Change),
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

/// Flags of which none is set when a file is only read.
const FOR_WRITING: u64 = (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC) as u64;
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
    let opens = |change: Vec<Change>, flags: u64| match change.into_iter().next() {
        Some(change) if flags & FOR_WRITING == 0 => Asked::Reads(change),
        Some(change) => {
            let way = Way::Open { makes: flags & libc::O_CREAT as u64 != 0 };
            let reads = flags & libc::O_ACCMODE as u64 == libc::O_RDWR as u64;
            let keeps = flags & libc::O_TRUNC as u64 == 0;
            let change = Change { way, ..change };
            if reads && keeps { Asked::Both(change) } else { Asked::Changes(vec![change]) }
        }
        None => Asked::Nothing,
    };
    #[cfg(target_arch = "x86_64")]
    match question.call {
        libc::SYS_open => return opens(here(0, Way::Touch), args[1]),
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
        libc::SYS_openat => opens(at(0, Way::Touch), args[2]),
        libc::SYS_openat2 => match number(question.pid, args[2]) {
            Some(flags) => opens(at(0, Way::Touch), flags),
            None => Asked::Nothing,
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
    /// Whether the file is made if it is not there.
    pub(crate) fn makes(&self) -> bool {
        self.way == Way::Open { makes: true }
    }

    /// The file, links resolved; `None` if the call fails anyway.
    pub(crate) fn path_of(&self, pid: u32) -> Option<PathBuf> {
        let path = self.plain_path_of(pid)?;
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

impl Change {
    /// The file as the asker names it, made absolute.
    pub(crate) fn plain_path_of(&self, pid: u32) -> Option<PathBuf> {
        let given = text(pid, self.address)?;
        if given.is_absolute() {
            return Some(past_own_link(pid, &given).unwrap_or(given));
        }
        let base = match self.dir {
            Some(dir) if dir >= 0 => format!("/proc/{pid}/fd/{dir}"),
            _ => format!("/proc/{pid}/cwd"),
        };
        Some(std::fs::read_link(base).ok()?.join(given))
    }
}

/// Where a path leads that begins with the asker's own link to the directory that it is in, such as the mark of a
/// checkout. `/proc` itself tells nothing that counts.
fn past_own_link(pid: u32, path: &Path) -> Option<PathBuf> {
    let mut parts = path.strip_prefix("/proc").ok()?.components();
    let process = parts.next()?.as_os_str().to_str()?;
    let is_own = matches!(process, "self" | "thread-self") || process.parse() == Ok(pid);
    let is_link = is_own && parts.next()?.as_os_str() == "cwd";
    let base = std::fs::read_link(format!("/proc/{pid}/cwd")).ok().filter(|_| is_link)?;
    Some(base.join(parts.as_path()))
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
    let mut bytes = Vec::new();
    let mut at = address;
    while bytes.len() < LONGEST {
        // Not beyond the end of a page: the next one may not be there.
        let mut buffer = [0_u8; 512];
        let rest = usize::try_from(512 - at % 512).ok()?;
        let count = read_memory(pid, at, &mut buffer[..rest])?;
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
    let count = read_memory(pid, address, &mut bytes)?;
    (count == bytes.len()).then(|| u64::from_ne_bytes(bytes))
}
