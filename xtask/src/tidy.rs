//! What the compiler does not check: which crate may use which, and how files look.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::tool::{self, Outcome};

/// The edges that ARCHITECTURE.md draws. A new one is a decision, made here and there.
const EDGES: [(&str, &[&str]); 13] = [
    ("wharf-base", &[]),
    ("wharf-core", &[]),
    ("wharf-wire", &["wharf-core"]),
    ("wharf-resolve", &["wharf-core"]),
    ("wharf-exec", &["wharf-base"]),
    // base for values only: digests, relative paths, the environment of a child to come.
    ("wharf-plan", &["wharf-base", "wharf-core", "wharf-exec"]),
    ("wharf-sources", &["wharf-core", "wharf-wire", "wharf-base"]),
    (
        "wharf-ops",
        // wire for its message types: what is packaged is described in the protocol's words.
        &[
            "wharf-base",
            "wharf-wire",
            "wharf-core",
            "wharf-resolve",
            "wharf-sources",
            "wharf-plan",
            "wharf-exec",
        ],
    ),
    // wharf sees the executor for its event types only.
    ("wharf", &["wharf-ops", "wharf-core", "wharf-exec"]),
    ("wharf-server", &["wharf-core", "wharf-wire", "wharf-base", "wharf-resolve"]),
    ("wharf-testkit", &["wharf-core", "wharf-wire", "wharf-server"]),
    ("xtask", &[]),
    ("fuzz", &["wharf-core", "wharf-wire", "wharf-ops"]),
];
/// What tests may use besides: never a reason for an edge in the product.
const TEST_EDGES: &[&str] = &["wharf-testkit", "wharf-core", "wharf-wire", "wharf-base"];
/// Lines in a file beyond which it is time to split it.
const FILE_LINES: usize = 500;
/// What must not be left in a file. Spelled in halves, so that this file passes.
const WORDS: [&str; 4] =
    [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:"), concat!("/ro", "ot/")];

struct Findings {
    errors: Vec<String>,
    warnings: Vec<String>,
}

pub fn run() -> Outcome {
    let mut findings = Findings { errors: Vec::new(), warnings: Vec::new() };
    for package in packages()? {
        check_edges(&package, &mut findings)?;
        check_roots(&package, &mut findings);
    }
    for file in tracked()? {
        check_file(&file, &mut findings)?;
    }
    for warning in &findings.warnings {
        println!("warning: {warning}");
    }
    for error in &findings.errors {
        println!("error: {error}");
    }
    match findings.errors.len() {
        0 => Ok(()),
        number => Err(format!("tidy found {number} faults")),
    }
}

/// The directories of all packages whose edges are held.
fn packages() -> Outcome<Vec<PathBuf>> {
    let mut found = vec![tool::root().join("xtask"), tool::root().join("fuzz")];
    let crates = tool::root().join("crates");
    let entries =
        std::fs::read_dir(&crates).map_err(|error| format!("cannot read `{}`: {error}", crates.display()))?;
    found.extend(entries.flatten().map(|entry| entry.path()).filter(|path| path.join("Cargo.toml").exists()));
    found.sort();
    Ok(found)
}

fn check_edges(package: &Path, findings: &mut Findings) -> Outcome {
    let path = package.join("Cargo.toml");
    let manifest: toml::Table =
        tool::read(&path)?.parse().map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
    let name = manifest["package"]["name"].as_str().unwrap_or_default();
    let Some((_, allowed)) = EDGES.iter().find(|(known, _)| *known == name) else {
        findings.errors.push(format!("`{name}` is a new crate: give it its edges in xtask/src/tidy.rs"));
        return Ok(());
    };
    for table in ["dependencies", "build-dependencies", "dev-dependencies"] {
        let keys =
            manifest.get(table).and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys);
        for key in keys.filter(|key| *key == "wharf" || key.starts_with("wharf-")) {
            let test_only = table == "dev-dependencies" && TEST_EDGES.contains(&key.as_str());
            if !allowed.contains(&key.as_str()) && !test_only {
                findings
                    .errors
                    .push(format!("`{name}` must not know `{key}` ([{table}] of {})", shown(&path)));
            }
        }
    }
    Ok(())
}

/// A crate opens with what it does and what it must not know.
fn check_roots(package: &Path, findings: &mut Findings) {
    let roots = ["src/lib.rs", "src/main.rs"].map(|root| package.join(root));
    for root in roots.iter().filter(|root| root.exists()) {
        let opens = tool::read(root).is_ok_and(|text| text.starts_with("//!"));
        if !opens {
            findings.errors.push(format!("{} does not open with `//!`", shown(root)));
        }
    }
}

fn check_file(path: &Path, findings: &mut Findings) -> Outcome {
    // Foreign bytes are as they are.
    if path.components().any(|part| part.as_os_str() == "golden") {
        return Ok(());
    }
    let is_rust = path.extension().is_some_and(|extension| extension == "rs");
    let is_text =
        is_rust || path.extension().is_some_and(|extension| extension == "md" || extension == "toml");
    if !is_text {
        return Ok(());
    }
    let text = tool::read(path)?;
    for (number, line) in text.lines().enumerate() {
        let at = || format!("{}:{}", shown(path), number + 1);
        for word in WORDS.iter().filter(|word| line.contains(**word)) {
            findings.errors.push(format!("{}: `{word}`", at()));
        }
        if line.trim_end() != line && is_rust && !line.contains('"') {
            findings.errors.push(format!("{}: blanks at the end of the line", at()));
        }
        if is_rust && prints(line) && !may_print(path) {
            findings.errors.push(format!("{}: only wharf's reporters print", at()));
        }
    }
    let lines = text.lines().count();
    if is_rust && lines > FILE_LINES {
        findings
            .warnings
            .push(format!("{} has {lines} lines; {FILE_LINES} are enough for a file", shown(path)));
    }
    let is_test = path.file_name().is_some_and(|name| name == "tests.rs");
    if is_rust
        && !is_test
        && !text.starts_with("//!")
        && path.components().any(|part| part.as_os_str() == "src")
    {
        findings.warnings.push(format!("{} does not say what it is for (`//!`)", shown(path)));
    }
    Ok(())
}

/// Whether a line is a statement that prints.
fn prints(line: &str) -> bool {
    ["println!(", "eprintln!(", "print!(", "eprint!("]
        .iter()
        .any(|start| line.trim_start().starts_with(start))
}

fn may_print(path: &Path) -> bool {
    // Build scripts talk to the build system by printing; fixtures hold programs as text.
    const PLACES: [&str; 5] = [
        "xtask/",
        "samples/",
        "crates/wharf/src/shell/",
        "crates/wharf/src/report",
        "crates/wharf-testkit/src/fixtures",
    ];
    let path = shown(path);
    PLACES.iter().any(|place| path.starts_with(place))
        || path.contains("/tests/")
        || path.ends_with("/build.rs")
}

/// The files that git knows or would take.
fn tracked() -> Outcome<BTreeSet<PathBuf>> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output =
        tool::command("git").args(arguments).output().map_err(|error| format!("cannot run git: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let paths = text.split('\0').filter(|path| !path.is_empty()).map(|path| tool::root().join(path));
    Ok(paths.filter(|path| path.is_file()).collect())
}

fn shown(path: &Path) -> String {
    path.strip_prefix(tool::root()).unwrap_or(path).display().to_string()
}
