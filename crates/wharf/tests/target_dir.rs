//! Intermediate files of a target directory do not grow with the history of the project.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use wharf_testkit::{Project, Sandbox};

/// Everything below a directory, in words that do not change with time.
fn below(directory: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let Ok(entries) = fs::read_dir(directory) else { return found };
    for entry in entries.flatten() {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(below(&entry.path()).into_iter().map(|inner| format!("{name}/{inner}")));
        } else if entry.metadata().unwrap().permissions().mode() & 0o100 == 0 {
            found.insert(name);
        }
    }
    found
}

/// What a build leaves in `deps`, `build` and `incremental`; of incremental state the units only, since its sessions
/// come and go by themselves. Programs do not count: they stay for a while, since somebody may be about to run them.
fn intermediates(project: &Project<'_>) -> BTreeSet<String> {
    let debug = project.directory().join("target/debug");
    let mut found: BTreeSet<String> =
        ["deps", "build"].iter().flat_map(|name| below(&debug.join(name))).collect();
    if let Ok(units) = fs::read_dir(debug.join("incremental")) {
        found.extend(units.flatten().map(|unit| unit.file_name().into_string().unwrap()));
    }
    found
}

fn manifest(version: &str) -> String {
    format!("[package]\nname = \"dep\"\nversion = \"{version}\"\nedition = \"2021\"\n")
}

fn version_of_dep(project: &Project<'_>, version: &str) {
    project.write("dep/Cargo.toml", &manifest(version));
    let program = format!("fn main() {{ println!(\"cargo::rustc-env=V={version}\"); }}");
    project.write("dep/build.rs", &program);
}

#[test]
fn superseded_files_go() {
    let world = Sandbox::new().with_wharf(env!("CARGO_BIN_EXE_wharf"));
    let project = world
        .project("app")
        .package("[dependencies]\ndep = { path = \"dep\" }\n")
        .file("src/main.rs", "fn main() { println!(\"{}\", dep::V) }")
        .file("dep/Cargo.toml", &manifest("0.1.0"))
        .file("dep/src/lib.rs", "pub const V: &str = env!(\"V\");")
        .build();
    let build = || {
        project
            .sandbox()
            .command(wharf_testkit::Tool::Wharf, project.directory())
            .arg("build")
            .env("CARGO_INCREMENTAL", "1")
            .status()
            .unwrap()
    };
    version_of_dep(&project, "0.1.0");
    assert!(build().success());
    let first = intermediates(&project);
    assert!(first.iter().any(|name| name.starts_with("dep-")), "{first:?}");
    project.wharf("check").succeeds();
    let with_check = intermediates(&project);
    for version in ["0.2.0", "0.3.0", "0.4.0"] {
        version_of_dep(&project, version);
        assert!(build().success());
    }
    assert_eq!(project.wharf("run -q").succeeds().stdout, "0.4.0\n");
    // What `check` left is still wanted: nobody has checked the new versions yet.
    let later = intermediates(&project);
    let checked: Vec<_> = with_check.difference(&first).collect();
    assert!(checked.iter().all(|name| later.contains(*name)), "{checked:?} {later:?}");
    project.wharf("check").succeeds();
    assert_eq!(intermediates(&project).len(), with_check.len(), "{:#?}", intermediates(&project));
    // The old version comes back from the store.
    version_of_dep(&project, "0.1.0");
    let outcome = project.wharf("build -v").succeeds();
    outcome.says("Fresh dep v0.1.0");
}
