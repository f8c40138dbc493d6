//! What a build script says on its standard output (reference, "Build Scripts").

use std::path::PathBuf;

use wharf_core::{CrateType, Package, PackageId, Target};

use crate::unit::{Mode, has_crate_type};

/// What one run of a build script asked for, or what configuration says in its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScriptOutput {
    /// `rustc-link-search` and `-L` of `rustc-flags`, with their `KIND=`.
    pub library_paths: Vec<PathBuf>,
    /// `rustc-link-lib` and `-l` of `rustc-flags`.
    pub library_links: Vec<String>,
    /// `rustc-link-arg` in all its forms.
    pub link_args: Vec<(LinkArgFor, String)>,
    /// `rustc-cfg`
    pub cfgs: Vec<String>,
    /// `rustc-check-cfg`
    pub check_cfgs: Vec<String>,
    /// `rustc-env`
    pub env: Vec<(String, String)>,
    /// `metadata`, and every `cargo:KEY=VALUE` with a key of the script's own.
    pub metadata: Vec<(String, String)>,
    /// `rerun-if-changed`, as written.
    pub rerun_if_changed: Vec<PathBuf>,
    /// `rerun-if-env-changed`
    pub rerun_if_env_changed: Vec<String>,
    /// `warning` and `error`, in order.
    pub messages: Vec<ScriptMessage>,
}

/// A sentence of a build script for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptMessage {
    /// Whether it makes the run a failure.
    pub is_error: bool,
    /// The text.
    pub text: String,
}

/// Which targets of the package get a linker argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkArgFor {
    /// `rustc-link-arg`
    All,
    /// `rustc-link-arg-cdylib`
    Cdylib,
    /// `rustc-link-arg-bins`
    Bins,
    /// `rustc-link-arg-bin`
    Bin(String),
    /// `rustc-link-arg-tests`
    Tests,
    /// `rustc-link-arg-benches`
    Benches,
    /// `rustc-link-arg-examples`
    Examples,
}

/// What the meaning of a build script's output depends on.
#[derive(Clone, Copy, Debug)]
pub struct ScriptContext<'a> {
    /// The script's package.
    pub package: &'a Package,
    /// Whether unstable features may be used, of `RUSTC_BOOTSTRAP` too.
    pub may_bootstrap: bool,
}

/// Why a build script's output was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// A directive without `=`.
    #[error(
        "invalid output in build script of `{package}`: `{line}`\nExpected a line with `{syntax}KEY=VALUE` with an `=` character, but none was found.\n{DOCS}"
    )]
    NoValue {
        /// The package.
        package: PackageId,
        /// The line.
        line: String,
        /// `cargo:`, `cargo::` or `cargo::metadata=`.
        syntax: &'static str,
    },
    /// A key that nobody knows, after `cargo::`.
    #[error("invalid output in build script of `{package}`: `{line}`\nUnknown key: `{key}`.\n{DOCS}")]
    UnknownKey {
        /// The package.
        package: PackageId,
        /// The line.
        line: String,
        /// The key.
        key: String,
    },
    /// `cargo::` in a package that supports compilers whose Cargo does not know it.
    #[error(
        "the `cargo::` syntax for build script output instructions was added in Rust 1.77.0, but the minimum supported Rust version of `{package}` is {rust_version}.\n{advice}{DOCS}"
    )]
    TooNew {
        /// The package.
        package: PackageId,
        /// Its `rust-version`.
        rust_version: String,
        /// What to write instead, with its end of line; may be empty.
        advice: String,
    },
    /// A linker argument for targets that the package does not have.
    #[error(
        "invalid instruction `{instruction}` from build script of `{package}`\nThe package {package} does not have a {what}."
    )]
    NoTarget {
        /// The package.
        package: PackageId,
        /// The instruction without its value.
        instruction: String,
        /// What it does not have.
        what: String,
    },
    /// `rustc-link-arg-bin` without a program's name.
    #[error(
        "invalid instruction `{instruction}={value}` from build script of `{package}`\nThe instruction should have the form {instruction}=BIN=ARG"
    )]
    NoProgram {
        /// The package.
        package: PackageId,
        /// The instruction without its value.
        instruction: String,
        /// The value.
        value: String,
    },
    /// `rustc-flags` with something else than `-l` and `-L`.
    #[error("only `-l` and `-L` flags are allowed in build script of `{package}`: `{value}`")]
    Flags {
        /// The package.
        package: PackageId,
        /// The value.
        value: String,
    },
    /// `rustc-flags` that end too early.
    #[error("flag in rustc-flags has no value in build script of `{package}`: {value}")]
    FlagValue {
        /// The package.
        package: PackageId,
        /// The value.
        value: String,
    },
    /// `rustc-env` without `=`.
    #[error("Variable rustc-env has no value in build script of `{package}`: {value}")]
    Variable {
        /// The package.
        package: PackageId,
        /// The value.
        value: String,
    },
    /// `RUSTC_BOOTSTRAP` on a stable compiler.
    #[error(
        "cannot set `RUSTC_BOOTSTRAP={value}` from build script of `{package}`.\nnote: crates cannot set `RUSTC_BOOTSTRAP` themselves: whether unstable features are used is for the user to say.\nhelp: to allow it in your project, set the environment variable `RUSTC_BOOTSTRAP={library}` before the build"
    )]
    Bootstrap {
        /// The package.
        package: PackageId,
        /// The value.
        value: String,
        /// The library's crate name, or `1`.
        library: String,
    },
    /// The script said `cargo::error`.
    #[error("build script logged errors")]
    Errors,
}

const DOCS: &str = "See https://doc.rust-lang.org/cargo/reference/build-scripts.html#outputs-of-the-build-script for more information about build script outputs.";

/// The keys of the old syntax; anything else after `cargo:` is metadata.
const OLD_KEYS: [&str; 17] = [
    "rustc-flags",
    "rustc-link-lib",
    "rustc-link-search",
    "rustc-link-arg-cdylib",
    "rustc-cdylib-link-arg",
    "rustc-link-arg-bins",
    "rustc-link-arg-bin",
    "rustc-link-arg-tests",
    "rustc-link-arg-benches",
    "rustc-link-arg-examples",
    "rustc-link-arg",
    "rustc-cfg",
    "rustc-check-cfg",
    "rustc-env",
    "warning",
    "rerun-if-changed",
    "rerun-if-env-changed",
];

/// `key` of `key=value`, if the old syntax knows it.
fn old_key(data: &str) -> Option<&str> {
    let (key, _) = data.split_once('=')?;
    OLD_KEYS.contains(&key).then_some(key)
}

impl ScriptMessage {
    /// The message that a line of a build script's standard output holds, if it does: for those who watch it run.
    pub fn of_line(line: &str) -> Option<Self> {
        let message = |is_error, text: &str| Some(Self { is_error, text: text.to_owned() });
        if let Some(text) = line.strip_prefix("cargo::error=") {
            return message(true, text);
        }
        let text = line.strip_prefix("cargo:warning=").or_else(|| line.strip_prefix("cargo::warning="))?;
        message(false, text)
    }
}

impl ScriptOutput {
    /// Reads what a build script wrote to its standard output. Lines that are no directives are passed over.
    ///
    /// # Errors
    /// The first wrong directive.
    pub fn parse(text: &str, context: ScriptContext<'_>) -> Result<Self, ScriptError> {
        let mut reader = Reader { context, out: Self::default() };
        for line in text.split('\n') {
            reader.line(line.trim())?;
        }
        Ok(reader.out)
    }

    /// The message of the first `cargo::error`.
    pub fn has_errors(&self) -> bool {
        self.messages.iter().any(|message| message.is_error)
    }
}

struct Reader<'a> {
    context: ScriptContext<'a>,
    out: ScriptOutput,
}

impl Reader<'_> {
    fn package(&self) -> PackageId {
        self.context.package.id().clone()
    }

    fn line(&mut self, line: &str) -> Result<(), ScriptError> {
        let no_value = |package, syntax| ScriptError::NoValue { package, line: line.to_owned(), syntax };
        let (key, value, prefix) = if let Some(data) = line.strip_prefix("cargo::") {
            self.check_rust_version(data)?;
            let (key, value) = data.split_once('=').ok_or_else(|| no_value(self.package(), "cargo::"))?;
            (key, value, "cargo::")
        } else if let Some(data) = line.strip_prefix("cargo:") {
            match old_key(data) {
                Some(key) => (key, &data[key.len() + 1..], "cargo:"),
                None => ("metadata", data, "cargo:"),
            }
        } else {
            return Ok(());
        };
        let value = value.trim_end();
        match key {
            "metadata" => {
                let syntax = if prefix == "cargo:" { "cargo:" } else { "cargo::metadata=" };
                let (key, value) = value.split_once('=').ok_or_else(|| no_value(self.package(), syntax))?;
                self.out.metadata.push((key.to_owned(), value.to_owned()));
            }
            "error" => self.message(true, value),
            "warning" => self.message(false, value),
            "rerun-if-changed" => self.out.rerun_if_changed.push(PathBuf::from(value)),
            "rerun-if-env-changed" => self.out.rerun_if_env_changed.push(value.to_owned()),
            "rustc-cfg" => self.out.cfgs.push(value.to_owned()),
            "rustc-check-cfg" => self.out.check_cfgs.push(value.to_owned()),
            "rustc-env" => self.variable(value)?,
            "rustc-flags" => self.flags(value)?,
            "rustc-link-lib" => self.out.library_links.push(value.to_owned()),
            "rustc-link-search" => self.out.library_paths.push(PathBuf::from(value)),
            _ if key.starts_with("rustc-link-arg") || key == "rustc-cdylib-link-arg" => {
                if !self.link_arg(&format!("{prefix}{key}"), key, value)? {
                    return Err(self.unknown(line, key));
                }
            }
            _ => return Err(self.unknown(line, key)),
        }
        Ok(())
    }

    fn unknown(&self, line: &str, key: &str) -> ScriptError {
        ScriptError::UnknownKey { package: self.package(), line: line.to_owned(), key: key.to_owned() }
    }

    fn message(&mut self, is_error: bool, text: &str) {
        self.out.messages.push(ScriptMessage { is_error, text: text.to_owned() });
    }

    fn check_rust_version(&self, data: &str) -> Result<(), ScriptError> {
        let Some(lowest) = &self.context.package.manifest.rust_version else { return Ok(()) };
        let text = lowest.to_string();
        let mut parts = text.split('.').map(|part| part.parse::<u64>().unwrap_or(0));
        let (major, minor) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        if (major, minor) >= (1, 77) {
            return Ok(());
        }
        let advice = if old_key(data).is_some() {
            format!("Switch to the old `cargo:{data}` syntax (note the single colon).\n")
        } else if let Some(old) = data.strip_prefix("metadata=") {
            format!(
                "Switch to the old `cargo:{old}` syntax instead of `cargo::{data}` (note the single colon).\n"
            )
        } else {
            String::new()
        };
        Err(ScriptError::TooNew { package: self.package(), rust_version: text, advice })
    }

    fn variable(&mut self, value: &str) -> Result<(), ScriptError> {
        let Some((name, value)) = value.split_once('=') else {
            return Err(ScriptError::Variable { package: self.package(), value: value.to_owned() });
        };
        if name != "RUSTC_BOOTSTRAP" {
            self.out.env.push((name.to_owned(), value.to_owned()));
            return Ok(());
        }
        if !self.context.may_bootstrap {
            let library = self.context.package.manifest.library().map(Target::crate_name);
            return Err(ScriptError::Bootstrap {
                package: self.package(),
                value: value.to_owned(),
                library: library.unwrap_or_else(|| "1".to_owned()),
            });
        }
        let text = format!(
            "cannot set `RUSTC_BOOTSTRAP={value}` from build script of `{}`.\nnote: crates cannot set \
             `RUSTC_BOOTSTRAP` themselves: whether unstable features are used is for the user to say.",
            self.package()
        );
        self.message(false, &text);
        Ok(())
    }

    fn flags(&mut self, value: &str) -> Result<(), ScriptError> {
        let mut words = value.split_whitespace();
        while let Some(word) = words.next() {
            let (flag, rest) = match word.split_at_checked(2) {
                Some((flag @ ("-l" | "-L"), rest)) => (flag, rest),
                _ => return Err(ScriptError::Flags { package: self.package(), value: value.to_owned() }),
            };
            let argument = match rest {
                "" => words.next().ok_or_else(|| ScriptError::FlagValue {
                    package: self.package(),
                    value: value.to_owned(),
                })?,
                rest => rest,
            };
            match flag {
                "-l" => self.out.library_links.push(argument.to_owned()),
                _ => self.out.library_paths.push(PathBuf::from(argument)),
            }
        }
        Ok(())
    }

    /// Whether `key` was one.
    fn link_arg(&mut self, instruction: &str, key: &str, value: &str) -> Result<bool, ScriptError> {
        let package = self.context.package;
        let targets = &package.manifest.targets;
        let missing = |what: String| ScriptError::NoTarget {
            package: package.id().clone(),
            instruction: instruction.to_owned(),
            what,
        };
        let require = |fits: fn(&Target) -> bool, what: &str| match targets.iter().any(fits) {
            true => Ok(()),
            false => Err(missing(format!("{what} target"))),
        };
        let (whom, argument) = match key {
            "rustc-link-arg" => (LinkArgFor::All, value),
            "rustc-link-arg-cdylib" | "rustc-cdylib-link-arg" => {
                let is_cdylib = |target: &Target| has_crate_type(target, &CrateType::Cdylib);
                if !targets.iter().any(is_cdylib) {
                    let text = format!(
                        "{instruction} was specified in the build script of {}, but that package does not contain \
                         a cdylib target\n\nThis is accepted for compatibility and may become an error; see \
                         <https://github.com/rust-lang/cargo/issues/9562>.",
                        package.id()
                    );
                    self.message(false, &text);
                }
                (LinkArgFor::Cdylib, value)
            }
            "rustc-link-arg-bins" => {
                require(Target::is_bin, "bin")?;
                (LinkArgFor::Bins, value)
            }
            "rustc-link-arg-tests" => {
                require(Target::is_test, "test")?;
                (LinkArgFor::Tests, value)
            }
            "rustc-link-arg-benches" => {
                require(Target::is_bench, "benchmark")?;
                (LinkArgFor::Benches, value)
            }
            "rustc-link-arg-examples" => {
                require(Target::is_example, "example")?;
                (LinkArgFor::Examples, value)
            }
            "rustc-link-arg-bin" => {
                let Some((name, argument)) = value.split_once('=') else {
                    return Err(ScriptError::NoProgram {
                        package: package.id().clone(),
                        instruction: instruction.to_owned(),
                        value: value.to_owned(),
                    });
                };
                if !targets.iter().any(|target| target.is_bin() && target.name == name) {
                    return Err(missing(format!("bin target with the name `{name}`")));
                }
                (LinkArgFor::Bin(name.to_owned()), argument)
            }
            _ => return Ok(false),
        };
        self.out.link_args.push((whom, argument.to_owned()));
        Ok(true)
    }
}

impl LinkArgFor {
    /// Whether a target compiled in this mode gets the argument.
    pub fn applies_to(&self, target: &Target, mode: Mode) -> bool {
        match self {
            Self::All => true,
            Self::Cdylib => !mode.is_any_test() && has_crate_type(target, &CrateType::Cdylib),
            Self::Bins => target.is_bin(),
            Self::Bin(name) => target.is_bin() && target.name == *name,
            Self::Tests => target.is_test(),
            Self::Benches => target.is_bench(),
            Self::Examples => target.is_exe_example(),
        }
    }
}
