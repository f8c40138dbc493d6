//! The terminal: the only place that writes to it.
//!
//! Words and columns are Cargo's, since scripts and people look for them. Whatever is written first clears the line
//! of progress, which is drawn again afterwards.

mod progress;
mod snippet;

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anstream::AutoStream;
use anstyle::{AnsiColor, Effects, Style};
use wharf_ops::Failure;
use wharf_ops::config::{ColorChoice, ProgressWhen, TermConfig};
use wharf_ops::snapshot::{Answer, Said};

pub use progress::Progress;
use progress::ProgressLine;

/// How much is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// What is done, warnings and errors.
    #[default]
    Normal,
    /// Commands as well (`-v`).
    Verbose,
    /// The output of build scripts as well (`-vv`).
    VeryVerbose,
}

/// How the terminal is to be used, with flags and configuration settled.
#[derive(Clone, Debug, Default)]
pub struct ShellOptions {
    /// How much is said.
    pub verbosity: Verbosity,
    /// When colours are used.
    pub color: ColorChoice,
    /// `[term]`, for progress, links and characters.
    pub term: TermConfig,
    /// Whether this runs in continuous integration, where nobody watches.
    pub is_ci: bool,
    /// Whether the terminal can do nothing (`TERM=dumb`).
    pub is_dumb: bool,
    /// Whether the locale has characters outside of ASCII.
    pub is_unicode: bool,
    /// Whether the terminal shows a progress that it is told of (OSC 9;4).
    pub shows_progress: bool,
}

/// Colours by meaning.
pub mod style {
    use super::{AnsiColor, Effects, Style};

    const fn bold(color: AnsiColor) -> Style {
        color.on_default().effects(Effects::BOLD)
    }

    /// What went well, and titles.
    pub const GOOD: Style = bold(AnsiColor::BrightGreen);
    /// What goes on.
    pub const DOING: Style = bold(AnsiColor::BrightCyan);
    /// Warnings.
    pub const WARNING: Style = bold(AnsiColor::Yellow);
    /// Errors.
    pub const ERROR: Style = bold(AnsiColor::BrightRed);
    /// Notes.
    pub const NOTE: Style = bold(AnsiColor::BrightGreen);
    /// Advice.
    pub const HELP: Style = bold(AnsiColor::BrightCyan);
    /// Where something is from.
    pub const CONTEXT: Style = bold(AnsiColor::BrightBlue);
    /// What is off.
    pub const OFF: Style = Style::new().effects(Effects::DIMMED);
    /// What stands for more.
    pub const SUMMARY: Style = Style::new().effects(Effects::ITALIC);
}

/// Writes to standard output and standard error.
pub struct Shell(Mutex<State>);

struct State {
    /// A write failed because its reader went away.
    broken: bool,
    /// Everything that was written, as long as somebody may want it.
    tape: Option<Vec<Said>>,
    out: AutoStream<io::Stdout>,
    err: AutoStream<io::Stderr>,
    options: ShellOptions,
    progress: ProgressLine,
}

impl Shell {
    /// A shell that uses the terminal as the options say.
    pub fn new(options: ShellOptions) -> Shell {
        let choice = match options.color {
            ColorChoice::Auto => None,
            ColorChoice::Always => Some(anstream::ColorChoice::Always),
            ColorChoice::Never => Some(anstream::ColorChoice::Never),
        };
        let out = choice.unwrap_or_else(|| AutoStream::choice(&io::stdout()));
        let err = choice.unwrap_or_else(|| AutoStream::choice(&io::stderr()));
        let config = &options.term.progress;
        let drawn = match config.when {
            _ if options.verbosity == Verbosity::Quiet => false,
            ProgressWhen::Never => false,
            ProgressWhen::Always => true,
            ProgressWhen::Auto => {
                let plain = options.is_ci || options.is_dumb || options.verbosity > Verbosity::Normal;
                io::stderr().is_terminal() && !plain
            }
        };
        let told =
            drawn && config.term_integration.unwrap_or(options.shows_progress && io::stderr().is_terminal());
        Shell(Mutex::new(State {
            broken: false,
            tape: Some(Vec::new()),
            out: AutoStream::new(io::stdout(), out),
            err: AutoStream::new(io::stderr(), err),
            progress: ProgressLine::new(drawn, told, config.width),
            options,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that was written so far; from now on nothing is remembered.
    pub fn recorded(&self) -> Answer {
        let mut state = self.state();
        Answer { color: state.options.color, said: state.tape.take().unwrap_or_default() }
    }

    /// Writes what was recorded in another run, as if it were said now.
    pub fn repeat(&self, said: Vec<Said>, took: Duration) {
        for said in said {
            match said {
                Said::Out(bytes) => self.out_raw(&bytes),
                Said::Err(line) => self.err(line),
                Said::Finished(line) => self.state().line(format_args!("{line}{}", elapsed(took))),
            }
        }
    }

    /// How much is said.
    pub fn verbosity(&self) -> Verbosity {
        self.state().options.verbosity
    }

    /// Whether standard output shows colours.
    pub fn out_colors(&self) -> bool {
        self.state().out.current_choice() != anstream::ColorChoice::Never
    }

    /// Whether characters outside of ASCII are shown well.
    pub fn unicode(&self) -> bool {
        let state = self.state();
        state.options.term.unicode.unwrap_or(state.options.is_unicode)
    }

    /// Whether anything was lost because the reader of standard output or standard error went away.
    pub fn is_broken(&self) -> bool {
        self.state().broken
    }

    /// The width of the terminal behind standard error, in columns.
    pub fn width(&self) -> Option<usize> {
        progress::width()
    }

    /// `   Compiling foo v1.0.0`: what is done, in the colour of success.
    pub fn status(&self, word: &str, message: impl Display) {
        self.labelled(word, message, style::GOOD);
    }

    /// The same in a colour that draws less attention: notes about what goes on.
    pub fn status_note(&self, word: &str, message: impl Display) {
        self.labelled(word, message, style::DOING);
    }

    /// The same in the colour of warnings.
    pub fn status_warning(&self, word: &str, message: impl Display) {
        self.labelled(word, message, style::WARNING);
    }

    /// A status that has no word of its own.
    pub fn plain_status(&self, message: impl Display) {
        let mut state = self.state();
        if state.options.verbosity > Verbosity::Quiet {
            state.line(format_args!("      {message}"));
        }
    }

    /// `    Finished … in 0.05s`
    pub fn finished(&self, about: &str, took: Duration) {
        let mut state = self.state();
        if state.options.verbosity > Verbosity::Quiet {
            let style = style::GOOD;
            let line = format!("{style}{:>12}{style:#} {about} in ", "Finished");
            let tape = state.tape.take();
            state.line(format_args!("{line}{}", elapsed(took)));
            state.tape = tape;
            state.keep(|| Said::Finished(line));
        }
    }

    fn labelled(&self, word: &str, message: impl Display, style: Style) {
        let mut state = self.state();
        if state.options.verbosity > Verbosity::Quiet {
            state.line(format_args!("{style}{word:>12}{style:#} {message}"));
        }
    }

    /// `warning: …`
    pub fn warn(&self, message: impl Display) {
        self.titled("warning", message, style::WARNING);
    }

    /// `note: …`
    pub fn note(&self, message: impl Display) {
        self.titled("note", message, style::NOTE);
    }

    /// `help: …`
    pub fn help(&self, message: impl Display) {
        self.titled("help", message, style::HELP);
    }

    fn titled(&self, title: &str, message: impl Display, style: Style) {
        let mut state = self.state();
        if state.options.verbosity > Verbosity::Quiet {
            state.titled(title, &message, style);
        }
    }

    /// `error: …`, in every verbosity.
    pub fn error(&self, message: impl Display) {
        self.state().titled("error", &message, style::ERROR);
    }

    /// A failure with its causes, and what can be done about it.
    pub fn failure(&self, failure: &Failure) {
        if failure.is_silent() {
            return;
        }
        let (unicode, width) = (self.unicode(), self.width());
        let mut state = self.state();
        let refusal = failure.refusal();
        for (depth, sentence) in failure.chain().into_iter().enumerate() {
            let drawn = match &refusal {
                Some(refusal) if refusal.sentence == sentence => snippet::draw(refusal, unicode, width),
                _ => None,
            };
            match (depth, drawn) {
                (0, Some(drawn)) => state.line(format_args!("{drawn}")),
                (0, None) => state.titled("error", &sentence, style::ERROR),
                (_, drawn) => {
                    let cause = drawn.unwrap_or(sentence);
                    state.line(format_args!("\nCaused by:\n{}", indented(&cause)));
                }
            }
        }
        if let Some(advice) = failure.advice() {
            state.line(format_args!(""));
            for line in advice.lines() {
                state.titled("help", &line, style::HELP);
            }
        }
    }

    /// A failure that is no reason to stop.
    pub fn warn_failure(&self, message: impl Display, failure: &Failure) {
        self.warn(message);
        let mut state = self.state();
        if state.options.verbosity > Verbosity::Quiet {
            for cause in failure.chain() {
                state.line(format_args!("\nCaused by:\n{}", indented(&cause)));
            }
        }
    }

    /// A line on standard output. A reader that went away is no error: it has seen enough.
    pub fn out(&self, line: impl Display) {
        let mut state = self.state();
        state.clear();
        state.keep(|| Said::Out(format!("{line}\n").into_bytes()));
        let written = writeln!(state.out, "{line}").and_then(|()| state.out.flush());
        state.note(&written);
    }

    /// Text on standard output as it is, without the end of a line.
    pub fn out_raw(&self, bytes: &[u8]) {
        let mut state = self.state();
        state.clear();
        state.keep(|| Said::Out(bytes.to_vec()));
        let _ = state.out.write_all(bytes);
        let _ = state.out.flush();
    }

    /// A line on standard error as it is; colours are removed where they are not shown.
    pub fn err(&self, line: impl Display) {
        self.state().line(format_args!("{line}"));
    }

    /// Draws how far things are, if progress is drawn and the last drawing is long enough ago.
    pub fn progress(&self, progress: &Progress<'_>) {
        let mut state = self.state();
        let State { err, progress: line, .. } = &mut *state;
        line.draw(err, progress);
    }

    /// Removes the line of progress for good.
    pub fn progress_done(&self) {
        let mut state = self.state();
        let State { err, progress, .. } = &mut *state;
        progress.finish(err);
    }
}

impl State {
    fn clear(&mut self) {
        self.progress.clear(&mut self.err);
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        self.clear();
        self.keep(|| Said::Err(line.to_string()));
        // Nothing can be told when standard error is gone.
        let written = writeln!(self.err, "{line}");
        self.note(&written);
    }

    fn keep(&mut self, said: impl FnOnce() -> Said) {
        if let Some(tape) = &mut self.tape {
            tape.push(said());
        }
    }

    fn note(&mut self, written: &io::Result<()>) {
        self.broken |= written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
    }

    fn titled(&mut self, title: &str, message: &dyn Display, style: Style) {
        let bold = Style::new().effects(Effects::BOLD);
        self.line(format_args!("{style}{title}{style:#}{bold}:{bold:#} {message}"));
    }
}

/// `1m 05s`, `0.25s`
fn elapsed(took: Duration) -> String {
    let seconds = took.as_secs();
    if seconds >= 60 {
        format!("{}m {:02}s", seconds / 60, seconds % 60)
    } else {
        format!("{seconds}.{:02}s", took.subsec_nanos() / 10_000_000)
    }
}

/// A cause may have several lines; all stand under `Caused by:`.
fn indented(text: &str) -> String {
    let indent = |line: &str| if line.is_empty() { String::new() } else { format!("  {line}") };
    text.lines().map(indent).collect::<Vec<_>>().join("\n")
}
