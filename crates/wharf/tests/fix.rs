//! `fix` changes what `cargo fix` changes, and `report` tells what builds found out.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use wharf_testkit::{Both, Outcome, Part, Project, Sandbox, Tool};

/// Code that the compiler has a sure suggestion for.
const NEEDLESS_MUT: &str = "pub fn one() -> u32 { let mut x = 1; x }\n";
const STATUS_AND_SOURCES: [Part; 2] = [Part::Status, Part::Sources];

fn world() -> Sandbox {
    Sandbox::new().with_wharf(env!("CARGO_BIN_EXE_wharf"))
}

/// The lines that begin with a status word, without their order: crates are fixed side by side.
fn statuses(outcome: &Outcome) -> BTreeSet<String> {
    let words = ["Checking", "Compiling", "Fixing", "Fixed", "Migrating"];
    let stderr = outcome.normal_stderr();
    let lines = stderr.lines().map(str::trim);
    lines.filter(|line| words.iter().any(|word| line.starts_with(word))).map(str::to_owned).collect()
}

#[track_caller]
fn same(project: &Project<'_>, arguments: &str) -> Both {
    let both = project.both(arguments).same(&STATUS_AND_SOURCES);
    assert_eq!(statuses(&both.cargo.outcome), statuses(&both.wharf.outcome), "{}", both.wharf.outcome.stderr);
    both
}

fn git(directory: &Path, arguments: &str) {
    let identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"];
    let status = Command::new("git")
        .args(identity)
        .args(arguments.split(' '))
        .current_dir(directory)
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn suggestions_for_a_workspace() {
    let world = world();
    let project = world
        .project("ws")
        .file("Cargo.toml", "[workspace]\nmembers = [\"a\", \"b\"]\nresolver = \"2\"\n")
        .file("a/Cargo.toml", "[package]\nname = \"a\"\nversion = \"0.1.0\"\nedition = \"2021\"\n")
        .file("a/src/lib.rs", NEEDLESS_MUT)
        .file(
            "b/Cargo.toml",
            "[package]\nname = \"b\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\na = { path = \"../a\" }\n",
        )
        .file("b/src/main.rs", "use std::fmt;\r\nmod sub;\r\nfn main() { let mut x = a::one(); sub::f(x); }\r\n")
        .file("b/src/sub.rs", "use std::io;\npub fn f(x: u32) { let mut y = x; drop(y); }\n")
        .file("b/tests/t.rs", "#[test]\nfn t() { let mut x = 1; drop(x); }\n")
        .build();
    let both = same(&project, "fix --allow-no-vcs");
    assert_eq!(both.wharf.sources["a/src/lib.rs"], NEEDLESS_MUT.replace("mut ", ""));
    assert!(both.wharf.sources["b/src/main.rs"].ends_with("{ let x = a::one(); sub::f(x); }\r\n"));
    assert!(both.wharf.sources["b/tests/t.rs"].contains("mut"), "tests have to be asked for");
    same(&project, "fix --allow-no-vcs --all-targets -v");
    same(&project, "fix --allow-no-vcs -p b");
    same(&project, "fix --allow-no-vcs -p a --lib --profile test");
}

#[test]
fn a_shared_file_is_fixed_once() {
    let world = world();
    let manifest =
        |name: &str| format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n");
    let project = world
        .project("shared")
        .file("Cargo.toml", "[workspace]\nmembers = [\"a\", \"b\"]\nresolver = \"2\"\n")
        .file("a/Cargo.toml", &manifest("a"))
        .file("b/Cargo.toml", &manifest("b"))
        .file("a/src/lib.rs", "pub mod shared;\n")
        .file("b/src/lib.rs", "#[path = \"../../a/src/shared.rs\"]\npub mod shared;\n")
        .file("a/src/shared.rs", NEEDLESS_MUT)
        .build();
    let both = project.both("fix --allow-no-vcs --all-targets").same(&STATUS_AND_SOURCES);
    let fixed = statuses(&both.wharf.outcome).into_iter().filter(|line| line.starts_with("Fixed"));
    assert_eq!(fixed.count(), 1, "{}", both.wharf.outcome.stderr);
}

#[test]
fn editions() {
    let world = world();
    let package =
        |edition: &str| format!("[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"{edition}\"\n");
    let project = world
        .project("app")
        .file("Cargo.toml", &package("2015"))
        .file("src/lib.rs", "pub mod a { pub fn f() {} }\npub mod b { use a::f; pub fn g(async: u32) -> u32 { f(); async } }\n")
        .file("examples/e.rs", "fn main() { let mut x = 1; drop(x); }\n")
        .build();
    let both = same(&project, "fix --edition --allow-no-vcs");
    assert!(both.wharf.sources["src/lib.rs"].contains("use crate::a::f;"));
    assert!(both.wharf.sources["examples/e.rs"].contains("mut"), "only what the edition needs");
    project.write("Cargo.toml", &package("2018"));
    project.write("src/lib.rs", "pub fn f(x: u32) -> bool { match x { 0...9 => true, _ => false } }\n");
    same(&project, "fix --edition --allow-no-vcs");
    project.write("src/lib.rs", "extern crate core;\npub fn f() { core::mem::drop(1); }\n");
    same(&project, "fix --edition-idioms --allow-no-vcs");
    project.write("Cargo.toml", &package("2024"));
    let both = same(&project, "fix --edition --allow-no-vcs");
    both.wharf.outcome.says("warning: `src/lib.rs` is in edition 2024");
}

#[test]
fn manifests_for_2024() {
    let world = world();
    world.publish("leaf 1.0.0");
    let project = world
        .project("ws")
        .file(
            "Cargo.toml",
            "[workspace]\nmembers = [\"a\"]\nresolver = \"2\"\n\n[workspace.dependencies]\n# why\nleaf = { version = \"1\", default_features = true } # so\n",
        )
        .file(
            "a/Cargo.toml",
            "# first\n[ project ] # x\nname = \"a\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[lib]\ncrate_type = [\"lib\"]\n\n[dev_dependencies]\nleaf = { workspace = true, default-features = false }\n",
        )
        .file("a/src/lib.rs", "")
        .build();
    let both = same(&project, "fix --edition --allow-no-vcs");
    let manifest = &both.wharf.sources["a/Cargo.toml"];
    assert!(manifest.starts_with("# first\n[ package ] # x\n"), "{manifest}");
}

#[test]
fn features_that_an_edition_takes_away_are_told() {
    let world = world();
    world.package("common 1.0.0").tables("[features]\nf = []\n").publish();
    let project = world
        .project("app")
        .file(
            "Cargo.toml",
            "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2018\"\n\n[dependencies]\ncommon = \"1\"\n\n\
             [build-dependencies]\ncommon = { version = \"1\", features = [\"f\"] }\n",
        )
        .file("src/lib.rs", "")
        .build();
    let both = same(&project, "fix --edition --allow-no-vcs");
    both.cargo.outcome.says("common v1.0.0 removed features: f");
    both.wharf.outcome.says("common v1.0.0: f");
}

/// A compiler that refuses the crate the second time: as if a suggestion had been wrong.
const REFUSES_LATER: &str = "#!/bin/sh
case \"$*\" in
*'--crate-name app '*)
    if [ -e seen ]; then echo 'error: no' >&2; exit 1; fi
    touch seen
esac
exec \"$@\"
";

#[test]
fn what_does_not_compile_is_taken_back() {
    let world = world();
    let wrapper = world.root().join("refuses");
    std::fs::write(&wrapper, REFUSES_LATER).unwrap();
    std::fs::set_permissions(&wrapper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let world = world.with_env("RUSTC_WORKSPACE_WRAPPER", wrapper);
    let project = world.project("app").package("").file("src/lib.rs", NEEDLESS_MUT).build();
    let both = same(&project, "fix --allow-no-vcs");
    assert_eq!(both.wharf.sources["src/lib.rs"], NEEDLESS_MUT);
    both.wharf.outcome.says("what rustc suggested for crate `app` does not compile");
    let both = same(&project, "fix --allow-no-vcs --broken-code");
    assert_ne!(both.wharf.sources["src/lib.rs"], NEEDLESS_MUT);
    project.write("src/lib.rs", &format!("{NEEDLESS_MUT}pub fn two() -> u32 {{ \"\" }}\n"));
    let both = same(&project, "fix --allow-no-vcs");
    assert_eq!(both.wharf.outcome.status, Some(101));
}

#[test]
fn version_control() {
    let world = world();
    let project = world.project("app").package("").file("src/lib.rs", NEEDLESS_MUT).build();
    same(&project, "fix");
    let directory = project.directory();
    project.write(".gitignore", "/target\n/ignored\n");
    project.write("ignored", "");
    git(directory, "init -q");
    same(&project, "fix");
    git(directory, "add .");
    same(&project, "fix");
    same(&project, "fix --allow-staged");
    git(directory, "commit -qm all");
    // Who has no lockfile gets one, which is no change before.
    let both = same(&project, "fix");
    assert_eq!(both.wharf.outcome.status, Some(0));
    project.write("src/lib.rs", &NEEDLESS_MUT.replace("one", "uno"));
    let both = same(&project, "fix");
    both.wharf.outcome.says("* src/lib.rs (dirty)");
    same(&project, "fix --allow-staged");
    same(&project, "fix --allow-dirty");
    git(directory, "add .");
    project.write("src/lib.rs", &NEEDLESS_MUT.replace("one", "due"));
    let both = same(&project, "fix --allow-staged");
    assert_eq!(both.wharf.outcome.status, Some(101), "half of it is not staged");
}

#[test]
fn only_sources_of_members_are_changed() {
    let world = world();
    world.package("leaf 1.0.0").file("src/lib.rs", NEEDLESS_MUT).publish();
    let project = world
        .project("app")
        .package("[dependencies]\nleaf = \"1\"\nother = { path = \"../other\" }\n")
        .file("src/lib.rs", "include!(concat!(env!(\"OUT_DIR\"), \"/made.rs\"));\n")
        .file(
            "build.rs",
            "fn main() {
                let mut out = std::env::var(\"OUT_DIR\").unwrap();
                std::fs::write(format!(\"{out}/made.rs\"), \"pub fn made() { let mut x = 1; drop(x); }\").unwrap();
            }\n",
        )
        .build();
    let other = world.project("other").package("").file("src/lib.rs", NEEDLESS_MUT).build();
    let fixed = project.wharf("fix --allow-no-vcs").succeeds();
    assert_eq!(
        statuses(&fixed).iter().filter(|line| line.starts_with("Fixed")).count(),
        1,
        "{}",
        fixed.stderr
    );
    assert!(project.read("build.rs").contains("let out"));
    assert_eq!(other.read("src/lib.rs"), NEEDLESS_MUT);
    let again = project.wharf("fix --allow-no-vcs").succeeds();
    assert!(
        again.stderr.contains("variable does not need to be mutable"),
        "OUT_DIR is nobody's: {}",
        again.stderr
    );
}

#[test]
fn macros_run_in_the_sandbox_all_the_same() {
    let world = world();
    let project = world
        .project("app")
        .package("[dependencies]\nmacros = { path = \"macros\" }\n")
        .file("src/lib.rs", &format!("macros::nosy!();\n{NEEDLESS_MUT}"))
        .file(
            "macros/Cargo.toml",
            "[package]\nname = \"macros\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[lib]\nproc-macro = true\n",
        )
        .file(
            "macros/src/lib.rs",
            "#[proc_macro]
            pub fn nosy(_: proc_macro::TokenStream) -> proc_macro::TokenStream {
                let outside = std::env::var(\"OUTSIDE\").unwrap();
                let wrote = std::fs::write(outside, \"\").is_ok();
                format!(\"pub const WROTE: bool = {wrote};\").parse().unwrap()
            }",
        )
        .build();
    let outside = world.root().join("outside");
    let arguments = ["fix", "--allow-no-vcs"];
    let variables = [("OUTSIDE", outside.clone().into())];
    world
        .run(Tool::Wharf, project.directory(), &arguments, &variables)
        .succeeds()
        .says("Fixed src/lib.rs (1 fix)");
    assert!(!outside.exists() || !cfg!(target_os = "linux"));
}

#[test]
fn nothing_of_a_fix_is_kept() {
    let world = world();
    let project = world.project("app").package("").file("src/lib.rs", NEEDLESS_MUT).build();
    let unused = "variable does not need to be mutable";
    assert!(project.wharf("fix --allow-no-vcs").succeeds().stderr.contains("Fixed src/lib.rs (1 fix)"));
    let fixed = project.read("src/lib.rs");
    // The check compiles what is there, and is told right about what was there.
    let (outcome, calls) = project.recorded(Tool::Wharf, "check");
    assert!(!outcome.succeeds().stderr.contains(unused));
    assert_eq!(calls.len(), 1);
    project.write("src/lib.rs", NEEDLESS_MUT);
    assert!(project.wharf("check").succeeds().stderr.contains(unused));
    project.write("src/lib.rs", &fixed);
    let (outcome, calls) = project.recorded(Tool::Wharf, "check");
    assert!(!outcome.succeeds().stderr.contains(unused));
    assert!(calls.is_empty(), "what the check found is known");
}

#[test]
fn clippy_fixes_by_way_of_this_program() {
    let world = world();
    let source = "pub fn f(x: &[u8]) -> bool { return x.len() == 0; }\n";
    let project = world.project("app").package("").file("src/lib.rs", source).build();
    let both = project.both("clippy --fix --allow-no-vcs").same(&STATUS_AND_SOURCES);
    assert!(both.wharf.sources["src/lib.rs"].contains("x.is_empty()"), "{}", both.wharf.outcome.stderr);
    both.wharf.outcome.says("Fixed src/lib.rs (2 fixes)");
}

#[test]
fn json_has_only_what_cargo_writes() {
    let world = world();
    let project =
        world.project("app").package("").file("src/lib.rs", "pub fn f(x: u32) { let y = x; }\n").build();
    let both = project.both("fix --allow-no-vcs --message-format json");
    both.same(&[Part::Status, Part::Sources, Part::Stdout]);
}

/// A compiler that holds every lint for one of code that it will refuse.
fn pessimistic() -> Sandbox {
    world().with_env("RUSTC_BOOTSTRAP", "1").with_env("RUSTFLAGS", "-Zfuture-incompat-test")
}

#[test]
fn reports_of_future_incompatibilities() {
    const FILE: &str = "target/.future-incompat-report.json";
    let world = pessimistic();
    let project = world.project("app").package("").file("src/lib.rs", "pub fn f() { let x = 1; }\n").build();
    project
        .wharf("report future-incompatibilities")
        .exits_with(101)
        .says("no reports are currently available");
    project.cargo("check").succeeds();
    let of_cargo = project.read(FILE);
    std::fs::remove_dir_all(project.directory().join("target")).unwrap();
    let told = project.wharf("check").succeeds();
    assert!(told.stderr.contains("report future-incompatibilities --id 1"), "{}", told.stderr);
    assert_eq!(project.read(FILE), of_cargo);
    // The same is not kept twice, whether it ran or not.
    project.wharf("check --future-incompat-report").succeeds().says("--id 1");
    project.write("src/lib.rs", "pub fn f() { let other = 1; }\n");
    project.wharf("check").succeeds().says("--id 2");

    let about = |outcome: Outcome| {
        let stdout = outcome.succeeds().stdout;
        stdout[stdout.find("The package").unwrap()..].to_owned()
    };
    for arguments in ["", " --id 1", " --id 2 --package app@0.1.0"] {
        let ours = about(project.wharf(&format!("report future-incompat{arguments}")));
        assert_eq!(ours, about(project.cargo(&format!("report future-incompat{arguments}"))));
        assert!(!ours.contains('\u{1b}'));
    }
    project.wharf("report future-incompat --id 9").exits_with(101);
    project.wharf("report future-incompat --id x").exits_with(1);
    project.wharf("report future-incompat --package nobody").exits_with(101);
    project.wharf("report rebuilds").exits_with(101);
}

#[test]
fn reports_name_what_can_be_done() {
    let world = pessimistic();
    let source = "pub fn f() { let x = 1; }\n";
    world.package("leaf 1.0.0").file("src/lib.rs", source).publish();
    let project =
        world.project("app").package("[dependencies]\nleaf = \"1\"\n").file("src/lib.rs", "").build();
    project.wharf("generate-lockfile").succeeds();
    world.package("leaf 1.2.0").file("src/lib.rs", "").publish();
    project.wharf("update --dry-run").succeeds();
    let told = project.wharf("check --future-incompat-report").succeeds();
    for words in
        ["leaf v1.0.0", "1.2.0", "report future-incompatibilities --id 1 --package leaf@1.0.0", "[patch]"]
    {
        assert!(told.stderr.contains(words), "{words}: {}", told.stderr);
    }
    let quiet = [".cargo/config.toml", "[future-incompat-report]\nfrequency = \"never\"\n"];
    project.write(quiet[0], quiet[1]);
    let told = project.wharf("check").succeeds();
    assert!(!told.stderr.contains("future"), "{}", told.stderr);
    project.write("src/main.rs", "fn main() {}");
    project.write(quiet[0], "[build]\nrustflags = []\n");
    let world = world.with_env("RUSTFLAGS", "");
    let none = world.wharf(&world.root().join("work/app"), &["check", "--future-incompat-report"]).succeeds();
    none.says("no package has code that later versions of Rust are known to refuse");
}
