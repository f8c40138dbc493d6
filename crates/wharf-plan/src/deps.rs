//! What each unit needs: the edges between drafts.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use wharf_core::{DepKind, Dependency, PackageId, Target};

use crate::draft::{Draft, DraftId, Edge, Interner, Purpose, kind_for};
use crate::error::PlanError;
use crate::lend::fixed;
use crate::request::{CompileKind, Intent, Request};
use crate::roots::{all_features, platform_fits};
use crate::unit::Mode;

/// The edges of every draft reached from the roots.
pub(crate) type Edges = HashMap<DraftId, Vec<Edge>>;

/// Everything that the roots need.
pub(crate) fn dependencies(
    request: &Request<'_>,
    interner: &mut Interner,
    roots: &[DraftId],
) -> Result<Edges, PlanError> {
    let mut builder = Builder {
        request,
        interner,
        edges: HashMap::new(),
        dev_edges: HashSet::new(),
        features: HashMap::new(),
        lent: if request.lends { fixed(request) } else { BTreeSet::new() },
    };
    for root in roots {
        let purpose = builder.purpose_of_root(*root);
        builder.visit(*root, purpose)?;
    }
    builder.check_links()?;
    builder.connect_scripts();
    let Builder { mut edges, interner, .. } = builder;
    for list in edges.values_mut() {
        sort_edges(interner, list);
    }
    Ok(edges)
}

/// Puts edges into the order in which they are passed to the compiler.
pub(crate) fn sort_edges(interner: &Interner, edges: &mut Vec<Edge>) {
    edges.sort_by(|a, b| {
        let units = interner.get(a.to).order(interner.get(b.to));
        units.then_with(|| (&a.purpose, &a.extern_name).cmp(&(&b.purpose, &b.extern_name)))
    });
    edges.dedup();
}

struct Builder<'a, 'r> {
    request: &'a Request<'r>,
    interner: &'a mut Interner,
    edges: Edges,
    /// Edges that only development dependencies make: they do not hand on a build script's metadata.
    dev_edges: HashSet<(DraftId, DraftId)>,
    /// The features of tested packages without development dependencies, for `required-features` of programs.
    features: HashMap<(PackageId, CompileKind), HashSet<String>>,
    /// The packages that are built even for a check.
    lent: BTreeSet<PackageId>,
}

impl Builder<'_, '_> {
    fn purpose_of_root(&self, root: DraftId) -> Purpose {
        let draft = self.interner.get(root);
        let kind = draft.kind.clone();
        let is_test =
            matches!(self.request.intent, Intent::Test | Intent::Bench | Intent::Check { test: true });
        if draft.mode.is_any_test() || is_test {
            match draft.target.is_proc_macro() {
                true => Purpose::host_test(kind),
                false => Purpose::test(kind),
            }
        } else if draft.target.is_custom_build() {
            Purpose::host(false, kind)
        } else if draft.target.is_proc_macro() {
            Purpose::host(true, kind)
        } else {
            Purpose::normal(kind)
        }
    }

    /// Finds the edges of a draft and of all that it leads to. A stack of its own: dependency chains may be deeper
    /// than the thread's stack likes.
    fn visit(&mut self, root: DraftId, purpose: Purpose) -> Result<(), PlanError> {
        let mut waiting = vec![(root, purpose)];
        while let Some((id, purpose)) = waiting.pop() {
            if self.edges.contains_key(&id) {
                continue;
            }
            let edges = self.edges_of(id, &purpose)?;
            waiting.extend(edges.iter().rev().map(|edge| (edge.to, edge.purpose.clone())));
            self.edges.insert(id, edges);
        }
        Ok(())
    }

    fn edges_of(&mut self, id: DraftId, purpose: &Purpose) -> Result<Vec<Edge>, PlanError> {
        let draft = Arc::new((**self.interner.get(id)).clone());
        match draft.mode {
            Mode::RunScript => self.edges_of_run(&draft, purpose),
            Mode::Doc => self.edges_of_doc(&draft, purpose),
            _ => self.edges_of_compile(id, &draft, purpose),
        }
    }

    fn edges_of_compile(
        &mut self,
        id: DraftId,
        draft: &Draft,
        purpose: &Purpose,
    ) -> Result<Vec<Edge>, PlanError> {
        let mut edges = Vec::new();
        for (to, dependencies) in self.active(draft, purpose) {
            let Some(library) = self.library(&to)? else { continue };
            let edge = self.edge_to_library(draft, purpose, &to, &library)?;
            if dependencies.iter().all(|dependency| !dependency.is_transitive()) {
                self.dev_edges.insert((id, edge.to));
            }
            edges.push(edge);
        }
        if draft.target.is_custom_build() {
            return Ok(edges);
        }
        edges.extend(self.edges_to_runs(draft, purpose)?);
        if draft.target.is_lib() && draft.mode != Mode::Doctest {
            return Ok(edges);
        }
        edges.extend(self.edge_to_own_library(draft, purpose)?);
        let is_run_later = matches!(draft.mode, Mode::Test | Mode::Doctest);
        if is_run_later && (draft.target.is_test() || draft.target.is_bench()) {
            edges.extend(self.edges_to_programs(draft, purpose)?);
        }
        Ok(edges)
    }

    /// An integration test may run the package's programs.
    fn edges_to_programs(&mut self, draft: &Draft, purpose: &Purpose) -> Result<Vec<Edge>, PlanError> {
        let request = self.request;
        let package = request.package(&draft.id).ok_or_else(|| PlanError::NotFetched(draft.id.clone()))?;
        let mut edges = Vec::new();
        for target in package.manifest.targets.iter().filter(|target| target.is_bin()) {
            if !target.required_features.is_empty() {
                let on = self.features.entry((draft.id.clone(), draft.kind.clone())).or_insert_with(|| {
                    all_features(request, &draft.id, false, std::slice::from_ref(&draft.kind))
                });
                if !target.required_features.iter().all(|feature| on.contains(feature)) {
                    continue;
                }
            }
            let purpose = Purpose::normal(purpose.root_kind.clone());
            let kind = kind_for(&draft.kind, target);
            edges.push(self.edge(draft, &draft.id, target, (purpose, kind, Mode::Build))?);
        }
        Ok(edges)
    }

    fn edges_of_run(&mut self, draft: &Draft, purpose: &Purpose) -> Result<Vec<Edge>, PlanError> {
        let package =
            self.request.package(&draft.id).ok_or_else(|| PlanError::NotFetched(draft.id.clone()))?;
        let overrides = &self.request.toolchain.info(&draft.kind).links_overrides;
        if package.manifest.summary.links.as_ref().is_some_and(|links| overrides.contains_key(&**links)) {
            return Ok(Vec::new());
        }
        let whom = (purpose.of_script(), CompileKind::Host, Mode::Build);
        Ok(vec![self.edge(draft, &draft.id, &draft.target, whom)?])
    }

    fn edges_of_doc(&mut self, draft: &Draft, purpose: &Purpose) -> Result<Vec<Edge>, PlanError> {
        let mut edges = Vec::new();
        let with_dependencies = matches!(self.request.intent, Intent::Doc { deps: true, .. });
        for (to, _) in self.active(draft, purpose) {
            let Some(library) = self.library(&to)? else { continue };
            edges.push(self.edge_to_library(draft, purpose, &to, &library)?);
            if library.documented && with_dependencies {
                let purpose = purpose.of_dependency(draft, &library);
                let kind = kind_for(&draft.kind, &library);
                edges.push(self.edge(draft, &to, &library, (purpose, kind, Mode::Doc))?);
            }
        }
        edges.extend(self.edges_to_runs(draft, purpose)?);
        if draft.target.is_bin() || draft.target.is_example() {
            edges.extend(self.edge_to_own_library(draft, purpose)?);
            let own = self.library(&draft.id)?;
            if let Some(library) = own.filter(|library| library.is_linkable() && library.documented) {
                let purpose = purpose.of_dependency(draft, &library);
                let kind = kind_for(&draft.kind, &library);
                edges.push(self.edge(draft, &draft.id, &library, (purpose, kind, Mode::Doc))?);
            }
        }
        Ok(edges)
    }

    fn library(&self, id: &PackageId) -> Result<Option<Arc<Target>>, PlanError> {
        let package = self.request.package(id).ok_or_else(|| PlanError::NotFetched(id.clone()))?;
        Ok(package.manifest.library().map(|library| Arc::new(library.clone())))
    }

    fn edge_to_library(
        &mut self,
        draft: &Draft,
        purpose: &Purpose,
        to: &PackageId,
        library: &Target,
    ) -> Result<Edge, PlanError> {
        let mode = match check_or_build(draft.mode, library) {
            Mode::Check { .. } if self.lent.contains(to) => Mode::Build,
            mode => mode,
        };
        let whom = (purpose.of_dependency(draft, library), kind_for(&draft.kind, library), mode);
        self.edge(draft, to, library, whom)
    }

    fn edge_to_own_library(&mut self, draft: &Draft, purpose: &Purpose) -> Result<Option<Edge>, PlanError> {
        match self.library(&draft.id)?.filter(|library| library.is_linkable()) {
            Some(library) => Ok(Some(self.edge_to_library(draft, purpose, &draft.id, &library)?)),
            None => Ok(None),
        }
    }

    fn edges_to_runs(&mut self, draft: &Draft, purpose: &Purpose) -> Result<Vec<Edge>, PlanError> {
        let package =
            self.request.package(&draft.id).ok_or_else(|| PlanError::NotFetched(draft.id.clone()))?;
        let purpose = purpose.of_script();
        let features = self.request.features.of(&draft.id, purpose.features_for());
        let mut edges = Vec::new();
        for script in package.manifest.build_scripts() {
            let to = self.interner.intern(Draft {
                id: draft.id.clone(),
                target: Arc::new(script.clone()),
                profile: profile_of_run(&draft.profile),
                kind: draft.kind.clone(),
                mode: Mode::RunScript,
                features: features.clone().into(),
                dependencies: None,
            });
            let (purpose, extern_name) = (purpose.clone(), script.crate_name());
            edges.push(Edge { to, purpose, extern_name, dep_name: None, public: false });
        }
        Ok(edges)
    }

    fn edge(
        &mut self,
        draft: &Draft,
        to: &PackageId,
        target: &Target,
        (purpose, kind, mode): (Purpose, CompileKind, Mode),
    ) -> Result<Edge, PlanError> {
        let (extern_name, dep_name, public) = self.names(&draft.id, to, target)?;
        let features = self.request.features.of(to, purpose.features_for());
        let to = self.interner.intern(Draft {
            id: to.clone(),
            target: Arc::new(target.clone()),
            profile: self.request.profile_of(to, &purpose, &kind),
            kind,
            mode,
            features: features.into(),
            dependencies: None,
        });
        Ok(Edge { to, purpose, extern_name, dep_name, public })
    }

    /// The name of a crate for its dependent. All entries that lead there must agree, used or not.
    fn names(
        &self,
        from: &PackageId,
        to: &PackageId,
        target: &Target,
    ) -> Result<(String, Option<String>, bool), PlanError> {
        let own = || (target.crate_name(), None);
        if from == to {
            let (name, key) = own();
            return Ok((name, key, true));
        }
        let resolution = self.request.resolution;
        let leads_there = |edge: &&wharf_core::resolution::ResolvedEdge| {
            edge.to == *to || resolution.replacements.get(&edge.to) == Some(to)
        };
        let entries: Vec<&Dependency> =
            resolution.edges(from).iter().filter(leads_there).flat_map(|edge| &edge.dependencies).collect();
        let name_of = |entry: &&Dependency| match &entry.fields().rename {
            Some(key) => (key.crate_name(), Some(key.to_string())),
            None => own(),
        };
        let (name, key) = entries.first().map_or_else(own, name_of);
        if entries.iter().any(|entry| name_of(entry).0 != name) {
            return Err(PlanError::TwoNames { from: from.clone(), to: to.clone() });
        }
        let public = entries.iter().any(|entry| entry.fields().public);
        Ok((name, key, public))
    }

    /// The dependencies of a unit that count: of its table, for its platform, and on.
    fn active(&self, draft: &Draft, purpose: &Purpose) -> Vec<(PackageId, Vec<Dependency>)> {
        let wants_dev = draft.target.is_test() || draft.target.is_example() || draft.mode.is_any_test();
        let counts = |dependency: &&Dependency| {
            let is_build = dependency.kind() == DepKind::Build;
            draft.target.is_custom_build() == is_build
                && (dependency.is_transitive() || wants_dev)
                && platform_fits(self.request, dependency, &draft.kind)
                && (!dependency.is_optional() || self.is_on(draft, purpose, dependency))
        };
        let mut active = Vec::new();
        for edge in self.request.resolution.edges(&draft.id) {
            let to = self.request.resolution.replacements.get(&edge.to).unwrap_or(&edge.to);
            let dependencies: Vec<Dependency> = edge.dependencies.iter().filter(counts).cloned().collect();
            if !dependencies.is_empty() {
                active.push((to.clone(), dependencies));
            }
        }
        active
    }

    fn is_on(&self, draft: &Draft, purpose: &Purpose, dependency: &Dependency) -> bool {
        let whom = purpose.features_for();
        self.request.features.is_dependency_on(&draft.id, whom, dependency.name_in_toml())
    }

    /// One native library is linked once (reference, "The `links` Manifest Key").
    fn check_links(&self) -> Result<(), PlanError> {
        let packages: BTreeSet<&PackageId> = self.edges.keys().map(|id| &self.interner.get(*id).id).collect();
        let mut owners: HashMap<&str, &PackageId> = HashMap::new();
        for id in packages {
            let package = self.request.package(id).ok_or_else(|| PlanError::NotFetched(id.clone()))?;
            let Some(links) = package.manifest.summary.links.as_deref() else { continue };
            if let Some(first) = owners.insert(links, package.id()) {
                return Err(PlanError::Links {
                    links: links.to_owned(),
                    first: first.clone(),
                    second: package.id().clone(),
                });
            }
        }
        Ok(())
    }

    /// A build script's run waits for the runs of those direct dependencies of its package that have `links`, and
    /// sees what they said as `DEP_*`. That a dependency counts is known only from the units that need the run.
    fn connect_scripts(&mut self) {
        let mut users: HashMap<DraftId, Vec<DraftId>> = HashMap::new();
        let mut runs_of: HashMap<DraftId, Vec<Edge>> = HashMap::new();
        for (id, edges) in &self.edges {
            for edge in edges.iter().filter(|edge| self.interner.get(edge.to).mode == Mode::RunScript) {
                users.entry(edge.to).or_default().push(*id);
                runs_of.entry(*id).or_default().push(edge.clone());
            }
        }
        let mut added: Vec<(DraftId, Vec<Edge>)> = Vec::new();
        for (run, users) in users {
            let own = self.interner.get(run).id.clone();
            let mut edges: Vec<Edge> = Vec::new();
            for user in users {
                for other in &self.edges[&user] {
                    let draft = self.interner.get(other.to);
                    let has_links = self.request.settings.any_script_metadata
                        || self
                            .request
                            .package(&draft.id)
                            .is_some_and(|package| package.manifest.summary.links.is_some());
                    if draft.id == own
                        || !draft.target.is_linkable()
                        || !has_links
                        || self.dev_edges.contains(&(user, other.to))
                    {
                        continue;
                    }
                    for found in runs_of.get(&other.to).into_iter().flatten() {
                        let name = other.dep_name.clone().unwrap_or_else(|| draft.id.name().to_string());
                        let edge = Edge { dep_name: Some(name), ..found.clone() };
                        if !edges.contains(&edge) {
                            edges.push(edge);
                        }
                    }
                }
            }
            added.push((run, edges));
        }
        for (run, edges) in added {
            self.edges.entry(run).or_default().extend(edges);
        }
    }
}

/// Code for the host is really built even where everything else is only checked: it will run.
fn check_or_build(mode: Mode, target: &Target) -> Mode {
    match mode {
        Mode::Check { .. } | Mode::Doc if !crate::unit::is_for_host(target) => Mode::Check { test: false },
        _ => Mode::Build,
    }
}

/// A run depends on little of the profile, so that units which differ otherwise share it.
fn profile_of_run(profile: &wharf_core::Profile) -> wharf_core::Profile {
    use wharf_core::profile::{Lto, PanicStrategy, Strip, StripLevel};
    wharf_core::Profile {
        lto: Lto::ThinLocal,
        codegen_backend: None,
        codegen_units: None,
        split_debuginfo: None,
        overflow_checks: false,
        rpath: false,
        incremental: false,
        panic: PanicStrategy::Unwind,
        strip: Strip::Deferred(StripLevel::None),
        rustflags: Vec::new(),
        ..profile.clone()
    }
}
