//! `[term]`.

use super::{Config, ConfigError, Key, Result, Sourced};

/// `[term]`; what is `None` was not stated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TermConfig {
    /// `term.quiet`
    pub quiet: Option<bool>,
    /// `term.verbose`
    pub verbose: Option<bool>,
    /// `term.color`
    pub color: Option<ColorChoice>,
    /// `term.hyperlinks`
    pub hyperlinks: Option<bool>,
    /// `term.unicode`
    pub unicode: Option<bool>,
    /// `term.progress`
    pub progress: ProgressConfig,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum ColorChoice {
    /// On a terminal that has them.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl ColorChoice {
    /// The words of `--color` and `term.color`.
    pub const WORDS: &[(&str, ColorChoice)] =
        &[("auto", ColorChoice::Auto), ("always", ColorChoice::Always), ("never", ColorChoice::Never)];
}

/// `[term.progress]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgressConfig {
    /// `when`
    pub when: ProgressWhen,
    /// `width`, in columns; always stated when `when` is `always`.
    pub width: Option<usize>,
    /// `term-integration`: whether the terminal is told of the progress (OSC 9;4).
    pub term_integration: Option<bool>,
}

/// When progress is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProgressWhen {
    /// On a terminal, outside of CI.
    #[default]
    Auto,
    /// Always, in a fixed width.
    Always,
    /// Never.
    Never,
}

impl Config {
    /// `[term]`.
    ///
    /// # Errors
    /// If a value has the wrong kind, both `quiet` and `verbose` are true, or `progress.when = "always"` has no
    /// `width`.
    pub fn term(&self) -> Result<TermConfig> {
        let table = Key::from("term");
        self.warn_unused(&table, &["quiet", "verbose", "color", "hyperlinks", "unicode", "progress"])?;
        let flag = |name: &str| self.get_bool(table.child(name));
        let value = |found: Option<Sourced<bool>>| found.map(|found| found.value);
        let (quiet, verbose) = (flag("quiet")?, value(flag("verbose")?));
        if let (Some(Sourced { value: true, definition }), Some(true)) = (&quiet, verbose) {
            let reason = "`term.verbose` is true as well; only one can be";
            return Err(ConfigError::invalid(&table.child("quiet"), definition, reason));
        }
        Ok(TermConfig {
            quiet: value(quiet),
            verbose,
            color: self.get_choice(&table.child("color"), ColorChoice::WORDS)?.map(|found| found.value),
            hyperlinks: value(flag("hyperlinks")?),
            unicode: value(flag("unicode")?),
            progress: self.progress(&table.child("progress"))?,
        })
    }

    fn progress(&self, table: &Key) -> Result<ProgressConfig> {
        self.warn_unused(table, &["when", "width", "term-integration"])?;
        let choices =
            [("auto", ProgressWhen::Auto), ("always", ProgressWhen::Always), ("never", ProgressWhen::Never)];
        let key = table.child("when");
        let when = self.get_choice(&key, &choices)?;
        let width = self.get_number(table.child("width"))?.map(|found| found.value);
        if let (Some(Sourced { value: ProgressWhen::Always, definition }), None) = (&when, width) {
            return Err(ConfigError::invalid(&key, definition, "`always` needs a `width` beside it"));
        }
        Ok(ProgressConfig {
            when: when.map(|found| found.value).unwrap_or_default(),
            width,
            term_integration: self.get_bool(table.child("term-integration"))?.map(|found| found.value),
        })
    }
}
