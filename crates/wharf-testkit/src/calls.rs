//! Which compilers were called with what, found out by standing in for them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::outcome::{Normaliser, without_hashes};
use crate::sandbox::sysroot;

/// One call of a compiler, without what each tool may choose for itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// `rustc` or `rustdoc`.
    pub program: String,
    /// The arguments in order, normalised.
    pub arguments: Vec<String>,
    /// The variables that cargo defines for compilers (`CARGO_PKG_NAME`, `OUT_DIR`), normalised.
    pub variables: BTreeMap<String, String>,
}

impl Call {
    /// The crate that was compiled.
    pub fn crate_name(&self) -> &str {
        let name = self.arguments.iter().skip_while(|argument| *argument != "--crate-name").nth(1);
        name.expect("only calls with a crate name are kept")
    }
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.program, self.arguments.join(" "))
    }
}

/// Scripts that note their arguments and become the real compiler. `RUSTC` and `RUSTDOC` point at them: unlike
/// a wrapper, that changes no command line.
pub(crate) struct Recorder {
    directory: PathBuf,
}

impl Recorder {
    pub(crate) fn new(directory: PathBuf) -> Self {
        let log = directory.join("log");
        std::fs::create_dir_all(&log).expect("the sandbox is writable");
        for program in ["rustc", "rustdoc"] {
            let real = sysroot().join("bin").join(program);
            // A call writes a file of its own, so calls at the same time do not mix.
            let script = format!(
                "#!/bin/sh\n{{ printf '%s\\0' {program} \"$#\" \"$@\"; env -0; }} >'{}'/$$\nexec '{}' \"$@\"\n",
                log.display(),
                real.display()
            );
            let path = directory.join(program);
            std::fs::write(&path, script).expect("the sandbox is writable");
            make_executable(&path);
        }
        Self { directory }
    }

    /// What makes a tool call the scripts.
    pub(crate) fn variables(&self) -> Vec<(&'static str, OsString)> {
        vec![
            ("RUSTC", self.directory.join("rustc").into()),
            ("RUSTDOC", self.directory.join("rustdoc").into()),
        ]
    }

    /// The calls since the last time, sorted; questions to the compiler about itself are left out.
    pub(crate) fn take(&self, normaliser: &Normaliser) -> Vec<Call> {
        let mut calls = Vec::new();
        for entry in std::fs::read_dir(self.directory.join("log")).expect("the log is readable") {
            let path = entry.expect("the log is readable").path();
            let text =
                String::from_utf8_lossy(&std::fs::read(&path).expect("the log is readable")).into_owned();
            calls.extend(parse(&text, normaliser));
            std::fs::remove_file(&path).expect("the sandbox is writable");
        }
        calls.sort();
        calls
    }
}

fn parse(text: &str, normaliser: &Normaliser) -> Option<Call> {
    let mut fields = text.split('\0');
    let program = fields.next()?.to_owned();
    let count: usize = fields.next()?.parse().ok()?;
    let arguments: Vec<&str> = fields.by_ref().take(count).collect();
    let at = arguments.iter().position(|argument| *argument == "--crate-name")?;
    // Cargo asks for target information by compiling nothing under this name.
    if arguments.get(at + 1) == Some(&"___") {
        return None;
    }
    let defined = |name: &str| {
        name.starts_with("CARGO_PKG_")
            || name.starts_with("CARGO_BIN_")
            || name.starts_with("DEP_")
            || matches!(name, "CARGO_CRATE_NAME" | "CARGO_MANIFEST_DIR" | "CARGO_PRIMARY_PACKAGE" | "OUT_DIR")
    };
    let variables = fields
        .filter_map(|field| field.split_once('='))
        .filter(|(name, _)| defined(name))
        // The value of OUT_DIR is each tool's own business; whether there is one is not.
        .map(|(name, value)| {
            (name.to_owned(), if name == "OUT_DIR" { "set".to_owned() } else { normaliser.apply(value) })
        })
        .collect();
    Some(Call { program, arguments: comparable(&arguments, normaliser), variables })
}

/// Drops what each tool chooses for itself: hashes, directories of intermediate files, incremental state,
/// remapping and arguments for the linker's own reports.
fn comparable(arguments: &[&str], normaliser: &Normaliser) -> Vec<String> {
    let mut kept = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match *argument {
            "-L" | "--out-dir" | "--remap-path-prefix" | "-o" => {
                rest.next();
            }
            "-C" => {
                let Some(option) = rest.next() else { continue };
                let own = ["metadata=", "extra-filename=", "incremental=", "link-arg=-Wl,--dependency-file="];
                if !own.iter().any(|prefix| option.starts_with(prefix)) {
                    kept.push(format!("-C {}", normaliser.apply(option)));
                }
            }
            "--extern" => {
                kept.push(format!("--extern {}", external(rest.next().copied().unwrap_or_default())))
            }
            other if other.starts_with("--remap-path-prefix=") => {}
            other => kept.push(normaliser.apply(other)),
        }
    }
    kept
}

/// `name=/path/libname-hash.rmeta` less directory and hash.
fn external(value: &str) -> String {
    match value.split_once('=') {
        Some((name, path)) => {
            let file = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
            format!("{name}={}", without_hashes(&file))
        }
        None => value.to_owned(),
    }
}

#[cfg(unix)]
fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("the sandbox is writable");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_choices_go() {
        let arguments = [
            "--crate-name",
            "a",
            "-C",
            "metadata=1",
            "-C",
            "opt-level=3",
            "-L",
            "dependency=/t/deps",
            "--extern",
            "b=/t/deps/libb-0123456789abcdef.rmeta",
            "--extern",
            "proc_macro",
            "--out-dir",
            "/t",
            "src/lib.rs",
        ];
        assert_eq!(
            comparable(&arguments, &Normaliser::default()),
            [
                "--crate-name",
                "a",
                "-C opt-level=3",
                "--extern b=libb-[HASH].rmeta",
                "--extern proc_macro",
                "src/lib.rs"
            ]
        );
    }
}
