//! What is told when there is no answer.

use wharf_resolve::{ConflictKind, Patch, RequestedFeatures};

use crate::world::*;

#[track_caller]
fn check_story(world: &World, want: &str) {
    let conflict = world.solve().expect_err("there should be no answer");
    let help = conflict.help().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    let want: Vec<&str> =
        want.trim().lines().map(|line| line.strip_prefix("        ").unwrap_or(line)).collect();
    assert_eq!(format!("{conflict}{help}"), want.join("\n"));
}

#[test]
fn no_such_package() {
    let world = World::new().plain(&["a_b 1.0.0"]).add("c 1.0.0", &["a-b ^1"], &[]);
    check_story(
        &world.root("r 0.1.0", &["c ^1"], &[]),
        "
        no package `a-b` in registry `crates-io`
          wanted by: `c v1.0.0` as `a-b = \"^1\"`
                     which `r v0.1.0 (/w/r)` wants as `c = \"^1\"`
        help: there is a package `a_b`"
            .trim_start(),
    );
}

#[test]
fn no_such_version() {
    let world = World::new().plain(&["a 1.0.0", "a 1.1.0", "a 2.0.0"]).yanked();
    check_story(
        &world.root("r 0.1.0", &["a ^2"], &[]),
        "
        no version of `a` satisfies `^2`
          wanted by: `r v0.1.0 (/w/r)` as `a = \"^2\"`
          yanked:    2.0.0
          there are: 1.1.0, 1.0.0
        help: ask for `a = \"1.1.0\"`"
            .trim_start(),
    );
}

#[test]
fn only_pre_releases() {
    check_story(
        &World::new().plain(&["a 1.0.0-rc.1"]).root("r 0.1.0", &["a ^1"], &[]),
        "
        no version of `a` satisfies `^1`
          wanted by: `r v0.1.0 (/w/r)` as `a = \"^1\"`
          there are: 1.0.0-rc.1
        help: a pre-release has to be named: `a = \"1.0.0-rc.1\"`"
            .trim_start(),
    );
}

#[test]
fn two_that_exclude_each_other() {
    let world = World::new().plain(&["c 1.0.0", "c 1.1.0"]).add("a 1.0.0", &["c =1.0.0"], &[]).add(
        "b 1.0.0",
        &["c =1.1.0"],
        &[],
    );
    check_story(
        &world.root("r 0.1.0", &["a ^1", "b ^1"], &[]),
        "
        no version of `c` fits beside what others want
          wanted by: `b v1.0.0` as `c = \"=1.1.0\"`
                     which `r v0.1.0 (/w/r)` wants as `b = \"^1\"`
          would do:  1.1.0
          chosen:    `c v1.0.0`, which `a v1.0.0` wants as `c = \"=1.0.0\"`
                     which `r v0.1.0 (/w/r)` wants as `a = \"^1\"`
        help: make the requirements on `c` agree, or update those who have them"
            .trim_start(),
    );
}

#[test]
fn two_that_link_to_one_library() {
    let world = World::new().plain(&["a-sys 1.0.0"]).links("z").plain(&["b-sys 1.0.0"]).links("z");
    check_story(
        &world.root("r 0.1.0", &["a-sys ^1", "b-sys ^1"], &[]),
        "
        two packages link to the native library `z`
          one is:    `b-sys` 1.0.0
          wanted by: `r v0.1.0 (/w/r)` as `b-sys = \"^1\"`
          other:     `a-sys v1.0.0`, which `r v0.1.0 (/w/r)` wants as `a-sys = \"^1\"`
        help: choose versions of the dependents that agree on one of them"
            .trim_start(),
    );
}

#[test]
fn missing_features() {
    let world =
        World::new().add("a 1.0.0", &["x? ^1", "y ^1"], &["derive = dep:x"]).plain(&["x 1.0.0", "y 1.0.0"]);
    let ask = |feature: &str| {
        let world = world.packages().iter().fold(World::new(), |all, summary| {
            all.plain(&["z 0.0.0"]).but(|last| *last = (**summary).clone())
        });
        world.root("r 0.1.0", &[&format!("a ^1 +{feature}")], &[])
    };
    check_story(
        &ask("derived"),
        "
        `a` has no feature `derived`
          wanted by: `r v0.1.0 (/w/r)` as `a = \"^1\"`
          versions:  1.0.0
          it has:    derive
        help: there is a feature `derive`"
            .trim_start(),
    );
    let why = |world: &World| world.solve().unwrap_err().to_string().lines().nth(3).unwrap().to_owned();
    assert_eq!(
        why(&ask("x")),
        "  because:   an optional dependency has that name, but `dep:` keeps it from being a feature"
    );
    assert_eq!(
        why(&ask("y")),
        "  because:   a dependency has that name, but only optional ones are features"
    );
}

#[test]
fn roots_asked_for_what_they_lack() {
    let ask = |text: &str| {
        let named = [wharf_core::FeatureValue::parse(text)].into_iter().collect();
        let requested = RequestedFeatures { all: false, default: true, named };
        World::new().plain(&["x 1.0.0"]).root_with("r 0.1.0", &["x? ^1"], &["on = dep:x"], requested)
    };
    check_fails(&ask("off"), "`r v0.1.0 (/w/r)` has no feature `off`");
    check_fails(&ask("q/f"), "`r v0.1.0 (/w/r)` has no dependency `q`");
    let conflict = ask("x").solve().unwrap_err();
    assert_eq!(conflict.help().unwrap(), "the dependency is switched on by `on`");
    let world = World::new().root("r 0.1.0", &[], &["f = f"]);
    check_fails(&world, "feature `f` of `r v0.1.0 (/w/r)` switches itself on");
}

#[test]
fn bad_patches() {
    let fail = |world: World, text: &str| {
        let patch = Patch { target: wharf_core::SourceId::crates_io(), dependency: dependency(text) };
        let conflict = world.root("r 0.1.0", &[], &[]).solve_with(|problem| problem.patches = vec![patch]);
        conflict.unwrap_err().to_string().lines().next().unwrap().to_owned()
    };
    assert_eq!(
        fail(World::new(), "a any path"),
        "the patch of `a` for registry `crates-io` names a package that is not there"
    );
    assert_eq!(
        fail(World::new().add("a 1.0.0 path", &[], &[]), "a ^2 path"),
        "the patch of `a` for registry `crates-io` asks for a version that is not there (there are: 1.0.0)"
    );
    assert_eq!(
        fail(World::new().plain(&["a 1.0.0"]), "a any"),
        "the patch of `a` for registry `crates-io` points to the source that it patches"
    );
}

#[test]
fn an_endless_search_is_given_up() {
    // Every `a` wants another `z` than every `b`, and each has its own choice of fillers.
    let mut world = World::new();
    for number in 0..30 {
        world = world
            .plain(&[&format!("z 1.{number}.0")])
            .add(&format!("a 1.{number}.0"), &[&format!("z =1.{number}.0")], &[])
            .add(&format!("b 1.{number}.0"), &[&format!("z =1.{}.0", number + 100)], &[]);
    }
    let world = world.root("r 0.1.0", &["a ^1", "b ^1"], &[]);
    let conflict = world.solve_with(|problem| problem.effort = 20).unwrap_err();
    assert!(matches!(*conflict.kind, ConflictKind::Exhausted { tried: 20, .. }));
    assert!(!matches!(*world.solve().unwrap_err().kind, ConflictKind::Exhausted { .. }));
}
