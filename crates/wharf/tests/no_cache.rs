//! Builds that leave the shared build cache alone.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use wharf_testkit::{Project, Sandbox, Tool};

fn world() -> Sandbox {
    let world = Sandbox::new().with_wharf(env!("CARGO_BIN_EXE_wharf"));
    let script = "fn main() {
        let out = std::env::var(\"OUT_DIR\").unwrap();
        std::fs::write(format!(\"{out}/made.rs\"), \"pub const MADE: u32 = 7;\").unwrap();
    }";
    world
        .package("scripted 1.0.0")
        .file("src/lib.rs", "include!(concat!(env!(\"OUT_DIR\"), \"/made.rs\"));")
        .file("build.rs", script)
        .publish();
    world
}

fn project(world: &Sandbox) -> Project<'_> {
    world
        .project("app")
        .package("[dependencies]\nscripted = \"1\"\n")
        .file("src/main.rs", "fn main() { println!(\"{}\", scripted::MADE) }")
        .build()
}

/// Which packages something was compiled of.
fn compiled(project: &Project<'_>, arguments: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, (*value).into())).collect();
    let outcome = project.sandbox().run(Tool::Wharf, project.directory(), &words, &variables).succeeds();
    let lines = outcome.stderr.lines().filter_map(|line| line.trim_start().strip_prefix("Compiling "));
    let mut names: Vec<String> = lines.map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// Every file of the shared cache and when it was changed; what was last used is told by times, too.
fn shared_cache(world: &Sandbox) -> BTreeMap<String, SystemTime> {
    fn add(path: &Path, found: &mut BTreeMap<String, SystemTime>) {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            if entry.file_type().unwrap().is_dir() {
                add(&entry.path(), found);
            } else {
                let modified = entry.metadata().unwrap().modified().unwrap();
                found.insert(entry.path().display().to_string(), modified);
            }
        }
    }
    let mut found = BTreeMap::new();
    for part in ["ac", "cas", "out", "roots", "locks", "costs"] {
        add(&world.root().join("wharf-home").join(part), &mut found);
    }
    found
}

fn program(project: &Project<'_>) -> String {
    let output = Command::new(project.directory().join("target/debug/app")).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn nothing_is_taken_and_nothing_is_put() {
    let world = world();
    let project = project(&world);
    let everything = ["app", "scripted"];
    assert_eq!(compiled(&project, "build", &[]), everything);
    fs::remove_dir_all(project.directory().join("target")).unwrap();
    assert!(compiled(&project, "build", &[]).is_empty(), "it is in the shared cache");
    let before = shared_cache(&world);
    assert!(!before.is_empty());

    assert_eq!(compiled(&project, "build --no-cache", &[]), everything);
    assert_eq!(program(&project), "7\n");
    assert!(compiled(&project, "build --no-cache", &[]).is_empty(), "its own results are found");
    assert!(compiled(&project, "build --no-cache", &[]).is_empty());
    fs::remove_dir_all(project.directory().join("target/debug")).unwrap();
    assert!(compiled(&project, "build --no-cache", &[]).is_empty(), "and brought back");
    assert_eq!(program(&project), "7\n");
    // Files must be older than a look at them for their times to prove anything: now the answer is kept.
    std::thread::sleep(Duration::from_millis(50));
    assert!(compiled(&project, "build --no-cache", &[]).is_empty());
    fs::remove_dir_all(project.directory().join("target/.wharf/home/out")).unwrap();
    compiled(&project, "build --no-cache", &[]);
    assert!(project.exists("target/.wharf/home/out"), "what build scripts wrote is made again");

    project.write("src/main.rs", "fn main() { println!(\"{}\", scripted::MADE + 1) }");
    assert_eq!(compiled(&project, "build --no-cache", &[]), ["app"]);
    assert_eq!(program(&project), "8\n");
    assert_eq!(shared_cache(&world), before);

    // Both ways may be gone in turn.
    assert_eq!(compiled(&project, "build", &[]), ["app"]);
    assert!(compiled(&project, "build --no-cache", &[]).is_empty());
    assert!(compiled(&project, "build", &[]).is_empty());
    assert_eq!(program(&project), "8\n");
}

#[test]
fn the_flag_goes_before_the_variable_and_that_before_configuration() {
    let world = world();
    let project = project(&world);
    let shared = |arguments: &str, variables: &[(&str, &str)]| {
        let before = shared_cache(&world);
        let target = format!("target-{}", before.len());
        compiled(&project, &format!("{arguments} --target-dir {target}"), variables);
        let is_shared = shared_cache(&world) != before;
        assert_eq!(project.exists(&format!("{target}/.wharf/home")), !is_shared);
        fs::remove_dir_all(project.directory().join(target)).unwrap();
        is_shared
    };
    assert!(shared("check", &[]));
    assert!(!shared("check", &[("WHARF_CACHE", "0")]));
    assert!(shared("check", &[("WHARF_CACHE", "")]));
    assert!(!shared("test --no-run --no-cache", &[("WHARF_CACHE", "true")]));
    assert!(!shared("check --config wharf.cache=false", &[]));
    project.write(".cargo/config.toml", "[wharf]\ncache = false\n");
    assert!(!shared("doc", &[]));
    assert!(shared("doc", &[("WHARF_CACHE", "1")]));
    let wrong = [("WHARF_CACHE", "perhaps".into())];
    let outcome = world.run(Tool::Wharf, project.directory(), &["build"], &wrong);
    outcome.exits_with(101).says("`perhaps` in `WHARF_CACHE` is neither yes nor no");
}
