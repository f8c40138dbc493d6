//! What a package needs, given the features asked of it.
//!
//! This is the unified view in which versions are chosen: weak features (`dep?/feature`) switch their
//! dependency on here, so that the lockfile covers every later selection; [`crate::activate_features`]
//! narrows them down.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wharf_core::{Dependency, FeatureName, FeatureValue, Summary};

use crate::conflict::Reason;
use crate::problem::RequestedFeatures;

/// The features asked of one package.
#[derive(Clone, Copy)]
pub(crate) enum Request<'a> {
    /// By a user, of a root.
    Root { features: &'a RequestedFeatures, dev_dependencies: bool },
    /// By a dependency.
    Dependency(&'a Wanted),
}

/// The features that a dependency asks of a package.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Wanted {
    pub names: Arc<BTreeSet<FeatureName>>,
    pub default: bool,
}

/// What cannot be had.
#[derive(Debug)]
pub(crate) enum Missing {
    Feature(FeatureName),
    Dependency(FeatureName),
    Cycle(FeatureName),
}

/// What is switched on in a package.
#[derive(Debug)]
pub(crate) struct Requirements {
    pub features: BTreeSet<FeatureName>,
    /// Positions in the summary's dependencies, in its order, with the features asked of each.
    pub dependencies: Vec<(usize, Arc<BTreeSet<FeatureName>>)>,
}

pub(crate) const DEFAULT: &str = "default";

/// Finds what is switched on.
pub(crate) fn requirements(summary: &Summary, request: Request<'_>) -> Result<Requirements, Missing> {
    let mut walk =
        Walk { summary, features: BTreeSet::new(), dependencies: BTreeMap::new(), pending: Vec::new() };
    let (default, dev_dependencies) = match request {
        Request::Root { features, dev_dependencies } => {
            if features.all {
                for name in summary.features.keys() {
                    walk.feature(name)?;
                }
            }
            for value in &features.named {
                walk.value(value)?;
            }
            (features.default, dev_dependencies)
        }
        Request::Dependency(wanted) => {
            for name in wanted.names.iter() {
                walk.feature(name)?;
            }
            (wanted.default, false)
        }
    };
    if default && let Some((name, _)) = summary.features.get_key_value(DEFAULT) {
        walk.feature(name)?;
    }
    walk.finish(dev_dependencies, matches!(request, Request::Root { .. }))
}

struct Walk<'a> {
    summary: &'a Summary,
    features: BTreeSet<FeatureName>,
    dependencies: BTreeMap<FeatureName, BTreeSet<FeatureName>>,
    pending: Vec<&'a FeatureName>,
}

impl<'a> Walk<'a> {
    fn feature(&mut self, name: &FeatureName) -> Result<(), Missing> {
        self.note(name)?;
        self.drain()
    }

    fn value(&mut self, value: &FeatureValue) -> Result<(), Missing> {
        self.note_value(value)?;
        self.drain()
    }

    fn drain(&mut self) -> Result<(), Missing> {
        while let Some(name) = self.pending.pop() {
            let summary = self.summary;
            for value in &summary.features[name] {
                if matches!(value, FeatureValue::Feature(other) if other == name) {
                    return Err(Missing::Cycle(name.clone()));
                }
                self.note_value(value)?;
            }
        }
        Ok(())
    }

    fn note(&mut self, name: &FeatureName) -> Result<(), Missing> {
        let Some((known, _)) = self.summary.features.get_key_value(&**name) else {
            return Err(Missing::Feature(name.clone()));
        };
        if self.features.insert(known.clone()) {
            self.pending.push(known);
        }
        Ok(())
    }

    fn note_value(&mut self, value: &FeatureValue) -> Result<(), Missing> {
        match value {
            FeatureValue::Feature(name) => self.note(name),
            FeatureValue::Dep { dep } => {
                self.dependencies.entry(dep.clone()).or_default();
                Ok(())
            }
            FeatureValue::DepFeature { dep, feature, weak } => {
                let is_optional =
                    |entry: &Dependency| entry.is_optional() && entry.name_in_toml().as_str() == dep.as_str();
                // `name/feature` is older than `dep:` and switches on the implicit feature too, where it
                // exists.
                if !weak
                    && self.summary.features.contains_key(&**dep)
                    && self.summary.dependencies.iter().any(is_optional)
                {
                    self.note(dep)?;
                }
                self.dependencies.entry(dep.clone()).or_default().insert(feature.clone());
                Ok(())
            }
        }
    }

    fn finish(self, dev_dependencies: bool, is_root: bool) -> Result<Requirements, Missing> {
        let mut found = Vec::new();
        for (position, entry) in self.summary.dependencies.iter().enumerate() {
            if !entry.is_transitive() && !dev_dependencies {
                continue;
            }
            let asked = self.dependencies.get(entry.name_in_toml().as_str());
            if entry.is_optional() && asked.is_none() {
                continue;
            }
            let mut names = asked.cloned().unwrap_or_default();
            names.extend(entry.features().iter().cloned());
            found.push((position, Arc::new(names)));
        }
        // Only a user can name a dependency that is not there; manifests and index entries are checked.
        if is_root {
            let there = |name: &FeatureName| {
                found.iter().any(|(position, _)| {
                    self.summary.dependencies[*position].name_in_toml().as_str() == name.as_str()
                })
            };
            if let Some(name) = self.dependencies.keys().find(|name| !there(name)) {
                return Err(Missing::Dependency(name.clone()));
            }
        }
        Ok(Requirements { features: self.features, dependencies: found })
    }
}

impl Missing {
    /// What is missing, seen from the package that asked for it.
    pub fn reason(self, summary: &Summary) -> Result<Reason, FeatureName> {
        let name = match self {
            Self::Feature(name) => name,
            Self::Dependency(name) => return Ok(Reason::MissingFeature(name)),
            Self::Cycle(name) => return Err(name),
        };
        let mut same = summary.dependencies.iter().filter(|entry| entry.name_in_toml().as_str() == &*name);
        Ok(match same.next() {
            None => Reason::MissingFeature(name),
            Some(first) if first.is_optional() || same.any(Dependency::is_optional) => {
                Reason::HiddenDependency(name)
            }
            Some(_) => Reason::RequiredDependency(name),
        })
    }
}
