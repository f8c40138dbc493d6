//! What the standard library has no safe door for. The only place in Wharf with `unsafe`.
#![allow(unsafe_code, reason = "system calls; each block says why it is sound")]

use std::ffi::CString;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ChildStderr, ChildStdout, ExitStatus};

use crate::step::Stream;

#[cfg(target_os = "linux")]
mod listener;
#[cfg(target_os = "linux")]
mod spawn;

#[cfg(target_os = "linux")]
pub(crate) use listener::{Answer, Listener, Question, read_memory};
#[cfg(target_os = "linux")]
pub(crate) use spawn::{Cage, Filter, Order, Started, spawn};

/// Makes this process the leader of a session and process group of its own, away from the terminal that started it;
/// does nothing if it is one already.
pub fn new_session() {
    // SAFETY: `setsid` takes no arguments and touches no memory of this process.
    unsafe { libc::setsid() };
}

/// Whether this process may make files in a directory.
pub(crate) fn check_writable(dir: &Path) -> io::Result<()> {
    let path = CString::new(dir.as_os_str().as_bytes())?;
    // SAFETY: the path is a string that ends with a zero byte and outlives the call.
    match unsafe { libc::access(path.as_ptr(), libc::W_OK | libc::X_OK) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// How many bytes the file system of a path has room for in all; `None` if nobody knows.
pub fn disk_size(path: &Path) -> Option<u64> {
    let there = path.ancestors().find(|path| path.exists())?;
    let path = CString::new(there.as_os_str().as_bytes()).ok()?;
    // SAFETY: an all-zero `statvfs` is a valid value of this plain C structure.
    let mut found: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: the path is a string that ends with a zero byte, and `found` is writable; both outlive the call.
    let status = unsafe { libc::statvfs(path.as_ptr(), &raw mut found) };
    (status == 0).then(|| found.f_blocks.saturating_mul(found.f_frsize))
}

/// How often a silent child's reader looks whether it should give up, in milliseconds.
const PATIENCE: i32 = 100;

/// Reads both streams of a child until they end, and hands over what comes, as it comes, from one thread. Ends early
/// when nothing comes and `give_up` says so: processes that the child started may hold the streams open after it.
pub(crate) fn read_both(
    mut out: ChildStdout,
    mut err: ChildStderr,
    asker: &mut Asker<'_>,
    give_up: impl Fn() -> bool,
    mut take: impl FnMut(Stream, &[u8]),
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut fds = [watch(out.as_raw_fd()), watch(err.as_raw_fd()), watch(asker.raw())];
    while fds[..2].iter().any(|fd| fd.fd >= 0) {
        let ready = poll(&mut fds, PATIENCE)?;
        if ready == 0 && give_up() {
            return Ok(());
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
        asker.take(&mut fds[2]);
    }
    Ok(())
}

/// Waits for one of the descriptors; none is ready if the call was interrupted.
fn poll(fds: &mut [libc::pollfd], patience: i32) -> io::Result<i32> {
    // SAFETY: `fds` is an array of initialised `pollfd`s that outlives the call; negative descriptors are ignored.
    let ready = unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, patience) };
    if ready >= 0 {
        return Ok(ready);
    }
    let error = io::Error::last_os_error();
    if error.kind() != io::ErrorKind::Interrupted {
        return Err(error);
    }
    fds.iter_mut().for_each(|fd| fd.revents = 0);
    // Not "nothing came": nobody waited.
    Ok(1)
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
/// struck it from the list of those to be killed. Its questions are answered until then.
pub(crate) fn wait_unreaped(pid: u32, asker: &mut Asker<'_>) {
    if asker.raw() >= 0 && !has_ended(pid) {
        let ended = end_of(pid);
        let mut fds = [watch(ended.as_ref().map_or(-1, AsRawFd::as_raw_fd)), watch(asker.raw())];
        let patience = if ended.is_some() { -1 } else { PATIENCE };
        while !has_ended(pid) && poll(&mut fds, patience).is_ok() {
            asker.take(&mut fds[1]);
            if fds[1].fd < 0 {
                break;
            }
        }
    }
    wait(pid, 0);
}

/// A descriptor that is ready to be read when the child has ended.
fn end_of(pid: u32) -> Option<OwnedFd> {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: plain numbers.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        // SAFETY: a descriptor that was just made is ours and nobody else's.
        RawFd::try_from(fd).ok().filter(|fd| *fd >= 0).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = pid;
        None
    }
}

/// Reaps a child that has ended, or waits for its end.
pub(crate) fn reap(pid: u32) -> io::Result<ExitStatus> {
    let pid = libc::pid_t::try_from(pid).map_err(io::Error::other)?;
    loop {
        let mut status = 0;
        // SAFETY: `status` is a valid, writable number that outlives the call.
        if unsafe { libc::waitpid(pid, &raw mut status, 0) } == pid {
            return Ok(ExitStatus::from_raw(status));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Who answers the questions of a confined child.
pub(crate) struct Asker<'a> {
    #[cfg(target_os = "linux")]
    pub listener: Option<Listener>,
    #[cfg(target_os = "linux")]
    pub answer: &'a mut dyn FnMut(&Listener, &Question) -> Answer,
    #[cfg(not(target_os = "linux"))]
    pub nobody: std::marker::PhantomData<&'a ()>,
}

#[cfg(target_os = "linux")]
impl Asker<'_> {
    fn raw(&self) -> RawFd {
        self.listener.as_ref().map_or(-1, Listener::raw)
    }

    /// Answers a question if there is one; forgets the listener when nobody is left who could ask.
    fn take(&mut self, fd: &mut libc::pollfd) {
        let Some(listener) = self.listener.as_ref().filter(|_| fd.fd >= 0) else { return };
        let gone = if fd.revents & libc::POLLIN != 0 {
            match listener.hear() {
                Ok(Some(question)) => {
                    let answer = (self.answer)(listener, &question);
                    listener.answer(&question, answer);
                    false
                }
                Ok(None) => false,
                Err(_) => true,
            }
        } else {
            fd.revents != 0
        };
        if gone {
            fd.fd = -1;
            self.listener = None;
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Asker<'_> {
    fn raw(&self) -> RawFd {
        -1
    }

    fn take(&mut self, _: &mut libc::pollfd) {}
}

/// The version of Landlock that the kernel has; 0 if it has none.
#[cfg(target_os = "linux")]
pub(crate) fn landlock_version() -> i64 {
    let none: *const libc::c_void = std::ptr::null();
    // SAFETY: with this flag (`LANDLOCK_CREATE_RULESET_VERSION`) nothing is read or written.
    unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0_usize, 1_u32) }.max(0)
}

/// Whether seccomp filters can ask this process.
#[cfg(target_os = "linux")]
pub(crate) fn has_seccomp() -> bool {
    let action: u32 = libc::SECCOMP_RET_USER_NOTIF;
    let get = libc::SECCOMP_GET_ACTION_AVAIL;
    // SAFETY: the argument points to a valid number.
    unsafe { libc::syscall(libc::SYS_seccomp, get, 0, &raw const action) == 0 }
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

/// Lets a child inherit descriptors that are closed for others.
#[cfg(not(target_os = "linux"))]
pub(crate) fn keep(command: &mut std::process::Command, kept: &[RawFd]) {
    use std::os::unix::process::CommandExt;
    let kept = kept.to_vec();
    // SAFETY: between fork and exec only `fcntl` is called, on plain numbers.
    unsafe {
        command.pre_exec(move || {
            for fd in &kept {
                libc::fcntl(*fd, libc::F_SETFD, 0);
            }
            Ok(())
        })
    };
}
