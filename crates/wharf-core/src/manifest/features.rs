//! `[features]`: implicit features spelled out, and the rules that tie them to dependencies.

use std::collections::{BTreeMap, BTreeSet};

use cargo_util_schemas::manifest::FeatureName as TomlFeatureName;

use super::error::Problem;
use crate::dependency::Dependency;
use crate::features::{FeatureMap, FeatureValue};
use crate::name::FeatureName;
use crate::suggest;

/// The features as declared.
pub(super) fn declared(
    features: Option<&BTreeMap<TomlFeatureName, Vec<String>>>,
) -> Result<FeatureMap, Problem> {
    let mut map = FeatureMap::new();
    for (name, values) in features.into_iter().flatten() {
        let key = FeatureName::new(name.as_str())
            .map_err(|error| Problem::new(error.to_string()).at(["features", name.as_str()]))?;
        map.insert(key, values.iter().map(|value| FeatureValue::parse(value)).collect());
    }
    Ok(map)
}

/// The declared features and one for every optional dependency that no `dep:` names.
///
/// # Errors
/// Values that lead nowhere, and optional dependencies that nothing switches on.
pub(super) fn complete(declared: &FeatureMap, dependencies: &[Dependency]) -> Result<FeatureMap, Problem> {
    let mut optional: BTreeMap<&str, bool> = BTreeMap::new();
    for dependency in dependencies {
        *optional.entry(dependency.name_in_toml()).or_default() |= dependency.is_optional();
    }
    let named: BTreeSet<&str> = declared
        .values()
        .flatten()
        .filter_map(|value| match value {
            FeatureValue::Dep { dep } => Some(dep.as_str()),
            _ => None,
        })
        .collect();
    let mut map = declared.clone();
    for dependency in dependencies.iter().filter(|dependency| dependency.is_optional()) {
        let name = dependency.name_in_toml();
        if !declared.contains_key(name.as_str()) && !named.contains(name.as_str()) {
            let dep = FeatureName::from(name.clone());
            map.insert(dep.clone(), vec![FeatureValue::Dep { dep }]);
        }
    }
    let check = Check { declared, map: &map, optional: &optional };
    for (feature, values) in &map {
        FeatureName::check_new(feature)
            .map_err(|error| Problem::new(error.to_string()).at(["features", feature.as_str()]))?;
        for value in values {
            check.value(feature, value).map_err(|problem| problem.at(["features", feature.as_str()]))?;
        }
    }
    let used: BTreeSet<&str> = map
        .values()
        .flatten()
        .filter_map(|value| match value {
            FeatureValue::Dep { dep } | FeatureValue::DepFeature { dep, .. } => Some(dep.as_str()),
            FeatureValue::Feature(_) => None,
        })
        .collect();
    match optional.iter().find(|(name, optional)| **optional && !used.contains(*name)) {
        Some((name, _)) => Err(Problem::new(format!("no feature switches optional dependency `{name}` on"))
            .at(["dependencies", name])
            .help(format!("add `dep:{name}` to one of the features"))),
        None => Ok(map),
    }
}

struct Check<'a> {
    declared: &'a FeatureMap,
    map: &'a FeatureMap,
    optional: &'a BTreeMap<&'a str, bool>,
}

impl Check<'_> {
    fn value(&self, feature: &str, value: &FeatureValue) -> Result<(), Problem> {
        match value {
            FeatureValue::Feature(name) => self.feature(feature, name),
            FeatureValue::Dep { dep } => match self.optional.get(dep.as_str()) {
                None => Err(Problem::new(format!(
                    "feature `{feature}` includes `{value}`, but `{dep}` is not a dependency"
                ))),
                Some(false) => Err(not_optional(feature, value, dep)),
                Some(true) => Ok(()),
            },
            FeatureValue::DepFeature { dep, feature: wanted, weak } => {
                self.dep_feature(feature, value, (dep, wanted), *weak)
            }
        }
    }

    fn feature(&self, feature: &str, name: &str) -> Result<(), Problem> {
        if self.declared.contains_key(name) {
            return Ok(());
        }
        match self.optional.get(name) {
            None => {
                let problem = Problem::new(format!(
                    "feature `{feature}` includes `{name}`, which is neither a dependency nor another feature"
                ));
                Err(match suggest::closest(name, self.declared.keys().map(FeatureName::as_str)) {
                    Some(near) => problem.help(format!("a feature with a similar name exists: `{near}`")),
                    None => problem,
                })
            }
            Some(true) if self.map.contains_key(name) => Ok(()),
            Some(true) => Err(Problem::new(format!(
                "feature `{feature}` includes `{name}`, an optional dependency without a feature of its name"
            ))
            .help(format!("write `dep:{name}` to switch the dependency on"))),
            Some(false) => Err(not_optional(feature, &name, name)),
        }
    }

    fn dep_feature(
        &self,
        feature: &str,
        value: &FeatureValue,
        (dep, wanted): (&str, &str),
        weak: bool,
    ) -> Result<(), Problem> {
        if wanted.contains('/') {
            return Err(Problem::new(format!(
                "feature `{feature}` includes `{value}`, which has two slashes"
            )));
        }
        if let Some(bare) = dep.strip_prefix("dep:") {
            return Err(Problem::new(format!("feature `{feature}` includes `{value}` with both `dep:` and `/`"))
                .help(format!("write `{bare}/{wanted}`, and `dep:{bare}` as a value of its own if no feature `{bare}` is wanted")));
        }
        match self.optional.get(dep) {
            None => Err(Problem::new(format!(
                "feature `{feature}` includes `{value}`, but `{dep}` is not a dependency"
            ))),
            Some(false) if weak => Err(Problem::new(format!(
                "feature `{feature}` includes `{value}` with a `?`, but dependency `{dep}` is not optional"
            ))
            .help("remove the `?`, or make the dependency optional")),
            Some(_) => Ok(()),
        }
    }
}

fn not_optional(feature: &str, value: &dyn std::fmt::Display, dep: &str) -> Problem {
    Problem::new(format!("feature `{feature}` includes `{value}`, but dependency `{dep}` is not optional"))
        .help(format!("add `optional = true` to dependency `{dep}`"))
}
