//! How the program was started.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use wharf_ops::config::Env;
use wharf_ops::{Failure, Result, toolchain};

/// What the process was given. Everything else is derived from it.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The name to go by.
    pub program: Program,
    /// The path of this program, as `CARGO` tells it to children.
    pub executable: PathBuf,
    /// The current directory.
    pub cwd: PathBuf,
    /// The environment; a `+toolchain` is already in it.
    pub env: Env,
    /// The arguments, without the program's name and `+toolchain`.
    pub args: Vec<OsString>,
}

/// Under which name the program was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Its own.
    Wharf,
    /// As `cargo`, by tools that know no other.
    Cargo,
}

impl Program {
    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Program::Wharf => "wharf",
            Program::Cargo => "cargo",
        }
    }
}

impl Invocation {
    /// Reads the process's arguments, environment and directory.
    ///
    /// # Errors
    /// If the current directory is gone.
    pub fn of_process() -> Result<Invocation> {
        let cwd = std::env::current_dir()
            .map_err(|cause| Failure::from(cause).context("cannot find the current directory"))?;
        let mut words = std::env::args_os();
        let name = words.next().unwrap_or_default();
        let mut args: Vec<OsString> = words.collect();
        let mut variables: Vec<(OsString, OsString)> = std::env::vars_os().collect();
        let toolchain = args.first().and_then(|word| word.to_str()?.strip_prefix('+')).map(str::to_owned);
        if let Some(toolchain) = &toolchain {
            // rustup's own proxies set this variable for the same word.
            variables.push(("RUSTUP_TOOLCHAIN".into(), toolchain.into()));
            args.remove(0);
        }
        let mut env: Env = variables.iter().cloned().collect();
        if let Some(toolchain) = &toolchain
            && let Some(programs) = toolchain::named_toolchain(&env, &cwd, toolchain)?
        {
            let others = env.get_os("PATH").map(OsStr::to_owned).unwrap_or_default();
            let path = std::iter::once(programs).chain(std::env::split_paths(&others));
            let path = std::env::join_paths(path)
                .map_err(|cause| Failure::from(cause).context("cannot put the toolchain into `PATH`"))?;
            variables.push(("PATH".into(), path));
            env = variables.into_iter().collect();
        }
        let program = match Path::new(&name).file_stem() {
            Some(stem) if stem == "cargo" => Program::Cargo,
            _ => Program::Wharf,
        };
        let executable = executable(&name, &cwd, &env)?;
        Ok(Invocation { program, executable, cwd, env, args })
    }

    /// Works in another directory, as if started there (`-C`).
    ///
    /// # Errors
    /// If it cannot be entered.
    pub fn enter(&mut self, directory: &Path) -> Result<()> {
        std::env::set_current_dir(directory)
            .and_then(|()| std::env::current_dir())
            .map(|cwd| self.cwd = cwd)
            .map_err(|cause| {
                Failure::from(cause).context(format!("cannot change to directory `{}`", directory.display()))
            })
    }
}

/// The path by which this program can be started again under the same name. The system's answer has all links
/// resolved, and a link's name matters.
fn executable(name: &OsStr, cwd: &Path, env: &Env) -> Result<PathBuf> {
    let real = std::env::current_exe()
        .map_err(|cause| Failure::from(cause).context("cannot find the path of this program"))?;
    let named = env.find_program(Path::new(name), cwd);
    let same = |path: &PathBuf| match (path.canonicalize(), real.canonicalize()) {
        (Ok(path), Ok(real)) => path == real,
        _ => false,
    };
    Ok(named.filter(same).unwrap_or(real))
}
