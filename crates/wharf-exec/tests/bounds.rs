//! How the store is kept within bounds.

mod support;

use std::time::Duration;

use support::{Spec, World};
use wharf_exec::{Place, Store};

const PATIENCE: Duration = Duration::from_millis(500);
/// What was written this shortly ago is never removed.
const MARGIN: Duration = Duration::from_millis(2100);

/// An output of ten thousand bytes.
fn big(name: &'static str) -> Vec<Spec> {
    let script = format!("head -c 10000 /dev/zero | tr '\\0' {name} > $OUT/{name}");
    vec![Spec::new(name, &script).output(name, Place::Copy)]
}

fn tree() -> Vec<Spec> {
    let mut made = Spec::new("made", "cat source > $TREE/made").reads("source");
    made.chosen = true;
    vec![made]
}

#[test]
fn the_least_recently_used_goes_first() {
    let world = World::new();
    for name in ["a", "b", "c"] {
        world.run(&big(name));
    }
    // `a` is used again, by another target directory.
    world.run_in("other", &big("a"));
    let store = Store::open(&world.path("store")).unwrap();
    assert_eq!(store.usage().content_bytes, 30_000);
    assert_eq!(store.usage().roots.len(), 2);
    assert_eq!(store.collect(40_000, PATIENCE).results, 0);
    std::thread::sleep(MARGIN);
    let collected = store.collect(25_000, PATIENCE);
    assert!(!collected.was_kept_out);
    assert_eq!((collected.results, collected.contents, collected.bytes), (1, 1, 10_000));
    assert!(store.verify().is_clean());
    world.log();
    for name in ["c", "b", "a"] {
        world.run_in("third", &big(name));
    }
    assert_eq!(world.log(), "a", "stamped once in a while only: `a` counted as the oldest");
}

#[test]
fn what_nothing_names_goes_and_running_builds_keep_all() {
    let world = World::new();
    world.run(&big("a"));
    let store = Store::open(&world.path("store")).unwrap();
    let stray = world.path("store/cas/00");
    std::fs::create_dir_all(&stray).unwrap();
    std::fs::write(stray.join("1".repeat(62)), "stray").unwrap();
    std::fs::write(stray.join(".draft-1-2-3"), "half").unwrap();
    std::thread::sleep(MARGIN);
    std::thread::scope(|scope| {
        scope.spawn(|| world.run_shared("other", &[Spec::new("slow", "sleep 1.2")]));
        std::thread::sleep(Duration::from_millis(300));
        let collected = store.collect(1, PATIENCE);
        assert!(collected.was_kept_out);
        assert_eq!((collected.results, collected.contents), (0, 0));
    });
    let collected = store.collect(u64::MAX, PATIENCE);
    assert_eq!((collected.results, collected.contents, collected.bytes), (0, 1, 5));
    assert_eq!(std::fs::read_dir(&stray).unwrap().count(), 0);
    assert_eq!(world.run(&big("a")).outcomes(), "a:fresh");
}

#[test]
fn directories_live_as_long_as_a_target_directory_uses_them() {
    let mut world = World::new();
    world.trees = "store/out/pkg";
    world.write("source", "one");
    world.run(&tree());
    world.write("source", "two");
    world.run_in("other", &tree());
    let store = Store::open(&world.path("store")).unwrap();
    assert_eq!(store.usage().directories, 2);
    std::thread::sleep(MARGIN);
    assert_eq!(store.collect(u64::MAX, PATIENCE).directories, 0);
    std::fs::remove_dir_all(world.path("target")).unwrap();
    assert_eq!(store.collect(u64::MAX, PATIENCE).directories, 1);
    assert!(!world.path("store/out/pkg/1").exists() && world.path("store/out/pkg/2").exists());
    world.write("source", "one");
    assert_eq!(world.run(&tree()).outcomes(), "made:restored");
    assert_eq!(std::fs::read_to_string(world.path("store/out/pkg/1/build/out/made")).unwrap(), "one");
}

#[test]
fn damage_is_found_and_removed() {
    let world = World::new();
    world.run(&big("a"));
    world.run(&big("b"));
    let store = Store::open(&world.path("store")).unwrap();
    assert!(store.verify().is_clean());
    let blob = world.blobs().remove(0);
    std::fs::remove_file(&blob).unwrap();
    std::fs::write(&blob, "x".repeat(10_000)).unwrap();
    let list = world.lists().remove(0);
    std::fs::write(&list, "garbage that is longer than a number").unwrap();
    let verified = store.verify();
    assert_eq!((verified.damaged.len(), verified.garbled.len(), verified.whole), (1, 1, 1));
    assert!(store.verify().is_clean());
    assert!(world.run(&big("a")).summary.is_success() && world.run(&big("b")).summary.is_success());

    let cleared = store.clear(PATIENCE);
    assert!(cleared.contents > 0 && !cleared.was_kept_out);
    assert_eq!(store.usage().bytes(), 0);
    std::fs::remove_dir_all(world.path("target")).unwrap();
    assert_eq!(world.run(&big("a")).outcomes(), "a:ran");
}

#[test]
fn what_no_request_leads_to_leaves_the_target_directory() {
    let unit = |name: &'static str| {
        let mut spec = Spec::new(name, &format!("echo {name} > $OUT/{name}; echo {name} > $OUT/final"));
        spec = spec.output(name, Place::Link).output("final", Place::Copy);
        spec.tree = true;
        vec![spec]
    };
    let mut world = World::new();
    world.run(&unit("v1"));
    world.request = "check";
    world.run(&unit("other"));
    world.request = "build";
    let mine = world.dest("mine");
    std::fs::write(&mine, "the user's").unwrap();
    std::fs::rename(world.path("target"), world.path("moved")).unwrap();
    assert_eq!(world.run_in("moved", &unit("v2")).outcomes(), "v2:ran");
    let there = |name: &str| world.path("moved/deps").join(name).exists();
    // A child of another test of this process may have held the lock for a moment.
    for _ in 0..20 {
        if there("v1") {
            world.run_in("moved", &unit("v2"));
        }
    }
    assert!(!there("v1") && there("v2") && there("other") && there("mine") && there("final"));
    assert!(!world.path("moved/v1").exists() && world.path("moved/v2").exists());
    // It comes back from the store.
    assert_eq!(world.run_in("moved", &unit("v1")).outcomes(), "v1:restored");
    assert!(there("v1"));
}
