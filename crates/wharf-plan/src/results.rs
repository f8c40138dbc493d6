//! What comes of a build: programs to run, doc tests, and `.d` files for other build systems.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wharf_base::process::Command;
use wharf_core::profile::PanicStrategy;
use wharf_exec::{Arg, Summary};

use crate::args::{Args, joined};
use crate::dep_info::{DepInfo, rule};
use crate::env::{
    Variables, crate_variables, library_path, library_path_variable, own_directories, package_variables,
    program_variables,
};
use crate::files::{dep_info_name, is_cdylib, source_argument};
use crate::plan::Plan;
use crate::request::CompileKind;
use crate::script::ScriptOutput;
use crate::unit::{Flavor, Mode, UnitId};

/// What the command line adds to a doc-test run.
#[derive(Clone, Debug)]
pub struct DoctestOptions<'a> {
    /// `always`, `never` or `auto`.
    pub color: &'a str,
    /// Arguments for the test harness.
    pub args: &'a [String],
    /// `-q`
    pub quiet: bool,
}

/// What compilers read, each file of theirs parsed once.
struct Known<'a> {
    read: &'a dyn Fn(&Path) -> Option<String>,
    files: HashMap<UnitId, Option<Vec<PathBuf>>>,
}

impl Plan {
    /// The test programs that were asked for, in the order in which they run.
    pub fn tests(&self) -> Vec<UnitId> {
        self.roots_that(|plan, id| plan.unit(id).mode == Mode::Test)
    }

    /// The programs that were asked for; tests are not among them.
    pub fn binaries(&self) -> Vec<UnitId> {
        self.roots_that(|plan, id| plan.unit(id).mode == Mode::Build && plan.unit(id).is_executable())
    }

    /// The `cdylib`s that were asked for.
    pub fn cdylibs(&self) -> Vec<UnitId> {
        self.roots_that(|plan, id| plan.unit(id).mode == Mode::Build && is_cdylib(plan.unit(id)))
    }

    /// The libraries whose documentation is to be tested.
    pub fn doctests(&self) -> Vec<UnitId> {
        self.roots_that(|plan, id| plan.unit(id).mode == Mode::Doctest)
    }

    fn roots_that(&self, fits: impl Fn(&Self, UnitId) -> bool) -> Vec<UnitId> {
        self.roots.iter().copied().filter(|id| fits(self, *id)).collect()
    }

    /// What a build script said, after the build.
    pub fn script_after(&self, run: UnitId, summary: &Summary) -> Option<Arc<ScriptOutput>> {
        if let Some(output) = self.override_of(run) {
            return Some(Arc::new(output.clone()));
        }
        let made = self.action_of(run).and_then(|action| summary.made(action))?;
        self.script_output(run, made.stdout.as_deref().unwrap_or("")).ok()
    }

    /// What all build scripts of a unit's package said.
    fn scripts_after(&self, id: UnitId, summary: &Summary) -> Vec<Arc<ScriptOutput>> {
        self.script_runs(id).into_iter().filter_map(|run| self.script_after(run, summary)).collect()
    }

    /// How a built program is started: with the configured runner, and Cargo's environment. The directory is the
    /// package's, as tests have it.
    pub fn program_command(&self, id: UnitId, summary: &Summary) -> Option<Command> {
        let program = self.executable(id)?;
        let info = self.toolchain.info(&self.unit(id).kind);
        let command = match &info.runner {
            Some(runner) => Command::new(&runner.program).args(&runner.args).arg(program),
            None => Command::new(program),
        };
        let mut command = command.cwd(self.unit(id).package.root());
        command.env = self.program_environment(id, summary).env;
        Some(command)
    }

    fn program_environment(&self, id: UnitId, summary: &Summary) -> Variables {
        let unit = self.unit(id);
        let mut variables = Variables::new(&self.settings);
        let host = &self.toolchain.host;
        let mut first = own_directories(
            self.native_directories(summary).iter(),
            &unit.kind,
            &self.layout,
            &self.settings,
        );
        first.push(self.layout.dest(&unit.kind));
        first.push(self.layout.deps(&unit.kind));
        first.push(self.toolchain.info(&unit.kind).libdir.clone());
        let path = library_path(first, Vec::new(), &self.settings, host);
        variables.set(library_path_variable(host), path);
        self.set_script_variables(id, summary, &mut variables);
        package_variables(&mut variables, &unit.package, &self.settings);
        variables.configured(&self.settings);
        program_variables(&mut variables, unit, &self.layout, &self.toolchain);
        variables
    }

    fn set_script_variables(&self, id: UnitId, summary: &Summary, variables: &mut Variables) {
        for (name, out_dir) in self.out_dir_variables(id, false) {
            variables.set(&name, out_dir);
        }
        for run in self.script_runs(id) {
            for (name, value) in self.script_after(run, summary).iter().flat_map(|output| &output.env) {
                variables.set(name, value);
            }
        }
    }

    /// Where all build scripts said that libraries are.
    fn native_directories(&self, summary: &Summary) -> BTreeSet<PathBuf> {
        let runs = (0..self.units.len()).map(UnitId).filter(|id| self.unit(*id).mode == Mode::RunScript);
        runs.filter_map(|run| self.script_after(run, summary))
            .flat_map(|output| output.library_paths.clone())
            .collect()
    }

    /// How the documentation of a library is tested.
    pub fn doctest_command(&self, id: UnitId, summary: &Summary, options: &DoctestOptions<'_>) -> Command {
        let unit = self.unit(id);
        let info = self.toolchain.info(&unit.kind);
        let (source, cwd) = source_argument(unit, &self.settings.workspace_root);
        let native = self.native_directories(summary);
        let mut args = Args::default();
        self.edition(unit, &mut args);
        for crate_type in unit.target.crate_types() {
            args.pair("--crate-type", crate_type.as_str());
        }
        args.pair("--color", options.color);
        args.pair("--crate-name", unit.target.crate_name());
        args.push("--test");
        args.push(source);
        args.pair("--test-run-directory", unit.package.root());
        self.platform(unit, &mut args);
        if let Some(runner) = &info.runner {
            args.pair("--test-runtool", &runner.program);
            for arg in &runner.args {
                args.pair("--test-runtool-arg", arg);
            }
        }
        if let Some(linker) = &info.linker {
            args.pair("-C", joined("linker=", linker));
        }
        if unit.profile.panic != PanicStrategy::Unwind {
            args.pair("-C", format!("panic={}", unit.profile.panic));
        }
        for directory in &native {
            args.pair("-L", directory);
        }
        let quiet = options.quiet.then(|| "--quiet".to_owned());
        for arg in options.args.iter().chain(&quiet) {
            args.pair("--test-args", arg);
        }
        for lint in &unit.package.manifest.lint_flags {
            args.push(&lint.flag);
        }
        if self.doctest_args(id, &self.scripts_after(id, summary), &mut args) {
            args.push("-Zunstable-options");
        }

        let mut variables = Variables::new(&self.settings);
        crate_variables(&mut variables, unit);
        let mut first = own_directories(native.iter(), &CompileKind::Host, &self.layout, &self.settings);
        first.push(self.layout.deps(&CompileKind::Host));
        let host = &self.toolchain.host;
        variables.set(library_path_variable(host), library_path(first, Vec::new(), &self.settings, host));
        self.set_script_variables(id, summary, &mut variables);
        package_variables(&mut variables, &unit.package, &self.settings);
        variables.configured(&self.settings);

        let list = args.list.into_iter().map(plain_text);
        let mut command = Command::new(&self.toolchain.rustdoc).args(list).cwd(cwd);
        command.env = variables.env;
        command
    }

    /// The `.d` files beside the finals of all roots: their paths and contents. `read` gives the text of the `.d`
    /// file that the compiler wrote. `None` where one of those is missing: then there must be no file either.
    pub fn dep_info_files(
        &self,
        summary: &Summary,
        base: Option<&Path>,
        read: &dyn Fn(&Path) -> Option<String>,
    ) -> Vec<(PathBuf, Option<String>)> {
        let mut known = Known { read, files: HashMap::new() };
        self.roots.iter().flat_map(|root| self.dep_info_of(*root, summary, base, &mut known)).collect()
    }

    fn dep_info_of(
        &self,
        root: UnitId,
        summary: &Summary,
        base: Option<&Path>,
        known: &mut Known<'_>,
    ) -> Vec<(PathBuf, Option<String>)> {
        let finals: Vec<&PathBuf> = self
            .outputs(root)
            .iter()
            .filter(|file| !file.is_optional() && file.flavor != Flavor::Rmeta)
            .filter_map(|file| file.uplifted.as_ref())
            .collect();
        if finals.is_empty() {
            return Vec::new();
        }
        let mut from = BTreeSet::new();
        let complete = self.add_sources(root, summary, known, &mut from, &mut HashSet::new());
        let text = |made: &Path| complete.then(|| rule(made, &from, base));
        finals.into_iter().map(|made| (made.with_extension("d"), text(made))).collect()
    }

    /// What a unit and the path packages below it were made of; whether all of it is known.
    fn add_sources(
        &self,
        id: UnitId,
        summary: &Summary,
        known: &mut Known<'_>,
        from: &mut BTreeSet<PathBuf>,
        visited: &mut HashSet<UnitId>,
    ) -> bool {
        if !visited.insert(id) {
            return true;
        }
        let unit = self.unit(id);
        let root = unit.package.root();
        if unit.mode != Mode::RunScript {
            let Some(files) = known.files.entry(id).or_insert_with(|| self.sources_of(id, known.read)) else {
                return false;
            };
            from.extend(files.iter().cloned());
        }
        for path in self.scripts_after(id, summary).iter().flat_map(|output| &output.rerun_if_changed) {
            from.insert(if path.as_os_str().is_empty() { root.to_owned() } else { root.join(path) });
        }
        let below: Vec<UnitId> = unit.dependencies.iter().map(|edge| edge.unit).collect();
        below
            .into_iter()
            .filter(|below| self.unit(*below).is_local())
            .all(|below| self.add_sources(below, summary, known, from, visited))
    }

    /// What the compiler read for one unit, less the files of an immutable package.
    fn sources_of(&self, id: UnitId, read: &dyn Fn(&Path) -> Option<String>) -> Option<Vec<PathBuf>> {
        let (unit, hash) = (self.unit(id), &self.hashes[id.0]);
        let path = self.layout.output_dir(unit, hash).join(dep_info_name(unit, hash));
        let info = DepInfo::parse(&read(&path)?).ok()?;
        let (root, cwd) = (unit.package.root(), source_argument(unit, &self.settings.workspace_root).1);
        let paths = info.files.iter().map(|file| cwd.join(file));
        Some(paths.filter(|path| unit.is_local() || !path.starts_with(root)).collect())
    }
}

fn plain_text(arg: Arg) -> OsString {
    match arg {
        Arg::Plain(text) => text,
        Arg::Scratch { before, .. } => before,
    }
}
