//! Guessing ahead: when an index file arrives, the files of the dependencies that a resolution is likely to reach are
//! fetched at once, instead of one level of the graph after the other. A wrong guess costs one small request.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use wharf_core::{Dependency, FeatureName, FeatureValue, PackageName, SourceId, Summary};

use crate::sources::{Freshness, Inner};

/// Dependencies that were chased already.
#[derive(Default)]
pub(crate) struct Chased(Mutex<HashSet<Guess>>);

/// A dependency that somebody is likely to ask for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Guess {
    source: SourceId,
    name: PackageName,
    /// The requirement as text; empty for any version.
    req: String,
    features: BTreeSet<FeatureName>,
    default_features: bool,
}

impl Guess {
    pub fn any_version(source: SourceId, name: PackageName) -> Self {
        Self { source, name, req: String::new(), features: BTreeSet::new(), default_features: true }
    }

    pub fn of(dependency: &Dependency) -> Self {
        Self {
            source: dependency.source().clone(),
            name: dependency.name().clone(),
            req: dependency.req().written().map(ToString::to_string).unwrap_or_default(),
            features: dependency.features().iter().cloned().collect(),
            default_features: dependency.uses_default_features(),
        }
    }
}

/// Fetches the index file of a guess, and then of all that the newest fitting version is likely to need.
pub(crate) fn chase(inner: &Arc<Inner>, guess: Guess) {
    let is_new = inner.chased.0.lock().unwrap_or_else(PoisonError::into_inner).insert(guess.clone());
    if !is_new || !guess.source.is_remote_registry() {
        return;
    }
    let inner = inner.clone();
    tokio::spawn(async move {
        // An error is told to whoever really asks.
        let Ok(registry) = inner.registry(&guess.source) else { return };
        let Ok(file) = registry.file(&inner.context, &guess.name, Freshness::Current).await else { return };
        let req = semver::VersionReq::parse(&guess.req).unwrap_or(semver::VersionReq::STAR);
        let newest = file.newest(&registry.converter, &|version| req.matches(version));
        let Some(summary) = newest.or_else(|| file.newest(&registry.converter, &|_| true)) else { return };
        for next in likely(&summary, &guess) {
            chase(&inner, next);
        }
    });
}

/// The dependencies of `summary` that its features switch on when it is used as `guess` says. Platforms are not
/// looked at: a resolution holds those of all.
fn likely(summary: &Summary, guess: &Guess) -> Vec<Guess> {
    let mut open: Vec<&str> = guess.features.iter().map(|feature| feature.as_str()).collect();
    if guess.default_features {
        open.push("default");
    }
    let mut seen: HashSet<&str> = open.iter().copied().collect();
    let mut switched_on: HashSet<&str> = HashSet::new();
    let mut asked_of: Vec<(&str, &FeatureName)> = Vec::new();
    while let Some(feature) = open.pop() {
        for value in summary.features.get(feature).into_iter().flatten() {
            match value {
                FeatureValue::Feature(name) => {
                    if seen.insert(name) {
                        open.push(name);
                    }
                }
                FeatureValue::Dep { dep } => {
                    switched_on.insert(dep);
                }
                FeatureValue::DepFeature { dep, feature, weak } => {
                    if !weak {
                        switched_on.insert(dep);
                    }
                    asked_of.push((dep, feature));
                }
            }
        }
    }
    let wanted = |dependency: &&Dependency| {
        dependency.is_transitive()
            && (!dependency.is_optional() || switched_on.contains(dependency.name_in_toml().as_str()))
    };
    summary
        .dependencies
        .iter()
        .filter(wanted)
        .map(|dependency| {
            let mut next = Guess::of(dependency);
            let name = dependency.name_in_toml().as_str();
            next.features
                .extend(asked_of.iter().filter(|(dep, _)| *dep == name).map(|(_, asked)| (*asked).clone()));
            next
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_wire::IndexEntry;

    #[test]
    fn only_what_features_switch_on() {
        let line = br#"{"name":"a","vers":"1.0.0","cksum":"00","features":{"default":["std"],"std":["one/x","dep:two"],
            "full":["dep:three"]},"deps":[
            {"name":"plain","req":"^1"},{"name":"dev","req":"*","kind":"dev"},{"name":"one","req":"^1","optional":true},
            {"name":"two","req":"^1","optional":true},{"name":"three","req":"^1","optional":true}]}"#;
        let line: Vec<u8> = line.to_vec();
        let summary = IndexEntry::parse(&line).unwrap().to_summary(&SourceId::crates_io()).unwrap();
        let name = PackageName::new("a").unwrap();
        let mut guess = Guess::any_version(SourceId::crates_io(), name);
        let names = |guess: &Guess| -> Vec<String> {
            likely(&summary, guess).iter().map(|next| next.name.to_string()).collect()
        };
        assert_eq!(names(&guess), ["plain", "one", "two"]);
        let one = likely(&summary, &guess).remove(1);
        assert!(one.features.contains("x"));
        guess.default_features = false;
        guess.features.insert(FeatureName::new("full").unwrap());
        assert_eq!(names(&guess), ["plain", "three"]);
    }
}
