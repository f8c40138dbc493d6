//! What is different under the name `cargo`, which tools start Wharf by.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{Duration, SystemTime};

use wharf_testkit::{Project, Sandbox, Tool};

fn world() -> Sandbox {
    Sandbox::new().with_wharf(env!("CARGO_BIN_EXE_wharf"))
}

fn project<'s>(world: &'s Sandbox, name: &str) -> Project<'s> {
    world.project(name).package("").file("src/main.rs", "fn main() {}").build()
}

/// Wharf by the name `cargo`, with the same environment as by its own.
fn cargo(project: &Project<'_>, arguments: &[&str]) -> Command {
    let world = project.sandbox();
    let link = world.root().join("cargo");
    if !link.exists() {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_wharf"), &link).unwrap();
    }
    let model = world.command(Tool::Wharf, project.directory());
    let mut command = Command::new(&link);
    command.args(arguments).current_dir(project.directory()).env_clear();
    command.envs(model.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

#[test]
fn flags_of_our_own_are_unknown() {
    let world = world();
    let output = cargo(&project(&world, "app"), &["build", "--no-cache"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("unexpected argument '--no-cache' found"), "{said}");
    assert!(!said.contains("similar"), "{said}");
}

#[test]
fn room_is_made_by_wharf_and_not_by_a_program_named_as_its_command() {
    let world = world();
    let (gone, kept) = (project(&world, "gone"), project(&world, "kept"));
    for project in [&gone, &kept] {
        project.wharf("build").succeeds();
    }
    let home = world.root().join("wharf-home");
    let roots = || fs::read_dir(home.join("roots")).unwrap().count();
    assert_eq!(roots(), 2);
    fs::remove_dir_all(gone.directory()).unwrap();

    // Room was made the day before yesterday.
    let stamp = fs::File::options().append(true).open(home.join("collected")).unwrap();
    stamp.set_modified(SystemTime::now() - Duration::from_hours(48)).unwrap();
    let programs = world.root().join("programs");
    fs::create_dir(&programs).unwrap();
    let other = programs.join("cargo-cache");
    fs::write(&other, format!("#!/bin/sh\n: > {}/started\n", world.root().display())).unwrap();
    fs::set_permissions(&other, fs::Permissions::from_mode(0o755)).unwrap();
    kept.write("src/main.rs", "fn main() { println!(\"new\") }");
    let mut command = cargo(&kept, &["build"]);
    let path = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, path)| path).unwrap();
    let path = std::env::join_paths([programs].into_iter().chain(std::env::split_paths(path))).unwrap();
    assert!(command.env("PATH", path).status().unwrap().success());

    // It is another process, and works after the build.
    for _ in 0..200 {
        if roots() == 1 {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(roots(), 1, "the target directory that is gone is forgotten");
    assert!(!world.root().join("started").exists());
}
