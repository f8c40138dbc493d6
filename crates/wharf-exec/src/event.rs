//! What is told while actions run, and at the end.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use wharf_base::digest::Digest;
use wharf_base::{fs, process};

use crate::graph::ActionId;
use crate::sandbox::{Lacking, Stopped};
use crate::step::{Made, StepError, Stream};

/// Something happened. All events come from one thread, in one order: what is told about an action comes as
/// `Started`, lines, `Early`, and then one of `Finished` and `Failed`; an action that need not run has no `Started`.
#[derive(Debug, Clone)]
pub enum Event {
    /// A command is about to run.
    Started {
        /// Whose.
        action: ActionId,
        /// Why an earlier result does not serve. Never empty.
        why: Vec<Change>,
        /// The command in full.
        command: Arc<process::Command>,
        /// Whether it is the incremental form.
        incremental: bool,
    },
    /// The early outputs of a running action are in place.
    Early {
        /// Whose.
        action: ActionId,
    },
    /// A line that is worth telling.
    Line {
        /// Whose.
        action: ActionId,
        /// Where it was written.
        stream: Stream,
        /// The text, without its end of line.
        line: String,
        /// Whether it was written in an earlier run, whose result serves now.
        replayed: bool,
    },
    /// The result will not be found again: something that the command read was changed while it ran, or is missing.
    NotKept {
        /// Whose.
        action: ActionId,
        /// What was changed or is missing.
        path: PathBuf,
    },
    /// Commands run without a part of the sandbox that they should have. Told once in a run.
    NotConfined(Lacking),
    /// A command wanted something that it was refused. Told again whenever its result serves.
    Stopped {
        /// Whose.
        action: ActionId,
        /// What it wanted.
        stopped: Stopped,
    },
    /// Another build is running the same action: this one waits for its result.
    Waiting {
        /// Which.
        action: ActionId,
    },
    /// Something could not be kept in the store, or be brought back from it. Told once for each run: it costs time,
    /// and nothing else.
    StoreTrouble {
        /// What did not work out.
        error: Arc<fs::Error>,
    },
    /// The outputs of an action are in place.
    Finished {
        /// Whose.
        action: ActionId,
        /// How they came there.
        outcome: Outcome,
        /// What they are.
        made: Arc<Made>,
        /// How long the command ran; for what did not run now, how long it took to put the outputs in place.
        took: Duration,
    },
    /// An action failed; what depends on it is not started.
    Failed {
        /// Which.
        action: ActionId,
        /// Why.
        failure: Arc<Failure>,
        /// How long it ran.
        took: Duration,
    },
    /// Some time has passed and commands are running: for those who show a clock.
    Tick,
}

/// How the outputs of an action came to their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// They were there.
    Fresh,
    /// They were made before, and were put in place now.
    Restored,
    /// The command ran.
    Ran,
}

/// Why an earlier result does not serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing is known of an earlier run in this target directory.
    NeverBuilt,
    /// The action always runs.
    AlwaysRuns,
    /// A value of the recipe is not what it was. `None`: it was not there, or is no longer.
    Recipe {
        /// The name of the value.
        name: String,
        /// The value then.
        old: Option<String>,
        /// The value now.
        new: Option<String>,
    },
    /// An input is not what it was.
    Input {
        /// The name of the input.
        name: String,
        /// Its content then.
        old: Option<Digest>,
        /// Its content now.
        new: Option<Digest>,
    },
    /// A file or directory that the command read is not what it was.
    File {
        /// Which.
        path: PathBuf,
        /// In what way.
        change: FileChange,
    },
    /// An environment variable that the command read is not what it was.
    Env {
        /// Its name.
        name: OsString,
        /// Its value then.
        old: Option<OsString>,
        /// Its value now.
        new: Option<OsString>,
    },
    /// The earlier result would serve, but it is no longer in the store, or is damaged, or was not kept.
    ResultLost,
}

/// In what way a file differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileChange {
    /// Its content.
    Content,
    /// It was missing and is there now.
    Appeared,
    /// It was there and is missing now.
    Vanished,
}

/// Why an action failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The caller could not say what to do, or could not read what was done.
    #[error(transparent)]
    Step(#[from] StepError),
    /// The command did not start.
    #[error("cannot run `{}`", command)]
    Start {
        /// The command.
        command: Arc<process::Command>,
        /// Why not.
        #[source]
        cause: std::io::Error,
    },
    /// The command ended badly.
    #[error("`{}` failed ({})", command, process::describe(status))]
    Status {
        /// The command.
        command: Arc<process::Command>,
        /// How it ended.
        status: ExitStatus,
    },
    /// The command succeeded without writing something that it should.
    #[error("`{}` did not write `{output}`", command.program.to_string_lossy())]
    MissingOutput {
        /// The command.
        command: Arc<process::Command>,
        /// What is missing.
        output: String,
    },
    /// A file of Wharf's own could not be read or written.
    #[error(transparent)]
    File(#[from] fs::Error),
    /// The build was interrupted.
    #[error("interrupted")]
    Interrupted,
    /// Another build in the same target directory put something else where this one's inputs or outputs are.
    #[error("another build has changed the target directory meanwhile")]
    Overtaken,
}

/// How one action ended.
#[derive(Debug, Clone)]
pub enum ActionResult {
    /// It was never started.
    Skipped,
    /// It failed.
    Failed(Arc<Failure>),
    /// Its outputs are in place.
    Done(Outcome, Arc<Made>),
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Summary {
    /// One result for each action, in the order of the graph.
    pub results: Vec<ActionResult>,
    /// Whether a signal ended it.
    pub interrupted: bool,
    /// Whether another build in the same target directory, of other sources, came between: what was done so far is
    /// kept, but the whole is to be planned and run again.
    pub overtaken: bool,
    /// If something of what was on trial was not found: how much of it was. Then nothing was run.
    pub given_up: Option<usize>,
}

impl Summary {
    /// Whether every action's outputs are in place.
    pub fn is_success(&self) -> bool {
        !self.interrupted
            && !self.overtaken
            && self.given_up.is_none()
            && self.results.iter().all(|result| matches!(result, ActionResult::Done(..)))
    }

    /// How many actions ended in this way.
    pub fn count(&self, outcome: Outcome) -> usize {
        let ended = |result: &&ActionResult| matches!(result, ActionResult::Done(it, _) if *it == outcome);
        self.results.iter().filter(ended).count()
    }

    /// What one action made, if it did.
    pub fn made(&self, action: ActionId) -> Option<&Made> {
        match &self.results[action.0] {
            ActionResult::Done(_, made) => Some(made),
            _ => None,
        }
    }

    /// The failed actions and why.
    pub fn failures(&self) -> impl Iterator<Item = (ActionId, &Failure)> {
        self.results.iter().enumerate().filter_map(|(index, result)| match result {
            ActionResult::Failed(failure) => Some((ActionId(index), &**failure)),
            _ => None,
        })
    }
}
