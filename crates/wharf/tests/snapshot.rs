//! An answer that is kept is given again only while everything that it rests on is as it was.

use std::path::Path;
use std::time::Duration;

use wharf_testkit::{Project, Sandbox};

fn world() -> Sandbox {
    Sandbox::new().with_wharf(env!("CARGO_BIN_EXE_wharf"))
}

fn workspace(world: &Sandbox) -> Project<'_> {
    world
        .project("work")
        .file("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n")
        .file("crates/app/Cargo.toml", "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n")
        .file("crates/app/src/main.rs", "mod part;\nfn main() { println!(\"{}\", part::VALUE) }\n")
        .file("crates/app/src/part.rs", "pub const VALUE: &str = \"one\";\n")
        .build()
}

/// Asks until the answer is kept, and tells what it is.
fn settle(project: &Project<'_>, arguments: &str) -> String {
    project.wharf(arguments).succeeds();
    // Files must be older than a look at them for their times to prove anything.
    std::thread::sleep(Duration::from_millis(50));
    project.wharf(arguments).succeeds();
    let kept = kept(project);
    let outcome = project.wharf(arguments).succeeds();
    assert!(kept > 0, "nothing was kept");
    outcome.stdout + &outcome.stderr
}

fn kept(project: &Project<'_>) -> usize {
    fn count(dir: &Path) -> usize {
        let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
        let below = |path: &Path| match path.file_name() {
            Some(name) if name == "snapshots" => std::fs::read_dir(path).map_or(0, Iterator::count),
            _ if path.is_dir() && !path.ends_with("target") => count(path),
            _ => 0,
        };
        entries.flatten().map(|entry| below(&entry.path())).sum()
    }
    count(project.sandbox().root())
}

fn program(project: &Project<'_>) -> String {
    let path = project.directory().join("target/debug/app");
    let output = std::process::Command::new(path).output().expect("the program runs");
    String::from_utf8(output.stdout).expect("it writes text")
}

#[test]
fn a_changed_source_is_noticed() {
    let world = world();
    let project = workspace(&world);
    settle(&project, "build");
    assert_eq!(program(&project), "one\n");
    project.write("crates/app/src/part.rs", "pub const VALUE: &str = \"two\";\n");
    project.wharf("build").succeeds().says("Compiling app");
    assert_eq!(program(&project), "two\n");
}

#[test]
fn a_removed_program_is_made_again() {
    let world = world();
    let project = workspace(&world);
    settle(&project, "build");
    std::fs::remove_file(project.directory().join("target/debug/app")).unwrap();
    project.wharf("build").succeeds();
    assert_eq!(program(&project), "one\n");
    settle(&project, "build");
    std::fs::write(project.directory().join("target/debug/app"), "damaged").unwrap();
    project.wharf("build").succeeds();
    assert_eq!(program(&project), "one\n");
}

#[test]
fn what_was_not_there_is_noticed_when_it_comes() {
    let world = world();
    let project = workspace(&world);
    settle(&project, "build");
    project.write("crates/app/src/bin/other.rs", "fn main() {}");
    project.wharf("build").succeeds();
    assert!(project.exists("target/debug/other"), "a program found by its place");

    settle(&project, "build");
    let member = "[package]\nname = \"late\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    project.write("crates/late/src/main.rs", "fn main() {}");
    project.write("crates/late/Cargo.toml", member);
    project.wharf("build").succeeds().says("Compiling late");

    settle(&project, "build");
    project.write(".cargo/config.toml", "[build]\ntarget-dir = \"elsewhere\"\n");
    project.wharf("build").succeeds();
    assert!(project.exists("elsewhere/debug/app") || project.exists("target/debug/app"));
    project.write(".cargo/config.toml", "[build]\nrustflags = [\"--cfg\", \"special\"]\n");
    project.wharf("build").succeeds().says("Compiling app");

    settle(&project, "build");
    project.write("crates/app/build.rs", "fn main() { println!(\"cargo::warning=noticed\") }");
    project.wharf("build").succeeds().says("noticed");
}

#[test]
fn metadata_follows_the_manifests() {
    let world = world();
    let project = workspace(&world);
    let arguments = "metadata --format-version 1 --no-deps";
    let before = settle(&project, arguments);
    assert!(before.contains("\"0.1.0\""));
    let manifest = project.read("crates/app/Cargo.toml").replace("0.1.0", "0.2.0");
    project.write("crates/app/Cargo.toml", &manifest);
    let after = project.wharf(arguments).succeeds();
    assert!(after.stdout.contains("\"0.2.0\""), "{}", after.stdout);
    let again = settle(&project, "tree --workspace");
    assert!(again.contains("app v0.2.0"), "{again}");
}

#[test]
fn the_kept_answer_is_the_whole_answer() {
    let world = world();
    let project = workspace(&world);
    project.write("crates/app/src/main.rs", "mod part;\nfn main() { let unused = part::VALUE; }\n");
    for arguments in ["build", "build -v", "check --message-format json", "build --message-format short"] {
        let first = settle(&project, arguments);
        let fresh = |text: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| !line.contains("Finished"));
            lines.map(str::to_owned).collect()
        };
        let kept = project.wharf(arguments).succeeds();
        assert!(kept.stderr.contains("unused") || kept.stdout.contains("unused"), "{}", kept.stderr);
        assert!(kept.stderr.contains("Finished `dev` profile"), "{}", kept.stderr);
        assert_eq!(fresh(&(kept.stdout + &kept.stderr)), fresh(&first));
    }
    let quiet = project.wharf("build --quiet").succeeds();
    assert!(!quiet.stderr.contains("Finished"), "other words are another question");
}

#[test]
fn a_variable_is_part_of_the_question() {
    let world = world();
    let project = workspace(&world);
    project.write("crates/app/src/part.rs", "pub const VALUE: &str = match option_env!(\"SOME_VALUE\") { Some(value) => value, None => \"none\" };\n");
    settle(&project, "build");
    assert_eq!(program(&project), "none\n");
    let wharf = |value: &str| {
        let status = std::process::Command::new(env!("CARGO_BIN_EXE_wharf"))
            .arg("build")
            .current_dir(project.directory())
            .env("SOME_VALUE", value)
            .env_remove("CARGO_TARGET_DIR")
            .env("WHARF_HOME", world.root().join("another-home"))
            .status()
            .unwrap();
        assert!(status.success());
        program(&project)
    };
    for _ in 0..2 {
        for value in ["red", "green"] {
            assert_eq!(wharf(value), format!("{value}\n"));
            std::thread::sleep(Duration::from_millis(30));
            assert_eq!(wharf(value), format!("{value}\n"));
            assert_eq!(wharf(value), format!("{value}\n"));
        }
    }
}

#[test]
fn a_git_dependency_needs_no_git_once_it_is_checked_out() {
    let world = world();
    let library =
        world.project("library").package("").file("src/lib.rs", "pub const VALUE: u32 = 5;").build();
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@b"];
        let mut command = std::process::Command::new("git");
        assert!(
            command
                .args(identity)
                .args(arguments)
                .current_dir(library.directory())
                .status()
                .unwrap()
                .success()
        );
    };
    git(&["init", "-q"]);
    git(&["add", "-A"]);
    git(&["commit", "-qm", "all"]);
    let url = format!("file://{}", library.directory().display());
    let project = world
        .project("app")
        .package(&format!("[dependencies]\nlibrary = {{ git = \"{url}\" }}\n"))
        .file("src/main.rs", "fn main() { println!(\"{}\", library::VALUE) }\n")
        .build();
    project.wharf("build").succeeds();
    // Any other command, too, does without git now, and without the clone.
    let databases = world.cargo_home(wharf_testkit::Tool::Wharf).join("git/db");
    std::fs::rename(&databases, databases.with_extension("away")).unwrap();
    assert!(project.wharf("metadata --format-version 1").succeeds().stdout.contains("\"library\""));
    settle(&project, "build");
    assert_eq!(program(&project), "5\n");
}

#[test]
fn a_project_may_lie_below_a_directory_with_the_name_of_our_state() {
    let world = world();
    let project = world
        .project(".wharf/app")
        .file("Cargo.toml", "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n")
        .file("src/main.rs", "fn main() { println!(\"one\") }\n")
        .build();
    settle(&project, "build");
    project.write("src/main.rs", "fn main() { println!(\"two\") }\n");
    project.wharf("build").succeeds();
    assert_eq!(program(&project), "two\n");
}
