//! What a lockfile holds, and when it lets go.

use wharf_resolve::Problem;

use crate::world::*;

fn locked_by(world: &World) -> impl Fn(&mut Problem) + use<> {
    let locked = lock(&world.solve().unwrap());
    move |problem| problem.locked = locked.clone()
}

fn old() -> World {
    World::new().plain(&["c 1.0.0"]).add("a 1.0.0", &["c ^1"], &[]).add("b 1.0.0", &["c ^1"], &[])
}

fn new() -> World {
    old().plain(&["c 1.1.0", "d 1.0.0"]).add("a 1.1.0", &["c ^1.1"], &[]).add("b 1.1.0", &["c ^1"], &[])
}

#[test]
fn what_still_fits_is_kept() {
    let hold = locked_by(&old().root("r 0.1.0", &["a ^1", "b ^1"], &[]));
    let world = new().root("r 0.1.0", &["a ^1", "b ^1"], &[]);
    check(&world, "a 1.1.0, b 1.1.0, c 1.1.0");
    assert_eq!(chosen(&world.solve_with(&hold).unwrap()), "a 1.0.0, b 1.0.0, c 1.0.0");
}

#[test]
fn a_new_dependency_moves_nothing_else() {
    let hold = locked_by(&old().root("r 0.1.0", &["a ^1", "b ^1"], &[]));
    let world = new().root("r 0.1.0", &["a ^1", "b ^1", "d ^1"], &[]);
    assert_eq!(chosen(&world.solve_with(&hold).unwrap()), "a 1.0.0, b 1.0.0, c 1.0.0, d 1.0.0");
}

#[test]
fn a_raised_requirement_moves_what_it_must() {
    let hold = locked_by(&old().root("r 0.1.0", &["a ^1", "b ^1"], &[]));
    let world = new().root("r 0.1.0", &["a ^1.1", "b ^1"], &[]);
    assert_eq!(chosen(&world.solve_with(&hold).unwrap()), "a 1.1.0, b 1.0.0, c 1.1.0");
}

#[test]
fn an_update_moves_one_package_and_what_it_needs() {
    let hold = locked_by(&old().root("r 0.1.0", &["a ^1", "b ^1"], &[]));
    let world = new().root("r 0.1.0", &["a ^1", "b ^1"], &[]);
    let update = |name: &'static str| {
        let hold = &hold;
        move |problem: &mut Problem| {
            hold(problem);
            for package in &mut problem.locked.packages {
                package.keep = package.id.name() != name;
            }
        }
    };
    assert_eq!(chosen(&world.solve_with(update("b")).unwrap()), "a 1.0.0, b 1.1.0, c 1.0.0");
    assert_eq!(chosen(&world.solve_with(update("a")).unwrap()), "a 1.1.0, b 1.0.0, c 1.1.0");
    assert_eq!(chosen(&world.solve_with(update("c")).unwrap()), "a 1.0.0, b 1.0.0, c 1.1.0");
}

#[test]
fn two_ranges_stay_where_they_were() {
    let old = World::new().plain(&["c 1.0.0", "c 0.9.0"]).add("a 1.0.0", &["c >=0.9"], &[]);
    let hold = locked_by(&old.root("r 0.1.0", &["a ^1", "c =0.9.0"], &[]));
    let world = World::new()
        .plain(&["c 1.0.0", "c 0.9.0", "c 1.1.0"])
        .add("a 1.0.0", &["c >=0.9"], &[])
        .root("r 0.1.0", &["a ^1", "c =0.9.0"], &[]);
    assert_eq!(chosen(&world.solve_with(&hold).unwrap()), "a 1.0.0, c 0.9.0, c 1.0.0");
}

#[test]
fn a_bumped_path_package_is_taken_as_it_is() {
    let hold = locked_by(&old().add("p 0.1.0 path", &["a ^1"], &[]).root("r 0.1.0", &["p any path"], &[]));
    let world = new().add("p 0.2.0 path", &["a ^1"], &[]).root("r 0.3.0", &["p any path"], &[]);
    let resolution = world.solve_with(&hold).unwrap();
    assert_eq!(chosen(&resolution), "a 1.0.0, c 1.0.0");
    assert!(resolution.get(&id("p 0.2.0 path")).is_some());
}

#[test]
fn a_git_lock_holds_its_object() {
    const GIT: &str = "git+https://e.com/g";
    let hold = locked_by(&World::new().add("g 0.1.0 git+https://e.com/g#1111", &[], &[]).root(
        "r 0.1.0",
        &[&format!("g any {GIT}")],
        &[],
    ));
    // The index answers for the object that it is asked for.
    let world = World::new().add("g 0.1.0 git+https://e.com/g#1111", &[], &[]).root(
        "r 0.1.0",
        &[&format!("g any {GIT}")],
        &[],
    );
    let resolution = world.solve_with(&hold).unwrap();
    assert!(resolution.get(&id("g 0.1.0 git+https://e.com/g#1111")).is_some());
}

#[test]
fn content_must_not_change_under_a_lock() {
    let sum =
        |text: &'static str| move |summary: &mut wharf_core::Summary| summary.checksum = Some(text.into());
    let world = |text| World::new().plain(&["a 1.0.0"]).but(sum(text)).root("r 0.1.0", &["a ^1"], &[]);
    let hold = locked_by(&world("aa"));
    assert!(world("aa").solve_with(&hold).is_ok());
    let conflict = world("bb").solve_with(&hold).unwrap_err();
    assert!(matches!(*conflict.kind, wharf_resolve::ConflictKind::Checksum { .. }));
}

#[test]
fn a_patch_comes_and_goes() {
    let world = |version: &str| {
        World::new().plain(&["a 1.0.0", "a 1.1.0"]).add(&format!("a {version} path"), &[], &[]).root(
            "r 0.1.0",
            &["a ^1"],
            &[],
        )
    };
    let patch = |problem: &mut Problem| {
        problem.patches = vec![wharf_resolve::Patch {
            target: wharf_core::SourceId::crates_io(),
            dependency: dependency("a any path"),
        }];
    };
    // It takes over from a locked registry package of its version, and not from another.
    let before = world("1.1.0").solve().unwrap();
    let patched = world("1.1.0").solve_with(|problem| {
        problem.locked = lock(&before);
        patch(problem);
    });
    let patched = patched.unwrap();
    assert!(patched.get(&id("a 1.1.0 path")).is_some());
    // It stays while it is there, even when its version is raised, and goes with its entry.
    let raised = world("1.2.0").solve_with(|problem| {
        problem.locked = lock(&patched);
        patch(problem);
    });
    assert!(raised.unwrap().get(&id("a 1.2.0 path")).is_some());
    let gone = world("1.1.0").solve_with(|problem| problem.locked = lock(&patched)).unwrap();
    assert_eq!(chosen(&gone), "a 1.1.0");
}

#[test]
fn a_lock_that_holds_is_announced_whole() {
    let hold = locked_by(&old().root("r 0.1.0", &["a ^1", "b ^1"], &[]));
    let mut world = new().root("r 0.1.0", &["a ^1", "b ^1"], &[]);
    world.gathers = true;
    world
        .solve_with(|problem| {
            hold(problem);
            for package in &mut problem.locked.packages {
                package.keep = package.id.name() != "b";
            }
        })
        .unwrap();
    assert_eq!(world.announced.borrow()[..], [vec!["a 1.0.0", "r 0.1.0"], vec!["b"], vec!["c"]]);
}
