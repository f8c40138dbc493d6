//! What a build begins with, and what it tells of its course.

use std::os::unix::fs::PermissionsExt as _;

use wharf_testkit::{Project, Sandbox};

/// A program over two libraries, of which the compiler takes long for the second.
fn world() -> Sandbox {
    let world = Sandbox::new().with_wharf(env!("CARGO_BIN_EXE_wharf"));
    let wrapper = world.root().join("slow");
    let script = "#!/bin/sh\ncase \" $* \" in *' --crate-name second '*) sleep 2;; esac\nexec \"$@\"\n";
    std::fs::write(&wrapper, script).expect("the sandbox is writable");
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).expect("it is there");
    world.with_env("RUSTC_WRAPPER", wrapper)
}

fn project(world: &Sandbox) -> Project<'_> {
    let manifest =
        |name: &str| format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n");
    world
        .project("app")
        .package("[dependencies]\nfirst = { path = \"first\" }\nsecond = { path = \"second\" }")
        .file("src/main.rs", "fn main() {}\n")
        .file("first/Cargo.toml", &manifest("first"))
        .file("first/src/lib.rs", "")
        .file("second/Cargo.toml", &manifest("second"))
        .file("second/src/lib.rs", "")
        .build()
}

/// Forgets all that was made, but not how long it took.
fn forget_results(project: &Project<'_>) {
    let home = project.sandbox().root().join("wharf-home");
    for dir in [home.join("ac"), home.join("cas"), project.directory().join("target")] {
        std::fs::remove_dir_all(dir).expect("it was made");
    }
}

fn first_compiled(project: &Project<'_>) -> String {
    let said = project.wharf("build -j 1").succeeds().stderr;
    let line = said.lines().find(|line| line.contains("Compiling")).unwrap_or_else(|| panic!("{said}"));
    line.split_whitespace().nth(1).unwrap_or_default().to_owned()
}

fn costs(world: &Sandbox) -> Vec<u8> {
    std::fs::read(world.root().join("wharf-home/costs")).expect("costs are kept")
}

#[test]
fn what_took_long_comes_first() {
    let world = world();
    let project = project(&world);
    assert_eq!(first_compiled(&project), "first", "of equals the first");
    forget_results(&project);
    assert_eq!(first_compiled(&project), "second");

    // Costs are nothing that results rest on, and who has nothing to tell leaves them alone.
    let before = costs(&world);
    project.wharf("build").succeeds();
    assert_eq!(costs(&world), before);
    std::fs::write(world.root().join("wharf-home/costs"), "damaged").expect("the sandbox is writable");
    let said = project.wharf("build -v").succeeds().stderr;
    assert!(said.contains("Fresh second") && !said.contains("Compiling"), "{said}");

    forget_results(&project);
    assert_eq!(first_compiled(&project), "first", "what is damaged tells nothing");
    assert!(costs(&world).starts_with(b"wharf costs"));
}

/// The text between two others.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("no `{from}` in {text}"));
    rest.split_once(to).unwrap_or_else(|| panic!("no `{to}` in {rest}")).0
}

/// How often something is told of units.
fn count(page: &str, what: &str) -> String {
    between(page, &format!("<th>{what}</th><td class=n>"), "</td>").to_owned()
}

/// The names of units in the rows of a table.
fn rows<'a>(page: &'a str, title: &str) -> Vec<&'a str> {
    let table = between(page, &format!("<h2>{title}</h2>"), "</table>");
    table.split("<tr><td>").skip(1).filter_map(|row| row.split(' ').next()).collect()
}

#[test]
fn timings_name_the_critical_path_and_hits() {
    let world = world();
    let project = project(&world);
    project.wharf("build --timings").succeeds().says("Timing report saved to");
    let page = project.read("target/cargo-timings/cargo-timing.html");
    assert_eq!(rows(&page, "Critical path"), ["second", "app"]);
    assert_eq!(
        [count(&page, "Built"), count(&page, "Restored from the store"), count(&page, "Fresh")],
        ["3", "0", "0"]
    );
    assert_eq!(count(&page, "Saved by hits"), "0.00 s");
    assert!(!page.contains("<script") && !page.contains("http"), "it needs nothing else");

    // One unit is in its place, one in the store, and one is new.
    let library = std::fs::read_dir(project.directory().join("target/debug/deps")).expect("it was built");
    for file in library.flatten().filter(|file| file.file_name().to_string_lossy().starts_with("libsecond")) {
        std::fs::remove_file(file.path()).expect("it is there");
    }
    project.write("src/main.rs", "fn main() { println!(\"new\") }\n");
    project.wharf("build --timings").succeeds();
    let page = project.read("target/cargo-timings/cargo-timing.html");
    assert_eq!(
        [count(&page, "Built"), count(&page, "Restored from the store"), count(&page, "Fresh")],
        ["1", "1", "1"]
    );
    assert_eq!(rows(&page, "Critical path"), ["app"]);
    assert_eq!(rows(&page, "How long"), ["app", "second", "first"], "what ran, then what saved most");
    assert!(page.contains("<td>restored</td>") && page.contains("<td>fresh</td>"), "{page}");
    let saved = count(&page, "Saved by hits");
    let saved: f64 = saved.trim_end_matches(" s").parse().expect("it is a number");
    assert!(saved > 1.0, "the compiler of `second` sleeps longer than that: {saved}");

    project.wharf("build --timings").succeeds();
    let page = project.read("target/cargo-timings/cargo-timing.html");
    assert_eq!(count(&page, "Fresh"), "3");
    assert!(page.contains("Nothing ran: every unit was a hit."), "{page}");
}
