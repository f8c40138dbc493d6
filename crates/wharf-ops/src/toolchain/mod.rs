//! Chooses the compiler and asks it what it is and what its platforms are. Answers are remembered in `$WHARF_HOME`,
//! so that a command that finds nothing changed starts no process.

mod identity;
mod memory;
mod probe;
mod proxy;
#[cfg(test)]
mod tests;

pub use proxy::named as named_toolchain;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wharf_base::digest::Hasher;
use wharf_base::process::Command;
use wharf_core::{Cfg, Version};
use wharf_plan::{CompileKind, CompileTarget, TargetInfo, Toolchain};

use crate::config::{BuildConfig, CompilerFlags, Config, ConfigError, FlagKind};
use memory::Memory;

/// Why no compiler could be chosen, or why it could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ToolchainError {
    /// The configuration is at fault.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no such program.
    #[error("cannot find the compiler `{}`: {advice}", program.display())]
    Missing {
        /// The program as it was named.
        program: PathBuf,
        /// What to do about it.
        advice: &'static str,
    },
    /// A wrapper is not there.
    #[error("cannot find the compiler wrapper `{}`, which {origin} asks for", program.display())]
    MissingWrapper {
        /// The program as it was named.
        program: PathBuf,
        /// Who names it.
        origin: &'static str,
    },
    /// The compiler could not be run or failed.
    #[error("cannot learn about the {what} from the compiler")]
    Probe {
        /// What was asked.
        what: &'static str,
        /// Why it failed.
        #[source]
        cause: wharf_base::process::Error,
    },
    /// The compiler knows no such platform.
    #[error(
        "the compiler knows no target `{triple}`: `rustc --print target-list` shows those that it knows{hint}"
    )]
    UnknownTarget {
        /// What was asked for.
        triple: String,
        /// The nearest one that it knows, as the end of the sentence.
        hint: String,
    },
    /// The compiler's answer cannot be read.
    #[error("cannot read the answer of `{command}`: {reason}, in:\n{answer}")]
    Answer {
        /// What was run.
        command: String,
        /// What is wrong.
        reason: String,
        /// The answer.
        answer: String,
    },
    /// A platform that cannot be asked for.
    #[error("{0}")]
    Target(String),
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] wharf_base::fs::Error),
}

type Result<T, E = ToolchainError> = std::result::Result<T, E>;

/// The compiler, found and identified, before it is asked about platforms.
#[derive(Clone, Debug)]
pub struct Compiler {
    /// The compiler, its real path.
    pub rustc: PathBuf,
    /// What `RUSTC` says to build scripts when it is not the real path.
    pub rustc_shown: Option<PathBuf>,
    /// What `RUSTDOC` says to build scripts when it is not the real path.
    pub rustdoc_shown: Option<PathBuf>,
    /// `build.rustc-wrapper`
    pub wrapper: Option<PathBuf>,
    /// `build.rustc-workspace-wrapper`
    pub workspace_wrapper: Option<PathBuf>,
    /// The documentation tool that goes with it.
    pub rustdoc: PathBuf,
    /// The whole answer of `rustc -vV`.
    pub verbose_version: String,
    /// The version.
    pub version: Version,
    /// The triple that it runs on.
    pub host: String,
}

/// Finds the compiler (`RUSTC`, `build.rustc`, `rustc` in `PATH`, through rustup's proxy if it is one) and asks for
/// its version. `wharf_home` is where answers are remembered.
///
/// # Errors
/// If there is none, a wrapper is missing, or it cannot be asked.
pub fn compiler(config: &Config, build: &BuildConfig, wharf_home: &Path) -> Result<Compiler> {
    let mut memory = Memory::load(wharf_home);
    let compiler = find(config, build, &mut memory);
    memory.save();
    compiler
}

/// The platforms that `--target` or, without it, `build.target` asks for: at least one, in order, each once.
/// `host-tuple` stands for the compiler's own.
///
/// # Errors
/// If a name is empty, or names a `.json` specification and `allow_specifications` (an unstable feature) is off.
pub fn compile_kinds(targets: &[String], host: &str, allow_specifications: bool) -> Result<Vec<CompileKind>> {
    let mut kinds = std::collections::BTreeSet::new();
    for target in targets {
        let target = target.trim();
        if target.is_empty() {
            return Err(ToolchainError::Target("a target triple is empty".to_owned()));
        }
        let name = match target {
            "host-tuple" => host.to_owned(),
            path if path.ends_with(".json") => {
                if !allow_specifications {
                    let message = format!("`{path}`: `.json` target specs require `-Zjson-target-spec`");
                    return Err(ToolchainError::Target(message));
                }
                wharf_base::fs::canonicalize(Path::new(path))?.to_string_lossy().into_owned()
            }
            triple => triple.to_owned(),
        };
        kinds.insert(CompileKind::Target(CompileTarget::new(&name)));
    }
    if kinds.is_empty() {
        kinds.insert(CompileKind::Host);
    }
    Ok(kinds.into_iter().collect())
}

/// Asks the compiler about the host and the requested platforms.
///
/// # Errors
/// If the compiler cannot be asked, knows no such platform, or the configuration of one is malformed.
pub fn toolchain(
    config: &Config,
    compiler: &Compiler,
    kinds: &[CompileKind],
    wharf_home: &Path,
) -> Result<Toolchain> {
    let mut memory = Memory::load(wharf_home);
    let toolchain = Prober { config, compiler, kinds, memory: &mut memory }.run();
    memory.save();
    toolchain
}

/// How the compiler is asked to print something about a platform, with the user's flags.
///
/// # Errors
/// If `[env]` is malformed.
pub fn print_command(
    config: &Config,
    toolchain: &Toolchain,
    kind: &CompileKind,
    what: &str,
) -> Result<Command> {
    let mut command = Command::new(&toolchain.rustc).cwd(config.cwd());
    command.env = config.env().for_child();
    for (name, value) in config.effective_env()? {
        command.env.set(name, value);
    }
    let mut command = command.args(toolchain.info(kind).rustflags.iter());
    if let CompileKind::Target(target) = kind {
        command = command.arg("--target").arg(target.as_str());
    }
    Ok(command.arg("--print").arg(what))
}

fn find(config: &Config, build: &BuildConfig, memory: &mut Memory) -> Result<Compiler> {
    let (env, cwd) = (config.env(), config.cwd());
    let named = build.rustc.clone().unwrap_or_else(|| PathBuf::from("rustc"));
    let found = env.find_program(&named, cwd).ok_or_else(|| ToolchainError::Missing {
        program: named.clone(),
        advice: if build.rustc.is_some() {
            "`RUSTC` or `build.rustc` names it, but it is not there or not executable"
        } else {
            "install Rust as https://rustup.rs shows, or let `RUSTC` name a compiler"
        },
    })?;
    let resolved = proxy::resolve(config, &found, memory)?;
    let rustc = resolved.as_ref().map_or(&found, |sysroot| &sysroot.rustc).clone();
    let rustdoc = match (&build.rustdoc, &resolved) {
        (Some(named), _) => env.find_program(named, cwd).unwrap_or_else(|| named.clone()),
        (None, Some(real)) => real.rustc.with_file_name("rustdoc"),
        (None, None) => {
            env.find_program(Path::new("rustdoc"), cwd).unwrap_or_else(|| PathBuf::from("rustdoc"))
        }
    };
    let named_rustdoc = build.rustdoc.clone().unwrap_or_else(|| PathBuf::from("rustdoc"));
    let wrapper = |program: &Option<PathBuf>, origin| match program {
        None => Ok(None),
        Some(program) => match env.find_program(program, cwd) {
            Some(found) => Ok(Some(found)),
            None => Err(ToolchainError::MissingWrapper { program: program.clone(), origin }),
        },
    };
    let mut compiler = Compiler {
        // Build scripts start in other directories, where a proxy could choose another toolchain.
        rustc_shown: (resolved.is_none() && named != rustc).then_some(named),
        rustc,
        wrapper: wrapper(&build.rustc_wrapper, "`RUSTC_WRAPPER` or `build.rustc-wrapper`")?,
        workspace_wrapper: wrapper(
            &build.rustc_workspace_wrapper,
            "`RUSTC_WORKSPACE_WRAPPER` or `build.rustc-workspace-wrapper`",
        )?,
        rustdoc_shown: (resolved.is_none() && named_rustdoc != rustdoc).then_some(named_rustdoc),
        rustdoc,
        verbose_version: String::new(),
        version: Version::new(0, 0, 0),
        host: String::new(),
    };
    let command = compiler.command(config)?.arg("-vV");
    let answer = probe::ask(&compiler, config, &command, "version", "", memory)?;
    let field = |name: &str| {
        answer.stdout.lines().find_map(|line| line.strip_prefix(name)).ok_or_else(|| ToolchainError::Answer {
            command: command.to_string(),
            reason: format!("there is no line `{}`", name.trim_end()),
            answer: answer.stdout.clone(),
        })
    };
    compiler.host = field("host: ")?.to_owned();
    let release = field("release: ")?;
    compiler.version = Version::parse(release).map_err(|cause| ToolchainError::Answer {
        command: command.to_string(),
        reason: format!("`{release}` is no version: {cause}"),
        answer: answer.stdout.clone(),
    })?;
    compiler.verbose_version = answer.stdout;
    Ok(compiler)
}

impl Compiler {
    /// The compiler behind both wrappers, in the environment that compilations get.
    fn command(&self, config: &Config) -> Result<Command> {
        let mut programs =
            [self.wrapper.as_ref(), self.workspace_wrapper.as_ref(), Some(&self.rustc)].into_iter().flatten();
        let first = programs.next().expect("the compiler is always there");
        let mut command = Command::new(first).args(programs).cwd(config.cwd());
        command.env = config.env().for_child();
        for (name, value) in config.effective_env()? {
            command.env.set(name, value);
        }
        // Logging would be mixed with the answer.
        command.env.remove("RUSTC_LOG");
        Ok(command)
    }
}

struct Prober<'a> {
    config: &'a Config,
    compiler: &'a Compiler,
    kinds: &'a [CompileKind],
    memory: &'a mut Memory,
}

impl Prober<'_> {
    fn run(mut self) -> Result<Toolchain> {
        let mut targets = BTreeMap::new();
        let (host, sysroot) = self.info(&CompileKind::Host)?;
        targets.insert(CompileKind::Host, host);
        for kind in self.kinds {
            if !kind.is_host() {
                targets.insert(kind.clone(), self.info(kind)?.0);
            }
        }
        let Compiler {
            rustc,
            rustc_shown,
            rustdoc_shown,
            wrapper,
            workspace_wrapper,
            rustdoc,
            verbose_version,
            version,
            host,
        } = self.compiler.clone();
        let mut content = Hasher::for_purpose("toolchain content");
        content.value(&verbose_version);
        for file in identity::files(&self.compiler.rustc, &sysroot) {
            content.digest(&self.memory.file_digest(&file)?);
        }
        for wrapper in [&wrapper, &workspace_wrapper].into_iter().flatten() {
            content.value(wrapper.as_os_str().as_encoded_bytes());
            content.digest(&self.memory.file_digest(wrapper)?);
        }
        Ok(Toolchain {
            rustc,
            rustc_shown,
            rustdoc_shown,
            wrapper,
            workspace_wrapper,
            rustdoc,
            version,
            verbose_version,
            content_id: content.finish().to_hex(),
            host,
            sysroot,
            targets,
        })
    }

    /// What is known of one platform, and the sysroot.
    ///
    /// Flags can set `cfg`s, and `cfg`s choose the tables that hold flags. Two rounds settle every case that is
    /// not a paradox.
    fn info(&mut self, kind: &CompileKind) -> Result<(TargetInfo, PathBuf)> {
        let (config, compiler) = (self.config, self.compiler);
        let triple = match kind {
            CompileKind::Host => compiler.host.as_str(),
            CompileKind::Target(target) => target.short_name(),
        };
        let spec_id = match kind {
            CompileKind::Target(target) if target.as_str().ends_with(".json") => {
                Some(self.memory.file_digest(Path::new(target.as_str()))?.to_hex())
            }
            _ => None,
        };
        let host_of_cross_build = kind.is_host() && self.kinds != [CompileKind::Host];
        let flags = |which, cfgs: Option<&[Cfg]>| {
            config.compiler_flags(which, &CompilerFlags { triple, cfgs, host_of_cross_build })
        };
        let mut rustflags = flags(FlagKind::Rustc, None)?;
        let mut answer = self.ask(kind, &rustflags, spec_id.as_deref())?;
        let settled = flags(FlagKind::Rustc, Some(&answer.cfgs))?;
        if settled != rustflags {
            rustflags = settled;
            answer = self.ask(kind, &rustflags, spec_id.as_deref())?;
            if flags(FlagKind::Rustc, Some(&answer.cfgs))? != rustflags {
                config.warn(format!(
                    "the flags for `{triple}` choose configuration tables that change the flags again; using {}",
                    rustflags.join(" ")
                ));
            }
        }
        let target = config.target(triple, &answer.cfgs)?;
        let linker_id = linker_id(config, target.linker.as_deref(), &rustflags);
        let info = TargetInfo {
            linker_id,
            file_names: answer.file_names,
            split_debuginfo: answer.split_debuginfo,
            libdir: answer.sysroot.join("lib/rustlib").join(triple).join("lib"),
            rustflags: Arc::from(rustflags),
            rustdocflags: Arc::from(flags(FlagKind::Rustdoc, Some(&answer.cfgs))?),
            linker: target.linker,
            runner: target.runner,
            links_overrides: Arc::new(target.links_overrides),
            cfgs: answer.cfgs,
            spec_id,
        };
        Ok((info, answer.sysroot))
    }

    fn ask(
        &mut self,
        kind: &CompileKind,
        rustflags: &[String],
        spec: Option<&str>,
    ) -> Result<probe::Platform> {
        let command = probe::platform_command(self.compiler.command(self.config)?, kind, rustflags);
        let spec = spec.unwrap_or_default();
        let answer = probe::ask(self.compiler, self.config, &command, "platform", spec, self.memory);
        let answer = match (answer, kind) {
            (Err(error), CompileKind::Target(target)) => {
                return Err(self.explain(error, target));
            }
            (answer, _) => answer?,
        };
        probe::parse(&command, &answer)
    }

    /// Tells an unknown triple apart from other failures.
    fn explain(&mut self, error: ToolchainError, target: &CompileTarget) -> ToolchainError {
        let ToolchainError::Probe { cause: wharf_base::process::Error::Failed { stderr, .. }, .. } = &error
        else {
            return error;
        };
        let text = String::from_utf8_lossy(stderr);
        if !["could not find specification for target", "Could not find specification for target"]
            .iter()
            .any(|sentence| text.contains(sentence))
        {
            return error;
        }
        let triple = target.as_str().to_owned();
        let known = self.compiler.command(self.config).ok().and_then(|command| {
            let command = command.args(["--print", "target-list"]);
            probe::ask(self.compiler, self.config, &command, "targets", "", self.memory).ok()
        });
        let hint = known
            .as_ref()
            .and_then(|known| crate::suggest::nearest(&triple, known.stdout.lines()))
            .map(|nearest| format!("; did you mean `{nearest}`?"))
            .unwrap_or_default();
        ToolchainError::UnknownTarget { triple, hint }
    }
}

/// What identifies the linker's bytes: the program that is called, what `-C linker` names instead, the linker behind
/// the usual compiler driver, and the C library that programs are linked with.
fn linker_id(config: &Config, configured: Option<&Path>, rustflags: &[String]) -> String {
    let mut hasher = Hasher::for_purpose("wharf linker 1");
    let named = rustflags
        .iter()
        .filter_map(|flag| flag.strip_prefix("-Clinker=").or_else(|| flag.strip_prefix("linker=")))
        .map(Path::new);
    let usual = ["cc", "ld", "ld.lld", "rust-lld", "mold"].into_iter().map(Path::new);
    for program in configured.into_iter().chain(named).chain(usual) {
        match config.env().find_program(program, config.cwd()) {
            Some(found) => identity::add_file(&mut hasher, &found),
            None => drop(hasher.value(program.as_os_str().as_encoded_bytes())),
        }
    }
    for library in ["/lib/x86_64-linux-gnu/libc.so.6", "/lib/aarch64-linux-gnu/libc.so.6", "/lib64/libc.so.6"]
    {
        identity::add_file(&mut hasher, Path::new(library));
    }
    hasher.finish().to_hex()
}
