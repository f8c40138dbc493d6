//! Several builds at once, builds that are killed at any moment, and what is right after it all.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use wharf_testkit::{Project, Sandbox, Tool};

fn world() -> Sandbox {
    let world = Sandbox::new().with_wharf(env!("CARGO_BIN_EXE_wharf")).with_env("CARGO_INCREMENTAL", "0");
    let script = r#"
fn main() {
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").unwrap());
    for part in 0..20 {
        std::fs::write(out.join(format!("part{part}.rs")), format!("{part}u32")).unwrap();
    }
    std::fs::write(out.join("code.rs"), "pub const GENERATED: u32 = include!(\"part7.rs\");").unwrap();
    println!("cargo::rerun-if-changed=build.rs");
}
"#;
    world
        .package("scripted 1.0.0")
        .file("build.rs", script)
        .file("src/lib.rs", "include!(concat!(env!(\"OUT_DIR\"), \"/code.rs\"));")
        .publish();
    world.package("leaf 1.0.0").file("src/lib.rs", "pub fn leaf() -> u32 { 1 }").publish();
    world
        .package("derive 1.0.0")
        .tables("[lib]\nproc-macro = true\n")
        .file(
            "src/lib.rs",
            "#[proc_macro] pub fn seven(_: proc_macro::TokenStream) -> proc_macro::TokenStream { \"7u32\".parse().unwrap() }",
        )
        .publish();
    world
}

/// A workspace of four members on three packages; the program prints `<value> 7 1 7 <own>`.
fn project<'s>(world: &'s Sandbox, name: &str) -> Project<'s> {
    let own_script = r#"
fn main() {
    let value = std::fs::read_to_string("value.txt").unwrap();
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").unwrap());
    std::fs::write(out.join("own.rs"), format!("pub const OWN: u32 = {};", value.trim())).unwrap();
    println!("cargo::rerun-if-changed=value.txt");
}
"#;
    let member = |name: &str, tables: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{tables}\n")
    };
    let app = "fn main() { println!(\"{} {} {} {} {}\", middle::value(), scripted::GENERATED, leaf::leaf(), \
               middle::SEVEN, own::OWN); }\n#[test] fn unit() { assert_eq!(leaf::leaf(), 1) }";
    let on_app = "[dependencies]\nmiddle = { path = \"../middle\" }\nown = { path = \"../own\" }\nleaf = \"1\"\nscripted = \"1\"";
    let on_middle = "[dependencies]\nbase = { path = \"../base\" }\nderive = \"1\"";
    let middle = "pub fn value() -> u32 { base::VALUE }\npub const SEVEN: u32 = derive::seven!();";
    world
        .project(name)
        .file("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"2\"\n")
        .file("crates/base/Cargo.toml", &member("base", ""))
        .file("crates/base/src/lib.rs", "pub const VALUE: u32 = 0;")
        .file("crates/middle/Cargo.toml", &member("middle", on_middle))
        .file("crates/middle/src/lib.rs", middle)
        .file("crates/own/Cargo.toml", &member("own", ""))
        .file("crates/own/build.rs", own_script)
        .file("crates/own/value.txt", "0")
        .file("crates/own/src/lib.rs", "include!(concat!(env!(\"OUT_DIR\"), \"/own.rs\"));")
        .file("crates/app/Cargo.toml", &member("app", on_app))
        .file("crates/app/src/main.rs", app)
        .build()
}

fn set(project: &Project<'_>, value: u32) {
    project.write("crates/base/src/lib.rs", &format!("pub const VALUE: u32 = {value};"));
    project.write("crates/own/value.txt", &value.to_string());
}

fn says(directory: &Path) -> String {
    let program = directory.join("target/debug/app");
    let output =
        Command::new(&program).output().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    String::from_utf8(output.stdout).unwrap()
}

fn start(world: &Sandbox, directory: &Path, arguments: &str) -> Child {
    let mut command = world.command(Tool::Wharf, directory);
    command.args(arguments.split_whitespace());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The errors that a command wrote; it must have succeeded.
fn end(child: Child) -> String {
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    assert!(status.success(), "{status}\n{stderr}\n{}", String::from_utf8_lossy(&stdout));
    stderr
}

/// How often each command ran, by what tells them apart.
fn runs(told: &[String]) -> BTreeMap<String, usize> {
    let mut runs = BTreeMap::new();
    for line in
        told.iter().flat_map(|text| text.lines()).filter(|line| line.trim_start().starts_with("Running `"))
    {
        let words: Vec<&str> = line.split_whitespace().collect();
        let after = |flag: &str| words.iter().position(|word| *word == flag).and_then(|at| words.get(at + 1));
        let hash = words.iter().find(|word| word.starts_with("metadata="));
        let name = match (after("--crate-name"), hash) {
            (Some(name), Some(hash)) => format!("{name} {hash}"),
            _ => words.last().unwrap_or(&"").rsplit('/').take(2).collect::<Vec<_>>().join(" of "),
        };
        *runs.entry(name).or_default() += 1;
    }
    runs
}

fn assert_once(told: &[String], least: usize) {
    let runs = runs(told);
    assert!(runs.values().all(|count| *count == 1), "{runs:#?}");
    assert!(runs.len() >= least, "{runs:#?}");
}

/// All artifacts that do not depend on when they were made.
fn artifacts(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let deps =
        std::fs::read_dir(directory.join("target/debug/deps")).unwrap().map(|entry| entry.unwrap().path());
    let wanted = |path: &PathBuf| {
        path.extension()
            .is_some_and(|extension| ["rlib", "rmeta", "so"].iter().any(|wanted| extension == *wanted))
    };
    for path in deps.filter(wanted).chain([directory.join("target/debug/app")]) {
        found.insert(path.strip_prefix(directory).unwrap().to_owned(), std::fs::read(&path).unwrap());
    }
    found
}

/// What is there is what a build with an empty store makes at the same place, and the store is whole.
fn assert_right(world: &Sandbox, directory: &Path) {
    let verified = world.wharf(directory, &["cache", "verify"]);
    assert!(verified.stderr.contains(" 0 damaged"), "{}", verified.stderr);
    verified.succeeds();
    world.wharf(directory, &["build"]).succeeds();
    let there = artifacts(directory);
    let (home, target) = (world.root().join("wharf-home"), directory.join("target"));
    let aside = |path: &Path| path.with_extension("aside");
    for path in [&home, &target] {
        std::fs::rename(path, aside(path)).unwrap();
    }
    world.wharf(directory, &["build"]).succeeds();
    let made = artifacts(directory);
    for (path, content) in &made {
        assert!(there.get(path) == Some(content), "{} is not what an empty store gives", path.display());
    }
    for path in [&home, &target] {
        std::fs::remove_dir_all(path).unwrap();
        std::fs::rename(aside(path), path).unwrap();
    }
}

#[test]
fn eight_builds_of_one_project_in_one_directory() {
    let world = world();
    let project = project(&world, "same");
    let children: Vec<Child> = (0..8).map(|_| start(&world, project.directory(), "build -v")).collect();
    let told: Vec<String> = children.into_iter().map(end).collect();
    assert_once(&told, 9);
    assert!(!told.iter().any(|text| text.contains("file lock on build directory")), "{told:#?}");
    assert_eq!(says(project.directory()), "0 7 1 7 0\n");
    assert_right(&world, project.directory());
}

#[test]
fn eight_projects_share_what_they_have_in_common() {
    let world = world();
    let projects: Vec<_> = (0..8_u32).map(|index| project(&world, &format!("copy{index}"))).collect();
    for (index, project) in (0_u32..).zip(&projects) {
        // Four pairs.
        set(project, index / 2);
    }
    let children: Vec<Child> =
        projects.iter().map(|project| start(&world, project.directory(), "build -v")).collect();
    let told: Vec<String> = children.into_iter().map(end).collect();
    let runs = runs(&told);
    for shared in ["leaf ", "derive ", "scripted "] {
        let count: Vec<_> = runs.iter().filter(|(name, _)| name.starts_with(shared)).collect();
        assert!(!count.is_empty() && count.iter().all(|(_, count)| **count == 1), "{runs:#?}");
    }
    for (index, project) in (0_u32..).zip(&projects) {
        assert_eq!(says(project.directory()), format!("{0} 7 1 7 {0}\n", index / 2));
    }
    assert_right(&world, projects[3].directory());
}

#[test]
fn an_editor_checks_while_tests_and_builds_run() {
    let world = world();
    let project = project(&world, "editor");
    for value in 1..4 {
        set(&project, value);
        let mut children = Vec::new();
        for arguments in ["test", "check --all-targets", "build", "check", "doc --no-deps", "test --no-run"] {
            children.push(start(&world, project.directory(), arguments));
        }
        for told in children.into_iter().map(end) {
            assert!(!told.contains("file lock on build directory"), "{told}");
        }
        assert_eq!(says(project.directory()), format!("{value} 7 1 7 {value}\n"));
    }
    assert_right(&world, project.directory());
}

#[test]
fn edits_between_the_beginnings_of_builds_leave_nothing_wrong() {
    let world = world();
    let project = project(&world, "edited");
    let mut children = Vec::new();
    for value in 1..5 {
        set(&project, value);
        children.push(start(&world, project.directory(), "build"));
        std::thread::sleep(Duration::from_millis(150 * u64::from(value)));
    }
    children.into_iter().for_each(|child| drop(end(child)));
    world.wharf(project.directory(), &["build"]).succeeds();
    assert_eq!(says(project.directory()), "4 7 1 7 4\n");
    for value in [1, 2, 3, 4] {
        set(&project, value);
        world.wharf(project.directory(), &["build"]).succeeds();
        assert_eq!(says(project.directory()), format!("{value} 7 1 7 {value}\n"));
    }
    assert_right(&world, project.directory());
}

/// `WHARF_KILLS` says how often; `cargo xtask soak kill` asks for 200.
#[test]
fn killed_at_any_moment() {
    let kills: u32 = std::env::var("WHARF_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
    let world = world();
    let project = project(&world, "killed");
    let began = Instant::now();
    world.wharf(project.directory(), &["build"]).succeeds();
    let whole = u64::try_from(began.elapsed().as_millis()).unwrap();
    // The same points at every run of the test: xorshift.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below.max(1)
    };
    for round in 0..kills {
        let value = u32::try_from(random(4)).unwrap();
        set(&project, value);
        if round % 4 == 0 {
            // From nothing: packages, scripts and all.
            std::fs::remove_dir_all(project.directory().join("target")).ok();
            std::fs::remove_dir_all(world.root().join("wharf-home")).ok();
        }
        let mut child = start(&world, project.directory(), "build");
        std::thread::sleep(Duration::from_millis(random(whole * 5 / 4)));
        // The compilers that it started go on for a while, as they would.
        child.kill().unwrap();
        child.wait().unwrap();
        if round % 3 == 0 {
            continue;
        }
        world.wharf(project.directory(), &["build"]).succeeds();
        assert_eq!(says(project.directory()), format!("{value} 7 1 7 {value}\n"), "round {round}");
        if round % 20 == 1 {
            assert_right(&world, project.directory());
        }
    }
    set(&project, 9);
    world.wharf(project.directory(), &["build"]).succeeds();
    assert_eq!(says(project.directory()), "9 7 1 7 9\n");
    assert_right(&world, project.directory());
    let left =
        std::fs::read_dir(project.directory().join("target/.wharf/scratch")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "scratch directories of the killed are gone");
}
