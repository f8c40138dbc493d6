//! Running programs and finding things.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a verb returns: nothing, or a sentence for the person at the terminal.
pub type Outcome<T = ()> = Result<T, String>;

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a directory of the repository").to_owned()
}

/// Where verbs keep what may be thrown away.
pub fn scratch() -> PathBuf {
    target().join("xtask")
}

/// The target directory that cargo uses for this repository.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A command in the repository without what the outer `cargo xtask` has put into the environment: a nested
/// build would see it as its own.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let inherited = text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_");
        if inherited || matches!(&*text, "CARGO" | "LD_LIBRARY_PATH") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command and fails with its command line.
pub fn run(command: &mut Command) -> Outcome {
    let shown = show(command);
    let status = command.status().map_err(|error| format!("cannot run `{shown}`: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{shown}` failed: {status}")) }
}

/// The command line for a person.
pub fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// Builds the `wharf` binary with cargo and tells where it is.
pub fn build_wharf(release: bool) -> Outcome<PathBuf> {
    let mut build = command("cargo");
    build.args(["build", "--package", "wharf"]);
    if release {
        build.arg("--release");
    }
    run(&mut build)?;
    let directory = if release { "release" } else { "debug" };
    Ok(target().join(directory).join("wharf").with_extension(std::env::consts::EXE_EXTENSION))
}

/// Reads a text file.
pub fn read(path: &Path) -> Outcome<String> {
    std::fs::read_to_string(path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))
}

/// Writes a file and the directories above it.
pub fn write(path: &Path, content: &str) -> Outcome {
    let parent = path.parent().expect("a file is in a directory");
    std::fs::create_dir_all(parent)
        .and_then(|()| std::fs::write(path, content))
        .map_err(|error| format!("cannot write `{}`: {error}", path.display()))
}

/// Makes a directory and those above it.
pub fn make(path: &Path) -> Outcome {
    std::fs::create_dir_all(path).map_err(|error| format!("cannot make `{}`: {error}", path.display()))
}

/// Removes a directory if it is there.
pub fn remove(path: &Path) -> Outcome {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("cannot remove `{}`: {error}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Copies a directory with everything in it.
pub fn copy(from: &Path, to: &Path) -> Outcome {
    let fail =
        |error: std::io::Error| format!("cannot copy `{}` to `{}`: {error}", from.display(), to.display());
    std::fs::create_dir_all(to).map_err(fail)?;
    for entry in std::fs::read_dir(from).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let goal = to.join(entry.file_name());
        let kind = entry.file_type().map_err(fail)?;
        if kind.is_dir() {
            copy(&entry.path(), &goal)?;
        } else if kind.is_symlink() {
            std::fs::read_link(entry.path())
                .and_then(|target| std::os::unix::fs::symlink(target, &goal))
                .map_err(fail)?;
        } else {
            std::fs::copy(entry.path(), &goal).map_err(fail)?;
        }
    }
    Ok(())
}

/// Fetches the source of `name version` from crates.io with cargo and puts a copy into `to`. Downloads stay in
/// the scratch directory for the next time.
pub fn source_of(name: &str, version: &str, to: &Path) -> Outcome {
    let home = scratch().join("cargo-home");
    let probe = scratch().join("probe").join(name);
    let manifest = format!(
        "[package]\nname = \"probe\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[dependencies]\n\"{name}\" = \"={version}\"\n[workspace]\n"
    );
    write(&probe.join("Cargo.toml"), &manifest)?;
    write(&probe.join("src/lib.rs"), "")?;
    run(command("cargo").args(["fetch", "--quiet"]).current_dir(&probe).env("CARGO_HOME", &home))?;
    let sources = home.join("registry/src");
    let indexes = std::fs::read_dir(&sources)
        .map_err(|error| format!("cannot read `{}`: {error}", sources.display()))?;
    for index in indexes.flatten() {
        let source = index.path().join(format!("{name}-{version}"));
        if source.is_dir() {
            remove(to)?;
            copy(&source, to)?;
            // A workspace of its own, wherever the scratch directory is.
            let manifest = to.join("Cargo.toml");
            let text = read(&manifest)?;
            if !text.contains("[workspace]") {
                write(&manifest, &format!("{text}\n[workspace]\n"))?;
            }
            return Ok(());
        }
    }
    Err(format!("cargo fetched `{name}` {version} to no known place below `{}`", sources.display()))
}
