//! The features of a build.

use wharf_core::manifest::ResolverVersion;
use wharf_core::resolution::{ActivatedFeatures, FeaturesFor};
use wharf_core::{FeatureValue, Platform, Resolution};
use wharf_resolve::{FeatureRequest, MemberFeatures, RequestedFeatures, activate_features};

use crate::world::*;

struct Build {
    resolution: Resolution,
    features: RequestedFeatures,
    resolver: ResolverVersion,
    tests: bool,
    all_platforms: bool,
}

fn build(world: &World) -> Build {
    Build {
        resolution: world.solve().unwrap(),
        features: RequestedFeatures::defaults(),
        resolver: ResolverVersion::V2,
        tests: false,
        all_platforms: false,
    }
}

impl Build {
    fn named(mut self, names: &[&str]) -> Self {
        self.features.named = names.iter().map(|text| FeatureValue::parse(text)).collect();
        self
    }

    /// Packages whose name ends in `macro` are procedural macros; the target is `unix`, the host is `windows`.
    fn activate(&self) -> ActivatedFeatures {
        let is_active = |platform: &Platform, whom: FeaturesFor| match whom {
            FeaturesFor::Target => platform.to_string() == "cfg(unix)",
            FeaturesFor::Host => platform.to_string() == "cfg(windows)",
        };
        let request = FeatureRequest {
            members: vec![MemberFeatures {
                id: id("r 0.1.0 path"),
                features: self.features.clone(),
                has_proc_macro: false,
            }],
            resolver: self.resolver,
            dev_dependencies: self.tests,
            all_platforms: self.all_platforms,
            is_proc_macro: &|id| id.name().ends_with("macro"),
            is_active: &is_active,
        };
        activate_features(&self.resolution, &request)
    }

    fn target(&self, package: &str) -> String {
        self.view(package, FeaturesFor::Target)
    }

    fn host(&self, package: &str) -> String {
        self.view(package, FeaturesFor::Host)
    }

    /// The features in a view, or `-` for a package that is not part of it.
    fn view(&self, package: &str, whom: FeaturesFor) -> String {
        let activated = self.activate();
        match activated.features.get(&(id(package), whom)) {
            None => "-".to_owned(),
            Some(features) => features.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        }
    }
}

fn x() -> World {
    World::new().add("x 1.0.0", &[], &["default =", "a =", "b =", "c ="])
}

#[test]
fn build_dependencies_are_apart() {
    let world = x().root("r 0.1.0", &["x ^1 nodefault +a", "x ^1 build +b"], &[]);
    let mut build = build(&world);
    assert_eq!((build.target("x 1.0.0"), build.host("x 1.0.0")), ("a".into(), "b default".into()));
    build.resolver = ResolverVersion::V1;
    assert_eq!((build.target("x 1.0.0"), build.host("x 1.0.0")), ("a b default".into(), "-".into()));
    assert!(!build.activate().separate_host);
}

#[test]
fn what_a_procedural_macro_needs_is_for_the_host() {
    let world = x().add("m-macro 1.0.0", &["x ^1 +b"], &[]).root(
        "r 0.1.0",
        &["x ^1 nodefault +a", "m-macro ^1"],
        &[],
    );
    let build = build(&world);
    assert_eq!((build.target("x 1.0.0"), build.host("x 1.0.0")), ("a".into(), "b default".into()));
    assert_eq!((build.target("m-macro 1.0.0"), build.host("m-macro 1.0.0")), ("-".into(), String::new()));
}

#[test]
fn dev_dependencies_only_for_tests() {
    let world = x().root("r 0.1.0", &["x ^1 nodefault +a", "x ^1 dev +b"], &[]);
    let mut build = build(&world);
    assert_eq!(build.target("x 1.0.0"), "a");
    build.tests = true;
    assert_eq!(build.target("x 1.0.0"), "a b default");
}

#[test]
fn other_platforms_do_not_count() {
    let world = x().root(
        "r 0.1.0",
        &[
            "x ^1 nodefault +a cfg=unix",
            "x ^1 nodefault +b cfg=windows",
            "x ^1 nodefault build +c cfg=windows",
        ],
        &[],
    );
    let mut build = build(&world);
    assert_eq!((build.target("x 1.0.0"), build.host("x 1.0.0")), ("a".into(), "c".into()));
    build.all_platforms = true;
    assert_eq!((build.target("x 1.0.0"), build.host("x 1.0.0")), ("a b".into(), "c".into()));
}

#[test]
fn weak_features_wait_for_their_dependency() {
    let world = x().root("r 0.1.0", &["x? ^1 nodefault"], &["weak = x?/a", "on = dep:x", "strong = x/b"]);
    assert_eq!(build(&world).named(&["weak"]).target("x 1.0.0"), "-");
    assert_eq!(build(&world).named(&["weak", "on"]).target("x 1.0.0"), "a");
    assert_eq!(build(&world).named(&["weak", "strong"]).target("x 1.0.0"), "a b");
    let on = build(&world).named(&["weak", "strong"]).activate();
    assert!(on.is_dependency_on(&id("r 0.1.0 path"), FeaturesFor::Target, "x"));
    // `dep:x` keeps `x` from being a feature.
    assert_eq!(build(&world).named(&["strong"]).target("r 0.1.0 path"), "strong");
}

#[test]
fn an_implicit_feature_comes_with_its_dependency() {
    let world = x().root("r 0.1.0", &["x? ^1 nodefault"], &["strong = x/b"]);
    assert_eq!(build(&world).named(&["strong"]).target("r 0.1.0 path"), "strong x");
    assert_eq!(build(&world).named(&["x/c"]).target("x 1.0.0"), "c");
}

#[test]
fn all_features_of_a_member() {
    let world = x().root("r 0.1.0", &["x? ^1 nodefault"], &["one =", "two = x?/a"]);
    let mut build = build(&world);
    build.features = RequestedFeatures::everything();
    assert_eq!(build.target("r 0.1.0 path"), "one two x");
    assert_eq!(build.target("x 1.0.0"), "a");
}
