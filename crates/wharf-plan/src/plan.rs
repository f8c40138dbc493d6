//! The plan: units, their files, and the graph of actions.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use wharf_base::digest::Digest;
use wharf_core::PackageId;
use wharf_exec::{Action, ActionId, Done, Graph, Need, Stage, StepError, TreeOutput};

use crate::closure::{Reach, order, reach};
use crate::collide::collisions;
use crate::cost::{Costs, cost};
use crate::deps::dependencies;
use crate::draft::{DraftId, Interner};
use crate::error::{Notice, PlanError};
use crate::files::{Layout, outputs};
use crate::hash::{UnitHash, hashes};
use crate::lend::lendable;
use crate::lto::{Lto, lto};
use crate::request::{CompileKind, Intent, Request, Settings, Toolchain};
use crate::roots::{explicit, roots};
use crate::script::{ScriptContext, ScriptOutput};
use crate::share::{Shared, remove_duplicate_docs, share};
use crate::unit::{Flavor, Mode, OutputFile, Unit, UnitDependency, UnitId, is_for_host};

/// Units, and the actions that do them. Tells the executor what each action is: see its
/// [`Director`](wharf_exec::Director) implementation.
#[derive(Debug)]
pub struct Plan {
    /// All units, in Cargo's order.
    pub units: Vec<Unit>,
    /// What was asked for.
    pub roots: Vec<UnitId>,
    /// What to tell before the build.
    pub notices: Vec<Notice>,
    /// The actions, for [`wharf_exec`].
    pub graph: Graph,
    /// The libraries that cannot change and are checked against, or built instead: see [`Request::lends`].
    pub(crate) lendable: Vec<UnitId>,
    pub(crate) lends: bool,
    pub(crate) actions: Vec<Option<ActionId>>,
    pub(crate) unit_of: Vec<UnitId>,
    pub(crate) layout: Layout,
    pub(crate) toolchain: Arc<Toolchain>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) lto: Vec<Lto>,
    pub(crate) hashes: Vec<UnitHash>,
    pub(crate) outputs: Vec<Vec<OutputFile>>,
    pub(crate) reach: Vec<Reach>,
    /// SHA-256 of the archives of registry packages.
    pub(crate) checksums: BTreeMap<PackageId, String>,
    /// What each build script said, once it is known.
    pub(crate) scripts: Vec<OnceLock<Arc<ScriptOutput>>>,
    /// Where each build script's `OUT_DIR` is, once it is known: for immutable packages it is chosen by what is made.
    pub(crate) out_dirs: Vec<OnceLock<PathBuf>>,
    /// Where else what it wrote lies, once it is known, for packages of which `OUT_DIR` is in `target/`.
    pub(crate) out_dir_copies: Vec<OnceLock<PathBuf>>,
    /// Which units are compiled to the same bytes in every checkout, once it was asked.
    pub(crate) placeless: Vec<OnceLock<bool>>,
    /// The digest of the user's environment: as it is, and with tokens for this checkout's directories.
    pub(crate) environment: [OnceLock<Digest>; 2],
}

/// Plans a request.
///
/// # Errors
/// See [`PlanError`].
pub fn plan(request: &Request<'_>) -> Result<Plan, PlanError> {
    let mut notices = Vec::new();
    let mut interner = Interner::default();
    let roots = roots(request, &mut interner, &mut notices)?;
    let mut edges = dependencies(request, &mut interner, &roots)?;
    if matches!(request.intent, Intent::Doc { deps: true, .. }) {
        let only_host = request.kinds.iter().all(CompileKind::is_host);
        remove_duplicate_docs(&interner, &mut edges, &roots, only_host);
    }
    let host_target =
        request.kinds.iter().any(CompileKind::is_host).then(|| explicit(request, &CompileKind::Host));
    let shared = share(&mut interner, &edges, &roots, host_target.as_ref());
    let (mut units, roots) = finished(request, &interner, &shared)?;
    root_arguments(request, &mut units, &roots)?;
    if request.settings.check_rust_version {
        check_rust_versions(&units, request.toolchain)?;
    }
    let order = order(&units)?;
    let lto = lto(&units, &roots);
    let hashes = hashes(&units, &order, &lto, request.toolchain, request.settings);
    let has_finals = !matches!(request.intent, Intent::Check { .. });
    let layout = Layout::new(request.settings, request.profiles.dir_name(), has_finals);
    let mut files = Vec::with_capacity(units.len());
    for (index, unit) in units.iter().enumerate() {
        let is_root = roots.contains(&UnitId(index));
        files.push(outputs(unit, &hashes[index], is_root, &layout, request.toolchain)?);
    }
    collisions(&units, &files, &mut notices)?;
    let mut checksums = BTreeMap::new();
    for unit in &units {
        if let Some(checksum) = request.resolution.get(unit.id()).and_then(|it| it.checksum.clone()) {
            checksums.insert(unit.id().clone(), checksum);
        }
    }
    let mut plan = Plan {
        reach: reach(&units, &order),
        environment: [OnceLock::new(), OnceLock::new()],
        placeless: units.iter().map(|_| OnceLock::new()).collect(),
        out_dirs: units.iter().map(|_| OnceLock::new()).collect(),
        out_dir_copies: units.iter().map(|_| OnceLock::new()).collect(),
        scripts: units.iter().map(|_| OnceLock::new()).collect(),
        outputs: files,
        graph: Graph::default(),
        lendable: lendable(request, &units),
        lends: request.lends,
        actions: Vec::new(),
        unit_of: Vec::new(),
        toolchain: Arc::clone(request.toolchain),
        settings: Arc::clone(request.settings),
        units,
        roots,
        notices,
        layout,
        lto,
        hashes,
        checksums,
    };
    plan.notice_unlinkable();
    plan.make_graph(request.costs);
    Ok(plan)
}

/// The units in Cargo's order, so that their indices are in it too.
fn finished(
    request: &Request<'_>,
    interner: &Interner,
    shared: &Shared,
) -> Result<(Vec<Unit>, Vec<UnitId>), PlanError> {
    let mut ids: Vec<DraftId> = shared.edges.keys().copied().collect();
    ids.sort_by(|a, b| interner.get(*a).order(interner.get(*b)).then(a.cmp(b)));
    let index: HashMap<DraftId, UnitId> =
        ids.iter().enumerate().map(|(index, id)| (*id, UnitId(index))).collect();
    let primary: Vec<&PackageId> = shared.roots.iter().map(|root| &interner.get(*root).id).collect();
    let mut units = Vec::with_capacity(ids.len());
    for id in &ids {
        let draft = interner.get(*id);
        let package = request.package(&draft.id).ok_or_else(|| PlanError::NotFetched(draft.id.clone()))?;
        let info = request.toolchain.info(&draft.kind);
        let mut dependencies: Vec<UnitDependency> = shared.edges[id]
            .iter()
            .map(|edge| UnitDependency {
                unit: index[&edge.to],
                extern_name: edge.extern_name.clone(),
                dep_name: edge.dep_name.clone(),
                public: edge.public,
            })
            .collect();
        // Two edges may have become one when host and target were merged.
        dependencies.dedup();
        units.push(Unit {
            package: Arc::clone(package),
            target: (*draft.target).clone(),
            profile: draft.profile.clone(),
            kind: draft.kind.clone(),
            mode: draft.mode,
            features: Arc::clone(&draft.features),
            rustflags: Arc::clone(&info.rustflags),
            rustdocflags: Arc::clone(&info.rustdocflags),
            links_overrides: Arc::clone(&info.links_overrides),
            is_member: request.members.contains(&draft.id),
            is_primary: primary.contains(&&draft.id),
            root_args: Vec::new(),
            dependencies,
        });
    }
    let mut roots: Vec<UnitId> = shared.roots.iter().map(|root| index[root]).collect();
    roots.dedup();
    Ok((units, roots))
}

fn root_arguments(request: &Request<'_>, units: &mut [Unit], roots: &[UnitId]) -> Result<(), PlanError> {
    let given = &request.settings.root_args;
    if !given.is_empty() {
        let [root] = roots else {
            let tool = if request.intent.is_doc() { "rustdoc" } else { "rustc" };
            return Err(PlanError::ArgumentsForMany { tool });
        };
        units[root.0].root_args = given.clone();
    }
    for root in roots {
        let unit = &mut units[root.0];
        let is_bin = unit.target.is_bin();
        let is_doc = matches!(unit.mode, Mode::Doc | Mode::Doctest);
        if is_doc && (request.settings.document_private_items || is_bin) {
            unit.root_args.push("--document-private-items".to_owned());
            if is_bin {
                unit.root_args.push("-Arustdoc::private-intra-doc-links".to_owned());
            }
        }
    }
    Ok(())
}

fn check_rust_versions(units: &[Unit], toolchain: &Toolchain) -> Result<(), PlanError> {
    let rustc = &toolchain.version;
    let mut refused: BTreeMap<(String, semver::Version), (String, bool)> = BTreeMap::new();
    for unit in units {
        let Some(wanted) = &unit.package.manifest.rust_version else { continue };
        let text = wanted.to_string();
        let mut parts = text.split('.').map(|part| part.parse::<u64>().unwrap_or(0));
        let mut next = || parts.next().unwrap_or(0);
        if (rustc.major, rustc.minor, rustc.patch) < (next(), next(), next()) {
            let key = (unit.id().name().to_string(), unit.id().version().clone());
            refused.insert(key, (text, unit.is_local()));
        }
    }
    if refused.is_empty() {
        return Ok(());
    }
    let any_local = refused.values().any(|(_, is_local)| *is_local);
    let packages = refused
        .into_iter()
        .map(|((name, version), (wanted, _))| (format!("{name}@{version}"), wanted))
        .collect();
    Err(PlanError::RustVersion { rustc: rustc.to_string(), packages, any_local })
}

impl Plan {
    /// One unit.
    pub fn unit(&self, id: UnitId) -> &Unit {
        &self.units[id.0]
    }

    /// Everything that was decided outside of packages and compiler.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The compiler that it is for.
    pub fn toolchain(&self) -> &Toolchain {
        &self.toolchain
    }

    /// Where things lie.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The unit that an action does.
    pub fn unit_of(&self, action: ActionId) -> UnitId {
        self.unit_of[action.0]
    }

    /// The action of a unit; `None` for doc tests, which run after the build, and for build scripts whose answer
    /// configuration gives.
    pub fn action_of(&self, unit: UnitId) -> Option<ActionId> {
        self.actions[unit.0]
    }

    /// The files that a unit makes.
    pub fn outputs(&self, unit: UnitId) -> &[OutputFile] {
        &self.outputs[unit.0]
    }

    /// The paths that a JSON message tells as `filenames`: uplifted ones where there are. Those that may be left
    /// out by the compiler ([`OutputFile::is_optional`]) belong there only if they exist. Of what was lent to a check
    /// they are those that a check would have made.
    pub fn filenames(&self, unit: UnitId) -> impl Iterator<Item = &OutputFile> {
        let only_metadata = self.lends && self.lendable.binary_search(&unit).is_ok();
        self.outputs[unit.0].iter().filter(move |file| !only_metadata || file.flavor == Flavor::Rmeta)
    }

    /// The program that a unit makes, if it makes one.
    pub fn executable(&self, id: UnitId) -> Option<&PathBuf> {
        let unit = self.unit(id);
        let is_program = matches!(unit.mode, Mode::Test | Mode::Build)
            && (unit.is_executable() || unit.mode.is_any_test());
        let files = self.outputs[id.0].iter().filter(|_| is_program);
        files.into_iter().find(|file| file.flavor == Flavor::Normal).map(OutputFile::final_path)
    }

    /// The run of a unit's own build script; of the first, if there are several.
    pub fn script_run(&self, id: UnitId) -> Option<UnitId> {
        self.script_runs(id).first().copied()
    }

    /// The runs of a unit's own build scripts, in the manifest's order.
    pub fn script_runs(&self, id: UnitId) -> Vec<UnitId> {
        let unit = self.unit(id);
        if unit.mode == Mode::RunScript {
            return vec![id];
        }
        let is_own = |below: &UnitId| {
            let below = self.unit(*below);
            below.mode == Mode::RunScript && below.id() == unit.id()
        };
        let mut runs: Vec<UnitId> = unit.dependencies.iter().map(|edge| edge.unit).filter(is_own).collect();
        let place = |run: &UnitId| {
            unit.package
                .manifest
                .build_scripts()
                .position(|script| script.name == self.unit(*run).target.name)
        };
        runs.sort_by_key(place);
        runs
    }

    /// The variables by which a unit finds what its package's build scripts wrote. With several scripts, `OUT_DIR`
    /// is the first one's, and each has a variable with its file name.
    pub(crate) fn out_dir_variables(&self, id: UnitId, copies: bool) -> Vec<(String, PathBuf)> {
        let mut variables = Vec::new();
        let runs = self.script_runs(id);
        let dir = |run| self.out_dir_copy(run).filter(|_| copies).or_else(|| self.out_dir(run));
        variables.extend(dir(id).map(|dir| ("OUT_DIR".to_owned(), dir)));
        if runs.len() > 1 {
            for run in runs {
                let name = &self.unit(run).target.name;
                let stem = name.strip_prefix("build-script-").unwrap_or(name);
                variables.extend(dir(run).map(|dir| (format!("{stem}_OUT_DIR"), dir)));
            }
        }
        variables
    }

    /// The value of `OUT_DIR` for a unit, if its package has a build script that has run.
    pub fn out_dir(&self, id: UnitId) -> Option<PathBuf> {
        let run = self.script_run(id)?;
        match self.layout.out_dir(self.unit(run), &self.hashes[run.0]) {
            TreeOutput::At(path) => Some(path),
            TreeOutput::Chosen { .. } => self.out_dirs[run.0].get().cloned(),
        }
    }

    /// Where what the script wrote lies in every checkout.
    pub(crate) fn out_dir_copy(&self, id: UnitId) -> Option<PathBuf> {
        self.script_run(id).and_then(|run| self.out_dir_copies[run.0].get().cloned())
    }

    /// What stands in for a build script, if configuration says so.
    pub fn override_of(&self, run: UnitId) -> Option<&ScriptOutput> {
        let unit = self.unit(run);
        let links = unit.package.manifest.summary.links.as_deref()?;
        unit.links_overrides.get(links)
    }

    /// Reads what a build script wrote to its standard output.
    ///
    /// # Errors
    /// A directive that is wrong, or `cargo::error`.
    pub fn script_output(&self, run: UnitId, stdout: &str) -> Result<Arc<ScriptOutput>, crate::ScriptError> {
        if let Some(known) = self.scripts[run.0].get() {
            return Ok(Arc::clone(known));
        }
        let unit = self.unit(run);
        let library = unit.package.manifest.library().map(|library| library.crate_name());
        let bootstrap = self.settings.base_env.get(std::ffi::OsStr::new("RUSTC_BOOTSTRAP"));
        let allows = |value: &std::ffi::OsString| {
            library.is_some_and(|library| value.to_string_lossy().split(',').any(|name| name == library))
        };
        let may_bootstrap = self.settings.allows_unstable || bootstrap.is_some_and(allows);
        let context = ScriptContext { package: &unit.package, may_bootstrap };
        let output = Arc::new(ScriptOutput::parse(stdout, context)?);
        if output.has_errors() {
            return Err(crate::ScriptError::Errors);
        }
        Ok(Arc::clone(self.scripts[run.0].get_or_init(|| output)))
    }

    /// What a finished run said.
    pub(crate) fn script_of(&self, run: UnitId, done: &Done<'_>) -> Result<Arc<ScriptOutput>, StepError> {
        if let Some(known) = self.scripts[run.0].get()
            && (self.out_dirs[run.0].get().is_some() || self.actions[run.0].is_none())
        {
            return Ok(Arc::clone(known));
        }
        let Some(action) = self.actions[run.0] else {
            let output = Arc::new(self.override_of(run).cloned().unwrap_or_default());
            return Ok(Arc::clone(self.scripts[run.0].get_or_init(|| output)));
        };
        let made = done.get(action);
        if let Some(path) = made.and_then(|made| made.tree_copy.clone()) {
            self.out_dir_copies[run.0].set(path).ok();
        }
        if let Some(path) = made.and_then(|made| made.tree_path.clone()) {
            // Whoever comes second says the same.
            self.out_dirs[run.0].set(path).ok();
        }
        let stdout = made.and_then(|made| made.stdout.clone()).unwrap_or_default();
        self.script_output(run, &stdout).map_err(StepError::new)
    }

    /// Whether the unit's package cannot change under its id.
    pub(crate) fn is_immutable(&self, unit: &Unit) -> bool {
        let source = unit.id().source();
        (source.is_git() && source.git_object().is_some()) || self.checksums.contains_key(unit.id())
    }

    fn notice_unlinkable(&mut self) {
        let mut notices = Vec::new();
        for unit in self.units.iter().filter(|unit| unit.mode != Mode::RunScript) {
            let below = |edge: &UnitDependency| &self.units[edge.unit.0];
            let crates: Vec<&Unit> =
                unit.dependencies.iter().map(below).filter(|below| below.mode != Mode::Doc).collect();
            if crates.iter().any(|below| below.target.is_linkable()) {
                continue;
            }
            if let Some(below) = crates.iter().find(|below| below.target.is_lib()) {
                notices.push(Notice::NotLinkable {
                    dependency: below.target.crate_name(),
                    dependent: unit.target.crate_name(),
                });
            }
        }
        self.notices.extend(notices);
    }

    /// Which units there is anything to do for.
    fn wanted(&self) -> Vec<bool> {
        if !self.settings.compile_time_deps {
            return vec![true; self.units.len()];
        }
        let mut wanted = vec![false; self.units.len()];
        let mut visited = vec![false; self.units.len()];
        // What was asked for is not wanted itself, even if it is a macro: only what its compilation would run.
        let mut open: Vec<(UnitId, bool)> = self.roots.iter().map(|root| (*root, false)).collect();
        while let Some((id, is_part)) = open.pop() {
            if wanted[id.0] || (!is_part && visited[id.0]) {
                continue;
            }
            visited[id.0] = true;
            wanted[id.0] = is_part;
            for edge in &self.units[id.0].dependencies {
                let below = &self.units[edge.unit.0];
                open.push((edge.unit, is_part || is_for_host(&below.target)));
            }
        }
        wanted
    }

    fn make_graph(&mut self, costs: &Costs) {
        for (index, is_wanted) in self.wanted().into_iter().enumerate() {
            let id = UnitId(index);
            let is_nothing = match self.units[index].mode {
                _ if !is_wanted => true,
                Mode::Doctest => true,
                Mode::RunScript => self.override_of(id).is_some(),
                _ => false,
            };
            let action = (!is_nothing).then(|| {
                self.unit_of.push(id);
                ActionId(self.unit_of.len() - 1)
            });
            self.actions.push(action);
        }
        for index in 0..self.unit_of.len() {
            let id = self.unit_of[index];
            let cost = cost(self.unit(id), costs);
            self.graph.add(Action { name: self.action_name(id), needs: self.needs(id), cost });
        }
    }

    fn action_name(&self, id: UnitId) -> String {
        let unit = self.unit(id);
        format!("{}-{}-{}", unit.id().name(), unit.mode.name(), self.hashes[id.0].id)
    }

    fn needs(&self, id: UnitId) -> Vec<Need> {
        let unit = self.unit(id);
        let mut stages: BTreeMap<ActionId, Stage> = BTreeMap::new();
        let mut add = |below: UnitId, stage: Stage| {
            if let Some(action) = self.actions[below.0] {
                let known = stages.entry(action).or_insert(stage);
                if stage == Stage::Whole {
                    *known = Stage::Whole;
                }
            }
        };
        for edge in &unit.dependencies {
            let early = self.only_needs_metadata(id, edge.unit);
            add(edge.unit, if early { Stage::Early } else { Stage::Whole });
        }
        // That a library is whole says nothing of the libraries below, which it did not wait for.
        if unit.needs_objects() && unit.mode != Mode::RunScript {
            for below in &self.reach[id.0].crates {
                add(*below, Stage::Whole);
            }
        }
        stages.into_iter().map(|(action, stage)| Need { action, stage }).collect()
    }
}
