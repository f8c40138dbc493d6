//! What is found again, and what is not.

mod support;

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use support::{Spec, World};
use wharf_exec::{Change, Event, FileChange, Output, Place};

fn copier() -> Vec<Spec> {
    vec![
        Spec::new("a", "tr a-z A-Z < source > $OUT/a; echo note >&2; echo pass >&2")
            .output("a", Place::Link)
            .reads("source"),
        Spec::new("b", "cat target/deps/a > $OUT/b").output("b", Place::Copy).after(0),
    ]
}

#[test]
fn hit_touch_edit_and_revert() {
    let world = World::new();
    world.write("source", "one");
    let first = world.run(&copier());
    assert_eq!(first.outcomes(), "a:ran b:ran");
    assert_eq!(first.why(0), [Change::NeverBuilt]);
    assert_eq!(first.lines(), ["note", "pass"]);
    assert_eq!(world.text("b"), "ONE");

    let second = world.run(&copier());
    assert_eq!(second.outcomes(), "a:fresh b:fresh");
    assert_eq!(second.lines(), ["note (again)"]);

    world.write("source", "one");
    assert_eq!(world.run(&copier()).outcomes(), "a:fresh b:fresh", "touched, not changed");

    world.write("source", "two");
    let edited = world.run(&copier());
    assert_eq!(edited.outcomes(), "a:ran b:ran");
    let path = world.path("source");
    assert_eq!(edited.why(0), [Change::File { path, change: FileChange::Content }]);
    assert!(matches!(&edited.why(1)[..], [Change::Input { name, .. }] if name == "a"));
    assert_eq!(world.text("b"), "TWO");

    world.write("source", "one");
    let reverted = world.run(&copier());
    assert_eq!(reverted.outcomes(), "a:restored b:restored");
    assert_eq!(reverted.lines(), ["note (again)"]);
    assert_eq!(world.text("b"), "ONE");
    assert_eq!(world.run(&copier()).outcomes(), "a:fresh b:fresh");

    world.write("source", "oNe");
    assert_eq!(world.run(&copier()).outcomes(), "a:ran b:fresh", "equal output cuts off dependents");
}

#[test]
fn another_target_directory_is_served_from_the_store() {
    let world = World::new();
    world.write("source", "one");
    let alone = &copier()[..1];
    world.run_in("first", alone);
    assert_eq!(world.run_in("second", alone).outcomes(), "a:restored");
    let inode = |target: &str| world.path(target).join("deps/a").metadata().unwrap().ino();
    let shared = inode("first") == inode("second");
    assert!(shared || world.path("first/deps/a").metadata().unwrap().nlink() == 1, "linked or cloned");
    assert_eq!(world.run_in("first", alone).outcomes(), "a:fresh");
    assert_eq!(world.log(), "a");
}

#[test]
fn outputs_are_laid_anew_and_never_written_through() {
    let world = World::new();
    world.write("source", "one");
    world.run(&copier());
    std::fs::remove_file(world.dest("a")).unwrap();
    std::fs::write(world.dest("b"), "mine").unwrap();
    assert_eq!(world.run(&copier()).outcomes(), "a:restored b:restored");
    assert_eq!(world.text("b"), "ONE");

    // Somebody holds the old output of `a`: a new one must not change it.
    std::fs::hard_link(world.dest("a"), world.path("held")).unwrap();
    world.write("source", "two");
    world.run(&copier());
    assert_eq!(std::fs::read_to_string(world.path("held")).unwrap(), "ONE");
    for blob in world.blobs() {
        assert_eq!(blob.metadata().unwrap().permissions().mode() & 0o222, 0, "{}", blob.display());
    }
}

#[test]
fn damaged_contents_and_lists_are_misses() {
    let world = World::new();
    world.write("source", "one");
    world.run(&copier());
    let clear =
        |names: &[&str]| names.iter().for_each(|name| std::fs::remove_file(world.dest(name)).unwrap());

    for blob in world.blobs() {
        std::fs::set_permissions(&blob, std::fs::Permissions::from_mode(0o644)).unwrap();
        std::fs::write(&blob, "BAD").unwrap();
    }
    clear(&["a", "b"]);
    let rebuilt = world.run(&copier());
    assert_eq!(rebuilt.outcomes(), "a:ran b:restored", "`b` has the content that `a` has just made again");
    assert_eq!(rebuilt.why(0), [Change::ResultLost]);
    assert_eq!(world.text("b"), "ONE");

    for blob in world.blobs() {
        std::fs::remove_file(blob).unwrap();
    }
    assert_eq!(world.run(&copier()).outcomes(), "a:fresh b:fresh", "what is in place needs no store");
    clear(&["b"]);
    assert_eq!(world.run(&copier()).outcomes(), "a:fresh b:ran");

    for list in world.lists() {
        let bytes = std::fs::read(&list).unwrap();
        std::fs::write(&list, &bytes[..bytes.len() - 3]).unwrap();
    }
    assert_eq!(world.run(&copier()).outcomes(), "a:ran b:ran");
    for list in world.lists() {
        let mut bytes = std::fs::read(&list).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&list, &bytes).unwrap();
    }
    assert_eq!(world.run(&copier()).outcomes(), "a:ran b:ran");
    assert_eq!(world.run(&copier()).outcomes(), "a:fresh b:fresh");
}

#[test]
fn who_writes_through_a_link_harms_nobody() {
    let world = World::new();
    world.write("source", "one");
    let alone = &copier()[..1];
    world.run(alone);
    let dest = world.dest("a");
    std::fs::set_permissions(&dest, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(&dest, "BAD").unwrap();
    assert_eq!(world.run(alone).outcomes(), "a:ran");
    assert_eq!(world.text("a"), "ONE");
}

#[test]
fn missing_files_and_variables_are_seen() {
    let mut world = World::new();
    let spec = || {
        let mut spec = Spec::new("a", "cat maybe > $OUT/a || true; echo \"$FLAG\" >> $OUT/a");
        spec.env.push("FLAG");
        vec![spec.output("a", Place::Link).reads("maybe")]
    };
    assert_eq!(world.run(&spec()).outcomes(), "a:ran");
    assert_eq!(world.run(&spec()).outcomes(), "a:fresh");
    world.write("maybe", "x");
    let appeared = world.run(&spec());
    assert_eq!(appeared.why(0), [Change::File { path: world.path("maybe"), change: FileChange::Appeared }]);
    world.env.insert("FLAG".into(), "1".into());
    let set = world.run(&spec());
    assert_eq!(set.why(0), [Change::Env { name: "FLAG".into(), old: None, new: Some("1".into()) }]);
    world.env.insert("OTHER".into(), "1".into());
    assert_eq!(world.run(&spec()).outcomes(), "a:fresh");
    world.env.remove(std::ffi::OsStr::new("FLAG"));
    assert_eq!(world.run(&spec()).outcomes(), "a:restored");
}

#[test]
fn what_changes_while_it_is_read_is_not_kept() {
    let world = World::new();
    world.write("source", "one");
    let spec = vec![
        Spec::new("a", "cat source > $OUT/a; sleep 0.05; echo two > source; sleep 0.05")
            .output("a", Place::Link)
            .reads("source"),
    ];
    let ran = world.run(&spec);
    assert!(ran.events.iter().any(|event| matches!(event, Event::NotKept { .. })));
    assert_eq!(world.text("a"), "one");
    assert_eq!(world.run(&spec).outcomes(), "a:ran");
}

#[test]
fn a_file_that_must_exist_and_does_not_is_never_fresh() {
    let world = World::new();
    let mut spec = Spec::new("a", "echo x > $OUT/a").output("a", Place::Link);
    spec.must_exist.push("absent");
    assert_eq!(world.run(&[spec.clone()]).outcomes(), "a:ran");
    assert_eq!(world.run(&[spec]).outcomes(), "a:ran");
}

#[test]
fn a_directory_is_seen_whole() {
    let world = World::new();
    std::fs::create_dir_all(world.path("dir/sub")).unwrap();
    world.write("dir/sub/x", "1");
    let spec = || vec![Spec::new("a", "cat dir/sub/* > $OUT/a").output("a", Place::Link).reads("dir")];
    world.run(&spec());
    assert_eq!(world.run(&spec()).outcomes(), "a:fresh");
    world.write("dir/sub/y", "2");
    assert_eq!(world.run(&spec()).outcomes(), "a:ran");
    std::fs::remove_file(world.path("dir/sub/y")).unwrap();
    assert_eq!(world.run(&spec()).outcomes(), "a:restored");
}

fn tree_user() -> Vec<Spec> {
    let mut maker = Spec::new(
        "gen",
        "mkdir $TREE/sub; cat source > $TREE/sub/code; ln -s sub/code $TREE/link; echo flag=$TREE",
    );
    maker.tree = true;
    maker.capture = true;
    let user = Spec::new("use", "cat target/gen/link > $OUT/use").output("use", Place::Link).after(0);
    vec![maker.reads("source"), user]
}

/// A maker whose tree has a directory for each content, and a user that holds the directory's path.
fn chosen_tree_user() -> Vec<Spec> {
    let mut maker = Spec::new("gen", "head -n 1 source > $TREE/code; echo flag=$TREE");
    (maker.chosen, maker.capture) = (true, true);
    let user = Spec::new("use", "echo $GENERATED > $OUT/use; cat $GENERATED/code >> $OUT/use");
    vec![maker.reads("source"), user.output("use", Place::Link).after(0)]
}

#[test]
fn each_content_has_a_directory() {
    let world = World::new();
    let made = |number: u32, content: &str| {
        let path = world.path(&format!("trees/{number}/build/out"));
        assert_eq!(world.text("use"), format!("{}\n{content}\n", path.display()));
        assert_eq!(std::fs::read_to_string(path.join("code")).unwrap(), format!("{content}\n"));
    };
    world.write("source", "one\n");
    assert_eq!(world.run(&chosen_tree_user()).outcomes(), "gen:ran use:ran");
    made(1, "one");
    world.write("source", "two\n");
    assert_eq!(world.run(&chosen_tree_user()).outcomes(), "gen:ran use:ran");
    made(2, "two");
    // Nothing was written over, so going back finds everything as it was.
    world.write("source", "one\n");
    assert_eq!(world.run(&chosen_tree_user()).outcomes(), "gen:fresh use:restored");
    made(1, "one");
}

#[test]
fn equal_contents_share_the_older_directory() {
    let world = World::new();
    world.write("source", "one\n");
    world.run(&chosen_tree_user());
    world.write("source", "one\nand what does not count");
    let again = world.run(&chosen_tree_user());
    assert_eq!(again.outcomes(), "gen:ran use:fresh");
    let stdout = again.summary.made(wharf_exec::ActionId(0)).unwrap().stdout.clone().unwrap();
    assert_eq!(&*stdout, format!("flag={}\n", world.path("trees/1/build/out").display()));
    assert!(!world.path("trees/2").exists());
}

#[test]
fn a_chosen_directory_comes_back_where_it_was() {
    let world = World::new();
    world.write("source", "one\n");
    world.run(&chosen_tree_user());
    std::fs::remove_dir_all(world.path("trees")).unwrap();
    assert_eq!(world.run(&chosen_tree_user()).outcomes(), "gen:restored use:fresh");
    // Another content has taken the place: it stays, and the first is made again elsewhere.
    std::fs::remove_dir_all(world.path("trees")).unwrap();
    world.write("source", "two\n");
    assert_eq!(world.run(&chosen_tree_user()).outcomes(), "gen:ran use:ran");
    world.write("source", "one\n");
    assert_eq!(world.run(&chosen_tree_user()).outcomes(), "gen:ran use:ran");
    assert_eq!(std::fs::read_to_string(world.path("trees/1/build/out/code")).unwrap(), "two\n");
}

#[test]
fn trees_come_back() {
    let world = World::new();
    world.write("source", "one");
    let first = world.run(&tree_user());
    assert_eq!(first.outcomes(), "gen:ran use:ran");
    let stdout = first.summary.made(wharf_exec::ActionId(0)).unwrap().stdout.clone().unwrap();
    assert_eq!(&*stdout, format!("flag={}\n", world.path("target/gen").display()));
    let again = world.run(&tree_user());
    assert_eq!(again.outcomes(), "gen:fresh use:fresh");
    assert_eq!(again.summary.made(wharf_exec::ActionId(0)).unwrap().stdout.as_deref(), Some(&*stdout));

    for harm in ["echo more > target/gen/more", "echo bad > target/gen/sub/code", "rm target/gen/link"] {
        let mut shell = std::process::Command::new("sh");
        assert!(shell.args(["-c", harm]).current_dir(world.dir.path()).status().unwrap().success());
        assert_eq!(world.run(&tree_user()).outcomes(), "gen:restored use:fresh", "{harm}");
    }
    for blob in world.blobs() {
        assert_eq!(blob.metadata().unwrap().permissions().mode() & 0o222, 0);
    }
    world.write("source", "two");
    assert_eq!(world.run(&tree_user()).outcomes(), "gen:ran use:ran");
    world.write("source", "one");
    assert_eq!(world.run(&tree_user()).outcomes(), "gen:restored use:restored");
    assert_eq!(world.text("use"), "one");
}

#[test]
fn the_incremental_form_begins_with_an_edit() {
    let world = World::new();
    world.write("source", "one");
    let spec = || {
        let mut spec = Spec::new("a", "cat source > $OUT/a; echo \"form $1\" >&2");
        spec.incremental = true;
        vec![spec.output("a", Place::Link).reads("source")]
    };
    assert_eq!(world.run(&spec()).lines(), ["form "]);
    world.write("source", "two");
    assert_eq!(world.run(&spec()).lines(), ["form incremental"]);
    assert!(world.path("target/incremental").is_dir());
    assert_eq!(world.run(&spec()).lines(), ["form incremental (again)"]);
    world.write("source", "one");
    assert_eq!(world.run(&spec()).lines(), ["form  (again)"], "the plain result serves");
    world.write("source", "three");
    assert_eq!(world.run(&spec()).lines(), ["form incremental"]);
}

#[test]
fn the_incremental_form_writes_to_one_place() {
    let world = World::new();
    let spec = || {
        let mut spec = Spec::new("a", "cat source > $OUT/a; ls $OUT >&2; echo $OUT >&2");
        spec.incremental = true;
        vec![spec.output("a", Place::Link).reads("source")]
    };
    world.write("source", "one");
    world.run(&spec());
    world.write("source", "two");
    let place = world.run(&spec()).lines();
    // What a killed run left there is gone.
    let out = world.path("target/incremental/out");
    std::fs::create_dir_all(&out).unwrap();
    std::fs::write(out.join("stray"), "").unwrap();
    world.write("source", "three");
    assert_eq!(world.run(&spec()).lines(), place);
    assert_eq!(place, ["a", &*out.to_string_lossy()]);
    assert!(!out.exists());
}

#[test]
fn optional_outputs_come_and_go() {
    let world = World::new();
    world.write("source", "one");
    let spec = || {
        let mut spec = Spec::new("a", "if grep -q one source; then echo x > $OUT/extra; fi").reads("source");
        spec = spec.output("extra", Place::Link);
        spec.outputs[0].optional = true;
        vec![spec]
    };
    world.run(&spec());
    assert!(world.dest("extra").exists());
    world.write("source", "two");
    world.run(&spec());
    assert!(!world.dest("extra").exists());
    world.write("source", "one");
    assert_eq!(world.run(&spec()).outcomes(), "a:restored");
    assert!(world.dest("extra").exists());
}

#[test]
fn programs_can_be_run() {
    let world = World::new();
    let mut spec = Spec::new("a", "printf '#!/bin/sh\\necho ran\\n' > $OUT/tool; chmod +x $OUT/tool");
    spec = spec.output("tool", Place::Copy);
    let Output { executable, .. } = &mut spec.outputs[0];
    *executable = true;
    world.run(&[spec.clone()]);
    std::fs::set_permissions(world.dest("tool"), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(world.run(&[spec]).outcomes(), "a:restored");
    let output = std::process::Command::new(world.dest("tool")).output().unwrap();
    assert_eq!(output.stdout, b"ran\n");
}
