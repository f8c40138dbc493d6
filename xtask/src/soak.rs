//! Real packages of crates.io, built and tested by wharf and by cargo; their tests must end alike. And under the
//! word `popular`: a hundred packages on which lockfile, metadata, tree and compiler calls must be equal.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::tool::{self, Outcome};

/// What is built, by name and version.
const PACKAGES: [(&str, &str); 6] = [
    ("ripgrep", "15.1.0"),
    ("fd-find", "10.3.0"),
    ("hyperfine", "1.19.0"),
    ("tokei", "12.1.2"),
    // Bundled C.
    ("libsqlite3-sys", "0.35.0"),
    ("zstd-sys", "2.0.16+zstd.1.5.7"),
];

/// Everything, or what is named.
pub fn run(wanted: &[String]) -> Outcome {
    let wharf = tool::build_wharf(true)?;
    let mut failures = Vec::new();
    for (name, version) in PACKAGES {
        if !wanted.is_empty() && !wanted.iter().any(|word| word == name) {
            continue;
        }
        let directory = tool::scratch().join("soak").join(name);
        tool::source_of(name, version, &directory)?;
        match compare(&wharf, name, &directory) {
            Ok(passed) => println!("ok    {name} {version}: {passed} tests pass under both"),
            Err(reason) => {
                println!("FAIL  {name} {version}: {reason}");
                failures.push(name);
            }
        }
    }
    if wanted.is_empty() || wanted.iter().any(|word| word == "popular") {
        let arguments =
            ["test", "--package", "wharf", "--test", "popular", "--", "--include-ignored", "--nocapture"];
        if let Err(reason) = tool::run(tool::command("cargo").args(arguments)) {
            println!("FAIL  popular: {reason}");
            failures.push("popular");
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(format!("{} failed", failures.join(", "))) }
}

/// How many tests pass under both tools, or what differs.
fn compare(wharf: &Path, name: &str, directory: &Path) -> Outcome<usize> {
    let arguments: &[&str] = if name == "libsqlite3-sys" { &["--features", "bundled"] } else { &[] };
    let run = |tool: PathBuf, target: &str, verb: &str| -> Outcome<Output> {
        let mut command = tool::command(&tool);
        let target = directory.join(target);
        command.current_dir(directory).arg(verb).args(arguments).env("CARGO_TARGET_DIR", &target);
        command.output().map_err(|error| format!("cannot run `{}`: {error}", tool::show(&command)))
    };
    let built = run(wharf.to_owned(), "target-wharf", "build")?;
    if !built.status.success() {
        return Err(format!("wharf cannot build it\n{}", String::from_utf8_lossy(&built.stderr)));
    }
    let ours = run(wharf.to_owned(), "target-wharf", "test")?;
    let theirs = run("cargo".into(), "target-cargo", "test")?;
    let (our_results, their_results) = (results(&ours), results(&theirs));
    if ours.status.code() != theirs.status.code() || our_results != their_results {
        let only = |a: &[String], b: &[String]| {
            a.iter().filter(|line| !b.contains(line)).map(|line| format!("\n    {line}")).collect::<String>()
        };
        return Err(format!(
            "exit {:?} under wharf and {:?} under cargo\n  only wharf:{}\n  only cargo:{}",
            ours.status.code(),
            theirs.status.code(),
            only(&our_results, &their_results),
            only(&their_results, &our_results)
        ));
    }
    Ok(our_results.iter().filter(|line| line.ends_with("... ok")).count())
}

/// The lines `test name ... outcome`, sorted: threads report in any order.
fn results(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| line.starts_with("test ") && line.contains(" ... "))
        .map(str::to_owned)
        .collect();
    lines.sort();
    lines
}
