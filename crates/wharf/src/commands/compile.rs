//! What all commands that compile share: prepare, run, report.

use wharf_exec::Summary;
use wharf_ops::compile::{self, CompileRequest, Prepared};
use wharf_ops::config::Warnings;
use wharf_ops::narrate::Narrator;
use wharf_ops::plan::Notice;
use wharf_ops::timeline::Timeline;
use wharf_ops::unit_graph::unit_graph;
use wharf_ops::{Exit, Failure, Result};

use crate::open::Opened;
use crate::report::{Chronicle, Reporter, future, timings};
use crate::session::Session;
use crate::settings::compile::Settled;

/// A build that succeeded.
pub struct Built {
    /// What was planned.
    pub prepared: Prepared,
    /// What was made.
    pub summary: Summary,
}

/// How often a build may be overtaken by others in its target directory before it asks to be alone there.
const PATIENCE: usize = 3;

/// Builds what was asked for and shows how it goes.
///
/// # Errors
/// If it cannot be planned, or anything failed; what failed has been told then.
pub fn build(opened: &Opened, settled: &Settled, session: &Session) -> Result<Built> {
    opened.tell_warnings(session)?;
    for _ in 0..PATIENCE {
        if let Some(built) = attempt(opened, settled, &settled.request, session)? {
            return Ok(built);
        }
    }
    let mut alone = settled.request.clone();
    alone.run.alone = true;
    let built = attempt(opened, settled, &alone, session)?;
    built.ok_or_else(|| Failure::new("other builds changed the target directory all the time"))
}

/// Plans and runs once; `None` if another build of other sources came between.
fn attempt(
    opened: &Opened,
    settled: &Settled,
    request: &CompileRequest,
    session: &Session,
) -> Result<Option<Built>> {
    let Settled { toolchain, warnings, .. } = settled;
    let mut prepared = compile::prepare(&opened.workspace, &opened.sources, toolchain, request)?;
    for name in &prepared.narrowed.useless_excludes {
        session.shell.warn(format!(
            "excluded package(s) `{name}` not found in workspace `{}`",
            opened.workspace.root().display()
        ));
    }
    for warning in &prepared.warnings {
        session.shell.warn(warning);
    }
    tell_notices(&prepared, session)?;
    opened.sources.release();
    if settled.unit_graph {
        session.shell.out(unit_graph(&prepared.plan));
        // That was all there is to do, so the command ends here, whatever it would have done with a build.
        return Err(Failure::reported(Exit::Program(0)));
    }
    let (summary, warned) = loop {
        let (summary, warned) = run(opened, settled, request, &prepared, session)?;
        if summary.overtaken {
            return Ok(None);
        }
        let Some(found) = summary.given_up else { break (summary, warned) };
        compile::plan_again(&opened.workspace, toolchain, request, &mut prepared, found)?;
    };
    if session.shell.is_broken() {
        return Err(Failure::new("what the build had to tell could not be written: broken pipe"));
    }
    if summary.is_success() && warned && *warnings == Warnings::Deny {
        return Err(Failure::new("there are warnings, and `build.warnings` denies them"));
    }
    if summary.is_success() {
        return Ok(Some(Built { prepared, summary }));
    }
    if summary.interrupted {
        return Err(Failure::reported(Exit::Program(130)));
    }
    Err(Failure::reported(Exit::Failed))
}

/// Runs what is planned and shows how it goes; tells also whether there were warnings. A run that was given up has
/// shown nothing.
fn run(
    opened: &Opened,
    settled: &Settled,
    request: &CompileRequest,
    prepared: &Prepared,
    session: &Session,
) -> Result<(Summary, bool)> {
    let waiting = || session.shell.status_note("Blocking", "waiting for file lock on build directory");
    let mut timeline = settled.timings.then(|| Timeline::new(session.started));
    let mut reporter = Reporter::new(&session.shell, &prepared.plan, settled.format, settled.warnings);
    reporter.started_at(session.started);
    let mut narrator = Narrator::new(&prepared.plan);
    let mut chronicle = Chronicle::new(&prepared.plan);
    let summary = compile::run(&opened.workspace, prepared, request, &waiting, &mut |event| {
        if let Some(timeline) = &mut timeline {
            timeline.apply(&event);
        }
        chronicle.apply(&event);
        narrator.tell(event, &mut |note| reporter.show(note));
    })?;
    if summary.overtaken || summary.given_up.is_some() {
        return Ok((summary, false));
    }
    let words = session.invocation.args.iter().map(|word| word.to_string_lossy().into_owned());
    chronicle.end(words.collect()).save(&request.settings.build_dir);
    let home = &request.settings.wharf_home;
    wharf_ops::cache::make_room(&session.config, home, &session.invocation.executable);
    if let Some(timeline) = &timeline {
        let page = timings::page(timeline, &prepared.plan, session.started.elapsed());
        let path = compile::save_timings(&opened.workspace, &page)?;
        session.shell.plain_status(format!("Timing report saved to {}", path.display()));
    }
    reporter.finish(summary.is_success() && !session.shell.is_broken(), &prepared.profile);
    if summary.is_success() {
        future::tell(reporter.doomed(), opened, settled, session);
    }
    Ok((summary, reporter.has_warned()))
}

fn tell_notices(prepared: &Prepared, session: &Session) -> Result<()> {
    for notice in &prepared.plan.notices {
        session.shell.warn(sentence(notice));
    }
    Ok(())
}

fn sentence(notice: &Notice) -> String {
    match notice {
        Notice::NoDoctests { package, crate_types } => {
            let types: Vec<&str> = crate_types.iter().map(|kind| kind.as_str()).collect();
            format!(
                "doc tests are not supported for crate type(s) `{}` in package `{package}`",
                types.join(", ")
            )
        }
        Notice::NothingMatched { filters } => {
            let list: Vec<String> = filters.iter().map(|filter| format!("`{filter}`")).collect();
            format!(
                "target {} {} specified, but no targets matched; this is a no-op",
                if filters.len() == 1 { "filter" } else { "filters" },
                list.join(", ")
            )
        }
        Notice::RequiredFeature { feature, target, reason } => {
            format!("invalid feature `{feature}` in required-features of target `{target}`: {reason}")
        }
        Notice::Collision { path, first, second, is_doc } => {
            let what = if *is_doc { "documentation" } else { "output" };
            format!(
                "{what} filename collision.\nThe {} target `{}` in package `{}` has the same output filename as \
                 the {} target `{}` in package `{}`.\nColliding filename is: {}\nThe targets should have unique \
                 names.",
                first.0,
                first.1,
                first.2,
                second.0,
                second.1,
                second.2,
                path.display()
            )
        }
        Notice::NotLinkable { dependency, dependent } => format!(
            "The package `{dependent}` depends on `{dependency}`, but that has nothing to link against: it needs \
             `lib`, `rlib`, `dylib` or `proc-macro` among its crate types"
        ),
    }
}
