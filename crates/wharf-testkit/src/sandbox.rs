//! One test's world: directories, environment, registry and the tools that run in it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::outcome::{Normaliser, Outcome};
use crate::package::PackageBuilder;
use crate::project::ProjectBuilder;
use crate::registry::Registry;

/// Which program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tool {
    /// The toolchain's own `cargo`.
    Cargo,
    /// The `wharf` given to [`Sandbox::with_wharf`].
    Wharf,
}

impl Tool {
    /// The name of the binary.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cargo => "cargo",
            Self::Wharf => "wharf",
        }
    }
}

/// A world of its own: homes, configuration and registry are below one temporary directory, and of the outer
/// environment only `PATH` and the toolchain come in. Everything goes when it is dropped.
#[derive(Debug)]
pub struct Sandbox {
    registry: Registry,
    environment: BTreeMap<OsString, OsString>,
    wharf: Option<PathBuf>,
    root: TempDir,
}

impl Sandbox {
    /// An empty world with a running registry that stands in for crates.io and is called `test` as well.
    pub fn new() -> Self {
        let root = tempfile::Builder::new().prefix("wharf-test-").tempdir().expect("a temporary directory");
        let registry = Registry::start(&root.path().join("registry"));
        let config = format!(
            "[source.crates-io]\nreplace-with = \"test\"\n\n[registries.test]\nindex = \"{}\"\n\n[net]\nretry = 0\n",
            registry.index()
        );
        for tool in [Tool::Cargo, Tool::Wharf] {
            let home = root.path().join(home_name(tool));
            std::fs::create_dir_all(&home).expect("the sandbox is writable");
            std::fs::write(home.join("config.toml"), &config).expect("the sandbox is writable");
        }
        std::fs::create_dir(root.path().join("home")).expect("the sandbox is writable");
        let mut sandbox = Self { registry, environment: BTreeMap::new(), wharf: None, root };
        sandbox.settle_environment();
        sandbox
    }

    fn settle_environment(&mut self) {
        let mut path = vec![sysroot().join("bin")];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let home = self.root().join("home");
        let fixed: [(&str, OsString); 7] = [
            ("PATH", std::env::join_paths(path).expect("entries of PATH can be joined again")),
            ("HOME", home.clone().into()),
            ("WHARF_HOME", self.root().join("wharf-home").into()),
            ("CARGO_REGISTRIES_TEST_TOKEN", "anonymous".into()),
            // A clock and a language that do not depend on the machine.
            ("TZ", "UTC".into()),
            ("LC_ALL", "C.UTF-8".into()),
            ("TMPDIR", home.into()),
        ];
        self.environment.extend(fixed.map(|(name, value)| (name.into(), value)));
    }

    /// The same world with a `wharf` to run: `env!("CARGO_BIN_EXE_wharf")`.
    #[must_use]
    pub fn with_wharf(mut self, binary: impl Into<PathBuf>) -> Self {
        self.wharf = Some(binary.into());
        self
    }

    /// The same world with one more variable for everything that runs in it.
    #[must_use]
    pub fn with_env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// The same world with the real crates.io in place of the registry's stand-in, and what reaches the network.
    #[must_use]
    pub fn facing_crates_io(mut self) -> Self {
        for tool in [Tool::Cargo, Tool::Wharf] {
            let config = self.cargo_home(tool).join("config.toml");
            std::fs::write(config, "[net]\nretry = 3\n").expect("the sandbox is writable");
        }
        let names = [
            "HTTPS_PROXY",
            "https_proxy",
            "HTTP_PROXY",
            "http_proxy",
            "NO_PROXY",
            "no_proxy",
            "SSL_CERT_FILE",
        ];
        for name in names {
            if let Some(value) = std::env::var_os(name) {
                self.environment.insert(name.into(), value);
            }
        }
        self
    }

    /// The toolchain's own `cargo`.
    pub fn cargo_binary() -> PathBuf {
        sysroot().join("bin/cargo")
    }

    /// The directory that holds everything.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// The `CARGO_HOME` of a tool. Each has its own, so that each fetches for itself.
    pub fn cargo_home(&self, tool: Tool) -> PathBuf {
        self.root().join(home_name(tool))
    }

    /// The registry of this world.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Starts a package for the registry, given as `name version`.
    pub fn package(&self, spec: &str) -> PackageBuilder<'_> {
        PackageBuilder::new(self, spec)
    }

    /// Publishes an empty library, given as `name version`.
    #[track_caller]
    pub fn publish(&self, spec: &str) {
        self.package(spec).publish();
    }

    /// Starts a project in the directory `name`.
    pub fn project(&self, name: &str) -> ProjectBuilder<'_> {
        ProjectBuilder::new(self, name)
    }

    /// Runs `cargo` in `directory`.
    pub fn cargo(&self, directory: &Path, arguments: &[&str]) -> Outcome {
        self.run(Tool::Cargo, directory, arguments, &[])
    }

    /// Runs `wharf` in `directory`.
    pub fn wharf(&self, directory: &Path, arguments: &[&str]) -> Outcome {
        self.run(Tool::Wharf, directory, arguments, &[])
    }

    /// A tool in `directory`, to be started by the caller.
    pub fn command(&self, tool: Tool, directory: &Path) -> Command {
        let binary = match tool {
            Tool::Cargo => Self::cargo_binary(),
            Tool::Wharf => self.wharf.clone().expect("the test names its wharf with `with_wharf`"),
        };
        let mut command = Command::new(binary);
        command.current_dir(directory).env_clear().envs(&self.environment);
        command.env("CARGO_HOME", self.cargo_home(tool)).stdin(Stdio::null());
        command
    }

    /// Runs a tool in `directory` with some variables more.
    pub fn run(
        &self,
        tool: Tool,
        directory: &Path,
        arguments: &[&str],
        variables: &[(&str, OsString)],
    ) -> Outcome {
        let mut command = self.command(tool, directory);
        command.args(arguments).envs(variables.iter().map(|(name, value)| (name, value)));
        let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        Outcome::new(format!("{} {}", tool.name(), arguments.join(" ")), output, self.normaliser(tool))
    }

    /// What makes the texts of a tool comparable with those of another run.
    pub fn normaliser(&self, tool: Tool) -> Normaliser {
        Normaliser::new(vec![
            (self.cargo_home(tool).display().to_string(), "[CARGO_HOME]"),
            (self.registry.url(), "[REGISTRY]"),
            (self.root().display().to_string(), "[ROOT]"),
            (sysroot().display().to_string(), "[SYSROOT]"),
        ])
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

fn home_name(tool: Tool) -> &'static str {
    match tool {
        Tool::Cargo => "cargo-home",
        Tool::Wharf => "wharf-cargo-home",
    }
}

/// The toolchain that the tests were started with, asked once: its own binaries need no rustup and no home.
pub(crate) fn sysroot() -> &'static Path {
    static SYSROOT: OnceLock<PathBuf> = OnceLock::new();
    SYSROOT.get_or_init(|| {
        let output = Command::new("rustc").args(["--print", "sysroot"]).output().expect("rustc runs");
        PathBuf::from(String::from_utf8(output.stdout).expect("the sysroot's path is text").trim_end())
    })
}
