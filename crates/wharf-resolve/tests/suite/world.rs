//! Registries in memory, and problems about them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use wharf_core::dependency::Requirement;
use wharf_core::package::PackageId;
use wharf_core::summary::SharedSummary;
use wharf_core::{
    DepKind, Dependency, FeatureName, FeatureValue, PackageName, Resolution, SourceId, Summary, Version,
    VersionReq,
};
use wharf_resolve::{
    Conflict, Index, IndexError, LockedGraph, LockedPackage, Problem, RequestedFeatures, Root, resolve,
};

pub fn name(text: &str) -> PackageName {
    PackageName::new(text).unwrap()
}

pub fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

pub fn path_source(name: &str) -> SourceId {
    SourceId::for_path(Path::new(&format!("/w/{name}"))).unwrap()
}

/// An id from `name version`, or `name version place` with `path` for a directory of that name.
pub fn id(text: &str) -> PackageId {
    let mut words = text.split_whitespace();
    let (name_text, version_text) = (words.next().unwrap(), words.next().unwrap());
    PackageId::new(name(name_text), version(version_text), source(words.next(), name_text))
}

fn source(word: Option<&str>, name: &str) -> SourceId {
    match word {
        None => SourceId::crates_io(),
        Some("path") => path_source(name),
        Some(text) => SourceId::from_encoded(text).unwrap(),
    }
}

/// A dependency from `name[?] requirement flag…`, where a flag is `dev`, `build`, `nodefault`, `path`,
/// `+feature`, `as=name`, `cfg=name`, or an encoded source.
pub fn dependency(text: &str) -> Dependency {
    let mut words = text.split_whitespace();
    let first = words.next().unwrap();
    let real = first.trim_end_matches('?');
    let req = match words.next().unwrap_or("*") {
        "any" => Requirement::Any,
        text => Requirement::new(VersionReq::parse(text).unwrap()),
    };
    Dependency::plain(name(real), SourceId::crates_io(), req).with(|fields| {
        fields.optional = first.ends_with('?');
        for word in words {
            match word {
                "dev" => fields.kind = DepKind::Development,
                "build" => fields.kind = DepKind::Build,
                "nodefault" => fields.default_features = false,
                "path" => fields.source = path_source(real),
                _ if word.starts_with('+') => fields.features.push(FeatureName::new(&word[1..]).unwrap()),
                _ if word.starts_with("as=") => fields.rename = Some(name(&word[3..])),
                _ if word.starts_with("cfg=") => {
                    fields.platform = Some(format!("cfg({})", &word[4..]).parse().unwrap());
                }
                _ => fields.source = SourceId::from_encoded(word).unwrap(),
            }
        }
    })
}

/// A package from its id, its dependencies, and its features as `name = value value`.
pub fn package(text: &str, dependencies: &[&str], features: &[&str]) -> Summary {
    let dependencies: Vec<Dependency> = dependencies.iter().map(|text| dependency(text)).collect();
    let mut map: BTreeMap<FeatureName, Vec<FeatureValue>> = features
        .iter()
        .map(|text| {
            let (name, values) = text.split_once('=').unwrap();
            let values = values.split_whitespace().map(FeatureValue::parse).collect();
            (FeatureName::new(name.trim()).unwrap(), values)
        })
        .collect();
    let named: Vec<FeatureName> = map
        .values()
        .flatten()
        .filter_map(|value| match value {
            FeatureValue::Dep { dep } => Some(dep.clone()),
            _ => None,
        })
        .collect();
    for entry in dependencies.iter().filter(|entry| entry.is_optional()) {
        let implicit = FeatureName::from(entry.name_in_toml().clone());
        if !named.contains(&implicit) {
            map.entry(implicit.clone()).or_insert_with(|| vec![FeatureValue::Dep { dep: implicit }]);
        }
    }
    Summary {
        id: id(text),
        dependencies,
        features: map,
        checksum: None,
        links: None,
        rust_version: None,
        yanked: false,
        published: None,
    }
}

/// What exists, and a root that asks for some of it.
#[derive(Default)]
pub struct World {
    packages: Vec<SharedSummary>,
    roots: Vec<Root>,
    pub gathers: bool,
    /// Without a network: what is on disk.
    pub at_hand: Option<Vec<PackageId>>,
    pub announced: RefCell<Vec<Vec<String>>>,
}

impl World {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn add(mut self, text: &str, dependencies: &[&str], features: &[&str]) -> Self {
        self.packages.push(Arc::new(package(text, dependencies, features)));
        self
    }

    /// Adds several packages without dependencies.
    pub fn plain(mut self, texts: &[&str]) -> Self {
        self.packages.extend(texts.iter().map(|text| Arc::new(package(text, &[], &[]))));
        self
    }

    /// Changes the package that was added last.
    pub fn but(mut self, change: impl FnOnce(&mut Summary)) -> Self {
        change(Arc::make_mut(self.packages.last_mut().unwrap()));
        self
    }

    /// Takes the network away; only these are on disk.
    pub fn offline(mut self, at_hand: &[&str]) -> Self {
        self.at_hand = Some(at_hand.iter().map(|text| id(text)).collect());
        self
    }

    pub fn yanked(self) -> Self {
        self.but(|summary| summary.yanked = true)
    }

    pub fn links(self, library: &str) -> Self {
        self.but(|summary| summary.links = Some(library.into()))
    }

    /// A member of the workspace, resolved with everything on.
    pub fn root(self, text: &str, dependencies: &[&str], features: &[&str]) -> Self {
        self.root_with(text, dependencies, features, RequestedFeatures::everything())
    }

    pub fn root_with(
        mut self,
        text: &str,
        dependencies: &[&str],
        features: &[&str],
        requested: RequestedFeatures,
    ) -> Self {
        let summary = Arc::new(package(&format!("{text} path"), dependencies, features));
        self.packages.push(Arc::clone(&summary));
        self.roots.push(Root { summary, features: requested, dev_dependencies: true });
        self
    }

    pub fn problem(&self) -> Problem {
        Problem::new(self.roots.clone())
    }

    pub fn solve(&self) -> Result<Resolution, Conflict> {
        resolve(&self.problem(), self)
    }

    pub fn solve_with(&self, change: impl FnOnce(&mut Problem)) -> Result<Resolution, Conflict> {
        let mut problem = self.problem();
        change(&mut problem);
        resolve(&problem, self)
    }

    pub fn packages(&self) -> &[SharedSummary] {
        &self.packages
    }
}

impl Index for World {
    fn summaries(&self, source: &SourceId, name: &PackageName) -> Result<Arc<[SharedSummary]>, IndexError> {
        let fits =
            |summary: &&SharedSummary| summary.id.name() == name && summary.id.source().same_place(source);
        Ok(self.packages.iter().filter(fits).cloned().collect())
    }

    fn is_at_hand(&self, package: &PackageId) -> bool {
        self.at_hand.as_ref().is_none_or(|at_hand| at_hand.contains(package))
    }

    fn prefetch(&self, wanted: &[(SourceId, PackageName)]) {
        self.announced.borrow_mut().push(wanted.iter().map(|(_, name)| name.to_string()).collect());
    }

    fn prefetch_exact(&self, wanted: &[PackageId]) {
        self.announced
            .borrow_mut()
            .push(wanted.iter().map(|id| format!("{} {}", id.name(), id.version())).collect());
    }

    fn gathers(&self) -> bool {
        self.gathers
    }

    fn similar_names(&self, _: &SourceId, name: &PackageName) -> Vec<PackageName> {
        let swapped = name.replace('-', "_");
        self.packages
            .iter()
            .map(|summary| summary.id.name())
            .filter(|known| **known == *swapped)
            .cloned()
            .collect()
    }
}

/// The chosen packages but those on a path, as `name version` in one line.
pub fn chosen(resolution: &Resolution) -> String {
    let ids = resolution.ids().filter(|id| !id.source().is_path());
    ids.map(|id| format!("{} {}", id.name(), id.version())).collect::<Vec<_>>().join(", ")
}

/// The features of a package, in one line.
pub fn features_of(resolution: &Resolution, text: &str) -> String {
    let features = &resolution.get(&id(text)).unwrap_or_else(|| panic!("no {text}")).features;
    features.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// A lock as a lockfile would hold it.
pub fn lock(resolution: &Resolution) -> LockedGraph {
    let packages = resolution.packages.iter().map(|(id, package)| LockedPackage {
        id: id.clone(),
        dependencies: package.edges.iter().map(|edge| edge.to.clone()).collect(),
        checksum: package.checksum.clone(),
        keep: true,
    });
    LockedGraph {
        packages: packages.collect(),
        unused_patches: resolution.unused_patches.clone(),
        replacements: resolution.replacements.clone(),
        default_branch_may_be_master: false,
    }
}

#[track_caller]
pub fn check(world: &World, want: &str) {
    match world.solve() {
        Ok(resolution) => assert_eq!(chosen(&resolution), want),
        Err(conflict) => panic!("{conflict}"),
    }
}

/// The first line of the story.
#[track_caller]
pub fn check_fails(world: &World, want: &str) {
    let conflict = world.solve().expect_err("there should be no answer");
    assert_eq!(conflict.to_string().lines().next().unwrap(), want);
}
