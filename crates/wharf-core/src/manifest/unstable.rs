//! Cargo's unstable features: which of them a manifest may use (reference, "Unstable Features").

use std::collections::BTreeSet;

use super::Warning;
use super::error::Problem;

/// What of Cargo's unstable features may be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unstable {
    /// Whether this passes for a nightly toolchain, so that `cargo-features` may name unstable features.
    pub allowed: bool,
    /// The `-Z` flags that were given, without their values.
    pub flags: BTreeSet<String>,
}

impl Unstable {
    /// Nothing unstable.
    pub const fn none() -> Self {
        Self { allowed: false, flags: BTreeSet::new() }
    }

    /// Whether a `-Z` flag was given.
    pub fn has(&self, flag: &str) -> bool {
        self.flags.contains(flag)
    }
}

/// What one manifest may use.
#[derive(Clone, Copy)]
pub(super) struct Gates<'a> {
    pub(super) unstable: &'a Unstable,
    /// `cargo-features`
    pub(super) features: &'a [String],
}

impl Gates<'_> {
    /// Whether the manifest, or a `-Z` flag of the same name, opens a feature.
    pub(super) fn is_open(self, feature: &str) -> bool {
        self.features.iter().any(|named| named == feature) || self.unstable.has(feature)
    }

    /// Refuses `what` unless the feature that it needs is open.
    pub(super) fn require(self, what: &str, feature: &str) -> Result<(), Problem> {
        match (self.is_open(feature), self.unstable.allowed) {
            (true, _) => Ok(()),
            (false, true) => {
                Err(Problem::new(format!("{what} is unstable: it needs the feature `{feature}`"))
                    .help(format!("add `cargo-features = [\"{feature}\"]` at the very top of the manifest")))
            }
            (false, false) => Err(refused(what, feature)),
        }
    }
}

/// What is refused because only nightly toolchains have it, or because Wharf has it in no toolchain.
pub(super) fn refused(what: &str, feature: &str) -> Problem {
    Problem::new(format!("{what} is unstable: it needs the feature `{feature}` of a nightly toolchain"))
        .help("leave it out: Wharf does what stable Cargo does")
}

/// The state of an entry of `cargo-features`.
enum State {
    Stable(&'static str),
    /// Works where unstable features may be used.
    Unstable,
    /// Unstable in Cargo, and not there in Wharf.
    Missing,
    Removed(&'static str),
}

fn state(feature: &str) -> Option<State> {
    use State::{Missing, Removed, Stable, Unstable};
    Some(match feature {
        "test-dummy-stable" => Stable("1.0"),
        "alternative-registries" => Stable("1.34"),
        "edition" | "rename-dependency" => Stable("1.31"),
        "profile-overrides" => Stable("1.41"),
        "default-run" => Stable("1.37"),
        "named-profiles" => Stable("1.57"),
        "resolver" => Stable("1.51"),
        "strip" => Stable("1.58"),
        "rust-version" | "edition2021" => Stable("1.56"),
        "workspace-inheritance" => Stable("1.64"),
        "edition2024" => Stable("1.85"),
        "publish-lockfile" => Removed("1.37"),
        "test-dummy-unstable"
        | "codegen-backend"
        | "different-binary-name"
        | "multiple-build-scripts"
        | "profile-rustflags"
        | "public-dependency" => Unstable,
        "metabuild"
        | "per-package-target"
        | "trim-paths"
        | "open-namespaces"
        | "path-bases"
        | "unstable-editions"
        | "panic-immediate-abort" => Missing,
        _ => return None,
    })
}

/// Checks `cargo-features`: needless entries are warned of, unknown and unusable ones refused.
pub(super) fn cargo_features(gates: Gates<'_>, warnings: &mut Vec<Warning>) -> Result<(), Problem> {
    for (index, feature) in gates.features.iter().enumerate() {
        cargo_feature(gates, feature, warnings).map_err(|problem| problem.at(["cargo-features"]))?;
        if gates.features[..index].contains(feature) {
            return Err(Problem::new(format!("`cargo-features` names `{feature}` twice"))
                .at(["cargo-features"])
                .help("remove one of them"));
        }
    }
    Ok(())
}

fn cargo_feature(gates: Gates<'_>, feature: &str, warnings: &mut Vec<Warning>) -> Result<(), Problem> {
    let what = format!("`{feature}` in `cargo-features`");
    match state(feature) {
        Some(State::Stable(since)) => {
            warnings.push(Warning::plain(format!(
                "`{feature}` is stable since {since} and need not stand in `cargo-features`"
            )));
            Ok(())
        }
        Some(State::Unstable) if gates.unstable.allowed => Ok(()),
        Some(State::Missing) if gates.unstable.allowed => {
            Err(Problem::new(format!("{what} is an unstable feature of Cargo that Wharf does not have"))
                .help("remove the entry, or build this package with Cargo"))
        }
        Some(State::Unstable | State::Missing) => Err(refused(&what, feature)),
        Some(State::Removed(since)) => {
            Err(Problem::new(format!("{what} was removed in {since}")).help("remove the entry"))
        }
        None => {
            let problem = Problem::new(format!("unknown entry `{feature}` of `cargo-features`"));
            Err(match feature.contains('_') {
                true => problem.help("names of features are written with `-`, not `_`"),
                false => problem.help("remove the entry"),
            })
        }
    }
}
