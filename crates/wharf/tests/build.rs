//! What a person does first with Wharf, and that nothing is compiled twice.

use wharf_testkit::fixtures::{self, Fixture};
use wharf_testkit::{Call, Project, Sandbox, Tool};

fn world() -> Sandbox {
    let world = Sandbox::new().with_wharf(env!("CARGO_BIN_EXE_wharf"));
    fixtures::publish(&world);
    world
}

fn compiled(project: &Project<'_>, arguments: &str) -> Vec<String> {
    let (outcome, calls) = project.recorded(Tool::Wharf, arguments);
    outcome.succeeds();
    calls.iter().map(Call::crate_name).map(str::to_owned).collect()
}

#[test]
fn new_build_run() {
    let world = world();
    world.wharf(world.root(), &["new", "hello"]).succeeds();
    let directory = world.root().join("hello");
    world.wharf(&directory, &["build"]).succeeds().says("Compiling hello v0.1.0 ([ROOT]/hello)");
    let ran = world.wharf(&directory, &["run"]).succeeds();
    assert_eq!(ran.stdout, "Hello, world!\n");
    world.wharf(&directory, &["test"]).succeeds();
}

#[test]
fn a_second_build_compiles_nothing() {
    let world = world();
    let project = Fixture::named("build-script").write(&world);
    assert_eq!(compiled(&project, "build"), ["build_script", "build_script_build", "leaf"]);
    assert!(compiled(&project, "build").is_empty());
    let source = project.read("src/main.rs");
    project.write("src/main.rs", &source);
    assert!(compiled(&project, "build").is_empty(), "a touch is no change");
}

#[test]
fn a_script_that_watches_its_own_directory_runs_once() {
    let world = world();
    world
        .package("watchful 1.0.0")
        .file("src/lib.rs", "include!(concat!(env!(\"OUT_DIR\"), \"/made.rs\"));")
        .file(
            "build.rs",
            "fn main() {
                let out = std::env::var(\"OUT_DIR\").unwrap();
                std::fs::write(format!(\"{out}/made.rs\"), \"pub fn made() {}\").unwrap();
                println!(\"cargo::rerun-if-env-changed=OUT_DIR\");
            }",
        )
        .publish();
    let project = world
        .project("app")
        .package("[dependencies]\nwatchful = \"1\"\n")
        .file("src/main.rs", "fn main() { watchful::made() }")
        .build();
    project.wharf("build").succeeds();
    let again = project.wharf("build -v").succeeds();
    assert!(!again.stderr.contains("Dirty") && !again.stderr.contains("Running"), "{}", again.stderr);
}

#[test]
fn an_edit_compiles_what_depends_on_it() {
    let world = world();
    let project = Fixture::named("workspace").write(&world);
    compiled(&project, "build");
    let before = project.read("crates/two/src/main.rs");
    project.write("crates/two/src/main.rs", "fn main() { one::branch(); one::branch(); }");
    assert_eq!(compiled(&project, "build"), ["two"]);
    project.write("crates/two/src/main.rs", &before);
    assert!(compiled(&project, "build").is_empty(), "the first result is still known");
    project.write("crates/one/src/lib.rs", "pub use branch::branch;\npub fn more() {}");
    assert_eq!(compiled(&project, "build"), ["one", "two"]);
}

#[test]
fn the_program_exits_with_its_own_code() {
    let world = world();
    let project = world
        .project("app")
        .package("")
        .file("src/main.rs", "fn main() { std::process::exit(std::env::args().count() as i32 + 5) }")
        .build();
    project.wharf("run -- a b").exits_with(8);
    project.write("src/main.rs", "fn main() { nothing() }");
    project.wharf("build").exits_with(101).says("cannot find function `nothing`");
    project.wharf("build --no-such-flag").exits_with(1);
}

#[test]
fn the_last_build_tells_its_reasons() {
    let world = world();
    let project = Fixture::named("build-script").write(&world);
    project.wharf("why").exits_with(101).says("nothing is known of a build");
    project.wharf("build").succeeds();
    let first = project.wharf("why").succeeds();
    assert!(first.stdout.contains("never built here"), "{}", first.stdout);
    let source = project.read("src/main.rs");
    project.write("src/main.rs", &format!("{source}\n// more"));
    project.wharf("build").succeeds();
    project.wharf("build").succeeds();
    let why = project.wharf("why").succeeds().stdout;
    assert!(why.contains("the file `src/main.rs` has changed"), "{why}");
    assert!(why.contains("`build`: 1 built"), "{why}");
    let json = project.wharf("why -p leaf --format json").succeeds().stdout;
    assert!(json.contains("\"outcome\":\"fresh\""), "{json}");
    project.wharf("why -p nothing").exits_with(101);
}
