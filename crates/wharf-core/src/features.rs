//! The values of the `[features]` table.

use std::collections::BTreeMap;
use std::fmt;

use crate::dependency::Dependency;
use crate::name::FeatureName;

/// What one feature switches on (reference, "Features").
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FeatureValue {
    /// `"other"`: another feature of the same package.
    Feature(FeatureName),
    /// `"dep:name"`: an optional dependency, without a feature of that name.
    Dep {
        /// The dependency's key in the manifest.
        dep: FeatureName,
    },
    /// `"name/feature"` or `"name?/feature"`: a feature of a dependency.
    DepFeature {
        /// The dependency's key in the manifest.
        dep: FeatureName,
        /// The feature asked of it.
        feature: FeatureName,
        /// `?`: only if something else switches the dependency on.
        weak: bool,
    },
}

/// A package's features by name.
pub type FeatureMap = BTreeMap<FeatureName, Vec<FeatureValue>>;

/// Adds the features that optional dependencies imply: one of the dependency's name, unless a feature of
/// that name is declared or some feature names the dependency with `dep:` (reference, "Optional dependencies").
pub fn with_implicit(mut declared: FeatureMap, dependencies: &[Dependency]) -> FeatureMap {
    let mut implied: Vec<FeatureName> = Vec::new();
    for dependency in dependencies.iter().filter(|dependency| dependency.is_optional()) {
        let name: FeatureName = dependency.name_in_toml().clone().into();
        let named = |value: &FeatureValue| matches!(value, FeatureValue::Dep { dep } if *dep == name);
        if !declared.contains_key(&name) && !declared.values().flatten().any(named) {
            implied.push(name);
        }
    }
    for name in implied {
        declared.insert(name.clone(), vec![FeatureValue::Dep { dep: name }]);
    }
    declared
}

impl FeatureValue {
    /// Reads the text form. A malformed text is taken as a feature name, which is then found missing.
    pub fn parse(text: &str) -> Self {
        let name =
            |text: &str| FeatureName::new(text).unwrap_or_else(|_| FeatureName::new("?").expect("not empty"));
        if let Some((dep, feature)) = text.split_once('/') {
            let (dep, weak) = match dep.strip_suffix('?') {
                Some(dep) => (dep, true),
                None => (dep, false),
            };
            return Self::DepFeature { dep: name(dep), feature: name(feature), weak };
        }
        if let Some(dep) = text.strip_prefix("dep:") {
            return Self::Dep { dep: name(dep) };
        }
        Self::Feature(name(text))
    }

    /// Whether the value is of a form that index entries keep in `features2`.
    pub fn needs_features2(&self) -> bool {
        match self {
            Self::Feature(_) => false,
            Self::Dep { .. } => true,
            Self::DepFeature { weak, .. } => *weak,
        }
    }
}

impl fmt::Display for FeatureValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Feature(name) => write!(f, "{name}"),
            Self::Dep { dep } => write!(f, "dep:{dep}"),
            Self::DepFeature { dep, feature, weak } => {
                write!(f, "{dep}{}/{feature}", if *weak { "?" } else { "" })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trip() {
        for text in ["a", "dep:a", "a/b", "a?/b"] {
            assert_eq!(FeatureValue::parse(text).to_string(), text);
        }
    }
}
