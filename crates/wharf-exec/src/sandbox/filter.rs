//! The seccomp filter of a confined command, as a program for the kernel's packet filter machine (`seccomp(2)`).
//!
//! Calls are told apart by number and, where it matters, by one argument. Most are none of ours; the kernel remembers
//! those and does not run the filter for them again.

use libc::sock_filter;

use crate::sys::Filter;

/// What the filter stops or asks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Sockets of all kinds but netlink's, and `io_uring`, by which sockets can be had too.
    pub sockets: bool,
    /// Asked about: every call that names a file in order to change it or its directory.
    pub writes: bool,
    /// Asked about: every call that opens a file to read it, with or without writing to it. `io_uring`, by which files
    /// can be opened too, is stopped.
    pub reads: bool,
}

// Classes, sizes, modes and jumps of the machine, as the kernel numbers them.
const LOAD_WORD: u16 = 0x20;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_AT_LEAST: u16 = 0x35;
const JUMP_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

/// Offsets in `struct seccomp_data`.
const CALL: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;

#[cfg(target_arch = "x86_64")]
const NATIVE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const NATIVE: u32 = 0xC000_00B7;
#[cfg(target_arch = "riscv64")]
const NATIVE: u32 = 0xC000_00F3;
/// No other kind of processor is known here.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
const NATIVE: u32 = 0;

/// Whether filters can be made for this kind of processor.
pub(crate) const IS_KNOWN: bool = NATIVE != 0;

/// The 32-bit programs that the kernel may run beside: architecture, and the calls by which they make sockets.
#[cfg(target_arch = "x86_64")]
const COMPATIBLE: (u32, &[u32]) = (0x4000_0003, &[102, 359, 425]);
#[cfg(target_arch = "aarch64")]
const COMPATIBLE: (u32, &[u32]) = (0x4000_0028, &[281, 425]);
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const COMPATIBLE: (u32, &[u32]) = (u32::MAX, &[]);

/// Calls that open a file, and which of their arguments holds the flags; `None` if it is not among them.
#[cfg(target_arch = "x86_64")]
const OPENING: [(i64, Option<u32>); 3] =
    [(libc::SYS_open, Some(1)), (libc::SYS_openat, Some(2)), (libc::SYS_openat2, None)];
#[cfg(not(target_arch = "x86_64"))]
const OPENING: [(i64, Option<u32>); 2] = [(libc::SYS_openat, Some(2)), (libc::SYS_openat2, None)];

/// Flags of which none is set when a file is only read.
const FOR_WRITING: u32 = (libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC) as u32;

/// Calls that change names or lengths.
#[cfg(target_arch = "x86_64")]
const CHANGING: [i64; 16] = [
    libc::SYS_creat,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_rename,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_unlink,
    libc::SYS_mknod,
    libc::SYS_mkdirat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_unlinkat,
    libc::SYS_mknodat,
    libc::SYS_truncate,
];
#[cfg(not(target_arch = "x86_64"))]
const CHANGING: [i64; 7] = [
    libc::SYS_mkdirat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_unlinkat,
    libc::SYS_mknodat,
    libc::SYS_truncate,
];

impl Wanted {
    /// The filter, if there is anything to stop.
    pub(crate) fn filter(self) -> Option<Filter> {
        if !IS_KNOWN || !(self.sockets || self.writes || self.reads) {
            return None;
        }
        let asking = self.program(libc::SECCOMP_RET_USER_NOTIF, libc::SECCOMP_RET_USER_NOTIF);
        let deciding = self.program(refuse(libc::EACCES), ALLOW);
        Some(Filter { asking, deciding })
    }

    fn program(self, socket: u32, write: u32) -> Vec<sock_filter> {
        let mut program = Vec::new();
        self.other_architectures(&mut program);
        if self.sockets {
            let family = [load(argument(0)), equal(libc::AF_NETLINK as u32, 0, 1), give(ALLOW), give(socket)];
            on_call(&mut program, libc::SYS_socket, &family);
        }
        if self.sockets || self.reads {
            // Programs that know it do without when the kernel has none.
            on_call(&mut program, libc::SYS_io_uring_setup, &[give(refuse(libc::ENOSYS))]);
        }
        // Typing for the user: the terminal of this process is the child's too.
        let typing = [
            load(argument(1)),
            equal(libc::TIOCSTI as u32, 2, 0),
            equal(libc::TIOCLINUX as u32, 1, 0),
            give(ALLOW),
            give(refuse(libc::EPERM)),
        ];
        on_call(&mut program, libc::SYS_ioctl, &typing);
        if self.writes || self.reads {
            for (call, flags) in OPENING {
                let asks = |flags, [some, none]: [u32; 2], bits| {
                    vec![load(argument(flags)), any_bit(bits, 1, 0), give(none), give(some)]
                };
                let test = match (flags, self.writes, self.reads) {
                    (Some(flags), true, false) => asks(flags, [write, ALLOW], FOR_WRITING),
                    (Some(flags), false, true) => asks(flags, [ALLOW, write], libc::O_WRONLY as u32),
                    _ => vec![give(write)],
                };
                on_call(&mut program, call, &test);
            }
        }
        if self.writes {
            for call in CHANGING {
                on_call(&mut program, call, &[give(write)]);
            }
        }
        program.push(give(ALLOW));
        program
    }

    /// Ends with the number of the call loaded.
    fn other_architectures(self, program: &mut Vec<sock_filter>) {
        let (compatible, sockets) = COMPATIBLE;
        let sockets = if self.sockets { sockets } else { &[] };
        let mut other = vec![equal(compatible, 1, 0), give(refuse(libc::ENOSYS)), load(CALL)];
        for call in sockets {
            other.extend([equal(*call, 0, 1), give(refuse(libc::EACCES))]);
        }
        other.push(give(ALLOW));
        program.push(load(ARCHITECTURE));
        program.push(equal(NATIVE, length(&other), 0));
        program.extend(other);
        program.push(load(CALL));
        if cfg!(target_arch = "x86_64") {
            // The x32 calls are the same under other numbers.
            program.extend([at_least(0x4000_0000, 0, 1), give(refuse(libc::ENOSYS))]);
        }
    }
}

/// What happens on one call; must end in a return on every way.
fn on_call(program: &mut Vec<sock_filter>, call: i64, then: &[sock_filter]) {
    program.push(equal(u32::try_from(call).unwrap_or(u32::MAX), 0, length(then)));
    program.extend_from_slice(then);
}

fn length(program: &[sock_filter]) -> u8 {
    u8::try_from(program.len()).expect("jumps are short")
}

/// The lower half of an argument: flags and families have no other.
fn argument(index: u32) -> u32 {
    ARGUMENTS + 8 * index
}

fn refuse(error: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | error.unsigned_abs()
}

fn load(offset: u32) -> sock_filter {
    sock_filter { code: LOAD_WORD, jt: 0, jf: 0, k: offset }
}

fn give(answer: u32) -> sock_filter {
    sock_filter { code: RETURN, jt: 0, jf: 0, k: answer }
}

fn equal(value: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: JUMP_EQUAL, jt, jf, k: value }
}

fn at_least(value: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: JUMP_AT_LEAST, jt, jf, k: value }
}

fn any_bit(mask: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: JUMP_ANY_BIT, jt, jf, k: mask }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a program as the kernel would.
    fn answer(program: &[sock_filter], architecture: u32, call: i64, args: [u32; 3]) -> u32 {
        let (mut at, mut value) = (0, 0);
        loop {
            let step = program[at];
            at += 1;
            let jump = |holds: bool| usize::from(if holds { step.jt } else { step.jf });
            match step.code {
                LOAD_WORD => {
                    value = match step.k {
                        CALL => u32::try_from(call).unwrap(),
                        ARCHITECTURE => architecture,
                        offset => args[(offset as usize - ARGUMENTS as usize) / 8],
                    }
                }
                JUMP_EQUAL => at += jump(value == step.k),
                JUMP_AT_LEAST => at += jump(value >= step.k),
                JUMP_ANY_BIT => at += jump(value & step.k != 0),
                RETURN => return step.k,
                other => panic!("no such instruction: {other:#x}"),
            }
        }
    }

    #[test]
    fn tells_calls_apart() {
        let filter = Wanted { sockets: true, writes: true, reads: false }.filter().unwrap();
        let ask = libc::SECCOMP_RET_USER_NOTIF;
        let asked = |call, args| answer(&filter.asking, NATIVE, call, args);
        for family in [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_VSOCK] {
            assert_eq!(asked(libc::SYS_socket, [family as u32, 0, 0]), ask);
        }
        assert_eq!(asked(libc::SYS_socket, [libc::AF_NETLINK as u32, 0, 0]), ALLOW);
        assert_eq!(asked(libc::SYS_socketpair, [libc::AF_UNIX as u32, 0, 0]), ALLOW);
        assert_eq!(asked(libc::SYS_io_uring_setup, [0; 3]), refuse(libc::ENOSYS));
        assert_eq!(asked(libc::SYS_openat, [0, 0, libc::O_CLOEXEC as u32]), ALLOW);
        assert_eq!(asked(libc::SYS_openat, [0, 0, (libc::O_CLOEXEC | libc::O_RDWR) as u32]), ask);
        assert_eq!(asked(libc::SYS_unlinkat, [0; 3]), ask);
        assert_eq!(asked(libc::SYS_read, [0; 3]), ALLOW);
        assert_eq!(asked(libc::SYS_ioctl, [0, libc::TIOCSTI as u32, 0]), refuse(libc::EPERM));
        assert_eq!(asked(libc::SYS_ioctl, [0, libc::TCGETS as u32, 0]), ALLOW);
        let reading = Wanted { sockets: false, writes: false, reads: true }.filter().unwrap();
        assert_eq!(answer(&reading.asking, NATIVE, libc::SYS_openat, [0; 3]), ask);
        let opened = |flags: i32| answer(&reading.asking, NATIVE, libc::SYS_openat, [0, 0, flags as u32]);
        assert_eq!(opened(libc::O_RDWR | libc::O_CREAT), ask);
        assert_eq!(opened(libc::O_WRONLY | libc::O_CREAT), ALLOW);
        assert_eq!(answer(&reading.asking, NATIVE, libc::SYS_io_uring_setup, [0; 3]), refuse(libc::ENOSYS));
        assert_eq!(answer(&reading.asking, NATIVE, libc::SYS_unlinkat, [0; 3]), ALLOW);
        let decided = |call, args| answer(&filter.deciding, NATIVE, call, args);
        assert_eq!(decided(libc::SYS_socket, [libc::AF_INET as u32, 0, 0]), refuse(libc::EACCES));
        assert_eq!(decided(libc::SYS_openat, [0, 0, libc::O_RDWR as u32]), ALLOW);
    }

    #[test]
    fn other_doors_are_shut() {
        let filter = Wanted { sockets: true, writes: false, reads: false }.filter().unwrap();
        for call in COMPATIBLE.1 {
            let answer = answer(&filter.asking, COMPATIBLE.0, i64::from(*call), [0; 3]);
            assert_eq!(answer, refuse(libc::EACCES));
        }
        assert_eq!(answer(&filter.asking, 7, libc::SYS_read, [0; 3]), refuse(libc::ENOSYS));
        if cfg!(target_arch = "x86_64") {
            let socket = libc::SYS_socket + 0x4000_0000;
            assert_eq!(answer(&filter.asking, NATIVE, socket, [0; 3]), refuse(libc::ENOSYS));
        }
        assert!(Wanted { sockets: false, writes: false, reads: false }.filter().is_none());
    }
}
