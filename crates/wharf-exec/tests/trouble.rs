//! What a build does when the store is of no use: it goes on, and is right.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use std::os::unix::fs::symlink;

use support::{Ran, Spec, World, files};
use wharf_exec::{Event, Place};

fn specs() -> Vec<Spec> {
    let mut made = Spec::new("made", "cat source > $TREE/made; echo told").reads("source");
    (made.chosen, made.capture) = (true, true);
    vec![
        made,
        Spec::new("copied", "cat $GENERATED/made > $OUT/copied").output("copied", Place::Link).after(0),
        Spec::new("final", "cat target/deps/copied > $OUT/final").output("final", Place::Copy).after(1),
    ]
}

fn troubles(ran: &Ran) -> usize {
    ran.events.iter().filter(|event| matches!(event, Event::StoreTrouble { .. })).count()
}

/// Puts something that exists and takes no files in the place of a directory, for root too.
fn forbid(world: &World, dir: &str) {
    std::fs::create_dir_all(world.path("store")).unwrap();
    std::fs::remove_dir_all(world.path(dir)).ok();
    symlink("/proc", world.path(dir)).unwrap();
}

#[test]
fn what_cannot_be_kept_is_made_all_the_same() {
    for dir in ["store/cas", "store/ac", "store/locks"] {
        let world = World::new();
        world.write("source", "one");
        forbid(&world, dir);
        let first = world.run(&specs());
        assert_eq!(first.outcomes(), "made:ran copied:ran final:ran", "{dir}");
        assert_eq!(troubles(&first), 1, "{dir}: told once");
        assert_eq!(world.text("final"), "one");
        world.write("source", "two");
        assert!(world.run(&specs()).summary.is_success(), "{dir}");
        assert_eq!(world.text("final"), "two");
        std::fs::remove_file(world.path(dir)).unwrap();
        assert!(world.run(&specs()).summary.is_success());
        assert_eq!(world.run(&specs()).outcomes(), "made:fresh copied:fresh final:fresh");
    }
}

#[test]
fn without_room_for_it_a_directory_is_chosen_in_the_target_directory() {
    let world = World::new();
    world.write("source", "one");
    symlink("/proc", world.path("trees")).unwrap();
    let ran = world.run(&specs());
    assert_eq!(ran.outcomes(), "made:ran copied:ran final:ran");
    assert_eq!(troubles(&ran), 1);
    assert_eq!(world.text("final"), "one");
    world.write("source", "two");
    assert!(world.run(&specs()).summary.is_success());
    assert_eq!(world.text("final"), "two");
}

#[test]
fn garbage_is_as_good_as_nothing() {
    let world = World::new();
    world.write("source", "one");
    world.run(&specs());
    let all = [world.lists(), files(&world.path("target/.wharf"))].concat();
    for garbage in [&b""[..], b"wharf entries 2\n", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff", &[0; 4096]] {
        for file in &all {
            std::fs::write(file, garbage).unwrap();
        }
        std::fs::remove_file(world.dest("final")).ok();
        assert!(world.run(&specs()).summary.is_success());
        assert_eq!(world.text("final"), "one");
    }
    for list in world.lists() {
        std::fs::remove_file(&list).unwrap();
        std::fs::create_dir(&list).unwrap();
    }
    std::fs::remove_file(world.dest("final")).unwrap();
    assert!(world.run(&specs()).summary.is_success());
    assert_eq!(world.text("final"), "one");
}

#[test]
fn a_damaged_directory_is_made_again() {
    let world = World::new();
    world.write("source", "one");
    world.run(&specs());
    let made = world.path("trees/1/build/out/made");
    for with_contents in [true, false] {
        world.write("trees/1/build/out/made", "BAD");
        world.write("trees/1/build/out/more", "BAD");
        if !with_contents {
            world.blobs().iter().for_each(|blob| std::fs::remove_file(blob).unwrap());
            std::fs::remove_file(world.dest("copied")).unwrap();
        }
        std::fs::remove_file(world.dest("final")).unwrap();
        assert!(world.run(&specs()).summary.is_success());
        assert_eq!(world.text("final"), "one");
        assert_eq!(made.parent().unwrap().join("more").exists(), !with_contents);
    }
}
