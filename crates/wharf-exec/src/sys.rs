//! What the standard library has no safe door for. The only place in Wharf with `unsafe`.
#![allow(unsafe_code, reason = "system calls; each block says why it is sound")]

use std::io::{self, Read};
use std::os::fd::{AsRawFd, RawFd};
use std::process::{ChildStderr, ChildStdout};

use crate::step::Stream;

/// Makes this process the leader of a session and process group of its own, away from the terminal that started it;
/// does nothing if it is one already.
pub fn new_session() {
    // SAFETY: `setsid` takes no arguments and touches no memory of this process.
    unsafe { libc::setsid() };
}

/// How often a silent child's reader looks whether it should give up, in milliseconds.
const PATIENCE: i32 = 100;

/// Reads both streams of a child until they end, and hands over what comes, as it comes, from one thread. Ends early
/// when nothing comes and `give_up` says so: processes that the child started may hold the streams open after it.
pub(crate) fn read_both(
    mut out: ChildStdout,
    mut err: ChildStderr,
    give_up: impl Fn() -> bool,
    mut take: impl FnMut(Stream, &[u8]),
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut fds = [watch(out.as_raw_fd()), watch(err.as_raw_fd())];
    while fds.iter().any(|fd| fd.fd >= 0) {
        // SAFETY: `fds` is an array of two initialised `pollfd`s that outlives the call; negative descriptors are
        // ignored by `poll`.
        let ready = unsafe { libc::poll(fds.as_mut_ptr(), 2, PATIENCE) };
        if ready == 0 && give_up() {
            return Ok(());
        }
        if ready < 0 {
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::Interrupted {
                continue;
            }
            return Err(error);
        }
        for (index, stream) in [Stream::Out, Stream::Err].into_iter().enumerate() {
            if fds[index].fd < 0 || fds[index].revents == 0 {
                continue;
            }
            let read = match stream {
                Stream::Out => out.read(&mut buffer),
                Stream::Err => err.read(&mut buffer),
            };
            match read {
                Ok(0) => fds[index].fd = -1,
                Ok(count) => take(stream, &buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

fn watch(fd: RawFd) -> libc::pollfd {
    libc::pollfd { fd, events: libc::POLLIN, revents: 0 }
}

/// Whether a child has ended; it is left unreaped.
pub(crate) fn has_ended(pid: u32) -> bool {
    wait(pid, libc::WNOHANG).is_none_or(|info| {
        // SAFETY: `waitid` filled the structure in for a child, or left the zeros, of which the id is one.
        unsafe { info.si_pid() != 0 }
    })
}

/// Waits until a child has ended and leaves it unreaped, so that its process id stays its own until the caller has
/// struck it from the list of those to be killed.
pub(crate) fn wait_unreaped(pid: u32) {
    wait(pid, 0);
}

/// `waitid` without reaping; `None` if there is no such child.
fn wait(pid: u32, options: i32) -> Option<libc::siginfo_t> {
    loop {
        // SAFETY: an all-zero `siginfo_t` is a valid value of this plain C structure.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let options = libc::WEXITED | libc::WNOWAIT | options;
        // SAFETY: `info` is a valid, writable structure that outlives the call.
        let waited = unsafe { libc::waitid(libc::P_PID, pid, &raw mut info, options) };
        if waited == 0 {
            return Some(info);
        }
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return None;
        }
    }
}

/// Sends a signal to a child that is known to be unreaped.
pub(crate) fn kill(pid: u32, signal: i32) {
    if let Ok(pid) = libc::pid_t::try_from(pid) {
        // SAFETY: `kill` takes plain numbers and touches no memory of ours.
        unsafe { libc::kill(pid, signal) };
    }
}

/// The jobserver that this process was started under, if any.
pub(crate) fn inherited_jobserver() -> Option<jobserver::Client> {
    // SAFETY: the descriptors named in the environment are checked by the crate to be open pipes. That nobody else
    // has taken their numbers is what `Jobserver::inherit` asks of its caller.
    unsafe { jobserver::Client::from_env_ext(true) }.client.ok()
}
