//! Starting a child that puts itself into a cage before it becomes another program.
//!
//! The child shares this process's memory until it does (`CLONE_VM` and `CLONE_VFORK`, as `posix_spawn` has it), so
//! starting one costs the same however big this process is; a plain `fork` copies page tables. What happens in between
//! is system calls alone: nothing is allocated, no lock is taken. The calling thread sleeps meanwhile.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString, c_char, c_int, c_void};
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{ChildStderr, ChildStdout};
use std::ptr;

use super::listener::Listener;

/// What is to be started.
pub(crate) struct Order<'a> {
    /// A path, or a name to be looked up in the `PATH` of `env`.
    pub program: &'a OsStr,
    pub args: &'a [OsString],
    /// The whole environment.
    pub env: &'a BTreeMap<OsString, OsString>,
    pub cwd: Option<&'a Path>,
    /// Descriptors that the child inherits beside its three streams.
    pub kept: &'a [RawFd],
    pub cage: Option<&'a Cage>,
}

/// What a child puts on itself and cannot take off.
pub(crate) struct Cage {
    /// A Landlock ruleset.
    pub ruleset: Option<OwnedFd>,
    /// A seccomp filter.
    pub filter: Option<Filter>,
}

/// A seccomp filter in two forms.
pub(crate) struct Filter {
    /// Asks this process about some calls.
    pub asking: Vec<libc::sock_filter>,
    /// Asks nobody, for a child of somebody who is asked already: there may be only one.
    pub deciding: Vec<libc::sock_filter>,
}

/// A child that was started.
pub(crate) struct Started {
    pub pid: u32,
    pub out: ChildStdout,
    pub err: ChildStderr,
    /// Where its questions come from.
    pub listener: Option<Listener>,
}

/// The part of an order that the child reads: pointers into what the caller holds, ready to be passed to the kernel.
struct Script<'a> {
    programs: &'a [CString],
    argv: &'a [*const c_char],
    envp: &'a [*const c_char],
    cwd: Option<&'a CString>,
    streams: [RawFd; 3],
    kept: &'a [RawFd],
    ruleset: Option<RawFd>,
    asking: Option<libc::sock_fprog>,
    deciding: Option<libc::sock_fprog>,
    channel: RawFd,
    /// What went wrong: set by the child, read by the parent.
    error: c_int,
}

/// How much stack the child has until it is another program.
const STACK: usize = 64 * 1024;

/// Starts a child with empty input and both output streams piped.
pub(crate) fn spawn(order: &Order<'_>) -> io::Result<Started> {
    let programs = programs(order)?;
    let argv = strings(std::iter::once(order.program).chain(order.args.iter().map(OsString::as_os_str)))?;
    let envp: Vec<OsString> = order
        .env
        .iter()
        .map(|(name, value)| {
            let mut whole = name.clone().into_vec();
            whole.push(b'=');
            whole.extend_from_slice(value.as_bytes());
            OsString::from_vec(whole)
        })
        .collect();
    let envp = strings(envp.iter().map(OsString::as_os_str))?;
    let cwd = order.cwd.map(|cwd| c_string(cwd.as_os_str())).transpose()?;
    let null = std::fs::File::open("/dev/null")?;
    let (out, child_out) = io::pipe()?;
    let (err, child_err) = io::pipe()?;
    let filter = order.cage.and_then(|cage| cage.filter.as_ref());
    let channel = filter.map(|_| UnixDatagram::pair()).transpose()?;
    let mut script = Script {
        programs: &programs,
        argv: &pointers(&argv),
        envp: &pointers(&envp),
        cwd: cwd.as_ref(),
        streams: [null.as_raw_fd(), child_out.as_raw_fd(), child_err.as_raw_fd()],
        kept: order.kept,
        ruleset: order.cage.and_then(|cage| cage.ruleset.as_ref()).map(AsRawFd::as_raw_fd),
        asking: filter.map(|filter| program_of(&filter.asking)),
        deciding: filter.map(|filter| program_of(&filter.deciding)),
        channel: channel.as_ref().map_or(-1, |(_, theirs)| theirs.as_raw_fd()),
        error: 0,
    };
    let pid = start(&mut script)?;
    if script.error != 0 {
        super::reap(pid)?;
        return Err(io::Error::from_raw_os_error(script.error));
    }
    let listener = channel.and_then(|(ours, _)| receive(&ours));
    let (out, err) = (OwnedFd::from(out).into(), OwnedFd::from(err).into());
    Ok(Started { pid, out, err, listener })
}

/// Makes the child and waits until it is another program, or has failed.
fn start(script: &mut Script<'_>) -> io::Result<u32> {
    let mut stack: Vec<u128> = vec![0; STACK / size_of::<u128>()];
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: all-zero signal sets are valid values of this plain C structure.
    let (mut all, mut before): (libc::sigset_t, libc::sigset_t) = unsafe { mem::zeroed() };
    // SAFETY: `all` and `before` are valid and outlive the calls. No handler of ours may run in the child while it
    // shares our memory.
    unsafe {
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
    }
    // SAFETY: `stack` is aligned, and its end is where the child begins; it and `script` outlive the child's use of
    // them, because this thread sleeps until the child has become another program or ended. `become_program` neither
    // returns nor unwinds.
    let pid = unsafe {
        let top = stack.as_mut_ptr().add(stack.len()).cast();
        libc::clone(become_program, top, flags, ptr::from_mut(script).cast())
    };
    let error = io::Error::last_os_error();
    // SAFETY: `before` was filled in above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut()) };
    u32::try_from(pid).map_err(|_| error)
}

/// The child. System calls only; ends the process if it cannot become the program.
extern "C" fn become_program(script: *mut c_void) -> c_int {
    // SAFETY: this is the script that `start` passed, whose owner sleeps.
    let script = unsafe { &mut *script.cast::<Script<'_>>() };
    script.error = prepare(script).err().unwrap_or_else(|| execute(script));
    // SAFETY: ends this process alone, without running anything of the parent's.
    unsafe { libc::_exit(127) }
}

/// The number of the last error.
fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

fn checked(result: c_int) -> Result<c_int, c_int> {
    if result < 0 { Err(errno()) } else { Ok(result) }
}

fn prepare(script: &Script<'_>) -> Result<(), c_int> {
    reset_signals();
    for (target, stream) in (0..).zip(script.streams) {
        // SAFETY: plain numbers; the descriptors are open.
        checked(unsafe { libc::dup2(stream, target) })?;
    }
    for kept in script.kept {
        // SAFETY: plain numbers. A descriptor that is not open is no reason to fail: its user will notice.
        unsafe { libc::fcntl(*kept, libc::F_SETFD, 0) };
    }
    if let Some(cwd) = script.cwd {
        // SAFETY: a valid C string.
        checked(unsafe { libc::chdir(cwd.as_ptr()) })?;
    }
    // When this process is killed, what it started goes too: what that fills in place would else be filled by two at
    // once, it and the run of the next build.
    // SAFETY: plain numbers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) };
    if script.ruleset.is_none() && script.asking.is_none() {
        return Ok(());
    }
    // SAFETY: plain numbers.
    checked(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    if let Some(ruleset) = script.ruleset {
        // SAFETY: plain numbers; the descriptor is an open ruleset.
        let done = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset, 0) };
        if done < 0 {
            return Err(errno());
        }
    }
    match (&script.asking, &script.deciding) {
        (Some(asking), Some(deciding)) => filter(script.channel, asking, deciding),
        _ => Ok(()),
    }
}

/// Puts the filter on, and sends the descriptor by which its questions come to the parent.
fn filter(channel: RawFd, asking: &libc::sock_fprog, deciding: &libc::sock_fprog) -> Result<(), c_int> {
    let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    let set = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: `asking` points to a program that outlives the call.
    let listener = unsafe { libc::syscall(libc::SYS_seccomp, set, flags, ptr::from_ref(asking)) };
    if listener < 0 {
        let flags = libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
        // SAFETY: as above.
        let done = unsafe { libc::syscall(libc::SYS_seccomp, set, flags, ptr::from_ref(deciding)) };
        return if done < 0 { Err(errno()) } else { Ok(()) };
    }
    let listener = c_int::try_from(listener).map_err(|_| libc::EBADF)?;
    let sent = with_control(|message, control| {
        // SAFETY: `message` has room for one descriptor in its control buffer, as `with_control` made it.
        unsafe {
            (*control).cmsg_level = libc::SOL_SOCKET;
            (*control).cmsg_type = libc::SCM_RIGHTS;
            (*control).cmsg_len = libc::CMSG_LEN(size_of::<c_int>() as u32) as _;
            ptr::write_unaligned(libc::CMSG_DATA(control).cast(), listener);
            libc::sendmsg(channel, message, libc::MSG_NOSIGNAL)
        }
    });
    if sent < 0 { Err(errno()) } else { Ok(()) }
}

/// Calls with a message of one byte that has room for one descriptor.
fn with_control<T>(call: impl FnOnce(*mut libc::msghdr, *mut libc::cmsghdr) -> T) -> T {
    let mut byte = 0_u8;
    let mut part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let mut control = [0_u64; 8];
    // SAFETY: an all-zero `msghdr` is a valid value of this plain C structure.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    // SAFETY: a calculation.
    message.msg_controllen = unsafe { libc::CMSG_SPACE(size_of::<c_int>() as u32) } as _;
    // SAFETY: the control buffer is aligned and larger than the space told.
    let first = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    call(&raw mut message, first)
}

/// The descriptor that the child sent, if it did.
fn receive(channel: &UnixDatagram) -> Option<Listener> {
    with_control(|message, _| {
        let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
        // SAFETY: `message` is as `with_control` made it and outlives the call.
        let received = unsafe { libc::recvmsg(channel.as_raw_fd(), message, flags) };
        if received <= 0 {
            return None;
        }
        // SAFETY: the kernel filled the control buffer in as far as `msg_controllen` says, and a descriptor that
        // came with the message is ours and nobody else's.
        unsafe {
            // There is none if the kernel wrote less than a header.
            let control = libc::CMSG_FIRSTHDR(message);
            (!control.is_null() && (*control).cmsg_type == libc::SCM_RIGHTS).then(|| {
                let fd: c_int = ptr::read_unaligned(libc::CMSG_DATA(control).cast());
                Listener::new(OwnedFd::from_raw_fd(fd))
            })
        }
    })
}

/// Handlers of ours must not run in the child: it shares our memory. What is ignored stays so, except for `SIGPIPE`,
/// which the standard library ignores for itself.
fn reset_signals() {
    for signal in 1..=64 {
        // SAFETY: `action` is a valid structure; the handlers set are the kernel's own.
        unsafe {
            let mut action: libc::sigaction = mem::zeroed();
            if libc::sigaction(signal, ptr::null(), &raw mut action) != 0
                || action.sa_sigaction == libc::SIG_DFL
                || (action.sa_sigaction == libc::SIG_IGN && signal != libc::SIGPIPE)
            {
                continue;
            }
            let mut default: libc::sigaction = mem::zeroed();
            default.sa_sigaction = libc::SIG_DFL;
            libc::sigaction(signal, &raw const default, ptr::null_mut());
        }
    }
    // SAFETY: `none` is a valid set that outlives the call.
    unsafe {
        let mut none: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
    }
}

/// Becomes the first program that can be run; returns only with an error.
fn execute(script: &Script<'_>) -> c_int {
    let mut error = libc::ENOENT;
    for program in script.programs {
        // SAFETY: valid C strings, and arrays of them that end with a null pointer.
        unsafe { libc::execve(program.as_ptr(), script.argv.as_ptr(), script.envp.as_ptr()) };
        match errno() {
            libc::ENOENT | libc::ENOTDIR => {}
            libc::EACCES => error = libc::EACCES,
            other => return other,
        }
    }
    error
}

/// The paths where the program may be, the first that exists counts.
fn programs(order: &Order<'_>) -> io::Result<Vec<CString>> {
    if order.program.as_bytes().contains(&b'/') {
        return Ok(vec![c_string(order.program)?]);
    }
    let path = order.env.get(OsStr::new("PATH")).cloned().unwrap_or_else(|| "/usr/bin:/bin".into());
    std::env::split_paths(&path).map(|dir| c_string(dir.join(order.program).as_os_str())).collect()
}

fn c_string(text: &OsStr) -> io::Result<CString> {
    let error = |_| io::Error::new(io::ErrorKind::InvalidInput, "a null byte in a command");
    CString::new(text.as_bytes()).map_err(error)
}

fn strings<'a>(texts: impl Iterator<Item = &'a OsStr>) -> io::Result<Vec<CString>> {
    texts.map(c_string).collect()
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
}

fn program_of(filter: &[libc::sock_filter]) -> libc::sock_fprog {
    let len = u16::try_from(filter.len()).expect("filters are short");
    libc::sock_fprog { len, filter: filter.as_ptr().cast_mut() }
}
