//! What every command works with.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use wharf_exec::Jobserver;
use wharf_ops::config::{ColorChoice, Config, Env};
use wharf_ops::{Failure, Result};

use crate::cli::GlobalArgs;
use crate::invocation::{Invocation, Program};
use crate::settings::{self, Access};
use crate::shell::Shell;

/// What every command works with: the terminal, the configuration, and how the program was started.
pub struct Session {
    /// How the program was started.
    pub invocation: Invocation,
    /// Options of every command.
    pub global: GlobalArgs,
    /// The configuration.
    pub config: Arc<Config>,
    /// The terminal.
    pub shell: Arc<Shell>,
    /// When the program was started.
    pub started: Instant,
    /// The jobserver that the process was started under.
    pub jobserver: Option<Jobserver>,
}

/// What is done when configuration files are broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The command fails.
    Refuse,
    /// The command works without configuration: it is the way to help.
    Ignore,
}

impl Session {
    /// Loads the configuration and sets the terminal up.
    ///
    /// # Errors
    /// If flags contradict each other or the configuration is broken and needed.
    pub fn open(
        invocation: Invocation,
        global: GlobalArgs,
        broken: Broken,
        started: Instant,
        jobserver: Option<Jobserver>,
    ) -> Result<Session> {
        let mut config = load(&invocation, &global, broken)?;
        config.use_unstable(&global.unstable)?;
        let term = match (config.term(), broken) {
            (Ok(term), _) => term,
            (Err(_), Broken::Ignore) => Default::default(),
            (Err(error), Broken::Refuse) => return Err(error.into()),
        };
        let shell = Shell::new(settings::shell(&global, term, &config)?);
        let session = Session {
            invocation,
            global,
            config: Arc::new(config),
            shell: Arc::new(shell),
            started,
            jobserver,
        };
        session.tell_warnings();
        Ok(session)
    }

    /// The same session with the configuration of another directory.
    ///
    /// # Errors
    /// If that configuration is broken.
    pub fn rooted_at(&self, dir: &Path) -> Result<Session> {
        let mut invocation = self.invocation.clone();
        invocation.cwd = dir.to_owned();
        let mut config = load(&invocation, &self.global, Broken::Refuse)?.seen_from(self.cwd());
        config.use_unstable(&self.global.unstable)?;
        Ok(Session {
            invocation: self.invocation.clone(),
            global: self.global.clone(),
            config: Arc::new(config),
            shell: self.shell.clone(),
            started: self.started,
            jobserver: self.jobserver.clone(),
        })
    }

    /// The current directory.
    pub fn cwd(&self) -> &Path {
        &self.invocation.cwd
    }

    /// The environment.
    pub fn env(&self) -> &Env {
        &self.invocation.env
    }

    /// The name that the program goes by.
    pub fn program(&self) -> Program {
        self.invocation.program
    }

    /// When tools that are started should use colours, as `--color` takes it.
    pub fn color_word(&self) -> &'static str {
        match self.global.color.as_deref() {
            Some("always") => "always",
            Some("never") => "never",
            _ => match self.config.term().ok().and_then(|term| term.color) {
                Some(ColorChoice::Always) => "always",
                Some(ColorChoice::Never) => "never",
                _ => "auto",
            },
        }
    }

    /// What may be changed and reached.
    ///
    /// # Errors
    /// If the configuration is malformed.
    pub fn access(&self) -> Result<Access> {
        settings::access(&self.global, &self.config)
    }

    /// Shows what there is to warn of in the configuration, each warning once.
    pub fn tell_warnings(&self) {
        for warning in self.config.take_warnings() {
            self.shell.warn(warning);
        }
    }

    /// Whether unstable features may be used, as for Cargo: on the nightly channel, or when the compiler is told to
    /// pretend.
    pub fn allows_unstable(&self) -> bool {
        self.config.unstable().allowed
    }

    /// Whether this `-Z` flag was given, with or without a value.
    pub fn has_unstable(&self, flag: &str) -> bool {
        self.config.unstable().has(flag)
    }
}

fn load(invocation: &Invocation, global: &GlobalArgs, broken: Broken) -> Result<Config> {
    let Invocation { cwd, env, .. } = invocation;
    let cargo_home = match (env.cargo_home(cwd), broken) {
        (Ok(home), _) => home,
        (Err(_), Broken::Ignore) => cwd.join(".cargo"),
        (Err(error), Broken::Refuse) => return Err(error.into()),
    };
    match (Config::load(cwd, &cargo_home, env, &global.config), broken) {
        (Ok(config), _) => Ok(config),
        (Err(_), Broken::Ignore) => Ok(Config::empty(cwd, &cargo_home, env)),
        (Err(error), Broken::Refuse) => Err(Failure::from(error).context("cannot load the configuration")),
    }
}
