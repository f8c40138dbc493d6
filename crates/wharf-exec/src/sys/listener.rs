//! Questions of children whose seccomp filter asks about some calls (`seccomp_unotify(2)`).

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr;

/// From `linux/seccomp.h`.
const SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP: libc::c_ulong = 1;

/// Where the questions of a child and its descendants come from.
pub(crate) struct Listener(OwnedFd);

/// A call that waits for an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question {
    id: u64,
    /// The thread that asks.
    pub pid: u32,
    /// The number of the call.
    pub call: i64,
    /// Its arguments. What they point to may be changed by other threads of the child: good for telling, not for
    /// deciding.
    pub args: [u64; 6],
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The kernel goes on with it.
    GoOn,
    /// It fails with this error.
    Refuse(i32),
}

impl Listener {
    pub(super) fn new(fd: OwnedFd) -> Listener {
        // The asker and this process take turns on one processor, which halves the time of an answer (Linux 6.6; an
        // older kernel does not know of it).
        let flags = SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP;
        // SAFETY: plain numbers; the descriptor is a listener.
        unsafe { libc::ioctl(fd.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, flags) };
        Listener(fd)
    }

    pub(super) fn raw(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// The next question; `None` if the one who asked is gone.
    pub(super) fn hear(&self) -> io::Result<Option<Question>> {
        // SAFETY: an all-zero `seccomp_notif` is a valid value, and what the kernel asks for.
        let mut notice: libc::seccomp_notif = unsafe { mem::zeroed() };
        // SAFETY: `notice` is a valid, writable structure of the size that the request's number holds.
        let done = unsafe { libc::ioctl(self.raw(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut notice) };
        if done == 0 {
            let libc::seccomp_notif { id, pid, data, .. } = notice;
            return Ok(Some(Question { id, pid, call: data.nr.into(), args: data.args }));
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::ENOENT | libc::EINTR | libc::EAGAIN) => Ok(None),
            _ => Err(error),
        }
    }

    /// Lets the one who asked go on. That it may be gone by now is no error.
    pub(super) fn answer(&self, question: &Question, answer: Answer) {
        let (error, flags) = match answer {
            Answer::GoOn => (0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
            Answer::Refuse(error) => (-error, 0),
        };
        let mut response = libc::seccomp_notif_resp { id: question.id, val: 0, error, flags };
        // SAFETY: `response` is a valid structure of the size that the request's number holds.
        unsafe { libc::ioctl(self.raw(), libc::SECCOMP_IOCTL_NOTIF_SEND, ptr::from_mut(&mut response)) };
    }

    /// Whether what was read of the one who asked was really its own: it could have ended, and its number be another's.
    pub(crate) fn still_asks(&self, question: &Question) -> bool {
        // SAFETY: the argument points to a valid id.
        unsafe { libc::ioctl(self.raw(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const question.id) == 0 }
    }
}

/// Reads memory of another process as far as it goes; `None` if nothing can be read there.
pub(crate) fn read_memory(pid: u32, address: u64, buffer: &mut [u8]) -> Option<usize> {
    let pid = libc::pid_t::try_from(pid).ok()?;
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let remote = libc::iovec {
        iov_base: ptr::without_provenance_mut(usize::try_from(address).ok()?),
        iov_len: buffer.len(),
    };
    // SAFETY: `local` is a valid buffer that outlives the call; `remote` is checked by the kernel.
    let count = unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) };
    usize::try_from(count).ok().filter(|count| *count > 0)
}
