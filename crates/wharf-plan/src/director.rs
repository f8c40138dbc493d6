//! What each action is, once everything before it is there.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use wharf_exec::{
    ActionId, Command, Dest, Director, Done, Incremental, Input, LineRole, Observed, Output, Place, Recipe,
    RunOutput, Step, StepError, Stream, TreeOutput, TreeWatch, Undeclared,
};

use crate::args::{Args, joined};
use crate::dep_info::DepInfo;
use crate::env::{
    Variables, crate_variables, envified, environment_digest, library_path, library_path_variable,
    own_directories, package_variables, plugin_runs, program_variables, run_variables, search_directory,
};
use crate::files::{dep_info_name, source_argument};
use crate::plan::Plan;
use crate::request::{CompileKind, Fixer, IncrementalPolicy};
use crate::sandbox::{SandboxLevel, is_refused_variable, settle_script_variables};
use crate::script::{LinkArgFor, ScriptOutput};
use crate::unit::{Flavor, Mode, OutputFile, Unit, UnitId};

/// Variables of the user's that compilers read without telling.
const COMPILER_VARIABLES: [&str; 4] =
    ["RUSTC_BOOTSTRAP", "RUSTC_FORCE_RUSTC_VERSION", "MACOSX_DEPLOYMENT_TARGET", "SOURCE_DATE_EPOCH"];
/// Those that linkers read besides.
const LINKER_VARIABLES: [&str; 4] = ["LIBRARY_PATH", "LD_RUN_PATH", "COMPILER_PATH", "GCC_EXEC_PREFIX"];

impl Director for Plan {
    fn step(&self, action: ActionId, done: &Done<'_>) -> Result<Step, StepError> {
        let id = self.unit_of(action);
        match self.unit(id).mode {
            Mode::RunScript => self.run_step(id, done),
            Mode::Doc => self.doc_step(id, done),
            _ => self.compile_step(id, done),
        }
    }

    fn line(&self, action: ActionId, stream: Stream, line: &str) -> LineRole {
        let id = self.unit_of(action);
        let unit = self.unit(id);
        if unit.mode == Mode::RunScript {
            return LineRole::Pass;
        }
        if stream == Stream::Err && line.starts_with('{') && line.contains("\"$message_type\":\"artifact\"") {
            let is_early = line.contains("\"emit\":\"metadata\"")
                && self.outputs(id).iter().any(|file| is_early(unit, file));
            return if is_early { LineRole::Early } else { LineRole::Drop };
        }
        LineRole::Keep
    }

    fn observe(&self, action: ActionId, step: &Step, run: &RunOutput<'_>) -> Result<Observed, StepError> {
        let id = self.unit_of(action);
        match self.unit(id).mode {
            Mode::RunScript => self.observe_run(id, run),
            Mode::Doc => Ok(self.observe_doc(id)),
            _ => self.observe_compile(id, step, run),
        }
    }
}

/// Whether arguments decide what is written, and where.
fn names_output(args: &[String]) -> bool {
    args.iter().any(|arg| arg.starts_with("--emit") || (arg.starts_with("-o") && !arg.starts_with("-opt")))
}

fn is_early(unit: &Unit, file: &OutputFile) -> bool {
    file.flavor == Flavor::Rmeta && unit.mode == Mode::Build
}

impl Plan {
    fn compile_step(&self, id: UnitId, done: &Done<'_>) -> Result<Step, StepError> {
        let unit = self.unit(id);
        let mut args = Args::default();
        let program = self.compiler(unit, &mut args);
        self.rustc_args(id, &mut args);
        self.native_args(id, done, &mut args)?;
        let variables = self.compile_variables(id, done, &mut args)?;
        let cwd = source_argument(unit, &self.settings.workspace_root).1;
        let recipe = self.recipe(id, &args, &variables, &cwd);
        let incremental = (unit.profile.incremental && unit.is_local()).then(|| {
            let dir = self.layout.incremental(unit, &self.hashes[id.0]);
            Incremental {
                args: vec!["-C".into(), joined("incremental=", &dir)],
                dir,
                force: self.settings.incremental == IncrementalPolicy::Always,
            }
        });
        let mut step = Step {
            recipe,
            inputs: self.inputs(id, done),
            command: Command { program: program.into(), args: args.list, env: variables.env, cwd },
            outputs: self.step_outputs(id),
            tree: None,
            tree_copy: None,
            capture_stdout: false,
            incremental,
            cacheable: self.fixer(unit).is_none(),
            jobserver: true,
            undeclared: self.loads_macros(id).then(|| self.undeclared(id)),
            checkout: self.checkout(id),
            confinement: None,
        };
        self.confine_compiler(id, &mut step);
        Ok(step)
    }

    /// Whether the compiler runs code of packages, which may read anything.
    pub(crate) fn loads_macros(&self, id: UnitId) -> bool {
        self.reach[id.0].crates.iter().any(|below| self.unit(*below).target.is_proc_macro())
    }

    /// Build scripts and procedural macros read variables that they never declare, and leave no trace of it.
    fn undeclared(&self, id: UnitId) -> Undeclared {
        let (root, target) = (&self.settings.workspace_root, &self.settings.target_dir);
        let checkout = format!("{}\n{}", root.display(), target.display());
        let [plain, placeless] = &self.environment;
        let values = || match self.is_placeless(id) || self.is_shared_package(id) {
            true => *placeless.get_or_init(|| {
                let token = |value: &OsStr| self.placeless_text(&value.to_string_lossy()).into();
                environment_digest(&self.settings, token)
            }),
            false => *plain.get_or_init(|| environment_digest(&self.settings, OsStr::to_owned)),
        };
        // Without a sandbox they can have been anywhere.
        let values = (self.settings.sandbox.level > SandboxLevel::Off).then(values);
        Undeclared { checkout, values, beyond: self.readable_by_macros(id) }
    }

    /// The program to start; wrappers get the compiler as their first argument.
    pub(crate) fn compiler(&self, unit: &Unit, args: &mut Args) -> std::path::PathBuf {
        let toolchain = &self.toolchain;
        let fixer = self.fixer(unit);
        // A wrapper around all compilers may answer from a cache of its own; a fixer wants to hear the compiler.
        let wrapper = toolchain.wrapper.as_ref().filter(|_| fixer.is_none());
        let workspace = toolchain.workspace_wrapper.as_ref().filter(|_| unit.is_member);
        let mut chain = wrapper.into_iter().chain(workspace).chain([&toolchain.rustc]);
        let program = match fixer {
            Some(fixer) => {
                fixer.args.iter().for_each(|arg| args.push(arg));
                fixer.program.clone()
            }
            None => chain.next().expect("the compiler itself is in the chain").clone(),
        };
        for next in chain {
            args.push(next);
        }
        program
    }

    /// What stands in the compiler's place for a unit.
    pub(crate) fn fixer(&self, unit: &Unit) -> Option<&Fixer> {
        self.settings.fixer.as_ref().filter(|_| unit.is_primary)
    }

    fn compile_variables(
        &self,
        id: UnitId,
        done: &Done<'_>,
        args: &mut Args,
    ) -> Result<Variables, StepError> {
        let unit = self.unit(id);
        let mut variables = Variables::new(&self.settings);
        crate_variables(&mut variables, unit);
        package_variables(&mut variables, &unit.package, &self.settings);
        self.set_library_path(id, vec![self.layout.deps(&CompileKind::Host)], done, &mut variables)?;
        variables.configured(&self.settings);
        // What the script's run made says where it is.
        let scripts: Vec<_> = self
            .script_runs(id)
            .into_iter()
            .map(|run| self.script_of(run, done))
            .collect::<Result<_, _>>()?;
        for (name, out_dir) in self.out_dir_variables(id, self.reads_copies(id)) {
            variables.set(&name, out_dir);
        }
        program_variables(&mut variables, unit, &self.layout, &self.toolchain);
        if unit.is_primary {
            variables.set_unkeyed("CARGO_PRIMARY_PACKAGE", "1");
        }
        if unit.target.is_test() || unit.target.is_bench() {
            variables.set("CARGO_TARGET_TMPDIR", self.layout.tmp(&unit.kind));
        }
        if unit.mode != Mode::Doc && !self.loads_macros(id) {
            // The compiler tells which variables the code reads; a macro could read any without a trace.
            variables.key.clear();
        }
        // Scripts may set some that compilers and linkers read.
        for output in scripts {
            self.script_cfgs(&output, args);
            for (name, value) in output.env.iter().filter(|(name, _)| !is_refused_variable(name)) {
                variables.set(name, value);
            }
        }
        Ok(variables)
    }

    /// Compilers and build scripts find the libraries that procedural macros were linked with.
    fn set_library_path(
        &self,
        id: UnitId,
        first: Vec<std::path::PathBuf>,
        done: &Done<'_>,
        variables: &mut Variables,
    ) -> Result<(), StepError> {
        let mut plugins = Vec::new();
        for run in plugin_runs(&self.reach[id.0]) {
            let output = self.script_of(run, done)?;
            let paths = output.library_paths.iter();
            plugins.extend(own_directories(paths, &CompileKind::Host, &self.layout, &self.settings));
        }
        let host = &self.toolchain.host;
        let path = library_path(first, plugins, &self.settings, host);
        variables.set_unkeyed(library_path_variable(host), path);
        Ok(())
    }

    /// What build scripts say to the linker: search paths of every script whose package is linked, those into its
    /// own directory first, and the package's own libraries and arguments.
    fn native_args(&self, id: UnitId, done: &Done<'_>, args: &mut Args) -> Result<(), StepError> {
        let unit = self.unit(id);
        let mut scripts: Vec<(UnitId, Arc<ScriptOutput>)> = Vec::new();
        for run in &self.reach[id.0].to_link {
            scripts.push((*run, self.script_of(*run, done)?));
        }
        for wants_own in [true, false] {
            for (run, output) in &scripts {
                let own = self.out_dir(*run);
                let is_own =
                    |path: &Path| own.as_ref().is_some_and(|own| search_directory(path).starts_with(own));
                for path in output.library_paths.iter().filter(|path| is_own(path) == wants_own) {
                    let text = path.to_string_lossy();
                    // What is found in a script's own directory is an input, and where it was leaves no trace.
                    let key = if wants_own { self.key_text(id, &text) } else { text.clone().into_owned() };
                    args.pair_as("-L", path, key);
                }
            }
        }
        // A program gets the libraries of its package's scripts through the package's library.
        let passes_libraries = unit.target.is_lib() || unit.package.manifest.library().is_none();
        for (run, output) in &scripts {
            let is_own = self.unit(*run).id() == unit.id();
            if is_own && passes_libraries {
                for library in &output.library_links {
                    args.pair("-l", library);
                }
            }
            for (whom, argument) in &output.link_args {
                if whom.applies_to(&unit.target, unit.mode) && (is_own || *whom == LinkArgFor::Cdylib) {
                    args.linker.push(argument.clone());
                    args.pair("-C", format!("link-arg={argument}"));
                }
            }
        }
        Ok(())
    }

    /// Everything known before the run that is not an artifact.
    fn recipe(&self, id: UnitId, args: &Args, variables: &Variables, cwd: &Path) -> Recipe {
        let unit = self.unit(id);
        let mut recipe = Recipe::new();
        let toolchain = &self.toolchain;
        recipe.push("toolchain", format!("{} {}", toolchain.content_id, toolchain.verbose_version));
        recipe.push("package", unit.id().tool_tips());
        recipe.push("source", self.source_identity(unit));
        recipe.push("directory", self.key_text(id, &cwd.to_string_lossy()));
        if let Some(spec) = &toolchain.info(&unit.kind).spec_id {
            recipe.push("target specification", spec);
        }
        for arg in &args.key {
            recipe.push("argument", arg);
        }
        if self.is_placeless(id) && self.may_read_unseen(id, &args.linker) {
            recipe.push("workspace", self.settings.workspace_root.to_string_lossy());
        }
        for (name, value) in &variables.key {
            recipe.push(format!("env {name}"), self.key_text(id, value));
        }
        if unit.needs_objects() {
            recipe.push("linker", &toolchain.info(&unit.kind).linker_id);
        }
        let linked = if unit.needs_objects() { &LINKER_VARIABLES[..] } else { &[] };
        for name in COMPILER_VARIABLES.iter().chain(linked) {
            if let Some(value) = self.settings.base_env.get(OsStr::new(name)) {
                recipe.push(format!("env {name}"), value.to_string_lossy());
            }
        }
        recipe
    }

    /// A text as the key holds it.
    fn key_text(&self, id: UnitId, text: &str) -> String {
        if self.is_placeless(id) { self.placeless_text(text) } else { text.to_owned() }
    }

    /// What the sources of an immutable package are known by; those of others are observed.
    fn source_identity(&self, unit: &Unit) -> String {
        match self.checksums.get(unit.id()) {
            Some(checksum) => format!("sha256 {checksum}"),
            None if self.is_immutable(unit) => unit.id().source().encoded(),
            None => "files".to_owned(),
        }
    }

    /// The artifacts that the compiler can load, and what build scripts left for it.
    fn inputs(&self, id: UnitId, done: &Done<'_>) -> Vec<Input> {
        let unit = self.unit(id);
        let reach = &self.reach[id.0];
        let mut inputs = Vec::new();
        for below in &reach.crates {
            let Some(action) = self.actions[below.0] else { continue };
            for file in self.loaded_files(id, *below) {
                if let Some(digest) = done.digest(action, &file.name) {
                    inputs.push(Input { name: file.name.clone(), digest });
                }
            }
        }
        let own = self.script_runs(id);
        let runs = reach.to_link.iter().copied().filter(|run| unit.needs_objects() || own.contains(run));
        inputs.extend(self.trees(runs, done));
        inputs
    }

    /// The contents of the directories that runs of build scripts filled.
    fn trees(&self, runs: impl Iterator<Item = UnitId>, done: &Done<'_>) -> Vec<Input> {
        let mut inputs = Vec::new();
        for run in runs {
            let made = self.actions[run.0].and_then(|action| done.get(action));
            if let Some(digest) = made.and_then(|made| made.tree) {
                inputs
                    .push(Input { name: format!("OUT_DIR of {}", self.unit(run).id().tool_tips()), digest });
            }
        }
        inputs
    }

    fn step_outputs(&self, id: UnitId) -> Vec<Output> {
        let unit = self.unit(id);
        let dir = self.layout.output_dir(unit, &self.hashes[id.0]);
        let mut outputs: Vec<Output> = Vec::new();
        for file in self.outputs(id).iter().filter(|file| !file.name.ends_with(".dSYM")) {
            // Tests and build scripts are run from where they lie; of other programs the uplifted file is what people use.
            let is_run_here = unit.mode == Mode::Test || unit.target.is_custom_build();
            let how = if is_run_here { Place::Own } else { Place::Link };
            let mut dests = vec![Dest { path: file.path.clone(), how }];
            if let Some(path) = &file.uplifted {
                // Finals are the user's: strip and the like may write to them.
                let how = if unit.target.is_custom_build() { Place::Own } else { Place::Copy };
                dests.push(Dest { path: path.clone(), how });
                let exported = self.settings.artifact_dir.as_ref().filter(|_| !unit.target.is_custom_build());
                if let (Some(dir), Some(name)) = (exported, path.file_name()) {
                    dests.push(Dest { path: dir.join(name), how });
                }
            }
            let is_plain = [".rlib", ".rmeta", ".a", ".lib"].iter().any(|end| file.name.ends_with(end));
            outputs.push(Output {
                name: file.name.clone(),
                dests,
                early: is_early(unit, file),
                // Extra arguments may ask the compiler for other kinds of output instead; and what a fixer leaves is not
                // kept, so nothing of it is missed.
                optional: file.is_optional() || names_output(&unit.root_args) || self.fixer(unit).is_some(),
                executable: !is_plain && !file.is_optional(),
            });
        }
        let dep_info = dep_info_name(unit, &self.hashes[id.0]);
        let mut extra = vec![dep_info.clone()];
        if unit.root_args.iter().chain(unit.rustflags.iter()).any(|arg| arg.starts_with("--emit")) {
            let stem = dep_info.trim_end_matches(".d");
            extra.extend(["s", "ll", "bc", "mir", "o", "rmeta"].map(|kind| format!("{stem}.{kind}")));
            extra.push(format!("lib{stem}.rmeta"));
        }
        for name in extra {
            if outputs.iter().any(|output| output.name == name) {
                continue;
            }
            let dests = vec![Dest { path: dir.join(&name), how: Place::Link }];
            outputs.push(Output { name, dests, early: false, optional: true, executable: false });
        }
        outputs
    }

    fn observe_compile(&self, id: UnitId, step: &Step, run: &RunOutput<'_>) -> Result<Observed, StepError> {
        let unit = self.unit(id);
        let name = dep_info_name(unit, &self.hashes[id.0]);
        let Some(text) = run.text(&name)? else { return Ok(Observed::default()) };
        let info = DepInfo::parse(&text).map_err(StepError::new)?;
        let root = unit.package.root();
        let is_immutable = self.is_immutable(unit);
        let out_dirs: Vec<_> = self.out_dir(id).into_iter().chain(self.out_dir_copy(id)).collect();
        let mut observed = Observed::default();
        for file in &info.files {
            let path = step.command.cwd.join(file);
            let is_known =
                (is_immutable && path.starts_with(root)) || out_dirs.iter().any(|dir| path.starts_with(dir));
            if !is_known {
                // What the code names by its whole path stays that: it is the same file in another checkout.
                let path = if file.is_relative() { self.placeless_path(id, path) } else { path };
                // One that is gone by now was removed while the compiler ran.
                observed.must_exist.push(path);
            }
        }
        let libraries = self.native_libraries(id).into_iter();
        let seen = libraries.chain(self.lint_settings(id));
        observed.paths.extend(seen.map(|path| self.placeless_path(id, path)));
        observed.env.extend(info.env.iter().map(|(variable, _)| variable.into()));
        Ok(observed)
    }

    /// The libraries outside of `OUT_DIR` that build scripts named, wherever the linker may have found them: under
    /// the names of this kind of system, present or not.
    fn native_libraries(&self, id: UnitId) -> Vec<std::path::PathBuf> {
        let unit = self.unit(id);
        let own = self.script_runs(id);
        let mut paths = Vec::new();
        for run in &self.reach[id.0].to_link {
            let Some(output) = self.scripts[run.0].get() else { continue };
            if !(unit.needs_objects() || own.contains(run)) {
                continue;
            }
            let out_dir = self.out_dir(*run);
            for directory in output.library_paths.iter().map(|path| search_directory(path)) {
                if out_dir.as_ref().is_some_and(|own| directory.starts_with(own)) {
                    continue;
                }
                for library in &output.library_links {
                    // `[KIND[:MODIFIERS]=]NAME[:RENAME]`
                    let name = library.rsplit_once('=').map_or(library.as_str(), |(_, name)| name);
                    let name = name.split_once(':').map_or(name, |(name, _)| name);
                    for file in [format!("lib{name}.a"), format!("lib{name}.so")] {
                        paths.push(unit.package.root().join(directory).join(file));
                    }
                }
            }
        }
        paths
    }

    fn run_step(&self, id: UnitId, done: &Done<'_>) -> Result<Step, StepError> {
        let unit = self.unit(id);
        let hash = &self.hashes[id.0];
        let mut variables = run_variables(unit, hash, &self.layout, &self.toolchain, &self.settings);
        settle_script_variables(&mut variables, &self.settings);
        let mut inputs = Vec::new();
        let mut program = None;
        let mut upstream = Vec::new();
        for edge in &unit.dependencies {
            let below = self.unit(edge.unit);
            if below.mode == Mode::RunScript {
                upstream.push(edge.unit);
                let name = edge.dep_name.as_deref().filter(|_| self.settings.any_script_metadata);
                for (key, value) in &self.script_of(edge.unit, done)?.metadata {
                    if let Some(links) = &below.package.manifest.summary.links {
                        variables.set(&format!("DEP_{}_{}", envified(links), envified(key)), value);
                    }
                    if let Some(name) = name {
                        variables.set(&format!("CARGO_DEP_{}_{}", envified(name), envified(key)), value);
                    }
                }
                continue;
            }
            for file in self.outputs(edge.unit).iter().filter(|file| file.flavor == Flavor::Normal) {
                program = Some(file.final_path().clone());
                let digest = self.actions[edge.unit.0].and_then(|action| done.digest(action, &file.name));
                inputs.extend(digest.map(|digest| Input { name: file.name.clone(), digest }));
            }
        }
        let program = program
            .ok_or_else(|| StepError::new(format!("no program for the build script of `{}`", unit.id())))?;
        inputs.extend(self.trees(upstream.into_iter(), done));
        let host = CompileKind::Host;
        let first =
            vec![self.layout.dest(&host), self.layout.deps(&host), self.toolchain.info(&host).libdir.clone()];
        self.set_library_path(id, first, done, &mut variables)?;
        let cwd = unit.package.root().to_owned();
        let recipe = self.recipe(id, &Args::default(), &variables, &cwd);
        let mut step = Step {
            recipe,
            inputs,
            command: Command { program: program.into(), args: Vec::new(), env: variables.env, cwd },
            outputs: Vec::new(),
            tree: Some(self.layout.out_dir(unit, hash)),
            tree_copy: self.layout.out_dir_copy(unit, hash),
            capture_stdout: true,
            incremental: None,
            cacheable: true,
            jobserver: true,
            undeclared: Some(self.undeclared(id)),
            checkout: self.checkout(id),
            confinement: None,
        };
        self.confine_run(id, &mut step);
        Ok(step)
    }

    /// What a run says that it read; all of the package if it says nothing.
    fn observe_run(&self, id: UnitId, run: &RunOutput<'_>) -> Result<Observed, StepError> {
        let unit = self.unit(id);
        let output = self.script_output(id, run.stdout.unwrap_or("")).map_err(StepError::new)?;
        let root = unit.package.root();
        let is_immutable = self.is_immutable(unit);
        let mut observed = Observed::default();
        for path in &output.rerun_if_changed {
            // An empty path is the package itself.
            let path = if path.as_os_str().is_empty() { root.to_owned() } else { root.join(path) };
            if !(is_immutable && path.starts_with(root)) {
                observed.must_exist.push(path);
            }
        }
        // Where its own directory lies is chosen for the script, and no reason to run it again.
        let asked = output.rerun_if_env_changed.iter().filter(|name| *name != "OUT_DIR");
        observed.env = asked.map(Into::into).collect();
        let says_nothing = output.rerun_if_changed.is_empty() && output.rerun_if_env_changed.is_empty();
        if says_nothing && !is_immutable {
            observed.trees.push(self.whole_package(unit));
        }
        Ok(observed)
    }

    fn doc_step(&self, id: UnitId, done: &Done<'_>) -> Result<Step, StepError> {
        let unit = self.unit(id);
        let mut args = Args::default();
        self.rustdoc_args(id, &mut args);
        let variables = self.compile_variables(id, done, &mut args)?;
        let cwd = source_argument(unit, &self.settings.workspace_root).1;
        let recipe = self.recipe(id, &args, &variables, &cwd);
        let mut step = Step {
            recipe,
            inputs: self.inputs(id, done),
            command: Command {
                program: self.toolchain.rustdoc.clone().into(),
                args: args.list,
                env: variables.env,
                cwd,
            },
            outputs: Vec::new(),
            tree: Some(TreeOutput::At(self.layout.doc(&unit.kind).join(unit.target.crate_name()))),
            tree_copy: None,
            capture_stdout: false,
            incremental: None,
            cacheable: true,
            jobserver: true,
            undeclared: self.loads_macros(id).then(|| self.undeclared(id)),
            checkout: None,
            confinement: None,
        };
        self.confine_compiler(id, &mut step);
        Ok(step)
    }

    /// rustdoc does not tell what it read, so it is the whole package. What it wrote outside of the crate's own
    /// directory, the search index above all, cannot be taken apart; the crate's sources there stand for it, so that
    /// a removed directory of documentation is made again.
    fn observe_doc(&self, id: UnitId) -> Observed {
        let unit = self.unit(id);
        let mut observed = Observed::default();
        observed.made.push(self.layout.doc(&unit.kind).join("src").join(unit.target.crate_name()));
        if !self.is_immutable(unit) {
            observed.trees.push(self.whole_package(unit));
        }
        observed
    }

    pub(crate) fn whole_package(&self, unit: &Unit) -> TreeWatch {
        let root = unit.package.root();
        TreeWatch {
            root: root.to_owned(),
            skip: vec![
                self.settings.target_dir.clone(),
                self.settings.build_dir.clone(),
                root.join(".git"),
                root.join("target"),
            ],
            skip_holding: Some("Cargo.toml".to_owned()),
            ..TreeWatch::default()
        }
    }
}
