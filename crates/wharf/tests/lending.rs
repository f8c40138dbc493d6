//! Checks use what builds made of packages that cannot change.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use wharf_testkit::{Call, Project, Sandbox, Tool};

fn world() -> Sandbox {
    let world = Sandbox::new().with_wharf(env!("CARGO_BIN_EXE_wharf"));
    world.package("below 1.0.0").file("src/lib.rs", "pub fn below() -> u32 { 1 }").publish();
    world
        .package("above 1.0.0")
        .tables("[dependencies]\nbelow = \"1\"")
        .file("build.rs", "fn main() { println!(\"cargo::rustc-cfg=made\"); }")
        .file("src/lib.rs", "#[cfg(made)] pub fn above() -> u32 { below::below() }")
        .publish();
    world.package("other 1.0.0").file("src/lib.rs", "pub fn other() -> u32 { 5 }").publish();
    world
}

fn project<'s>(world: &'s Sandbox, name: &str) -> Project<'s> {
    world
        .project(name)
        .package("[dependencies]\nabove = \"1\"\nbelow = \"1\"\n")
        .file("src/lib.rs", "pub fn value() -> u32 { above::above() + below::below() }")
        .file("src/main.rs", &format!("fn main() {{ println!(\"{{}}\", {name}::value()) }}"))
        .file("tests/t.rs", "#[test] fn works() { assert_eq!(above::above(), 1) }")
        .build()
}

/// What is compiled, by crate and by what is wanted of it. The program that records calls is another compiler, so all
/// builds of a test go this way.
fn calls(project: &Project<'_>, arguments: &str) -> Vec<String> {
    let (outcome, calls) = project.recorded(Tool::Wharf, arguments);
    outcome.succeeds();
    let word = |call: &Call| {
        let is_check = call.arguments.iter().any(|argument| argument == "--emit=dep-info,metadata");
        format!("{} {}", if is_check { "check" } else { "build" }, call.crate_name())
    };
    let mut words: Vec<String> = calls.iter().map(word).collect();
    words.sort();
    words
}

#[test]
fn a_check_after_a_build_checks_members_only() {
    let world = world();
    let project = project(&world, "app");
    calls(&project, "build");
    assert_eq!(calls(&project, "check"), ["check app", "check app"]);
    assert_eq!(calls(&project, "check"), [""; 0]);
    // The same graph serves after an edit, though neither was planned anew by a build.
    project.write("src/lib.rs", "pub fn value() -> u32 { 7 + above::above() + below::below() }");
    assert_eq!(calls(&project, "check"), ["check app", "check app"]);
    assert_eq!(calls(&project, "check --tests"), ["check app", "check app", "check t"]);
    assert_eq!(project.wharf("run -q").succeeds().stdout, "9\n");
}

#[test]
fn without_a_build_everything_is_checked() {
    let world = world();
    let project = project(&world, "app");
    let mut all = ["build build_script_build", "check above", "check app", "check app", "check below"];
    all.sort_unstable();
    assert_eq!(calls(&project, "check"), all);
    // A build in between changes nothing: what was checked is there.
    calls(&project, "build");
    project.write("src/lib.rs", "pub fn value() -> u32 { 2 }");
    assert_eq!(calls(&project, "check"), ["check app", "check app"]);
    assert_eq!(calls(&project, "check"), [""; 0]);
}

#[test]
fn what_little_is_missing_is_built() {
    let world = world();
    let project = project(&world, "app");
    calls(&project, "build");
    calls(&project, "check");
    let manifest = project.read("Cargo.toml");
    project.write("Cargo.toml", &format!("{manifest}other = \"1\"\n"));
    let found = calls(&project, "check");
    assert_eq!(found, ["build other", "check app", "check app"]);
}

#[test]
fn tools_hear_of_what_a_check_makes() {
    let world = world();
    let project = project(&world, "app");
    let names = |outcome: &str| -> Vec<String> {
        let messages = outcome.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let artifacts = messages.filter(|message| message["reason"] == "compiler-artifact");
        let kinds = |message: serde_json::Value| {
            let files = message["filenames"].as_array().unwrap().clone();
            let ends = files.iter().map(|file| file.as_str().unwrap().rsplit('.').next().unwrap().to_owned());
            format!("{} {}", message["target"]["name"].as_str().unwrap(), ends.collect::<Vec<_>>().join(","))
        };
        let mut names: Vec<String> = artifacts.map(kinds).collect();
        names.retain(|name| !name.starts_with("build-script"));
        names.sort();
        names
    };
    let checked = names(&project.wharf("check --message-format json").succeeds().stdout);
    let other = self::project(&world, "second");
    other.wharf("build").succeeds();
    std::fs::remove_dir_all(other.directory().join("target")).unwrap();
    let outcome = other.wharf("check --message-format json").succeeds();
    assert!(!outcome.stderr.contains("Checking above"), "{}", outcome.stderr);
    let mut lent: Vec<String> =
        names(&outcome.stdout).iter().map(|name| name.replace("second", "app")).collect();
    lent.sort();
    assert_eq!(checked, ["above rmeta", "app rmeta", "app rmeta", "below rmeta"]);
    assert_eq!(lent, checked);
}

#[test]
fn what_may_change_is_checked() {
    let world = world();
    // A member takes the place of what another package uses.
    let project = world
        .project("app")
        .package(
            "[dependencies]\nabove = \"1\"\nother = \"1\"\n[patch.crates-io]\nbelow = { path = \"below\" }\n",
        )
        .file("src/lib.rs", "pub fn value() -> u32 { above::above() + other::other() }")
        .file("below/Cargo.toml", "[package]\nname = \"below\"\nversion = \"1.0.1\"\nedition = \"2021\"\n")
        .file("below/src/lib.rs", "pub fn below() -> u32 { 3 }")
        .build();
    calls(&project, "build");
    assert_eq!(calls(&project, "check"), ["check above", "check app", "check below"]);
    assert_eq!(calls(&project, "check"), [""; 0]);
}
