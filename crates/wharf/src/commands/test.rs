//! `test` and `bench`

use std::ffi::OsString;

use wharf_exec::Summary;
use wharf_ops::plan::{Intent, LibRule, NamedTargets, Names, Plan, TargetFilter, UnitId};
use wharf_ops::programs::{self, Program};
use wharf_ops::{Command, DoctestOptions, Exit, Failure, Result};

use super::compile::Built;
use crate::cli::{BenchArgs, TestArgs};
use crate::open::Opened;
use crate::session::Session;
use crate::settings::compile::{self as settle, Typed};
use crate::settings::profile;
use crate::shell::Verbosity;

/// Builds tests and runs them.
pub fn test(args: &TestArgs, session: &Session) -> Result<()> {
    let mut opened = Opened::new(session, &args.manifest, args.compile.target_dir.path.as_ref())?;
    let mut targets = settle::targets(&args.targets, &opened)?;
    let mut intent = Intent::Test;
    if args.doc {
        if targets.is_specific() {
            return Err(Failure::new("Can't mix --doc with other target selecting options"));
        }
        if args.no_run {
            return Err(Failure::new("Can't skip running doc tests with --no-run"));
        }
        intent = Intent::Doctest;
        targets = only(LibRule::Wanted, Names::Just(Vec::new()));
    } else if args.name.is_some() && !targets.is_specific() {
        // Who names a test wants no examples built, and no documentation tested.
        targets = only(LibRule::IfAny, Names::All);
    }
    let typed = Typed {
        packages: settle::packages(&args.packages, &opened, session)?,
        targets,
        features: &args.features,
        intent,
        profile: profile(args.compile.profile.as_deref(), args.release, "test")?,
        keep_going: false,
        compile: &args.compile,
        ignore_rust_version: args.ignore_rust_version,
        root_args: Vec::new(),
        root_crate_types: Vec::new(),
        document_private_items: false,
        artifact_dir: None,
    };
    let mut settled = settle::settle(typed, &mut opened, session)?;
    settled.future_report = args.future_incompat_report;
    let built = super::compile::build(&opened, &settled, session)?;
    let words: Vec<String> = args.name.iter().chain(&args.args).cloned().collect();
    let runner = Runner { session, opened: &opened, built: &built, words, bench: false };
    if args.no_run {
        return runner.tell_executables();
    }
    runner.run(args.no_fail_fast)
}

/// Builds benchmarks and runs them.
pub fn bench(args: &BenchArgs, session: &Session) -> Result<()> {
    let mut opened = Opened::new(session, &args.manifest, args.compile.target_dir.path.as_ref())?;
    let typed = Typed {
        packages: settle::packages(&args.packages, &opened, session)?,
        targets: settle::targets(&args.targets, &opened)?,
        features: &args.features,
        intent: Intent::Bench,
        profile: profile(args.compile.profile.as_deref(), false, "bench")?,
        keep_going: false,
        compile: &args.compile,
        ignore_rust_version: args.ignore_rust_version,
        root_args: Vec::new(),
        root_crate_types: Vec::new(),
        document_private_items: false,
        artifact_dir: None,
    };
    let settled = settle::settle(typed, &mut opened, session)?;
    let built = super::compile::build(&opened, &settled, session)?;
    let mut words = vec!["--bench".to_owned()];
    words.extend(args.name.iter().chain(&args.args).cloned());
    let runner = Runner { session, opened: &opened, built: &built, words, bench: true };
    if args.no_run {
        return runner.tell_executables();
    }
    runner.run(args.no_fail_fast)
}

fn only(lib: LibRule, tests: Names) -> TargetFilter {
    TargetFilter::Only(Box::new(NamedTargets {
        all: false,
        lib,
        bins: Names::Just(Vec::new()),
        examples: Names::Just(Vec::new()),
        tests,
        benches: Names::Just(Vec::new()),
    }))
}

/// Runs what was built.
struct Runner<'a> {
    session: &'a Session,
    opened: &'a Opened,
    built: &'a Built,
    words: Vec<String>,
    bench: bool,
}

/// A test program that failed.
struct Failed {
    hint: String,
    command: Command,
    status: std::process::ExitStatus,
    is_doc: bool,
}

impl Runner<'_> {
    fn plan(&self) -> &Plan {
        &self.built.prepared.plan
    }

    fn summary(&self) -> &Summary {
        &self.built.summary
    }

    /// `unittests src/lib.rs (target/debug/deps/foo-0123)`
    fn title(&self, program: &Program) -> String {
        let unit = self.plan().unit(program.unit);
        let source = programs::shown_from(&unit.target.src_path, unit.package.root());
        let path = programs::shown_from(&program.path, self.session.cwd());
        let kind = if unit.target.is_test() || unit.target.is_bench() { "" } else { "unittests " };
        format!("{kind}{} ({})", source.display(), path.display())
    }

    fn tell_executables(&self) -> Result<()> {
        for program in programs::tests(self.plan(), self.summary())? {
            if self.session.shell.verbosity() >= Verbosity::Verbose {
                let command = program.command.clone().args(self.words.iter().map(OsString::from));
                self.session.shell.status("Executable", format!("`{command}`"));
            } else {
                self.session.shell.status("Executable", self.title(&program));
            }
        }
        Ok(())
    }

    fn run(&self, no_fail_fast: bool) -> Result<()> {
        self.session.shell.progress_done();
        let mut failures = Vec::new();
        for program in programs::tests(self.plan(), self.summary())? {
            self.run_program(program, &mut failures)?;
            if !failures.is_empty() && !no_fail_fast {
                return Err(self.first_failure(&failures[0]));
            }
        }
        if !self.bench {
            let quiet = self.session.shell.verbosity() == Verbosity::Quiet;
            let color = self.session.color_word();
            let options = DoctestOptions { color, args: &self.words, quiet };
            for (unit, command) in programs::doctests(self.plan(), self.summary(), &options) {
                self.run_doctest(unit, command, &mut failures)?;
                if !failures.is_empty() && !no_fail_fast {
                    return Err(self.first_failure(&failures[0]));
                }
            }
        }
        match failures.as_slice() {
            [] => Ok(()),
            [one] if !no_fail_fast => Err(self.first_failure(one)),
            several => {
                for failed in several {
                    self.session.shell.failure(&self.first_failure(failed));
                }
                let hints: Vec<String> =
                    several.iter().map(|failed| format!("    `{}`", failed.hint)).collect();
                let noun = if several.len() == 1 { "target" } else { "targets" };
                Err(Failure::new(format!("{} {noun} failed:\n{}", several.len(), hints.join("\n"))))
            }
        }
    }

    fn run_program(&self, program: Program, failures: &mut Vec<Failed>) -> Result<()> {
        let unit = self.plan().unit(program.unit);
        let quiet = self.session.shell.verbosity() == Verbosity::Quiet && unit.target.harness;
        let extra = quiet.then(|| "--quiet".to_owned());
        let title = self.title(&program);
        let command = program.command.args(self.words.iter().chain(&extra).map(OsString::from));
        if self.session.shell.verbosity() >= Verbosity::Verbose {
            self.session.shell.status("Running", format!("`{command}`"));
        } else {
            self.session.shell.status("Running", title);
        }
        let status = programs::wait_for(&command)?;
        if !status.success() {
            let hint = self.hint(program.unit);
            failures.push(Failed { hint, command, status, is_doc: false });
        }
        Ok(())
    }

    fn run_doctest(&self, id: UnitId, command: Command, failures: &mut Vec<Failed>) -> Result<()> {
        let unit = self.plan().unit(id);
        self.session.shell.status("Doc-tests", unit.target.crate_name());
        if self.session.shell.verbosity() >= Verbosity::Verbose {
            self.session.shell.status("Running", format!("`{command}`"));
        }
        let status = programs::wait_for(&command)?;
        if !status.success() {
            failures.push(Failed { hint: self.hint(id), command, status, is_doc: true });
        }
        Ok(())
    }

    fn hint(&self, unit: UnitId) -> String {
        let several = self.opened.workspace.members().count() > 1;
        programs::rerun_hint(self.plan(), unit, several)
    }

    fn first_failure(&self, failed: &Failed) -> Failure {
        let Failed { hint, command, status, is_doc } = failed;
        let what = match (is_doc, self.bench) {
            (true, _) => "doctest",
            (false, true) => "bench",
            (false, false) => "test",
        };
        let message = format!("{what} failed, to rerun pass `{hint}`");
        let exit = programs::exit_of(*status);
        // The harness has told what failed; anything else that ends a program is worth a word.
        if *is_doc || exit == Exit::Program(101) {
            return Failure::new(message).exit(exit);
        }
        let how = wharf_ops::describe_status(status);
        Failure::new(format!("process didn't exit successfully: `{command}` ({how})"))
            .context(message)
            .exit(exit)
    }
}
