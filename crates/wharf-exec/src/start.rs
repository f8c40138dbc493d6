//! Starting the command of a step, in its sandbox if it has one, and hearing it out.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use wharf_base::{process, trail};

use crate::sandbox::{Lacking, Left, lacking};
use crate::shop::Shop;
use crate::step::{Step, Stream};
use crate::sys;

/// The command's own directory for temporary files, below its scratch directory. No output has such a name.
const TEMPORARY: &str = ".tmp";

/// A command that was started.
pub(crate) struct Running {
    pub pid: u32,
    /// What its sandbox lacks, if that was not told yet.
    pub lacking: Option<Lacking>,
    #[cfg(target_os = "linux")]
    started: Option<sys::Started>,
    #[cfg(target_os = "linux")]
    room: Option<crate::sandbox::Room>,
    #[cfg(not(target_os = "linux"))]
    child: std::process::Child,
}

/// Starts a command with empty input. `private` are the directories that it may fill in any case.
pub(crate) fn start(
    shop: &Shop<'_>,
    step: &Step,
    command: &process::Command,
    private: &[&Path],
    scratch: &Path,
) -> io::Result<Running> {
    let mut env = command.env.variables();
    let mut kept = Vec::new();
    if step.jobserver {
        kept = offer_jobserver(&shop.jobserver, &mut env);
    }
    let mut untold = None;
    if let Some(confinement) = &step.confinement {
        for (name, below) in &confinement.temporary {
            let path = scratch.join(TEMPORARY).join(below);
            std::fs::create_dir_all(&path)?;
            env.insert(name.into(), path.into());
        }
        let lacking = lacking();
        let is_new = !lacking.is_nothing() && !shop.told_lacking.swap(true, Ordering::Relaxed);
        untold = is_new.then_some(lacking);
    }
    trail::spoil();
    let mut attempts = 0;
    loop {
        match attempt(step, command, &env, (private, &kept)) {
            // Another thread was starting a child while this program was being written, and that child holds it
            // open for writing until it has become another program.
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && attempts < 50 => {
                attempts += 1;
                std::thread::sleep(Duration::from_millis(10));
            }
            started => return started.map(|running| Running { lacking: untold, ..running }),
        }
    }
}

/// Tells the command of the jobserver; returns the descriptors that it needs for that.
fn offer_jobserver(client: &jobserver::Client, env: &mut BTreeMap<OsString, OsString>) -> Vec<i32> {
    // The library knows only the standard library's commands; this one never runs.
    let mut told = std::process::Command::new("");
    client.configure(&mut told);
    for (name, value) in told.get_envs() {
        match value {
            Some(value) => env.insert(name.to_owned(), value.to_owned()),
            None => env.remove(name),
        };
    }
    descriptors(env.get(OsStr::new("CARGO_MAKEFLAGS")).map(OsString::as_os_str).unwrap_or_default())
}

/// The descriptors in `--jobserver-auth=R,W`.
fn descriptors(flags: &OsStr) -> Vec<i32> {
    let flags = flags.to_string_lossy();
    let auth = flags.split_whitespace().find_map(|flag| flag.strip_prefix("--jobserver-auth="));
    auth.into_iter().flat_map(|auth| auth.split(',')).filter_map(|fd| fd.parse().ok()).collect()
}

#[cfg(target_os = "linux")]
fn attempt(
    step: &Step,
    command: &process::Command,
    env: &BTreeMap<OsString, OsString>,
    (private, kept): (&[&Path], &[i32]),
) -> io::Result<Running> {
    let room = step
        .confinement
        .as_ref()
        .map(|confinement| crate::sandbox::Room::new(confinement, private))
        .transpose()?;
    let started = sys::spawn(&sys::Order {
        program: &command.program,
        args: &command.args,
        env,
        cwd: command.cwd.as_deref(),
        kept,
        cage: room.as_ref().map(|room| &room.cage),
    })?;
    Ok(Running { pid: started.pid, lacking: None, started: Some(started), room })
}

#[cfg(target_os = "linux")]
impl Running {
    /// Hands over what the command writes until it ends, and answers its questions.
    pub(crate) fn read(
        &mut self,
        give_up: impl Fn() -> bool,
        take: impl FnMut(Stream, &[u8]),
    ) -> io::Result<()> {
        let Some(started) = self.started.take() else { return Ok(()) };
        let room = &mut self.room;
        let mut answer = |listener: &sys::Listener, question: &sys::Question| match room {
            Some(room) => room.answer(listener, question),
            None => sys::Answer::GoOn,
        };
        let mut asker = sys::Asker { listener: started.listener, answer: &mut answer };
        let read = sys::read_both(started.out, started.err, &mut asker, give_up, take);
        sys::wait_unreaped(started.pid, &mut asker);
        read
    }

    /// What was noticed of the command.
    pub(crate) fn leave(self) -> Left {
        self.room.map(crate::sandbox::Room::leave).unwrap_or_default()
    }
}

#[cfg(not(target_os = "linux"))]
fn attempt(
    _: &Step,
    command: &process::Command,
    env: &BTreeMap<OsString, OsString>,
    (_, kept): (&[&Path], &[i32]),
) -> io::Result<Running> {
    use std::process::Stdio;
    let mut command = command.to_std();
    command.env_clear().envs(env).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    sys::keep(&mut command, kept);
    let child = command.spawn()?;
    Ok(Running { pid: child.id(), lacking: None, child })
}

#[cfg(not(target_os = "linux"))]
impl Running {
    /// Hands over what the command writes until it ends.
    pub(crate) fn read(
        &mut self,
        give_up: impl Fn() -> bool,
        take: impl FnMut(Stream, &[u8]),
    ) -> io::Result<()> {
        let (out, err) = (self.child.stdout.take(), self.child.stderr.take());
        let (out, err) = (out.expect("stdout is piped"), err.expect("stderr is piped"));
        let mut asker = sys::Asker { nobody: std::marker::PhantomData };
        let read = sys::read_both(out, err, &mut asker, give_up, take);
        sys::wait_unreaped(self.pid, &mut asker);
        read
    }

    /// Nothing was noticed.
    pub(crate) fn leave(self) -> Left {
        Left::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_of_a_jobserver() {
        let found = |flags: &str| descriptors(OsStr::new(flags));
        assert_eq!(found("-j --jobserver-fds=3,4 --jobserver-auth=3,4"), [3, 4]);
        assert!(found("-j --jobserver-auth=fifo:/tmp/x").is_empty());
        assert!(found("").is_empty());
    }
}
