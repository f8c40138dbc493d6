//! The features that a build really uses.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use wharf_core::manifest::ResolverVersion;
use wharf_core::package::PackageId;
use wharf_core::resolution::{ActivatedFeatures, FeaturesFor, ResolvedPackage};
use wharf_core::{DepKind, Dependency, FeatureName, FeatureValue, Platform, Resolution};

use crate::problem::RequestedFeatures;
use crate::requirements::DEFAULT;

/// A package that is built, and the features asked of it.
#[derive(Clone, Debug)]
pub struct MemberFeatures {
    /// The package.
    pub id: PackageId,
    /// What is asked of it.
    pub features: RequestedFeatures,
    /// Whether any of its targets is a procedural macro, examples included.
    pub has_proc_macro: bool,
}

/// What to activate.
pub struct FeatureRequest<'a> {
    /// The packages that are built.
    pub members: Vec<MemberFeatures>,
    /// The rules.
    pub resolver: ResolverVersion,
    /// Whether anything is built that sees dev-dependencies (tests, examples, benches).
    pub dev_dependencies: bool,
    /// Take dependencies for all platforms, whatever is built (`metadata`, `tree --target all`).
    pub all_platforms: bool,
    /// Whether the library of a package is a procedural macro.
    pub is_proc_macro: &'a dyn Fn(&PackageId) -> bool,
    /// Whether a platform is the host (for [`FeaturesFor::Host`]) or one of the requested targets.
    pub is_active: &'a dyn Fn(&Platform, FeaturesFor) -> bool,
}

/// Finds the features and optional dependencies of every package that the members reach.
///
/// Resolver 1 takes everything together. Resolvers 2 and 3 keep apart what is for the host (build scripts,
/// procedural macros and what they need) from what is for the target, and leave out dev-dependencies that
/// nothing built sees and dependencies for other platforms (reference, "Feature resolver version 2").
pub fn activate_features(resolution: &Resolution, request: &FeatureRequest<'_>) -> ActivatedFeatures {
    let mut activation = Activation::new(resolution, request);
    for member in &request.members {
        activation.start(member);
    }
    while let Some(task) = activation.pending.pop() {
        activation.perform(task);
    }
    activation.finish()
}

/// A package by its position, in one view.
type Seat = (usize, FeaturesFor);

/// A dependency in one view: where it leads, and its entry in the manifest.
#[derive(Clone, Copy)]
struct Way<'a> {
    to: Seat,
    entry: &'a Dependency,
}

enum Task<'a> {
    /// The package is used.
    Use(Seat),
    /// The feature is on.
    Feature(Seat, FeatureName),
    /// The optional dependency is on.
    Dependency(Seat, &'a FeatureName),
    /// The feature of a dependency is on, if `weak` only where the dependency is.
    DependencyFeature { of: Seat, dependency: &'a FeatureName, feature: &'a FeatureName, weak: bool },
}

struct Activation<'a> {
    request: &'a FeatureRequest<'a>,
    packages: Vec<(&'a PackageId, &'a ResolvedPackage)>,
    positions: HashMap<&'a PackageId, usize>,
    replacements: &'a BTreeMap<PackageId, PackageId>,
    ways: HashMap<Seat, Rc<[Way<'a>]>>,
    used: HashSet<Seat>,
    features: BTreeMap<Seat, BTreeSet<FeatureName>>,
    dependencies: BTreeMap<Seat, BTreeSet<FeatureName>>,
    /// Weak features that wait for their dependency to be switched on.
    waiting: HashMap<(Seat, &'a FeatureName), Vec<&'a FeatureName>>,
    pending: Vec<Task<'a>>,
}

impl<'a> Activation<'a> {
    fn new(resolution: &'a Resolution, request: &'a FeatureRequest<'a>) -> Self {
        let packages: Vec<_> = resolution.packages.iter().collect();
        let positions = packages.iter().enumerate().map(|(position, (id, _))| (*id, position)).collect();
        Self {
            request,
            packages,
            positions,
            replacements: &resolution.replacements,
            ways: HashMap::new(),
            used: HashSet::new(),
            features: BTreeMap::new(),
            dependencies: BTreeMap::new(),
            waiting: HashMap::new(),
            pending: Vec::new(),
        }
    }

    fn is_decoupled(&self) -> bool {
        self.request.resolver != ResolverVersion::V1
    }

    fn start(&mut self, member: &'a MemberFeatures) {
        let Some(position) = self.positions.get(&member.id).copied() else { return };
        let mut views = vec![FeaturesFor::Target];
        if self.is_decoupled() && member.has_proc_macro {
            // Its other targets and its tests are built like any package's.
            views.push(FeaturesFor::Host);
        }
        let declared = &self.packages[position].1.summary.features;
        let RequestedFeatures { all, default, named } = &member.features;
        for view in views {
            let seat = (position, view);
            self.pending.push(Task::Use(seat));
            for value in named {
                self.pending.push(task(seat, value));
            }
            let default = declared.get_key_value(DEFAULT).filter(|_| *default).map(|(name, _)| name);
            let all = declared.keys().filter(|_| *all);
            self.pending.extend(all.chain(default).map(|name| Task::Feature(seat, name.clone())));
        }
    }

    fn perform(&mut self, task: Task<'a>) {
        match task {
            Task::Use(seat) => {
                self.features.entry(seat).or_default();
                if self.used.insert(seat) {
                    let ways = self.ways(seat);
                    for way in ways.iter().filter(|way| !way.entry.is_optional()) {
                        self.take(*way);
                    }
                }
            }
            Task::Feature(seat, name) => {
                if self.features.entry(seat).or_default().insert(name.clone()) {
                    let values = self.packages[seat.0].1.summary.features.get(&name);
                    self.pending.extend(values.into_iter().flatten().map(|value| self::task(seat, value)));
                }
            }
            Task::Dependency(seat, name) => self.switch_on(seat, name),
            Task::DependencyFeature { of, dependency, feature, weak } => {
                let ways = self.ways(of);
                for way in ways.iter().filter(|way| is_named(way.entry, dependency)) {
                    self.pass_on(of, *way, (dependency, feature), weak);
                }
            }
        }
    }

    fn switch_on(&mut self, seat: Seat, name: &'a FeatureName) {
        let is_new = self.dependencies.entry(seat).or_default().insert(name.clone());
        let waiting = self.waiting.remove(&(seat, name)).unwrap_or_default();
        if !is_new && waiting.is_empty() {
            return;
        }
        let ways = self.ways(seat);
        for way in ways.iter().filter(|way| is_named(way.entry, name)) {
            self.pending.extend(waiting.iter().map(|feature| Task::Feature(way.to, (*feature).clone())));
            self.take(*way);
        }
    }

    /// Asks a feature of a dependency.
    fn pass_on(
        &mut self,
        of: Seat,
        way: Way<'a>,
        (name, feature): (&'a FeatureName, &'a FeatureName),
        weak: bool,
    ) {
        if way.entry.is_optional() {
            let is_on = self.dependencies.get(&of).is_some_and(|on| on.contains(name));
            if weak && !is_on {
                self.waiting.entry((of, name)).or_default().push(feature);
                return;
            }
            if !weak && self.packages[of.0].1.summary.features.contains_key(name) {
                // `name/feature` is older than `dep:` and means the implicit feature too, where it exists.
                self.pending.push(Task::Feature(of, name.clone()));
            }
            self.pending.push(Task::Dependency(of, name));
        }
        self.pending.push(Task::Feature(way.to, feature.clone()));
    }

    /// Follows a dependency that is on.
    fn take(&mut self, way: Way<'a>) {
        self.pending.push(Task::Use(way.to));
        let names = way.entry.features().iter();
        self.pending.extend(names.map(|name| Task::Feature(way.to, name.clone())));
        let declared = &self.packages[way.to.0].1.summary.features;
        if way.entry.uses_default_features()
            && let Some((name, _)) = declared.get_key_value(DEFAULT)
        {
            self.pending.push(Task::Feature(way.to, name.clone()));
        }
    }

    /// The dependencies of a package that count in a view.
    fn ways(&mut self, seat: Seat) -> Rc<[Way<'a>]> {
        if let Some(known) = self.ways.get(&seat) {
            return Rc::clone(known);
        }
        let (position, view) = seat;
        let mut ways = Vec::new();
        for edge in &self.packages[position].1.edges {
            let to = self.replacements.get(&edge.to).unwrap_or(&edge.to);
            let Some(to) = self.positions.get(to).copied() else { continue };
            for entry in edge.dependencies.iter().filter(|entry| self.counts(entry, view)) {
                ways.push(Way { to: (to, self.view_of(entry, to, view)), entry });
            }
        }
        let ways: Rc<[Way<'a>]> = ways.into();
        self.ways.insert(seat, Rc::clone(&ways));
        ways
    }

    fn counts(&self, entry: &Dependency, view: FeaturesFor) -> bool {
        if !self.is_decoupled() {
            return true;
        }
        if entry.kind() == DepKind::Development && !self.request.dev_dependencies {
            return false;
        }
        // A build script runs on the host, so its dependencies are for the host whoever asks.
        let whom = if entry.kind() == DepKind::Build { FeaturesFor::Host } else { view };
        let is_active = |platform| (self.request.is_active)(platform, whom);
        self.request.all_platforms || entry.platform().is_none_or(is_active)
    }

    fn view_of(&self, entry: &Dependency, to: usize, view: FeaturesFor) -> FeaturesFor {
        let turns_to_host = self.is_decoupled()
            && view == FeaturesFor::Target
            && (entry.kind() == DepKind::Build || (self.request.is_proc_macro)(self.packages[to].0));
        if turns_to_host { FeaturesFor::Host } else { view }
    }

    fn finish(self) -> ActivatedFeatures {
        let separate_host = self.is_decoupled();
        let Self { packages, features, dependencies, .. } = self;
        let named = |seats: BTreeMap<Seat, BTreeSet<FeatureName>>| {
            let name = |((position, view), on): (Seat, _)| ((packages[position].0.clone(), view), on);
            seats.into_iter().map(name).collect()
        };
        ActivatedFeatures { separate_host, features: named(features), dependencies: named(dependencies) }
    }
}

fn task(seat: Seat, value: &FeatureValue) -> Task<'_> {
    match value {
        FeatureValue::Feature(name) => Task::Feature(seat, name.clone()),
        FeatureValue::Dep { dep } => Task::Dependency(seat, dep),
        FeatureValue::DepFeature { dep, feature, weak } => {
            Task::DependencyFeature { of: seat, dependency: dep, feature, weak: *weak }
        }
    }
}

fn is_named(entry: &Dependency, name: &FeatureName) -> bool {
    entry.name_in_toml().as_str() == name.as_str()
}
