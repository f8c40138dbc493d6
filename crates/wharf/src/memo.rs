//! Commands whose answer is kept: asked again with nothing changed, they give it without reading a manifest.

use std::time::Instant;

use wharf_ops::snapshot::{Question, Snapshots, Started, Watch};

use crate::cli::Command;
use crate::invocation::Invocation;
use crate::shell::{Shell, ShellOptions};

/// A question that has no answer yet.
pub struct Memo {
    question: Question,
    snapshots: Snapshots,
    watch: Watch,
}

/// Answers from memory.
pub enum Recall {
    /// The answer has been given; it was one of success.
    Answered,
    /// The command must run. What it says may be kept.
    Unknown(Option<Memo>),
}

/// Looks for the answer to what was typed.
pub fn recall(invocation: &Invocation, started: Instant) -> Recall {
    let Some((question, snapshots)) = question(invocation) else { return Recall::Unknown(None) };
    if let Some(answer) = snapshots.find(&question) {
        let shell = Shell::new(ShellOptions { color: answer.color, ..ShellOptions::default() });
        shell.repeat(answer.said, started.elapsed());
        if !shell.is_broken() {
            return Recall::Answered;
        }
    }
    Recall::Unknown(Some(Memo { question, snapshots, watch: Watch::begin() }))
}

fn question(invocation: &Invocation) -> Option<(Question, Snapshots)> {
    let Invocation { program, executable, cwd, env, args } = invocation;
    let name = program.name();
    let question = Question::of(&Started { name, executable, args, cwd, env })?;
    Some((question, Snapshots::new(&env.wharf_home(cwd).ok()?)))
}

/// Whether a command does nothing but tell, when there is nothing to do.
pub fn may_be_kept(command: Option<&Command>) -> bool {
    matches!(command, Some(Command::Build(_) | Command::Check(_) | Command::Metadata(_) | Command::Tree(_)))
}

impl Memo {
    /// Keeps the answer that `shell` gave, if the command succeeded and the answer will be the same as long as the
    /// files are.
    pub fn keep(self, shell: &Shell) {
        let answer = shell.recorded();
        if !shell.is_broken() {
            self.snapshots.keep(&self.question, &self.watch, answer);
        }
    }
}
