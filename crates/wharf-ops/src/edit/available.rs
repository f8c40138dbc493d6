//! The features that a dependency has, and which of them are on.

use std::collections::{BTreeMap, BTreeSet};

use wharf_core::{FeatureValue, Summary, Version};

use super::entry::Entry;
use crate::failure::Failure;

/// How many features are listed before their number has to do.
pub const LISTED: usize = 30;

/// The features of one version of a package.
#[derive(Clone, Debug)]
pub struct Available {
    /// The version.
    pub version: Version,
    /// What each feature switches on in the same package.
    features: BTreeMap<String, Vec<String>>,
}

/// Features that are on and off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureList {
    /// Those that are on, `default` aside.
    pub on: BTreeSet<String>,
    /// The others.
    pub off: BTreeSet<String>,
    /// The version that has them, unless the requirement names it already.
    pub version: Option<Version>,
}

impl Available {
    /// The features of one version.
    pub fn of(summary: &Summary) -> Self {
        let own = |value: &FeatureValue| match value {
            FeatureValue::Feature(name) => Some(name.to_string()),
            FeatureValue::Dep { .. } | FeatureValue::DepFeature { .. } => None,
        };
        let features = summary.features.iter();
        Self {
            version: summary.id.version().clone(),
            features: features
                .map(|(name, values)| (name.to_string(), values.iter().filter_map(own).collect()))
                .collect(),
        }
    }

    /// What an entry, and what it inherits, switch on.
    pub fn list(&self, entry: &Entry, inherited: &[String]) -> FeatureList {
        let mut on: BTreeSet<&str> = asked(entry, inherited).collect();
        if entry.default_features != Some(false) {
            on.insert("default");
        }
        let mut pending: Vec<&str> = on.iter().copied().collect();
        while let Some(name) = pending.pop() {
            let more = self.features.get(name).into_iter().flatten().map(String::as_str);
            pending.extend(more.filter(|name| on.insert(name)));
        }
        on.remove("default");
        let off = self.features.keys().filter(|name| *name != "default" && !on.contains(name.as_str()));
        let mut version = self.version.clone();
        version.build = Default::default();
        let is_told = entry.version().and_then(exact_version).is_some_and(|told| told == version);
        FeatureList {
            off: off.cloned().collect(),
            on: on.into_iter().map(str::to_owned).collect(),
            version: (!is_told).then_some(version),
        }
    }

    /// Refuses features that do not exist.
    ///
    /// # Errors
    /// Their names, with what there is instead.
    pub fn check(&self, entry: &Entry, inherited: &[String]) -> Result<(), Failure> {
        let unknown: BTreeSet<&str> =
            asked(entry, inherited).filter(|name| !self.features.contains_key(*name)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let plural = if unknown.len() == 1 { "" } else { "s" };
        let names = quoted(unknown.iter().copied());
        let failure = Failure::new(format!("`{}` has no feature{plural} {names}", entry.name));
        let mut list = self.list(entry, inherited);
        list.on.retain(|name| !unknown.contains(name.as_str()));
        let known: Vec<&str> = list.off.iter().chain(&list.on).map(String::as_str).collect();
        if known.is_empty() {
            return Err(failure.help(format!("`{}` has no features", entry.name)));
        }
        let guesses: Vec<&str> =
            unknown.iter().filter_map(|name| crate::nearest(name, known.iter().copied())).collect();
        if !guesses.is_empty() {
            return Err(failure.help(format!("there is {}", quoted(guesses.into_iter()))));
        }
        let mut help = Vec::new();
        for (title, names) in [("features that are off", &list.off), ("features that are on", &list.on)] {
            match names.len() {
                0 => {}
                1..=LISTED => {
                    help.push(format!("{title}: {}", names.iter().cloned().collect::<Vec<_>>().join(", ")));
                }
                count => help.push(format!("{title}: {count}")),
            }
        }
        Err(failure.help(help.join("\n")))
    }
}

fn asked<'a>(entry: &'a Entry, inherited: &'a [String]) -> impl Iterator<Item = &'a str> {
    entry.features.iter().flatten().chain(inherited).map(String::as_str)
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The newest version that a requirement spells out to the last number.
fn exact_version(requirement: &str) -> Option<Version> {
    let requirement = wharf_core::VersionReq::parse(requirement).ok()?;
    let whole = requirement.comparators.into_iter().filter(|comparator| {
        use semver::Op;
        matches!(comparator.op, Op::Exact | Op::GreaterEq | Op::LessEq | Op::Tilde | Op::Caret | Op::Wildcard)
    });
    let versions = whole.filter_map(|comparator| {
        let mut version = Version::new(comparator.major, comparator.minor?, comparator.patch?);
        version.pre = comparator.pre;
        Some(version)
    });
    versions.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_lead_on() {
        let features = [("default", vec!["a"]), ("a", vec!["b"]), ("b", vec![]), ("c", vec![])];
        let own = |(name, values): (&str, Vec<&str>)| {
            (name.to_owned(), values.into_iter().map(str::to_owned).collect())
        };
        let available =
            Available { version: Version::new(1, 0, 0), features: features.into_iter().map(own).collect() };
        let entry = Entry::new("x");
        let list = available.list(&entry, &[]);
        assert_eq!(list.on.iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(list.off.iter().collect::<Vec<_>>(), ["c"]);
        let entry = Entry { default_features: Some(false), ..entry };
        assert_eq!(available.list(&entry, &["c".to_owned()]).on.iter().collect::<Vec<_>>(), ["c"]);
        assert!(available.check(&entry, &["d".to_owned()]).is_err());
    }
}
