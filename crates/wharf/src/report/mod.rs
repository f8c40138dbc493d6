//! Shows a build: status lines and diagnostics for people, or one JSON object a line for tools.

pub mod fix;
pub mod future;
mod human;
pub mod info;
pub mod lock;
mod sandbox;
mod story;
pub mod timings;

use std::time::Instant;

use serde_json::value::RawValue;
use wharf_core::messages::{
    ArtifactProfile, BuildFinished, BuildScriptExecuted, CompilerArtifact, CompilerMessage, Message,
};
use wharf_core::metadata::TargetJson;
use wharf_exec::{Failure as ActionFailure, Made, Stream};
use wharf_ops::config::Warnings;
use wharf_ops::future::Finding;
use wharf_ops::narrate::{Counts, Diagnostic, Note};
use wharf_ops::plan::{Mode, Plan, Unit, UnitId};

use crate::settings::MessageFormat;
use crate::shell::{Progress, Shell, Verbosity};

pub use story::Chronicle;

/// Shows the notes of one build.
pub struct Reporter<'p> {
    shell: &'p Shell,
    plan: &'p Plan,
    format: MessageFormat,
    all_warnings: bool,
    started: Instant,
    failed: bool,
    warnings: Warnings,
    warned: bool,
    /// Code that later compilers will refuse.
    doomed: Vec<Finding<'p>>,
    fixes: fix::Fixes,
}

impl<'p> Reporter<'p> {
    /// Nothing has been shown.
    pub fn new(shell: &'p Shell, plan: &'p Plan, format: MessageFormat, warnings: Warnings) -> Self {
        let all_warnings = shell.verbosity() == Verbosity::VeryVerbose;
        let started = Instant::now();
        Self {
            shell,
            plan,
            format,
            all_warnings,
            started,
            failed: false,
            warnings,
            warned: false,
            doomed: Vec::new(),
            fixes: fix::Fixes::default(),
        }
    }

    /// Whether there were warnings of lints.
    pub fn has_warned(&self) -> bool {
        self.warned
    }

    fn is_json(&self) -> bool {
        matches!(self.format, MessageFormat::Json { .. })
    }

    /// Shows one note.
    pub fn show(&mut self, note: Note<'p>) {
        let verbose = self.shell.verbosity() >= Verbosity::Verbose;
        match note {
            Note::Working { verb, unit } => self.shell.status(verb, unit.id()),
            Note::Fresh { unit } if verbose => self.shell.status("Fresh", unit.id()),
            Note::Dirty { unit, why } if verbose => {
                self.shell.status("Dirty", format!("{}: {}", unit.id(), human::reason(&why, unit)));
            }
            Note::Command { command, .. } if verbose => {
                self.shell.status("Running", human::command(&command, self.shell.verbosity()));
            }
            Note::Fresh { .. } | Note::Dirty { .. } | Note::Command { .. } => {}
            Note::Diagnostic { unit, json, diagnostic, duplicate } => {
                self.diagnostic(unit, &json, diagnostic.as_ref(), duplicate);
            }
            Note::FutureIncompat { unit, reports } => {
                self.doomed.push(Finding { unit, diagnostics: reports })
            }
            Note::Fix(message) => self.fixes.show(message, self.shell),
            Note::StoreTrouble { error } => self.shell.warn(human::store_trouble(&error)),
            Note::Text { unit, stream, line } => self.text(unit, stream, &line),
            Note::Script { unit, message } => self.script(unit, &message),
            Note::NotConfined(lacking) => self.shell.note(sandbox::lacks(lacking)),
            Note::Stopped { unit, stopped, succeeded, grant } => {
                let text = sandbox::stopped(unit, &stopped, succeeded, &grant);
                if succeeded { self.shell.warn(text) } else { self.shell.note(text) }
            }
            Note::RefusedVariables { unit, names } => {
                self.shell.warn(sandbox::refused_variables(unit, &names));
            }
            Note::Done { id, unit, fresh, counts, made, took: _ } => {
                self.done(id, unit, fresh, (counts, &made))
            }
            Note::Failed { unit, failure, counts, written } => self.failed(unit, &failure, counts, &written),
            Note::Progress(progress) => {
                let detail = progress.running.join(", ");
                let (done, total) = (progress.done, progress.total);
                self.shell.progress(&Progress { word: "Building", done, total, detail: &detail });
            }
        }
    }

    fn diagnostic(&self, unit: &Unit, json: &str, diagnostic: Option<&Diagnostic>, duplicate: bool) {
        if self.warnings == Warnings::Allow && diagnostic.is_some_and(Diagnostic::is_lint) {
            return;
        }
        if !self.is_json() || matches!(self.format, MessageFormat::Json { render_diagnostics: true, .. }) {
            match diagnostic {
                Some(diagnostic) if diagnostic.is_summary() || duplicate => {}
                Some(Diagnostic { rendered: Some(rendered), .. }) => {
                    self.shell.err(rendered.strip_suffix('\n').unwrap_or(rendered));
                }
                Some(_) => {}
                None => self.shell.err(json),
            }
        }
        if let MessageFormat::Json { render_diagnostics: false, ansi, .. } = self.format {
            let plain = if ansi { None } else { human::without_colors(json) };
            let Ok(message) = serde_json::from_str::<&RawValue>(plain.as_deref().unwrap_or(json)) else {
                self.shell.err(json);
                return;
            };
            let message = Message::CompilerMessage(CompilerMessage {
                package_id: unit.id().to_spec(),
                manifest_path: &unit.package.manifest_path,
                target: TargetJson::new(&unit.target),
                message,
            });
            self.shell.out(message.to_line());
        }
    }

    fn text(&self, unit: &Unit, stream: Stream, line: &str) {
        if unit.mode == Mode::RunScript {
            // What a build script prints is shown only to those who want everything.
            if self.shell.verbosity() < Verbosity::VeryVerbose {
                return;
            }
            let line = format!("[{} {}] {line}", unit.id().name(), unit.id().version());
            match stream {
                Stream::Out => self.shell.out(line),
                Stream::Err => self.shell.err(line),
            }
            return;
        }
        match stream {
            Stream::Out => self.shell.out(line),
            Stream::Err => self.shell.err(line),
        }
    }

    fn script(&self, unit: &Unit, message: &wharf_ops::plan::ScriptMessage) {
        if message.is_error {
            self.shell.error(format!("{}@{}: {}", unit.id().name(), unit.id().version(), message.text));
        } else if unit.is_local() || self.all_warnings || self.failed {
            self.shell.warn(format!("{}@{}: {}", unit.id().name(), unit.id().version(), message.text));
        }
    }

    fn done(&mut self, id: UnitId, unit: &Unit, fresh: bool, (counts, made): (Counts, &Made)) {
        self.warned |= counts.lints > 0;
        let is_hidden = self.warnings == Warnings::Allow && counts.lints == counts.warnings;
        if counts.warnings > 0 && !is_hidden && !self.is_json() {
            self.shell.warn(human::warnings_of(unit, counts, self.plan));
        }
        if !self.is_json() {
            return;
        }
        if unit.mode == Mode::RunScript {
            self.script_executed(id, unit, made);
            return;
        }
        let filenames = self
            .plan
            .filenames(id)
            .filter(|file| !file.is_optional() || wharf_ops::exists(&file.path))
            .map(|file| file.final_path().clone())
            .collect();
        let message = Message::CompilerArtifact(CompilerArtifact {
            package_id: unit.id().to_spec(),
            manifest_path: &unit.package.manifest_path,
            target: TargetJson::new(&unit.target),
            profile: ArtifactProfile::new(&unit.profile, unit.mode.is_any_test()),
            features: unit.features.iter().map(ToString::to_string).collect(),
            filenames,
            executable: self.plan.executable(id).cloned(),
            fresh,
        });
        self.shell.out(message.to_line());
    }

    fn script_executed(&self, id: UnitId, unit: &Unit, made: &Made) {
        let Ok(output) = self.plan.script_output(id, made.stdout.as_deref().unwrap_or("")) else { return };
        let Some(out_dir) = made.tree_path.clone().or_else(|| self.plan.out_dir(id)) else { return };
        let paths: Vec<String> = output.library_paths.iter().map(|path| path.display().to_string()).collect();
        let message = Message::BuildScriptExecuted(BuildScriptExecuted {
            package_id: unit.id().to_spec(),
            linked_libs: &output.library_links,
            linked_paths: &paths,
            cfgs: &output.cfgs,
            env: &output.env,
            out_dir: &out_dir,
        });
        self.shell.out(message.to_line());
    }

    fn failed(&mut self, unit: &Unit, failure: &ActionFailure, counts: Counts, written: &[(Stream, String)]) {
        self.failed = true;
        if matches!(failure, ActionFailure::Interrupted) {
            return;
        }
        let mut lines = vec![human::failure_of(unit, counts)];
        lines.extend(human::causes(failure, written, counts, self.shell.verbosity()));
        self.shell.error(lines.join("\n"));
    }

    /// Ends the report: `Finished` for people, `build-finished` for tools.
    pub fn finish(&self, success: bool, profile: &wharf_core::Profile) {
        self.shell.progress_done();
        if self.is_json() {
            self.shell.out(Message::BuildFinished(BuildFinished { success }).to_line());
        }
        if success {
            self.shell.finished(&human::finished(profile), self.started.elapsed());
        }
    }

    /// Code that later compilers will refuse, by unit.
    pub fn doomed(&self) -> &[Finding<'p>] {
        &self.doomed
    }

    /// Counts the time from another moment than now.
    pub fn started_at(&mut self, started: Instant) {
        self.started = started;
    }
}
