//! From what was typed to what it means, with configuration and environment taken into account. Precedence exists
//! here and nowhere else.

pub mod compile;

use wharf_ops::config::{ColorChoice, Config, Jobs, TermConfig};
use wharf_ops::resolve::LockPolicy;
use wharf_ops::{Exit, Failure, Result};

use crate::cli::{CompileOptions, GlobalArgs, PackageSelection};
use crate::shell::{ShellOptions, Verbosity};

/// A failure of the command line itself.
pub fn usage(message: impl Into<String>) -> Failure {
    Failure::new(message).exit(Exit::Usage)
}

/// How the terminal is used: `-v`, `-q`, `--color` over `[term]`.
///
/// # Errors
/// If flags contradict each other, or the colour is no word that exists.
pub fn shell(global: &GlobalArgs, term: TermConfig, config: &Config) -> Result<ShellOptions> {
    let env = config.env();
    let verbosity = match (global.verbose, global.quiet) {
        (1.., true) => return Err(Failure::new("`--verbose` and `--quiet` contradict each other")),
        (1, false) => Verbosity::Verbose,
        (2.., false) => Verbosity::VeryVerbose,
        (0, true) => Verbosity::Quiet,
        (0, false) => match (term.verbose, term.quiet) {
            (Some(true), _) => Verbosity::Verbose,
            (_, Some(true)) => Verbosity::Quiet,
            _ => Verbosity::Normal,
        },
    };
    let color = match &global.color {
        None => term.color.unwrap_or_default(),
        Some(word) => color(word)?,
    };
    let variable = |name: &str| env.get_filled(name).is_some();
    let program = env.get("TERM_PROGRAM").unwrap_or_default();
    Ok(ShellOptions {
        verbosity,
        color,
        term,
        is_ci: variable("CI") || variable("TF_BUILD"),
        is_dumb: env.get("TERM") == Some("dumb"),
        is_unicode: ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .find_map(|name| env.get_filled(name))
            .map(|locale| locale.to_string_lossy().to_lowercase())
            .is_some_and(|locale| locale.contains("utf-8") || locale.contains("utf8")),
        shows_progress: variable("WT_SESSION")
            || env.get("ConEmuANSI") == Some("ON")
            || ["WezTerm", "ghostty"].contains(&program),
    })
}

fn color(word: &str) -> Result<ColorChoice> {
    let found = ColorChoice::WORDS.iter().find(|(known, _)| *known == word);
    found.map(|(_, choice)| *choice).ok_or_else(|| {
        Failure::new(format!("argument for --color must be auto, always, or never, but found `{word}`"))
    })
}

/// What may be changed and reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// What may happen to the lockfile.
    pub lock: LockPolicy,
    /// What forbids the network, if anything does.
    pub offline: Option<&'static str>,
}

/// `--locked`, `--offline`, `--frozen` and `net.offline`.
///
/// # Errors
/// If the configuration is malformed.
pub fn access(global: &GlobalArgs, config: &Config) -> Result<Access> {
    let lock = match (global.frozen, global.locked) {
        (true, _) => LockPolicy::Refuse { because: "--frozen" },
        (_, true) => LockPolicy::Refuse { because: "--locked" },
        _ => LockPolicy::Update,
    };
    let offline = match (global.frozen, global.offline) {
        (true, _) => Some("--frozen"),
        (_, true) => Some("--offline"),
        _ => config.net()?.offline.then_some("net.offline"),
    };
    Ok(Access { lock, offline })
}

/// How many jobs run at once: `-j` over `build.jobs` over the number of processors.
///
/// # Errors
/// If the number makes no sense.
pub fn jobs(compile: &CompileOptions, config: &Config) -> Result<usize> {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let jobs = match &compile.jobs {
        Some(text) => {
            Jobs::parse(text).map_err(|reason| Failure::new(format!("invalid `--jobs`: {reason}")))?
        }
        None => config.build()?.jobs.map_or(Jobs::Default, |jobs| jobs.value),
    };
    Ok(jobs.count(processors))
}

/// The profile by name: `--profile`, `--release`, or the command's own.
///
/// # Errors
/// If the name is reserved or no name.
pub fn profile(stated: Option<&str>, release: bool, own: &str) -> Result<String> {
    let Some(name) = stated else {
        return Ok(if release { "release".to_owned() } else { own.to_owned() });
    };
    let plain = name.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_');
    if name.is_empty() || !plain {
        return Err(Failure::new(format!(
            "invalid profile name `{name}`: only letters, digits, `-` and `_` are allowed"
        )));
    }
    match name {
        "debug" => Err(Failure::new("profile `debug` is reserved").help("use `--profile=dev`")),
        "doc" | "build" | "check" | "cargo" | "help" => {
            Err(Failure::new(format!("profile `{name}` is reserved and cannot be asked for")))
        }
        _ => Ok(name.to_owned()),
    }
}

/// How diagnostics and artifacts are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageFormat {
    /// For people.
    Human,
    /// For people, one line for each diagnostic.
    Short,
    /// One JSON object a line, on standard output.
    Json {
        /// Diagnostics are shown to people instead, on standard error.
        render_diagnostics: bool,
        /// The `rendered` text in a diagnostic is the short form.
        short: bool,
        /// The `rendered` text in a diagnostic has colours.
        ansi: bool,
    },
}

/// `--message-format`.
///
/// # Errors
/// If formats were given that exclude each other.
pub fn message_format(words: &[String]) -> Result<MessageFormat> {
    let mut format: Option<MessageFormat> = None;
    let clash = || Failure::new("cannot specify two kinds of `message-format` arguments");
    for word in words {
        let word = word.to_lowercase();
        let (render, brief, colour) = match word.as_str() {
            "human" | "short" => {
                if format.is_some() {
                    return Err(clash());
                }
                format = Some(if word == "short" { MessageFormat::Short } else { MessageFormat::Human });
                continue;
            }
            "json" => {
                if format.is_some() {
                    return Err(clash());
                }
                (false, false, false)
            }
            "json-render-diagnostics" => (true, false, false),
            "json-diagnostic-short" => (false, true, false),
            "json-diagnostic-rendered-ansi" => (false, false, true),
            _ => return Err(usage(format!("invalid message format `{word}`"))),
        };
        let (render_diagnostics, short, ansi) = match format {
            None => (render, brief, colour),
            Some(MessageFormat::Json { render_diagnostics, short, ansi }) => {
                (render_diagnostics || render, short || brief, ansi || colour)
            }
            Some(_) => return Err(clash()),
        };
        format = Some(MessageFormat::Json { render_diagnostics, short, ansi });
    }
    Ok(format.unwrap_or(MessageFormat::Human))
}

/// Warns of `--all`, and tells whether every package of the workspace is meant.
pub fn whole_workspace(packages: &PackageSelection, warn: &dyn Fn(String)) -> bool {
    if packages.all {
        warn("the `--all` flag is deprecated; use `--workspace`".to_owned());
    }
    packages.workspace || packages.all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_formats() {
        let read = |text: &str| {
            let words: Vec<String> =
                text.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect();
            message_format(&words)
        };
        assert_eq!(read("").unwrap(), MessageFormat::Human);
        assert_eq!(read("SHORT").unwrap(), MessageFormat::Short);
        let json = |render_diagnostics, short, ansi| MessageFormat::Json { render_diagnostics, short, ansi };
        assert_eq!(read("json").unwrap(), json(false, false, false));
        assert_eq!(
            read("json-diagnostic-short,json-diagnostic-rendered-ansi").unwrap(),
            json(false, true, true)
        );
        assert_eq!(read("json-render-diagnostics").unwrap(), json(true, false, false));
        for bad in ["human,json", "json,human", "human,short", "json,json", "json-diagnostic-short,json"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn profiles() {
        assert_eq!(profile(None, true, "dev").unwrap(), "release");
        assert_eq!(profile(None, false, "test").unwrap(), "test");
        assert_eq!(profile(Some("mine"), false, "dev").unwrap(), "mine");
        assert!(profile(Some("debug"), false, "dev").is_err());
        assert!(profile(Some("a/b"), false, "dev").is_err());
    }
}
