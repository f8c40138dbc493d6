//! What the caller says about an action once its needs are met, and what it is told about finished ones.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wharf_base::digest::Digest;
use wharf_base::process;

use crate::graph::{ActionId, Stage};
use crate::sandbox::Confinement;

/// Makes steps of actions. Implemented by the caller; called from several threads at once.
///
/// Its answers must be functions of the finished outputs alone, or keys would not mean anything.
pub trait Director: Sync {
    /// The step of an action whose needs are met.
    fn step(&self, action: ActionId, done: &Done<'_>) -> Result<Step, StepError>;

    /// What to do with a line that the running action wrote (without its end of line).
    fn line(&self, action: ActionId, stream: Stream, line: &str) -> LineRole;

    /// After the command succeeded and before its outputs leave the scratch directory: what it read that was not
    /// known before.
    fn observe(&self, action: ActionId, step: &Step, run: &RunOutput<'_>) -> Result<Observed, StepError>;
}

/// Why an action cannot be done, or its traces not be read, in the caller's words.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct StepError(pub Box<dyn std::error::Error + Send + Sync>);

impl StepError {
    /// An error from any other one.
    pub fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StepError {
        StepError(error.into())
    }
}

/// One of a child's two output streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineRole {
    /// Tell it to the caller now, and again whenever the action is fresh.
    Keep,
    /// Tell it to the caller now, and never again.
    Pass,
    /// Forget it. With [`Step::capture_stdout`] it is part of the captured text all the same.
    Drop,
    /// Not for people: the early outputs are now written.
    Early,
}

/// One action, ready to be looked up or run.
#[derive(Debug, Clone)]
pub struct Step {
    /// All that is known before the run and can change the result, except what `inputs` holds.
    pub recipe: Recipe,
    /// Artifacts and files whose content is known before the run.
    pub inputs: Vec<Input>,
    /// What to run.
    pub command: Command,
    /// The files that the command writes into its scratch directory.
    pub outputs: Vec<Output>,
    /// A directory that the command fills in place.
    pub tree: Option<TreeOutput>,
    /// Where the content of that directory is laid down a second time.
    pub tree_copy: Option<TreeCopy>,
    /// Whether the whole standard output is a result, told in [`Made::stdout`].
    pub capture_stdout: bool,
    /// The other form of the command, for sources that are being edited here.
    pub incremental: Option<Incremental>,
    /// What the command may read without leaving a trace.
    pub undeclared: Option<Undeclared>,
    /// How to tell what serves in every checkout from what names this one. Without it, `recipe` must hold the
    /// directories that commands may write into their outputs.
    pub checkout: Option<Checkout>,
    /// Whether the result may be kept and found again; otherwise the command runs each time.
    pub cacheable: bool,
    /// Whether the command understands a jobserver.
    pub jobserver: bool,
    /// What it may do beside computing; `None` is anything.
    pub confinement: Option<Confinement>,
}

/// What a command may read without leaving a trace, so that neither recipe nor observation holds it. A result then
/// serves where these values are the same, and in the checkout that it was made in, where the user answers for what
/// nobody declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undeclared {
    /// Names the checkout.
    pub checkout: String,
    /// The digest of everything that could have been read; `None` if that cannot be said, so that a result serves in
    /// its checkout alone.
    pub values: Option<Digest>,
    /// Directories that could have been read: a result serves in another checkout only if they hold the same there.
    pub beyond: Vec<TreeWatch>,
}

/// What tells one checkout from another in the results of a command that would be the same in both.
///
/// Its outputs and lines are searched for the roots. A result that names one of them serves only where that one is the
/// same. The command itself is made to write a mark in place of the root: contents are then equal wherever they were
/// made, and people get to see the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// The directories that lie elsewhere in another checkout.
    pub roots: Vec<PathBuf>,
    /// What the command writes for `root`. Programs get the root in its place, so it is at least as long.
    pub mark: String,
    /// The directory that the mark stands for here.
    pub root: PathBuf,
    /// Outputs that are text and name the scratch directory: what is kept of them does not.
    pub texts: Vec<String>,
}

impl Checkout {
    /// A line as people are to see it.
    pub(crate) fn shown(&self, line: &str) -> String {
        if !line.contains(&self.mark) {
            return line.to_owned();
        }
        let root = self.root.to_string_lossy();
        if !line.starts_with('{') {
            return line.replace(&self.mark, &root);
        }
        let quoted = serde_json::Value::from(&*root).to_string();
        line.replace(&self.mark, quoted.trim_matches('"'))
    }
}

/// Names and values that a result depends on, in a fixed order. Kept with the entry, so that a difference can be
/// told and not only noticed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe(Vec<(String, String)>);

impl Recipe {
    /// An empty recipe.
    pub fn new() -> Recipe {
        Recipe::default()
    }

    /// Adds a value. A name may come several times.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) -> &mut Recipe {
        self.0.push((name.into(), value.into()));
        self
    }

    /// All names and values in order.
    pub fn values(&self) -> &[(String, String)] {
        &self.0
    }
}

/// An artifact or file that the command reads and whose content is part of the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// What people call it; also part of the key.
    pub name: String,
    /// Its content.
    pub digest: Digest,
}

/// A command whose arguments may name the scratch directory.
#[derive(Debug, Clone)]
pub struct Command {
    /// The program: a path, or a name to be looked up in `PATH`.
    pub program: OsString,
    /// Arguments after the program's name.
    pub args: Vec<Arg>,
    /// The child's environment. Observed variables are looked up in it.
    pub env: process::Environment,
    /// The directory to start in.
    pub cwd: PathBuf,
}

/// An argument of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arg {
    /// Passed as it is.
    Plain(OsString),
    /// The path of the scratch directory, with text around it.
    Scratch {
        /// What comes before the path.
        before: OsString,
        /// What comes after it.
        after: OsString,
    },
}

impl Arg {
    /// An argument that is passed as it is.
    pub fn plain(arg: impl Into<OsString>) -> Arg {
        Arg::Plain(arg.into())
    }

    /// The path of the scratch directory alone.
    pub fn scratch() -> Arg {
        Arg::Scratch { before: OsString::new(), after: OsString::new() }
    }
}

impl<T: Into<OsString>> From<T> for Arg {
    fn from(arg: T) -> Arg {
        Arg::Plain(arg.into())
    }
}

impl Command {
    /// The command to run with this scratch directory; `more` arguments come last.
    pub fn render(&self, scratch: &Path, more: &[OsString]) -> process::Command {
        let arg = |arg: &Arg| match arg {
            Arg::Plain(arg) => arg.clone(),
            Arg::Scratch { before, after } => {
                let mut whole = before.clone();
                whole.push(scratch);
                whole.push(after);
                whole
            }
        };
        process::Command {
            program: self.program.clone(),
            args: self.args.iter().map(arg).chain(more.iter().cloned()).collect(),
            env: self.env.clone(),
            cwd: Some(self.cwd.clone()),
        }
    }
}

/// A file that a command leaves in its scratch directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its name in the scratch directory.
    pub name: String,
    /// Where it goes. May be none, when only its digest matters.
    pub dests: Vec<Dest>,
    /// Whether it is written before the command ends, when a line of role [`LineRole::Early`] comes.
    pub early: bool,
    /// Whether the command may leave it out.
    pub optional: bool,
    /// Whether it is a program to be run.
    pub executable: bool,
}

/// A place for an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dest {
    /// The path; its directory is made if need be.
    pub path: PathBuf,
    /// How it comes there.
    pub how: Place,
}

/// How an output comes to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Reflink, else hard link, else copy: for files that nobody changes. They are read-only.
    Link,
    /// Reflink, else copy: a file of its own, for people and other tools. The checkout's root takes the place of its
    /// mark.
    Copy,
    /// As [`Place::Copy`] if it holds the checkout's mark, else as [`Place::Link`].
    Own,
}

/// A directory that a command fills in place, because its path becomes part of what is made. Emptied before the run;
/// nobody else writes to it meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeOutput {
    /// This directory, whatever is made.
    At(PathBuf),
    /// `<root>/<generation>/<below>`: each content has a directory of its own, which never changes once it is whole,
    /// so that builds of several projects can read different ones at once. Equal contents share the older directory.
    Chosen {
        /// What all generations have in common.
        root: PathBuf,
        /// The rest of the path, whose shape commands may know.
        below: PathBuf,
        /// The variable that tells the command its directory.
        variable: OsString,
    },
}

/// A second place for what is in a directory: `<root>/<content>/<below>`, so that commands in other checkouts can be
/// told the same path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeCopy {
    /// What the places of all contents have in common.
    pub root: PathBuf,
    /// The rest of the path, whose shape commands may know.
    pub below: PathBuf,
}

/// The form of a command that keeps state between runs. It is an entry of its own: the results differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incremental {
    /// Where the state lives; made before the run.
    pub dir: PathBuf,
    /// Arguments added to the command.
    pub args: Vec<OsString>,
    /// Use this form whenever the action runs, even if nothing was edited.
    pub force: bool,
}

/// What a command read that was not known before it ran.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// Files, and directories whose whole content was read. A missing one is held as missing. Here and below, a
    /// relative path starts where the command does, and is another one in another checkout.
    pub paths: Vec<PathBuf>,
    /// The same, but if one of them is missing, the result is not kept.
    pub must_exist: Vec<PathBuf>,
    /// What the command itself wrote beside its outputs, in a place that it shares with others: held as it is now, so
    /// that the result serves only while that is still there.
    pub made: Vec<PathBuf>,
    /// Directories of which only the names in them were read.
    pub listed: Vec<PathBuf>,
    /// Directories of which parts do not count.
    pub trees: Vec<TreeWatch>,
    /// Environment variables, set or not. Their values are those of the command's environment.
    pub env: Vec<OsString>,
}

/// A directory that was read, except for parts of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct TreeWatch {
    /// The directory.
    pub root: PathBuf,
    /// Paths below it that do not count.
    pub skip: Vec<PathBuf>,
    /// A directory below it that holds an entry of this name does not count.
    pub skip_holding: Option<String>,
    /// Entries of these names do not count, wherever they are.
    pub skip_names: Vec<String>,
    /// Files whose names end so do not count.
    pub skip_ending: Option<String>,
    /// Whether one look for the whole run is enough: for a large directory in which nothing is written meanwhile.
    pub once: bool,
}

/// What a command that succeeded left behind, before anything is moved.
#[derive(Debug)]
pub struct RunOutput<'a> {
    /// Where its outputs are.
    pub scratch: &'a Path,
    /// The directory that it filled.
    pub tree: Option<&'a Path>,
    /// Its whole standard output, if captured.
    pub stdout: Option<&'a str>,
    /// The lines of role [`LineRole::Keep`].
    pub lines: &'a [KeptLine],
}

impl RunOutput<'_> {
    /// The text of a file in the scratch directory, invalid UTF-8 replaced; `None` if there is no such file.
    pub fn text(&self, name: &str) -> Result<Option<String>, StepError> {
        let bytes = wharf_base::fs::read_if_exists(&self.scratch.join(name)).map_err(StepError::new)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }
}

/// A line that belongs to a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptLine {
    /// Where it was written.
    pub stream: Stream,
    /// The text, without its end of line.
    pub text: String,
}

/// What an action made, or has made so far.
#[derive(Debug, Clone)]
pub struct Made {
    /// [`Stage::Early`] if only the early outputs are there.
    pub stage: Stage,
    /// The outputs by name. An optional one that was not written is missing.
    pub outputs: BTreeMap<String, MadeOutput>,
    /// The digest of all that is in the tree output.
    pub tree: Option<Digest>,
    /// Where the tree output is.
    pub tree_path: Option<PathBuf>,
    /// Where its second place is. `None` if it has none: it is empty, or too large.
    pub tree_copy: Option<PathBuf>,
    /// The captured standard output.
    pub stdout: Option<Arc<str>>,
    /// The lines of role [`LineRole::Keep`].
    pub lines: Arc<[KeptLine]>,
    /// How long the command ran when it made this, now or in another build.
    pub took: Duration,
}

/// One output that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeOutput {
    /// Its content.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Where it lies; the first place if there are several, `None` if there is none.
    pub path: Option<PathBuf>,
}

/// What the actions made so far.
#[derive(Debug, Clone, Copy)]
pub struct Done<'a> {
    pub(crate) slots: &'a [Slot],
}

/// Where the result of one action is put, once for each stage.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    pub early: OnceLock<Arc<Made>>,
    pub whole: OnceLock<Arc<Made>>,
}

impl<'a> Done<'a> {
    /// What an action made: all of it if it has ended, else its early outputs, else `None`.
    ///
    /// To be asked only about what the needs of the action in question make certain, directly or through others:
    /// whether anything else has ended yet is chance.
    pub fn get(&self, action: ActionId) -> Option<&'a Made> {
        let slot = &self.slots[action.0];
        slot.whole.get().or_else(|| slot.early.get()).map(|made| &**made)
    }

    /// The digest of one output of an action.
    pub fn digest(&self, action: ActionId, output: &str) -> Option<Digest> {
        self.get(action)?.outputs.get(output).map(|output| output.digest)
    }
}

impl Step {
    /// A path as the command means it: a relative one starts where it does.
    pub(crate) fn place(&self, path: &Path) -> PathBuf {
        self.command.cwd.join(path)
    }

    /// A kept line as people are to see it here.
    pub(crate) fn shown(&self, line: &str) -> String {
        self.checkout.as_ref().map_or_else(|| line.to_owned(), |checkout| checkout.shown(line))
    }

    /// The value of a variable that the command sees.
    pub fn env(&self, name: &OsStr) -> Option<OsString> {
        self.command.env.get(name)
    }
}
