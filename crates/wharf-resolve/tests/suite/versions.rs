//! Which versions are chosen.

use wharf_core::PartialVersion;
use wharf_resolve::{Patch, PreciseVersion, Replace, RequestedFeatures, RustVersionPolicy, VersionOrder};

use crate::world::*;

#[test]
fn highest_that_fits() {
    let world =
        World::new().plain(&["a 1.0.0", "a 1.2.0", "a 1.1.9", "a 2.0.0"]).root("r 0.1.0", &["a ^1"], &[]);
    check(&world, "a 1.2.0");
    let lowest = world.solve_with(|problem| problem.order = VersionOrder::Lowest).unwrap();
    assert_eq!(chosen(&lowest), "a 1.0.0");
}

#[test]
fn one_version_for_each_compatible_range() {
    let world = World::new()
        .plain(&["a 0.1.0", "a 0.1.9", "a 0.2.0", "a 0.0.1", "a 0.0.2", "a 1.0.0", "a 1.5.0", "a 2.1.0"])
        .add("b 1.0.0", &["a ^1", "a ~0.1.0", "a =0.0.1"], &[])
        .root("r 0.1.0", &["b ^1", "a =1.0.0", "a ^2", "a ^0.2", "a =0.0.2"], &[]);
    check(&world, "a 0.0.1, a 0.0.2, a 0.1.9, a 0.2.0, a 1.0.0, a 2.1.0, b 1.0.0");
}

#[test]
fn goes_back_to_an_older_version() {
    let world = World::new()
        .plain(&["c 1.0.0", "c 1.1.0"])
        .add("a 1.0.0", &["c =1.0.0"], &[])
        .add("b 1.0.0", &["c =1.0.0"], &[])
        .add("b 1.1.0", &["c =1.1.0"], &[])
        .root("r 0.1.0", &["a ^1", "b ^1"], &[]);
    check(&world, "a 1.0.0, b 1.0.0, c 1.0.0");
}

#[test]
fn least_choice_first() {
    // `b` has one candidate, so it is served before `a` and its `c` decides.
    let world = World::new()
        .plain(&["c 1.0.0", "c 1.1.0"])
        .add("a 1.0.0", &["c =1.0.0"], &[])
        .add("a 1.1.0", &["c =1.1.0"], &[])
        .add("b 1.0.0", &["c =1.0.0"], &[])
        .root("r 0.1.0", &["a ^1", "b ^1"], &[]);
    check(&world, "a 1.0.0, b 1.0.0, c 1.0.0");
}

#[test]
fn pre_releases_only_when_asked() {
    let world = World::new().plain(&["a 1.0.0", "a 1.1.0-rc.1", "b 2.0.0-beta.1", "b 2.0.0-beta.2"]);
    check(&world.root("r 0.1.0", &["a ^1", "b ^2.0.0-beta"], &[]), "a 1.0.0, b 2.0.0-beta.2");
}

#[test]
fn yanked_only_when_locked() {
    let world = World::new().plain(&["a 1.0.0", "a 1.1.0"]).yanked().root("r 0.1.0", &["a ^1"], &[]);
    check(&world, "a 1.0.0");
    let locked = world.solve_with(|problem| {
        let before = World::new().plain(&["a 1.1.0"]).root("r 0.1.0", &["a ^1"], &[]).solve().unwrap();
        problem.locked = lock(&before);
    });
    assert_eq!(chosen(&locked.unwrap()), "a 1.1.0");
}

#[test]
fn links_are_unique() {
    let world = World::new()
        .add("a 1.0.0", &[], &[])
        .links("z")
        .add("a 2.0.0", &[], &[])
        .links("z")
        .add("b 1.0.0", &["a ^1"], &[])
        .add("c 1.0.0", &["a ^1"], &[])
        .add("c 1.1.0", &["a ^2"], &[]);
    check(&world.root("r 0.1.0", &["b ^1", "c ^1"], &[]), "a 1.0.0, b 1.0.0, c 1.0.0");
}

#[test]
fn rust_version_before_version() {
    let rust = |text: &'static str| {
        move |summary: &mut wharf_core::Summary| {
            summary.rust_version = Some(text.parse().unwrap());
        }
    };
    let world = World::new()
        .plain(&["a 1.0.0", "a 1.1.0"])
        .but(rust("1.60"))
        .plain(&["a 1.2.0"])
        .but(rust("1.90"))
        .plain(&["b 1.0.0"])
        .but(rust("1.90"))
        .root("r 0.1.0", &["a ^1", "b ^1"], &[]);
    check(&world, "a 1.2.0, b 1.0.0");
    let toolchains: Vec<PartialVersion> = vec!["1.70".parse().unwrap(), "1.95".parse().unwrap()];
    let prefer = |problem: &mut wharf_resolve::Problem| {
        problem.rust_version = RustVersionPolicy::Prefer(toolchains);
    };
    assert_eq!(chosen(&world.solve_with(prefer).unwrap()), "a 1.1.0, b 1.0.0");
}

#[test]
fn not_published_yet() {
    let at =
        |text: &'static str| move |summary: &mut wharf_core::Summary| summary.published = Some(text.into());
    let world = World::new()
        .plain(&["a 1.0.0"])
        .but(at("2024-01-01T00:00:00Z"))
        .plain(&["a 1.1.0"])
        .but(at("2026-01-01T00:00:00Z"))
        .root("r 0.1.0", &["a ^1"], &[]);
    let until = |problem: &mut wharf_resolve::Problem| {
        problem.published_until = Some("2025-01-01T00:00:00Z".into());
    };
    assert_eq!(chosen(&world.solve_with(until).unwrap()), "a 1.0.0");
}

#[test]
fn optional_only_by_feature() {
    let world = World::new().plain(&["x 1.0.0", "y 1.0.0", "z 1.0.0"]).add(
        "a 1.0.0",
        &["x? ^1", "y? ^1", "z? ^1"],
        &["default = x", "more = dep:y", "weak = z?/std"],
    );
    let world = world.add("z 1.1.0", &[], &["std ="]);
    let world = world.root("r 0.1.0", &["a ^1"], &[]);
    check(&world, "a 1.0.0, x 1.0.0");
    let all = World::new().root("r 0.1.0", &["a ^1 nodefault +more"], &[]);
    let all = world
        .packages()
        .iter()
        .filter(|summary| !summary.id.source().is_path())
        .fold(all, |all, summary| all.plain(&["x 0.0.0"]).but(|last| *last = (**summary).clone()));
    check(&all, "a 1.0.0, y 1.0.0");
}

#[test]
fn weak_features_are_in_the_lock() {
    let world = World::new()
        .add("x 1.0.0", &[], &["std ="])
        .add("a 1.0.0", &["x? ^1"], &["std = x?/std"])
        .root("r 0.1.0", &["a ^1 +std"], &[]);
    check(&world, "a 1.0.0, x 1.0.0");
    let resolution = world.solve().unwrap();
    assert_eq!(features_of(&resolution, "a 1.0.0"), "std");
    assert_eq!(features_of(&resolution, "x 1.0.0"), "std");
}

#[test]
fn features_unify() {
    let world = World::new()
        .add("x 1.0.0", &[], &["default = std", "std =", "extra =", "more = extra"])
        .add("a 1.0.0", &["x ^1 nodefault +more"], &[])
        .add("b 1.0.0", &["x ^1"], &[])
        .root("r 0.1.0", &["a ^1", "b ^1 build"], &[]);
    assert_eq!(features_of(&world.solve().unwrap(), "x 1.0.0"), "default extra more std");
}

#[test]
fn a_candidate_without_the_feature_is_passed_over() {
    let world = World::new()
        .add("a 1.0.0", &[], &["f ="])
        .add("a 1.1.0", &[], &[])
        .add("a 1.2.0", &["f ^1"], &[])
        .root("r 0.1.0", &["a ^1 +f"], &[]);
    check(&world, "a 1.0.0");
}

#[test]
fn root_features_choose() {
    let named = |text: &[&str]| RequestedFeatures {
        all: false,
        default: false,
        named: text.iter().map(|text| wharf_core::FeatureValue::parse(text)).collect(),
    };
    let world = |requested| {
        World::new().plain(&["x 1.0.0"]).add("y 1.0.0", &[], &["f ="]).root_with(
            "r 0.1.0",
            &["x? ^1", "y ^1"],
            &["default = x"],
            requested,
        )
    };
    check(&world(named(&[])), "y 1.0.0");
    check(&world(named(&["x", "y/f"])), "x 1.0.0, y 1.0.0");
    check(&world(RequestedFeatures::defaults()), "x 1.0.0, y 1.0.0");
}

#[test]
fn dev_dependencies_of_roots_only() {
    let world = World::new().plain(&["t 1.0.0", "u 1.0.0"]).add("a 1.0.0", &["t ^1 dev"], &[]).root(
        "r 0.1.0",
        &["a ^1", "u ^1 dev"],
        &[],
    );
    check(&world, "a 1.0.0, u 1.0.0");
}

#[test]
fn cycles_through_dev_dependencies_are_allowed() {
    let world = World::new().root("r 0.1.0", &["s any path dev"], &[]).root("s 0.1.0", &["r any path"], &[]);
    assert_eq!(world.solve().unwrap().packages.len(), 2);
    let world =
        World::new().root("r 0.1.0", &["s any path"], &[]).root("s 0.1.0", &["r any path build"], &[]);
    check_fails(&world, "package `r v0.1.0 (/w/r)` depends on itself");
}

#[test]
fn patches_take_the_place_of_their_version() {
    let world = World::new()
        .plain(&["a 1.0.0", "a 1.1.0"])
        .add("a 1.0.5 path", &[], &[])
        .add("b 1.0.0", &["a ^1"], &[])
        .root("r 0.1.0", &["b ^1", "a =1.0.5"], &[]);
    let patch =
        |text: &str| Patch { target: wharf_core::SourceId::crates_io(), dependency: dependency(text) };
    let resolution = world.solve_with(|problem| problem.patches = vec![patch("a any path")]).unwrap();
    let ids: Vec<String> = resolution.ids().map(ToString::to_string).collect();
    assert_eq!(ids, ["a v1.0.5 (/w/a)", "b v1.0.0", "r v0.1.0 (/w/r)"]);
    assert!(resolution.unused_patches.is_empty());

    // One that fits nothing is unused, and says so.
    let world = world.add("c 9.0.0 path", &[], &[]);
    let resolution =
        world.solve_with(|problem| problem.patches = vec![patch("a any path"), patch("c any path")]).unwrap();
    assert_eq!(resolution.unused_patches, [id("c 9.0.0 path")]);
}

#[test]
fn a_patch_is_preferred_to_newer_versions() {
    let world = World::new().plain(&["a 1.0.0", "a 1.1.0"]).add("a 1.0.5 path", &[], &[]).root(
        "r 0.1.0",
        &["a ^1"],
        &[],
    );
    let patch = Patch { target: wharf_core::SourceId::crates_io(), dependency: dependency("a any path") };
    let resolution = world.solve_with(|problem| problem.patches = vec![patch]).unwrap();
    assert!(resolution.get(&id("a 1.0.5 path")).is_some());
    assert_eq!(chosen(&resolution), "");
}

#[test]
fn replace_keeps_the_original_in_the_graph() {
    let world = World::new()
        .add("a 1.0.0", &["x ^1"], &[])
        .plain(&["x 1.0.0", "y 1.0.0"])
        .add("a 1.0.0 path", &["y ^1"], &[])
        .root("r 0.1.0", &["a ^1"], &[]);
    let replace = Replace {
        spec: wharf_core::PackageIdSpec::parse("a@1.0.0").unwrap(),
        dependency: dependency("a any path"),
    };
    let resolution = world.solve_with(|problem| problem.replaces = vec![replace]).unwrap();
    assert_eq!(chosen(&resolution), "a 1.0.0, y 1.0.0");
    assert_eq!(resolution.replacements[&id("a 1.0.0")], id("a 1.0.0 path"));
    assert_eq!(resolution.edges(&id("a 1.0.0")).len(), 0);
    assert_eq!(resolution.edges(&id("a 1.0.0 path"))[0].to, id("y 1.0.0"));
}

#[test]
fn precise_moves_what_accepted_the_old_version() {
    let world = World::new().plain(&["a 1.0.0", "a 1.1.0", "a 1.2.0"]).plain(&["a 1.0.5"]).yanked().root(
        "r 0.1.0",
        &["a ^1"],
        &[],
    );
    let mut before = lock(&world.solve().unwrap());
    before.packages[0].keep = false;
    for to in ["1.0.0", "1.0.5"] {
        let resolution = world.solve_with(|problem| {
            problem.locked = before.clone();
            problem.precise = vec![PreciseVersion {
                source: wharf_core::SourceId::crates_io(),
                name: name("a"),
                from: version("1.2.0"),
                to: version(to),
            }];
        });
        assert_eq!(chosen(&resolution.unwrap()), format!("a {to}"));
    }
}

#[test]
fn edges_hold_every_entry() {
    let world = World::new().plain(&["a 1.0.0"]).root(
        "r 0.1.0",
        &["a ^1", "a ^1 build", "a ^1.0.0 dev as=other", "a ^1 cfg=unix"],
        &[],
    );
    let resolution = world.solve().unwrap();
    let edges = resolution.edges(&id("r 0.1.0 path"));
    assert_eq!(edges.len(), 1);
    assert_eq!(edges[0].dependencies.len(), 4);
}

#[test]
fn names_are_announced_level_by_level() {
    let mut world = World::new()
        .plain(&["c 1.0.0", "d 1.0.0"])
        .add("a 1.0.0", &["c ^1", "d ^1"], &[])
        .add("b 1.0.0", &["c ^1"], &[])
        .root("r 0.1.0", &["a ^1", "b ^1"], &[]);
    world.gathers = true;
    check(&world, "a 1.0.0, b 1.0.0, c 1.0.0, d 1.0.0");
    assert_eq!(*world.announced.borrow(), [vec!["a", "b"], vec!["c", "d"]]);
}

#[test]
fn deep_traps_are_left_at_once() {
    // Every way down the chain ends at a package that is not there; trying them all would take 20 to the
    // power of 60 steps.
    let mut world = World::new();
    for depth in 0..60 {
        let next = if depth == 59 { "missing *".to_owned() } else { format!("trap{} *", depth + 1) };
        for patch in 0..20 {
            world = world.add(&format!("trap{depth} 1.0.{patch}"), &[&next], &[]);
        }
    }
    // One candidate that leads nowhere is no reason to fail.
    let trapped = world.root("r 0.1.0", &["trap0 *"], &[]);
    let conflict = trapped.solve_with(|problem| problem.effort = 20_000).unwrap_err();
    assert!(matches!(*conflict.kind, wharf_resolve::ConflictKind::NoMatchingPackage { .. }), "{conflict}");
}

#[test]
fn a_trap_beside_a_way_out() {
    // The newest `way` makes `c` conflict deep below others that have nothing to do with it.
    let mut world = World::new().plain(&["c 1.0.0", "c 1.1.0"]).add("way 1.0.0", &["c =1.0.0"], &[]).add(
        "way 1.1.0",
        &["c =1.1.0"],
        &[],
    );
    for depth in 0..40 {
        let next = if depth == 39 { "c =1.0.0".to_owned() } else { format!("noise{} *", depth + 1) };
        for patch in 0..10 {
            world = world.add(&format!("noise{depth} 1.0.{patch}"), &[&next], &[]);
        }
    }
    let world = world.root("r 0.1.0", &["way *", "noise0 *"], &[]);
    let resolution = world.solve_with(|problem| problem.effort = 20_000).unwrap();
    assert!(resolution.get(&id("way 1.0.0")).is_some());
    assert!(resolution.get(&id("noise39 1.0.9")).is_some());
}

#[test]
fn without_a_network_each_requirement_takes_what_is_at_hand_or_else_anything() {
    let world = || {
        World::new()
            .plain(&["a 1.0.0", "a 1.1.0", "a 1.2.0", "a 2.0.0", "a 2.1.0"])
            .add("b 1.0.0", &["a ^2"], &[])
            .root("app 1.0.0", &["a ^1", "b *"], &[])
    };
    check(&world(), "a 1.2.0, a 2.1.0, b 1.0.0");
    check(&world().offline(&["a 1.1.0"]), "a 1.1.0, a 2.1.0, b 1.0.0");
    check(&world().offline(&["a 1.1.0", "a 2.0.0"]), "a 1.1.0, a 2.0.0, b 1.0.0");
}
