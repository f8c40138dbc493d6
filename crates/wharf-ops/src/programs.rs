//! Programs that a build made: which one `run` means, and how programs and tests are started.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use wharf_base::process::Command;
use wharf_core::{Package, Target, TargetKind};
use wharf_exec::Summary;
use wharf_plan::{DoctestOptions, Names, Plan, TargetFilter, UnitId};

use crate::failure::{Context, Exit, Failure, Result};

/// A program that can be started.
#[derive(Debug)]
pub struct Program {
    /// The unit that made it.
    pub unit: UnitId,
    /// Where it lies.
    pub path: PathBuf,
    /// How it is started, without arguments of the user's.
    pub command: Command,
}

/// Refuses a `run` that is about no program or about several, before anything is built.
///
/// # Errors
/// If it is not clear which program is meant.
pub fn check_runnable(packages: &[std::sync::Arc<Package>], filter: &TargetFilter) -> Result<()> {
    let targets: Vec<&Target> = packages
        .iter()
        .flat_map(|package| &package.manifest.targets)
        .filter(|target| is_meant(target, filter))
        .collect();
    match targets.as_slice() {
        [] if !filter.is_specific() => Err(nothing_to_run()),
        // A name that nothing answers to is told of when the build is planned.
        [] => Ok(()),
        [one] if matches!(one.kind, TargetKind::ExampleLib(_)) => {
            Err(Failure::new(format!("example `{}` is a library, which cannot be run", one.name)))
        }
        [_] => Ok(()),
        _ if filter.is_specific() => Err(Failure::new("`run` runs one program, but several are named")),
        several => {
            let mut names: Vec<&str> = several.iter().map(|target| target.name.as_str()).collect();
            names.sort_unstable();
            Err(Failure::new(format!(
                "there are several programs, and none is said to be the one to run: {}",
                names.join(", ")
            ))
            .help("name one with `--bin`, or set `default-run` in the manifest"))
        }
    }
}

fn is_meant(target: &Target, filter: &TargetFilter) -> bool {
    let named = |names: &Names| match names {
        Names::All => true,
        Names::Just(names) => names.iter().any(|name| match glob::Pattern::new(name) {
            Ok(pattern) => pattern.matches(&target.name),
            // What is wrong with it is told when the build is planned.
            Err(_) => *name == target.name,
        }),
    };
    match filter {
        TargetFilter::Default { .. } => target.is_bin(),
        TargetFilter::Only(only) => {
            (target.is_bin() && named(&only.bins)) || (target.is_example() && named(&only.examples))
        }
    }
}

fn nothing_to_run() -> Failure {
    Failure::new("there is no program to run: the package has neither `src/main.rs` nor a `[[bin]]`")
        .help("run an example with `--example`, or another package with `-p`")
}

/// The one program of a build for `run`.
pub fn runnable(plan: &Plan, summary: &Summary) -> Result<Program> {
    let programs: Vec<UnitId> = plan.binaries();
    let [one] = programs.as_slice() else {
        return Err(nothing_to_run());
    };
    program(plan, *one, summary)
}

/// A program by the unit that made it.
pub fn program(plan: &Plan, unit: UnitId, summary: &Summary) -> Result<Program> {
    let made = plan.executable(unit).zip(plan.program_command(unit, summary));
    let (path, command) =
        made.ok_or_else(|| Failure::new(format!("`{}` is no program", plan.unit(unit).target.name)))?;
    Ok(Program { unit, path: path.clone(), command })
}

/// The test programs of a build, in order.
pub fn tests(plan: &Plan, summary: &Summary) -> Result<Vec<Program>> {
    plan.tests().into_iter().map(|unit| program(plan, unit, summary)).collect()
}

/// The doc tests of a build.
pub fn doctests(plan: &Plan, summary: &Summary, options: &DoctestOptions<'_>) -> Vec<(UnitId, Command)> {
    let command = |unit| (unit, plan.doctest_command(unit, summary, options));
    plan.doctests().into_iter().map(command).collect()
}

/// How a target of a package is asked for again: `-p foo --test bar`.
pub fn rerun_hint(plan: &Plan, unit: UnitId, name_package: bool) -> String {
    let unit = plan.unit(unit);
    let target = match &unit.target.kind {
        _ if unit.mode == wharf_plan::Mode::Doctest => "--doc".to_owned(),
        TargetKind::Lib(_) => "--lib".to_owned(),
        TargetKind::Bin => format!("--bin {}", unit.target.name),
        TargetKind::Test => format!("--test {}", unit.target.name),
        TargetKind::Bench => format!("--bench {}", unit.target.name),
        TargetKind::ExampleBin | TargetKind::ExampleLib(_) => format!("--example {}", unit.target.name),
        TargetKind::CustomBuild => String::new(),
    };
    if name_package { format!("-p {} {target}", unit.id().name()) } else { target }
}

/// A path as people see it from `cwd`.
pub fn shown_from<'p>(path: &'p Path, cwd: &Path) -> &'p Path {
    path.strip_prefix(cwd).unwrap_or(path)
}

/// Starts a program that shares the terminal, and waits for it.
pub fn wait_for(command: &Command) -> Result<ExitStatus> {
    wharf_base::trail::spoil();
    command.to_std().status().context(|| format!("could not execute process `{command}` (never executed)"))
}

/// Becomes the program: its status is this process's, and signals reach it directly.
pub fn become_program(command: &Command, args: &[OsString]) -> Failure {
    use std::os::unix::process::CommandExt;
    let mut process = command.to_std();
    process.args(args);
    let error = process.exec();
    Failure::from(error).context(format!("could not execute process `{command}` (never executed)"))
}

/// The status for this process that tells how a program ended.
pub fn exit_of(status: ExitStatus) -> Exit {
    match status.code() {
        Some(code) => Exit::Program(code),
        None => Exit::Failed,
    }
}
