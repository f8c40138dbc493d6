//! Which features the command line asks of which member (reference, "Features": "Command-line feature
//! options", and "Resolver version 2 command-line flags").

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wharf_core::manifest::ResolverVersion;
use wharf_core::{FeatureName, FeatureValue, Package};
use wharf_resolve::RequestedFeatures;

use crate::failure::{Failure, Result};
use crate::workspace::Workspace;

/// `--features`, `--all-features` and `--no-default-features`, as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CliFeatures {
    /// The values of `--features`, split at commas and spaces.
    pub named: BTreeSet<FeatureValue>,
    /// `--all-features`
    pub all: bool,
    /// Not `--no-default-features`.
    pub default: bool,
}

impl CliFeatures {
    /// Splits the values of `--features` and puts the flags together.
    pub fn parse(values: &[String], all: bool, no_default: bool) -> Result<Self> {
        let mut named = BTreeSet::new();
        for name in
            values.iter().flat_map(|value| value.split([',', ' ', '\t'])).filter(|name| !name.is_empty())
        {
            let value = FeatureValue::parse(name);
            match &value {
                FeatureValue::Feature(_) => {}
                FeatureValue::Dep { .. } => {
                    return Err(Failure::new(format!(
                        "feature `{name}` is not allowed to use explicit `dep:` syntax"
                    )));
                }
                FeatureValue::DepFeature { feature, .. } if feature.contains('/') => {
                    return Err(Failure::new(format!("multiple slashes in feature `{name}` is not allowed")));
                }
                FeatureValue::DepFeature { .. } => {}
            }
            named.insert(value);
        }
        Ok(Self { named, all, default: !no_default })
    }

    /// Nothing but the default features.
    pub fn defaults() -> Self {
        Self { named: BTreeSet::new(), all: false, default: true }
    }

    /// Every feature.
    pub fn everything() -> Self {
        Self { named: BTreeSet::new(), all: true, default: true }
    }

    fn with(&self, named: BTreeSet<FeatureValue>) -> RequestedFeatures {
        RequestedFeatures { all: self.all, default: self.default, named }
    }
}

/// Members to resolve for, each with the features asked of it. With nothing selected among the members (a
/// dependency was named), all members without features that are not on by default.
pub fn distribute(
    workspace: &Workspace,
    selected: &[Arc<Package>],
    features: &CliFeatures,
) -> Result<Vec<(Arc<Package>, RequestedFeatures)>> {
    let per_package = workspace.is_virtual() || workspace.resolver() != ResolverVersion::V1;
    let chosen = if per_package {
        by_selection(selected, features)?
    } else {
        by_directory(workspace, selected, features)
    };
    if chosen.is_empty() {
        let none = RequestedFeatures { all: false, default: true, named: BTreeSet::new() };
        return Ok(workspace.members().map(|member| (member.clone(), none.clone())).collect());
    }
    Ok(chosen)
}

/// Resolver 2: a feature goes to every selected package that has it.
fn by_selection(
    selected: &[Arc<Package>],
    features: &CliFeatures,
) -> Result<Vec<(Arc<Package>, RequestedFeatures)>> {
    let asks_nothing = features.named.is_empty() && !features.all && features.default;
    if selected.is_empty() && !asks_nothing {
        return Err(Failure::new("cannot specify features for packages outside of workspace")
            .help("name a member with `-p`, or set the features in `[dependencies]`"));
    }
    let mut found: BTreeSet<&FeatureValue> = BTreeSet::new();
    let mut chosen = Vec::new();
    for package in selected {
        let mut theirs = BTreeSet::new();
        for value in &features.named {
            if let Some(value_there) = as_seen_by(package, value) {
                found.insert(value);
                theirs.insert(value_there);
            }
        }
        chosen.push((package.clone(), features.with(theirs)));
    }
    let missing: Vec<&FeatureValue> = features.named.iter().filter(|value| !found.contains(value)).collect();
    if missing.is_empty() || selected.is_empty() {
        return Ok(chosen);
    }
    Err(unknown_features(selected, &missing))
}

fn unknown_features(selected: &[Arc<Package>], missing: &[&FeatureValue]) -> Failure {
    let list = missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let what = if missing.len() == 1 { "this feature" } else { "these features" };
    let message = match selected {
        [one] => format!("the package '{}' does not contain {what}: {list}", one.name()),
        _ => format!("none of the selected packages contains {what}: {list}"),
    };
    let mut known: Vec<&FeatureName> =
        selected.iter().flat_map(|package| package.manifest.summary.features.keys()).collect();
    known.sort_unstable();
    known.dedup();
    let failure = Failure::new(message);
    let nearest = missing
        .iter()
        .filter_map(|value| {
            crate::suggest::nearest(&value.to_string(), known.iter().map(|name| name.as_str()))
        })
        .next();
    match (nearest, selected) {
        (Some(name), _) => failure.help(format!("there is a similarly named feature: `{name}`")),
        (None, [one]) if known.is_empty() => {
            failure.help(format!("package `{}` does not have any features", one.name()))
        }
        (None, _) => {
            let list = known.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
            failure.help(format!("available features: {list}"))
        }
    }
}

/// What a value of `--features` means for one package; `None` if nothing.
fn as_seen_by(package: &Package, value: &FeatureValue) -> Option<FeatureValue> {
    let summary = &package.manifest.summary;
    match value {
        FeatureValue::Feature(name) => summary.features.contains_key(&**name).then(|| value.clone()),
        FeatureValue::Dep { .. } => None,
        FeatureValue::DepFeature { dep, feature, .. } => {
            if *dep == **package.name() {
                return summary
                    .features
                    .contains_key(&**feature)
                    .then(|| FeatureValue::Feature(feature.clone()));
            }
            summary
                .dependencies
                .iter()
                .any(|dependency| **dependency.name_in_toml() == **dep)
                .then(|| value.clone())
        }
    }
}

/// Resolver 1: features go to the package of the current directory, `member/feature` to that member.
fn by_directory(
    workspace: &Workspace,
    selected: &[Arc<Package>],
    features: &CliFeatures,
) -> Vec<(Arc<Package>, RequestedFeatures)> {
    let current = workspace.current().ok();
    let mut here = BTreeSet::new();
    let mut elsewhere: BTreeMap<String, BTreeSet<FeatureValue>> = BTreeMap::new();
    for value in &features.named {
        match value {
            FeatureValue::DepFeature { dep, feature, .. }
                if current.is_none_or(|current| **current.name() != **dep)
                    && selected.iter().any(|package| **package.name() == **dep) =>
            {
                elsewhere.entry(dep.to_string()).or_default().insert(FeatureValue::Feature(feature.clone()));
            }
            _ => {
                here.insert(value.clone());
            }
        }
    }
    let mut chosen = Vec::new();
    for member in workspace.members() {
        if current.is_some_and(|current| current.id() == member.id()) {
            chosen.push((member.clone(), features.with(here.clone())));
        } else if selected.iter().any(|package| package.id() == member.id()) {
            let named = elsewhere.remove(member.name().as_str()).unwrap_or_default();
            chosen.push((member.clone(), RequestedFeatures { all: features.all, default: true, named }));
        }
    }
    chosen
}
