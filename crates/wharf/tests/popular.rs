//! Real packages of crates.io under both tools: equal lockfiles, metadata and trees, and for some equal compiler
//! calls. Needs the network and many minutes; `cargo xtask soak` runs it.

use std::time::Instant;

use wharf_testkit::{Part, Sandbox};

const LIST: &str = include_str!("popular.txt");

/// A line of the list.
struct Line<'a> {
    name: &'a str,
    features: &'a str,
    is_compiled: bool,
}

fn lines() -> impl Iterator<Item = Line<'static>> {
    LIST.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(|line| {
        let (is_compiled, rest) = line.strip_prefix("+ ").map_or((false, line), |rest| (true, rest));
        let (name, features) = rest.split_once(' ').unwrap_or((rest, ""));
        Line { name, features, is_compiled }
    })
}

#[test]
fn the_list_is_long_enough() {
    let names: std::collections::BTreeSet<&str> = lines().map(|line| line.name).collect();
    assert_eq!(names.len(), lines().count(), "a name is there twice");
    assert!(names.len() >= 100);
    assert!(lines().filter(|line| line.is_compiled).count() >= 20);
}

/// `POPULAR="serde tokio"` in the environment takes these alone.
#[test]
#[ignore = "needs crates.io and many minutes"]
fn both_tools_agree() {
    let wanted = std::env::var("POPULAR").unwrap_or_default();
    let wanted: Vec<&str> = wanted.split_whitespace().collect();
    let world = Sandbox::new().with_wharf(env!("CARGO_BIN_EXE_wharf")).facing_crates_io();
    let mut different = Vec::new();
    for line in lines().filter(|line| wanted.is_empty() || wanted.contains(&line.name)) {
        let start = Instant::now();
        let told = compare(&world, &line);
        let seconds = start.elapsed().as_secs();
        if told.is_empty() {
            println!("ok    {} ({seconds}s)", line.name);
        } else {
            println!("DIFFER {} ({seconds}s)\n{told}", line.name);
            different.push(line.name);
        }
    }
    assert!(different.is_empty(), "the tools differ on {}", different.join(", "));
}

fn compare(world: &Sandbox, line: &Line<'_>) -> String {
    let features: Vec<String> =
        line.features.split(',').filter(|name| !name.is_empty()).map(|name| format!("\"{name}\"")).collect();
    let dependency = format!(
        "[dependencies]\n{} = {{ version = \"*\", features = [{}] }}",
        line.name,
        features.join(", ")
    );
    let project =
        world.project(&format!("uses-{}", line.name)).package(&dependency).file("src/lib.rs", "").build();
    let mut commands = vec![
        ("metadata --format-version 1", &[Part::Status, Part::Stdout, Part::Lockfile][..]),
        ("tree --edges all --target all", &[Part::Status, Part::Stdout]),
    ];
    if line.is_compiled {
        commands.push(("build", &Part::ALL));
    }
    let mut told = String::new();
    for (command, parts) in commands {
        // What an earlier package made of the same dependencies is no reason to call a compiler less.
        let _ = std::fs::remove_dir_all(world.root().join("wharf-home"));
        let both = project.both(command);
        let differences = both.differences(parts);
        if !differences.is_empty() {
            let stderr = &both.wharf.outcome.stderr;
            told.push_str(&format!("{command}\n{differences}--- stderr of wharf\n{stderr}\n"));
        }
    }
    told
}
