//! Turns events about actions into notes about packages: the one stream that terminal, JSON and tests read.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use wharf_base::process::Command;
use wharf_core::PackageId;
use wharf_exec::{ActionId, Change, Deed, Event, Failure, Lacking, Made, Outcome, Stopped, Stream};
use wharf_plan::{Mode, Plan, SandboxLevel, ScriptMessage, Unit, UnitId, is_refused_variable};

pub use crate::diagnostic::Diagnostic;
use crate::diagnostic::future_reports;
use crate::fix::Message;
use crate::sandbox::grant_line;

/// Something about a package or unit.
#[derive(Debug)]
pub enum Note<'p> {
    /// The first unit of a package is compiled, checked or documented.
    Working {
        /// `Compiling`, `Checking`, `Documenting`.
        verb: &'static str,
        /// The unit.
        unit: &'p Unit,
    },
    /// Nothing of a package had to be done.
    Fresh {
        /// A unit of it.
        unit: &'p Unit,
    },
    /// A unit is done again because something changed.
    Dirty {
        /// The unit.
        unit: &'p Unit,
        /// What changed.
        why: Vec<Change>,
    },
    /// A command starts.
    Command {
        /// Its unit.
        unit: &'p Unit,
        /// The command.
        command: Arc<Command>,
    },
    /// The compiler wrote a diagnostic.
    Diagnostic {
        /// Its unit.
        unit: &'p Unit,
        /// The compiler's line of JSON.
        json: String,
        /// The same, as far as people care; `None` for lines that are no diagnostics.
        diagnostic: Option<Diagnostic>,
        /// Whether another unit has shown the same one in this build.
        duplicate: bool,
    },
    /// The compiler knows of code that later ones will refuse.
    FutureIncompat {
        /// Its unit.
        unit: &'p Unit,
        /// The diagnostics as the compiler renders them, with colours.
        reports: Vec<String>,
    },
    /// Something was done to a crate's sources, or could not be.
    Fix(Message),
    /// The compiler wrote something else.
    Text {
        /// Its unit.
        unit: &'p Unit,
        /// Where to.
        stream: Stream,
        /// The line.
        line: String,
    },
    /// The build cache does not work as it should; the build goes on without it.
    StoreTrouble {
        /// What did not work out.
        error: Arc<wharf_base::fs::Error>,
    },
    /// A build script says something to people.
    Script {
        /// Its unit.
        unit: &'p Unit,
        /// What it says.
        message: ScriptMessage,
    },
    /// The kernel has no sandbox, or only a part of one.
    NotConfined(Lacking),
    /// The sandbox stopped a build script or a compiler with procedural macros.
    Stopped {
        /// Its unit.
        unit: &'p Unit,
        /// What was stopped. None if that is not known, but the failure looks as if something had been.
        stopped: Vec<Stopped>,
        /// Whether the command did well without.
        succeeded: bool,
        /// What to write into the file of grants to allow it, if it should be.
        grant: String,
    },
    /// A build script wants compilers to have variables that they must not get from it.
    RefusedVariables {
        /// Its unit.
        unit: &'p Unit,
        /// Their names.
        names: Vec<String>,
    },
    /// A unit is done.
    Done {
        /// Its id, to ask the plan for its files.
        id: UnitId,
        /// The unit.
        unit: &'p Unit,
        /// Whether nothing ran.
        fresh: bool,
        /// What its diagnostics came to.
        counts: Counts,
        /// What it made.
        made: Arc<Made>,
        /// How long it took.
        took: Duration,
    },
    /// A unit failed.
    Failed {
        /// The unit.
        unit: &'p Unit,
        /// Why.
        failure: Arc<Failure>,
        /// What its diagnostics came to.
        counts: Counts,
        /// What a build script wrote.
        written: Vec<(Stream, String)>,
    },
    /// How far everything is.
    Progress(Progress),
}

/// How many diagnostics a unit has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Errors.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
    /// Those of the warnings that lints gave.
    pub lints: usize,
    /// Warnings that another unit has shown already.
    pub duplicates: usize,
    /// Warnings that `fix` could correct.
    pub fixable: usize,
}

/// How far a build is.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Actions that are done.
    pub done: usize,
    /// All of them.
    pub total: usize,
    /// What is running, oldest first.
    pub running: Vec<String>,
}

/// The fold.
pub struct Narrator<'p> {
    plan: &'p Plan,
    left: HashMap<PackageId, usize>,
    compiled: HashSet<PackageId>,
    documented: HashSet<PackageId>,
    counts: HashMap<ActionId, Counts>,
    said: HashMap<ActionId, Vec<ScriptMessage>>,
    written: HashMap<ActionId, Vec<(Stream, String)>>,
    stopped: HashMap<ActionId, Vec<Stopped>>,
    /// Actions whose output speaks of missing permission.
    forbidden: HashSet<ActionId>,
    shown: HashSet<String>,
    running: Vec<ActionId>,
    done: usize,
}

impl<'p> Narrator<'p> {
    /// Nothing has happened yet.
    pub fn new(plan: &'p Plan) -> Self {
        let mut left = HashMap::new();
        for action in 0..plan.graph.actions.len() {
            let unit = plan.unit(plan.unit_of(ActionId(action)));
            *left.entry(unit.id().clone()).or_default() += 1;
        }
        Self {
            plan,
            left,
            compiled: HashSet::new(),
            documented: HashSet::new(),
            counts: HashMap::new(),
            said: HashMap::new(),
            written: HashMap::new(),
            stopped: HashMap::new(),
            forbidden: HashSet::new(),
            shown: HashSet::new(),
            running: Vec::new(),
            done: 0,
        }
    }

    /// Tells what an event means.
    pub fn tell(&mut self, event: Event, sink: &mut dyn FnMut(Note<'p>)) {
        match event {
            Event::Started { action, why, command, incremental: _ } => {
                self.running.push(action);
                self.started(action, why, command, sink);
            }
            Event::Early { .. } | Event::NotKept { .. } | Event::Waiting { .. } => {}
            Event::StoreTrouble { error } => sink(Note::StoreTrouble { error }),
            Event::NotConfined(lacking) => sink(Note::NotConfined(lacking)),
            Event::Stopped { action, stopped } => self.stopped.entry(action).or_default().push(stopped),
            Event::Line { action, stream, line, replayed: _ } => {
                if is_about_permission(&line) {
                    self.forbidden.insert(action);
                }
                self.line(action, stream, line, sink);
            }
            Event::Finished { action, outcome, made, took } => {
                self.ended(action);
                let id = self.plan.unit_of(action);
                let unit = self.plan.unit(id);
                let left = self.left.get_mut(unit.id()).map_or(0, |left| {
                    *left -= 1;
                    *left
                });
                let fresh = outcome != Outcome::Ran;
                if fresh
                    && left == 0
                    && !self.documented.contains(unit.id())
                    && self.compiled.insert(unit.id().clone())
                {
                    sink(Note::Fresh { unit });
                }
                self.script_said(action, made.stdout.as_deref(), sink);
                self.tell_refused(id, &made, fresh, sink);
                self.tell_stopped(action, true, sink);
                let counts = self.counts.remove(&action).unwrap_or_default();
                sink(Note::Done { id, unit, fresh, counts, made, took });
            }
            Event::Failed { action, failure, took: _ } => {
                self.ended(action);
                let unit = self.plan.unit(self.plan.unit_of(action));
                for message in self.said.remove(&action).unwrap_or_default() {
                    sink(Note::Script { unit, message });
                }
                let counts = self.counts.remove(&action).unwrap_or_default();
                let written = self.written.remove(&action).unwrap_or_default();
                sink(Note::Failed { unit, failure, counts, written });
                self.tell_stopped(action, false, sink);
            }
            Event::Tick => {}
        }
        sink(Note::Progress(self.progress()));
    }

    fn started(
        &mut self,
        action: ActionId,
        why: Vec<Change>,
        command: Arc<Command>,
        sink: &mut dyn FnMut(Note<'p>),
    ) {
        let unit = self.plan.unit(self.plan.unit_of(action));
        let first = if unit.mode == Mode::Doc {
            self.documented.insert(unit.id().clone())
        } else {
            self.compiled.insert(unit.id().clone())
        };
        if first {
            if !why.iter().all(|change| matches!(change, Change::NeverBuilt | Change::AlwaysRuns)) {
                sink(Note::Dirty { unit, why });
            }
            // A build script's run counts as compiling its package.
            sink(Note::Working { verb: unit.verb().unwrap_or("Compiling"), unit });
        }
        sink(Note::Command { unit, command });
    }

    fn line(&mut self, action: ActionId, stream: Stream, line: String, sink: &mut dyn FnMut(Note<'p>)) {
        let unit = self.plan.unit(self.plan.unit_of(action));
        if unit.mode == Mode::RunScript {
            self.written.entry(action).or_default().push((stream, line.clone()));
            match ScriptMessage::of_line(&line).filter(|_| stream == Stream::Out) {
                Some(message) => {
                    self.said.entry(action).or_default().push(message);
                }
                None => sink(Note::Text { unit, stream, line }),
            }
            return;
        }
        if stream == Stream::Out || !line.starts_with('{') {
            sink(Note::Text { unit, stream, line });
            return;
        }
        if let Some(reports) = future_reports(&line) {
            sink(Note::FutureIncompat { unit, reports });
            return;
        }
        if let Some(message) = Message::of_line(&line) {
            sink(Note::Fix(message));
            return;
        }
        let diagnostic: Option<Diagnostic> = serde_json::from_str(&line).ok();
        // Kept from a build that showed everything.
        let is_kept_warning = diagnostic.as_ref().is_some_and(|it| it.level == "warning" || it.is_summary())
            && !self.plan.shows_warnings(unit);
        if is_kept_warning {
            return;
        }
        let duplicate = diagnostic.as_ref().is_some_and(|diagnostic| self.count(action, diagnostic));
        sink(Note::Diagnostic { unit, json: line, diagnostic, duplicate });
    }

    /// What a build script says to people belongs to its result, so it is told whether it ran now or not.
    fn script_said(&mut self, action: ActionId, stdout: Option<&str>, sink: &mut dyn FnMut(Note<'p>)) {
        self.said.remove(&action);
        self.written.remove(&action);
        let unit = self.plan.unit(self.plan.unit_of(action));
        if unit.mode != Mode::RunScript {
            return;
        }
        for message in stdout.into_iter().flat_map(str::lines).filter_map(ScriptMessage::of_line) {
            sink(Note::Script { unit, message });
        }
    }

    /// After a failure everything that was stopped may be the reason. After a success only what a user should know of:
    /// the network, and files of the user's own.
    fn tell_stopped(&mut self, action: ActionId, succeeded: bool, sink: &mut dyn FnMut(Note<'p>)) {
        let mut stopped = self.stopped.remove(&action).unwrap_or_default();
        let settings = self.plan.settings();
        let unit = self.plan.unit(self.plan.unit_of(action));
        let variable = |name: &str| settings.base_env.get(OsStr::new(name)).map(Path::new);
        let (home, cargo_home) = (variable("HOME"), variable("CARGO_HOME"));
        // A nested build tool tries for its locks, and does without where it cannot write.
        stopped.retain(|it| !matches!(&it.deed, Deed::Write(path) if is_lock(path)));
        if succeeded {
            let is_below = |path: &Path, dir: Option<&Path>| dir.is_some_and(|dir| path.starts_with(dir));
            let is_own = |path: &Path| {
                (is_below(path, home) || is_below(path, cargo_home))
                    && !path.starts_with(&settings.workspace_root)
            };
            stopped.retain(|it| match &it.deed {
                Deed::Network => true,
                Deed::LocalSocket => false,
                Deed::Write(path) => is_own(path),
            });
        }
        let is_likely = !succeeded
            && self.forbidden.contains(&action)
            && settings.sandbox.level >= SandboxLevel::DenyNet
            && self.plan.is_confined(self.plan.unit_of(action));
        if stopped.is_empty() && !is_likely {
            return;
        }
        let grant = grant_line(unit.id(), &stopped, home, &settings.workspace_root);
        sink(Note::Stopped { unit, stopped, succeeded, grant });
    }

    fn tell_refused(&self, id: UnitId, made: &Made, fresh: bool, sink: &mut dyn FnMut(Note<'p>)) {
        let unit = self.plan.unit(id);
        if unit.mode != Mode::RunScript || (fresh && !unit.is_local()) {
            return;
        }
        let Ok(output) = self.plan.script_output(id, made.stdout.as_deref().unwrap_or("")) else { return };
        let names: Vec<String> = output
            .env
            .iter()
            .map(|(name, _)| name.clone())
            .filter(|name| is_refused_variable(name))
            .collect();
        if !names.is_empty() {
            sink(Note::RefusedVariables { unit, names });
        }
    }

    /// Counts a diagnostic; tells whether it has been shown before.
    fn count(&mut self, action: ActionId, diagnostic: &Diagnostic) -> bool {
        if diagnostic.is_summary() {
            return false;
        }
        let rendered = diagnostic.rendered.clone().unwrap_or_default();
        let duplicate = !self.shown.insert(rendered);
        let counts = self.counts.entry(action).or_default();
        match diagnostic.level.as_str() {
            "error" => counts.errors += 1,
            "warning" => {
                counts.warnings += 1;
                counts.lints += usize::from(diagnostic.is_lint());
                if duplicate {
                    counts.duplicates += 1;
                } else if diagnostic.is_fixable() {
                    counts.fixable += 1;
                }
            }
            _ => {}
        }
        duplicate
    }

    fn ended(&mut self, action: ActionId) {
        self.running.retain(|running| *running != action);
        self.done += 1;
    }

    fn progress(&self) -> Progress {
        let name = |action: &ActionId| {
            let unit = self.plan.unit(self.plan.unit_of(*action));
            let name = unit.id().name();
            match unit.mode {
                Mode::RunScript => format!("{name}(build)"),
                _ if unit.target.is_custom_build() => format!("{name}(build.rs)"),
                Mode::Test => format!("{}(test)", unit.target.name),
                Mode::Doc => format!("{name}(doc)"),
                _ if unit.target.is_lib() => name.to_string(),
                _ if unit.target.is_bin() => format!("{}(bin)", unit.target.name),
                _ => format!("{}({})", unit.target.name, unit.target.kind.description()),
            }
        };
        Progress {
            done: self.done,
            total: self.plan.graph.actions.len(),
            running: self.running.iter().map(name).collect(),
        }
    }
}

/// Whether a file is one of those that Cargo and Wharf lock their common home with, or note its use in.
fn is_lock(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    name.starts_with(".package-cache") || name.starts_with(".global-cache")
}

/// How programs say that the kernel refused them something.
fn is_about_permission(line: &str) -> bool {
    ["ermission denied", "os error 13", "EACCES", "AccessDenied"].iter().any(|words| line.contains(words))
}
