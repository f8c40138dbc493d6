//! Child processes: a description that can be shown, kept and run, and a way to run one to its end.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use crate::trail;

/// The environment of a child: what it starts from, and the changes.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// What the changes apply to; `None` is the environment of this process. Shared, because hundreds of commands
    /// of one build start from the same.
    pub base: Option<Arc<BTreeMap<OsString, OsString>>>,
    /// Variables set (`Some`) or removed (`None`).
    pub changes: BTreeMap<OsString, Option<OsString>>,
}

impl Environment {
    /// Exactly these variables, before changes.
    pub fn exactly(base: Arc<BTreeMap<OsString, OsString>>) -> Environment {
        Environment { base: Some(base), changes: BTreeMap::new() }
    }

    /// Sets a variable.
    pub fn set(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> &mut Environment {
        self.changes.insert(name.into(), Some(value.into()));
        self
    }

    /// Removes a variable.
    pub fn remove(&mut self, name: impl Into<OsString>) -> &mut Environment {
        self.changes.insert(name.into(), None);
        self
    }

    /// The value that the child sees.
    pub fn get(&self, name: &OsStr) -> Option<OsString> {
        match (self.changes.get(name), &self.base) {
            (Some(change), _) => change.clone(),
            (None, Some(base)) => base.get(name).cloned(),
            (None, None) => std::env::var_os(name),
        }
    }

    /// All variables that the child sees.
    pub fn variables(&self) -> BTreeMap<OsString, OsString> {
        let mut variables = match &self.base {
            Some(base) => base.as_ref().clone(),
            None => std::env::vars_os().collect(),
        };
        for (name, change) in &self.changes {
            match change {
                Some(value) => variables.insert(name.clone(), value.clone()),
                None => variables.remove(name),
            };
        }
        variables
    }

    /// Puts this environment on a command of the standard library.
    pub fn apply(&self, command: &mut std::process::Command) {
        if let Some(base) = &self.base {
            command.env_clear().envs(base.as_ref());
        }
        for (name, change) in &self.changes {
            match change {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
    }
}

/// A command to run. Displayed as a line that a shell understands, the variables that it sets first if the alternate
/// form (`{:#}`) is asked for.
#[derive(Debug, Clone, Default)]
pub struct Command {
    /// The program: a path, or a name to be looked up in `PATH`.
    pub program: OsString,
    /// Arguments after the program's name.
    pub args: Vec<OsString>,
    /// The child's environment.
    pub env: Environment,
    /// The directory to start in; this process's own if `None`.
    pub cwd: Option<PathBuf>,
}

impl Command {
    /// A command without arguments, in this process's environment and directory.
    pub fn new(program: impl Into<OsString>) -> Command {
        Command { program: program.into(), ..Command::default() }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Command {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Command {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Command {
        self.env.set(name, value);
        self
    }

    /// Sets the directory to start in.
    pub fn cwd(mut self, dir: impl Into<PathBuf>) -> Command {
        self.cwd = Some(dir.into());
        self
    }

    /// The same as a command of the standard library; streams are inherited.
    pub fn to_std(&self) -> std::process::Command {
        let mut command = std::process::Command::new(&self.program);
        command.args(&self.args);
        self.env.apply(&mut command);
        if let Some(cwd) = &self.cwd {
            command.current_dir(cwd);
        }
        command
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            for (name, change) in &self.env.changes {
                if let Some(value) = change {
                    write!(f, "{}={} ", name.to_string_lossy(), quote(value))?;
                }
            }
        }
        f.write_str(&quote(&self.program))?;
        for arg in &self.args {
            write!(f, " {}", quote(arg))?;
        }
        Ok(())
    }
}

/// Text as one word of a POSIX shell.
pub fn quote(text: &OsStr) -> String {
    let text = text.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=/,.+:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// A child that could not be run, or that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It did not start.
    #[error("cannot run `{command}`")]
    Start {
        /// What was to be run.
        command: String,
        /// Why it was not.
        #[source]
        cause: io::Error,
    },
    /// It ended badly.
    #[error("`{command}` failed ({}){}", describe(.status), shown(.stderr))]
    Failed {
        /// What was run.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to its standard output.
        stdout: Vec<u8>,
        /// What it wrote to its standard error.
        stderr: Vec<u8>,
    },
}

fn shown(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let text = text.trim_end();
    if text.is_empty() { String::new() } else { format!("\n{text}") }
}

/// How a process ended, in words: `exit status 1`, `signal 9`.
pub fn describe(status: &ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown end".to_owned(),
    }
}

/// What a child left behind.
#[derive(Debug, Clone)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error.
    pub stderr: Vec<u8>,
}

/// Runs a child to its end with empty input and returns what it wrote, however it ended.
///
/// # Errors
/// Only if it does not start.
pub fn output(command: &Command) -> Result<Output, Error> {
    trail::spoil();
    let output = command
        .to_std()
        .stdin(Stdio::null())
        .output()
        .map_err(|cause| Error::Start { command: command.to_string(), cause })?;
    Ok(Output { status: output.status, stdout: output.stdout, stderr: output.stderr })
}

/// Runs a child to its end with empty input and returns what it wrote; a bad end is an error.
///
/// # Errors
/// If it does not start, or ends with another status than 0.
pub fn run(command: &Command) -> Result<Output, Error> {
    let output = output(command)?;
    if output.status.success() {
        return Ok(output);
    }
    let Output { status, stdout, stderr } = output;
    Err(Error::Failed { command: command.to_string(), status, stdout, stderr })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_command() {
        let error = run(&Command::new("/nonexistent/tool").arg("a b")).unwrap_err();
        assert_eq!(error.to_string(), "cannot run `/nonexistent/tool 'a b'`");
        let error = run(&Command::new("/bin/sh").args(["-c", "echo oh >&2; exit 3"])).unwrap_err();
        assert_eq!(error.to_string(), "`/bin/sh -c 'echo oh >&2; exit 3'` failed (exit status 3)\noh");
    }

    #[test]
    fn environment_is_exact() {
        let base = Arc::new(BTreeMap::from([("A".into(), "1".into()), ("B".into(), "2".into())]));
        let mut command = Command::new("/bin/sh").args(["-c", "echo $A-$B-$C-$HOME"]).env("C", "3");
        command.env.base = Some(base);
        command.env.remove("B");
        assert_eq!(run(&command).unwrap().stdout, b"1--3-\n");
        assert_eq!(command.env.get(OsStr::new("A")), Some("1".into()));
        assert_eq!(command.env.get(OsStr::new("B")), None);
    }
}
