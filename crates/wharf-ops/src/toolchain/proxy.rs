//! From rustup's proxy to the compiler that it would start here.

use std::path::{Path, PathBuf};

use wharf_base::digest::{Digest, Hasher};
use wharf_base::fs;
use wharf_base::process::{self, Command};

use super::Result;
use super::identity::{self, Signature};
use super::memory::{Answer, Memory};
use crate::config::{Config, Env};
use crate::failure::Failure;

/// What stands behind a proxy.
#[derive(Clone, Debug)]
pub(super) struct Real {
    /// The compiler itself.
    pub(super) rustc: PathBuf,
}

/// The compiler behind `program`, if that is a proxy. The proxy is asked once for each state of the files and
/// variables by which rustup chooses.
pub(super) fn resolve(config: &Config, program: &Path, memory: &mut Memory) -> Result<Option<Real>> {
    if !is_proxy(program) {
        return Ok(None);
    }
    let key = choice_key(config, program);
    if let Some(answer) = memory.answer(&key)
        && let Some(real) = compiler_in(answer)
    {
        return Ok(Some(real));
    }
    let mut command = Command::new(program).args(["--print", "sysroot"]).cwd(config.cwd());
    command.env = config.env().for_child();
    // Whatever is wrong with it, the compiler's own questions will tell better.
    let Ok(output) = process::run(&command) else { return Ok(None) };
    let answer =
        Answer { stdout: String::from_utf8_lossy(&output.stdout).into_owned(), stderr: String::new() };
    let real = compiler_in(&answer);
    if real.is_some() {
        // The key is taken anew: rustup may have installed what was missing.
        memory.remember(&choice_key(config, program), answer);
    }
    Ok(real)
}

fn compiler_in(answer: &Answer) -> Option<Real> {
    let rustc = Path::new(answer.stdout.trim_end()).join("bin/rustc");
    fs::is_file(&rustc).then_some(Real { rustc })
}

/// The directory of programs of the toolchain that `+name` asks for; `None` if rustup's proxies will choose it.
///
/// # Errors
/// If it is not installed.
pub fn named(env: &Env, cwd: &Path, name: &str) -> crate::Result<Option<PathBuf>> {
    if env.find_program(Path::new("rustc"), cwd).is_some_and(|rustc| is_proxy(&rustc)) {
        return Ok(None);
    }
    let missing = || {
        Failure::new(format!("toolchain `{name}` is not installed"))
            .help(format!("`rustup toolchain install {name}` installs it"))
    };
    let toolchains = env.rustup_home(cwd).ok_or_else(missing)?.join("toolchains");
    let exact = toolchains.join(name).join("bin");
    if fs::is_dir(&exact) {
        return Ok(Some(exact));
    }
    // A channel stands for the toolchain of this machine.
    let entries = fs::read_dir(&toolchains).map_err(|_| missing())?;
    let channel = format!("{name}-");
    let found = entries.into_iter().find(|entry| {
        entry.name.to_str().is_some_and(|entry| entry.starts_with(&channel))
            && fs::is_dir(&entry.path.join("bin"))
    });
    found.map(|entry| Some(entry.path.join("bin"))).ok_or_else(missing)
}

/// Proxies are links to `rustup`, symbolic or hard, beside it.
fn is_proxy(program: &Path) -> bool {
    let real = fs::canonicalize(program).unwrap_or_else(|_| program.to_owned());
    if real.file_name().is_some_and(|name| name == "rustup") {
        return true;
    }
    let rustup = program.with_file_name("rustup");
    match (Signature::of(&real), Signature::of(&rustup)) {
        (Ok(program), Ok(rustup)) => program.is_same_file(&rustup),
        _ => false,
    }
}

/// Everything that decides which toolchain rustup takes in this directory (the rustup book, "Overrides").
fn choice_key(config: &Config, program: &Path) -> Digest {
    let (env, cwd) = (config.env(), config.cwd());
    let mut hasher = Hasher::for_purpose("rustup's choice");
    identity::add_file(&mut hasher, program);
    hasher.value(cwd.as_os_str().as_encoded_bytes());
    for name in ["RUSTUP_TOOLCHAIN", "RUSTUP_HOME", "HOME"] {
        hasher.value(env.get_os(name).unwrap_or_default().as_encoded_bytes());
    }
    if let Some(home) = env.rustup_home(cwd) {
        // Holds the default toolchain and the overrides by directory.
        identity::add_file(&mut hasher, &home.join("settings.toml"));
    }
    for directory in cwd.ancestors() {
        identity::add_file(&mut hasher, &directory.join("rust-toolchain"));
        identity::add_file(&mut hasher, &directory.join("rust-toolchain.toml"));
    }
    hasher.finish()
}
