//! Runs `cargo` and `wharf` on equal copies of a project and compares what they did.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::calls::{Call, Recorder};
use crate::outcome::Outcome;
use crate::project::Project;
use crate::sandbox::Tool;

/// What can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The exit code.
    Status,
    /// Standard output, normalised; JSON lines are compared as values.
    Stdout,
    /// The files of the project, byte for byte: all but `Cargo.lock`, `target` and what begins with a dot.
    Sources,
    /// `Cargo.lock`, byte for byte.
    Lockfile,
    /// Names of the files that people use: those right in `target/<profile>/` and in its `examples/`.
    Finals,
    /// The compilers' command lines, as a set.
    Calls,
    /// The compilers' variables, as a set.
    Variables,
}

impl Part {
    /// Everything.
    pub const ALL: [Self; 7] = [
        Self::Status,
        Self::Stdout,
        Self::Sources,
        Self::Lockfile,
        Self::Finals,
        Self::Calls,
        Self::Variables,
    ];
}

/// What one tool did.
#[derive(Debug)]
pub struct Side {
    /// How it ended and what it said.
    pub outcome: Outcome,
    /// The files of the project after it, by their path.
    pub sources: BTreeMap<String, String>,
    /// The lockfile after it.
    pub lockfile: Option<String>,
    /// The files that people use, below `target`.
    pub finals: BTreeSet<String>,
    /// The compilers that it called.
    pub calls: Vec<Call>,
}

/// What both tools did.
#[derive(Debug)]
pub struct Both {
    /// The oracle.
    pub cargo: Side,
    /// The one under test.
    pub wharf: Side,
}

impl Both {
    pub(crate) fn run(project: &Project<'_>, arguments: &str) -> Self {
        let sandbox = project.sandbox();
        let original = sandbox.root().join("original");
        copy(project.directory(), &original);
        let recorder = Recorder::new(sandbox.root().join("recorder"));
        let words: Vec<&str> = arguments.split_whitespace().collect();
        let side = |tool| {
            let outcome = sandbox.run(tool, project.directory(), &words, &recorder.variables());
            let calls = recorder.take(&sandbox.normaliser(tool));
            let sources = sources(project.directory());
            let lockfile = std::fs::read_to_string(project.directory().join("Cargo.lock")).ok();
            let finals = finals(&project.directory().join("target"));
            // At the same path, so that paths in what the tools write need no excuse.
            std::fs::remove_dir_all(project.directory()).expect("the sandbox is writable");
            copy(&original, project.directory());
            Side { outcome, sources, lockfile, finals, calls }
        };
        let both = Self { cargo: side(Tool::Cargo), wharf: side(Tool::Wharf) };
        std::fs::remove_dir_all(&original).expect("the sandbox is writable");
        both
    }

    /// The differences in these parts, told for a person; empty when there are none.
    pub fn differences(&self, parts: &[Part]) -> String {
        let (cargo, wharf) = (&self.cargo, &self.wharf);
        let mut told = String::new();
        for part in parts {
            let (a, b) = match part {
                Part::Status => {
                    (vec![format!("{:?}", cargo.outcome.status)], vec![format!("{:?}", wharf.outcome.status)])
                }
                Part::Stdout => (lines(&cargo.outcome), lines(&wharf.outcome)),
                Part::Sources => (source_lines(&cargo.sources), source_lines(&wharf.sources)),
                Part::Lockfile => (text_lines(&cargo.lockfile), text_lines(&wharf.lockfile)),
                Part::Finals => {
                    (cargo.finals.iter().cloned().collect(), wharf.finals.iter().cloned().collect())
                }
                Part::Calls => (shown(&cargo.calls, Call::to_string), shown(&wharf.calls, Call::to_string)),
                Part::Variables => (shown(&cargo.calls, variables), shown(&wharf.calls, variables)),
            };
            if a == b {
                continue;
            }
            told.push_str(&format!("{part:?}\n"));
            told.extend(a.iter().filter(|line| !b.contains(line)).map(|line| format!("  cargo: {line}\n")));
            told.extend(b.iter().filter(|line| !a.contains(line)).map(|line| format!("  wharf: {line}\n")));
        }
        told
    }

    /// Panics when the two differ in one of these parts.
    #[track_caller]
    pub fn same(self, parts: &[Part]) -> Self {
        let told = self.differences(parts);
        assert!(
            told.is_empty(),
            "`{}` and `{}` differ\n{told}--- stderr of cargo\n{}\n--- stderr of wharf\n{}",
            self.cargo.outcome.command,
            self.wharf.outcome.command,
            self.cargo.outcome.stderr,
            self.wharf.outcome.stderr
        );
        self
    }
}

fn lines(outcome: &Outcome) -> Vec<String> {
    let value = |line: &str| match serde_json::from_str::<serde_json::Value>(line) {
        // Printed with sorted keys: their order carries no meaning.
        Ok(value) if value.is_object() => format!("{value:#}").lines().map(str::to_owned).collect(),
        _ => vec![line.to_owned()],
    };
    outcome.normal_stdout().lines().flat_map(value).collect()
}

fn text_lines(text: &Option<String>) -> Vec<String> {
    text.iter().flat_map(|text| text.split('\n')).map(str::to_owned).collect()
}

fn source_lines(sources: &BTreeMap<String, String>) -> Vec<String> {
    let lines = |(path, text): (&String, &String)| -> Vec<String> {
        text.split('\n').map(|line| format!("{path}: {line}")).collect()
    };
    sources.iter().flat_map(lines).collect()
}

fn shown(calls: &[Call], show: impl Fn(&Call) -> String) -> Vec<String> {
    let mut shown: Vec<String> = calls.iter().map(show).collect();
    shown.sort();
    shown
}

fn variables(call: &Call) -> String {
    let pairs: Vec<String> = call.variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join(" ")
}

/// The files that people wrote, or could have.
fn sources(project: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut pending = vec![project.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if name.starts_with('.') || name == "target" || name == "Cargo.lock" {
                continue;
            }
            if path.is_dir() {
                pending.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap_or_default();
                let below = path.strip_prefix(project).expect("the walk stays below").display().to_string();
                found.insert(below, String::from_utf8_lossy(&bytes).into_owned());
            }
        }
    }
    found
}

/// The files right in each profile's directory and in `examples`, for the host and for each target; names with
/// a hash are intermediate.
fn finals(target: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut pending: Vec<(PathBuf, usize)> = vec![(target.to_owned(), 0)];
    while let Some((directory, depth)) = pending.pop() {
        for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            let intermediate = ["deps", "build", "incremental", "tmp", "doc"].contains(&name.as_str());
            if name.starts_with('.') || intermediate {
                continue;
            }
            if path.is_dir() {
                if depth < 3 {
                    pending.push((path, depth + 1));
                }
            } else if depth > 0 {
                let below = path.strip_prefix(target).expect("the walk stays below").display().to_string();
                if crate::outcome::without_hashes(&below) == below {
                    found.insert(below);
                }
            }
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("the sandbox is writable");
    for entry in std::fs::read_dir(from).expect("the project is readable") {
        let entry = entry.expect("the project is readable");
        let (source, goal) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().expect("the project is readable");
        if kind.is_dir() {
            copy(&source, &goal);
        } else if kind.is_symlink() {
            #[cfg(unix)]
            std::os::unix::fs::symlink(std::fs::read_link(&source).expect("a link can be read"), &goal)
                .expect("the sandbox is writable");
        } else {
            std::fs::copy(&source, &goal).expect("the sandbox is writable");
        }
    }
}
