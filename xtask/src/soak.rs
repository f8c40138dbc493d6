//! What takes too long for every change: real packages of crates.io and whole repositories, built and tested by wharf
//! and by cargo; a hundred packages on which lockfile, metadata, tree and compiler calls must be equal; and Wharf
//! built in release by a Wharf that it built itself.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::tool::{self, Outcome};

const USAGE: &str = "\
Usage: cargo xtask soak [WHAT]… [--wharf BINARY]
       cargo xtask soak repository DIRECTORY [--wharf BINARY] [-- COMMAND…]

  PACKAGE     build a package of the list and run its tests under both tools
  popular     compare lockfile, metadata, tree and compiler calls of a hundred packages
  kill        kill builds at two hundred moments; what comes after must be right
  self        have Wharf build itself twice in release, each time with an empty store; both must be the same
  repository  run a command (default: `test`) in a clone of a repository under both tools; what it tells must be the same
  --wharf BINARY  use this wharf instead of building one in release

Default: all packages, popular, kill and self.
";

/// What is built, by name and version, and with which arguments.
const PACKAGES: [(&str, &str, &[&str]); 6] = [
    ("ripgrep", "15.1.0", &[]),
    ("fd-find", "10.3.0", &[]),
    ("hyperfine", "1.19.0", &[]),
    ("tokei", "12.1.2", &[]),
    // Bundled C.
    ("libsqlite3-sys", "0.35.0", &["--features", "bundled"]),
    // Its default features want libclang.
    ("zstd-sys", "2.0.16+zstd.1.5.7", &["--no-default-features", "--features", "legacy,zdict_builder"]),
];

/// Everything, or what is named.
pub fn run(words: &[String]) -> Outcome {
    let mut wanted = words.to_vec();
    let mut binary = None;
    if let Some(at) = words.iter().position(|word| word == "--wharf") {
        binary = Some(PathBuf::from(words.get(at + 1).ok_or("`--wharf` needs a value")?));
        wanted.drain(at..at + 2);
    }
    let names = PACKAGES.map(|(name, ..)| name);
    let known = |word: &String| names.contains(&&**word) || ["popular", "kill", "self"].contains(&&**word);
    let is_repository = wanted.first().is_some_and(|word| word == "repository");
    if !is_repository && !wanted.iter().all(known) {
        return Err(format!("one of `{}` is not known\n{USAGE}", wanted.join(" ")));
    }
    let wharf = match binary {
        Some(binary) => binary,
        None => tool::build_wharf(true)?,
    };
    if is_repository {
        return repository(&wharf, &wanted[1..]);
    }
    packages(&wharf, &wanted)
}

fn packages(wharf: &Path, wanted: &[String]) -> Outcome {
    let mut failures = Vec::new();
    for (name, version, arguments) in PACKAGES {
        if !wanted.is_empty() && !wanted.iter().any(|word| word == name) {
            continue;
        }
        let directory = tool::scratch().join("soak").join(name);
        tool::source_of(name, version, &directory)?;
        match compare(wharf, arguments, &directory) {
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
    if wanted.is_empty() || wanted.iter().any(|word| word == "kill") {
        let mut command = tool::command("cargo");
        command.args(["test", "--package", "wharf", "--test", "at_once", "--", "killed_at_any_moment"]);
        if let Err(reason) = tool::run(command.env("WHARF_KILLS", "200")) {
            println!("FAIL  kill: {reason}");
            failures.push("kill");
        }
    }
    if wanted.is_empty() || wanted.iter().any(|word| word == "self") {
        match itself(wharf) {
            Ok(()) => println!("ok    self: the same program twice"),
            Err(reason) => {
                println!("FAIL  self: {reason}");
                failures.push("self");
            }
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(format!("{} failed", failures.join(", "))) }
}

/// Wharf builds Wharf, and that one builds it again: with the same result, each with an empty store.
fn itself(wharf: &Path) -> Outcome {
    let base = tool::scratch().join("soak/self");
    tool::remove(&base)?;
    let target = base.join("target");
    let mut builder = wharf.to_owned();
    let mut made = Vec::new();
    for name in ["first", "second"] {
        // At the same places, which programs may name, and empty.
        let home = base.join("home");
        tool::remove(&target)?;
        tool::remove(&home)?;
        let mut build = tool::command(&builder);
        build.args(["build", "--release", "--package", "wharf", "--package", "wharf-server"]);
        build.env("WHARF_HOME", &home).env("CARGO_TARGET_DIR", &target);
        tool::run(&mut build)?;
        tool::make(&base.join(name))?;
        let mut programs = Vec::new();
        for program in ["wharf", "wharf-server"] {
            let path = target.join("release").join(program);
            let copy = base.join(name).join(program);
            std::fs::copy(&path, &copy)
                .map_err(|error| format!("cannot copy `{}`: {error}", path.display()))?;
            programs.push(copy);
        }
        builder = programs[0].clone();
        made.push(programs);
    }
    for (first, second) in made[0].iter().zip(&made[1]) {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))
        };
        if read(first)? != read(second)? {
            return Err(format!("`{}` and `{}` differ", first.display(), second.display()));
        }
    }
    Ok(())
}

/// Runs a command in a checkout under both tools: `test` unless another is given.
fn repository(wharf: &Path, words: &[String]) -> Outcome {
    let [source, rest @ ..] = words else { return Err(format!("no directory is given\n{USAGE}")) };
    let arguments: Vec<String> = match rest {
        [] => vec!["test".to_owned()],
        [dashes, command @ ..] if dashes == "--" => command.to_vec(),
        _ => return Err(USAGE.to_owned()),
    };
    let source = Path::new(source);
    let run = |tool: &Path, name: &str| -> Outcome<Output> {
        let directory = tool::scratch().join("soak/repository").join(name);
        let project = directory.join("project");
        tool::remove(&directory)?;
        tool::make(&directory)?;
        // What is committed, without what earlier builds left there.
        tool::run(tool::command("git").args(["clone", "--quiet"]).arg(source).arg(&project))?;
        let mut command = tool::command(tool);
        command.current_dir(&project).args(&arguments).env("CARGO_TARGET_DIR", directory.join("target"));
        command.env("WHARF_HOME", directory.join("home"));
        command.output().map_err(|error| format!("cannot run `{}`: {error}", tool::show(&command)))
    };
    let (ours, theirs) = (run(wharf, "wharf")?, run(Path::new("cargo"), "cargo")?);
    let passed = alike(&ours, &theirs)?;
    println!(
        "ok    {} `{}`: exit {:?}, {passed} tests pass under both",
        source.display(),
        arguments.join(" "),
        ours.status.code()
    );
    Ok(())
}

/// How many tests pass under both tools, or what differs.
fn compare(wharf: &Path, arguments: &[&str], directory: &Path) -> Outcome<usize> {
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
    alike(&ours, &theirs)
}

/// How many tests pass in both runs, or what differs.
fn alike(ours: &Output, theirs: &Output) -> Outcome<usize> {
    let (our_results, their_results) = (results(ours), results(theirs));
    if ours.status.code() != theirs.status.code() || our_results != their_results {
        let only = |a: &[String], b: &[String]| {
            a.iter().filter(|line| !b.contains(line)).map(|line| format!("\n    {line}")).collect::<String>()
        };
        return Err(format!(
            "exit {:?} under wharf and {:?} under cargo\n  only wharf:{}\n  only cargo:{}\n{}",
            ours.status.code(),
            theirs.status.code(),
            only(&our_results, &their_results),
            only(&their_results, &our_results),
            String::from_utf8_lossy(&ours.stderr)
        ));
    }
    Ok(our_results.iter().filter(|line| line.ends_with("... ok")).count())
}

/// The lines `test name ... outcome`, sorted: threads report in any order. Doc tests in generated files have the
/// file's path in their names, which tells the tool's directory and the unit's digest.
fn results(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| line.starts_with("test ") && line.contains(" ... "))
        .map(|line| match line.split_once("/build/").and_then(|(_, unit)| unit.split_once("/out/")) {
            Some((_, generated)) => format!("test {generated}"),
            None => line.to_owned(),
        })
        .collect();
    lines.sort();
    lines
}
