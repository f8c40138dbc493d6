//! Which names a new package may have. Stricter than for packages that exist.

use wharf_core::PackageName;

use super::{Note, PackageKind};
use crate::failure::{Failure, Result};

/// Words of the language, reserved ones included (reference, "Keywords").
const KEYWORDS: &[&str] = &[
    "Self", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do",
    "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "if", "impl", "in", "let", "loop",
    "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static",
    "struct", "super", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual",
    "where", "while", "yield",
];

/// Directories that builds make beside programs.
const OUTPUT_DIRECTORIES: &[&str] = &["deps", "examples", "build", "incremental"];

/// Names of the standard library's crates.
const STANDARD: &[&str] = &["core", "std", "alloc", "proc_macro", "proc-macro"];

/// Names that no file can have on Windows.
fn is_windows_reserved(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let numbered =
        |prefix: &str| name.strip_prefix(prefix).is_some_and(|rest| matches!(rest.as_bytes(), [b'1'..=b'9']));
    ["con", "prn", "aux", "nul"].contains(&name.as_str()) || numbered("com") || numbered("lpt")
}

/// Checks the name of a new package.
pub(super) fn check(
    name: &str,
    is_from_directory: bool,
    kind: PackageKind,
    tell: &mut dyn FnMut(Note),
) -> Result<()> {
    let refuse = |reason: String, may_be_program: bool| {
        let failure = Failure::new(reason);
        match advice(name, is_from_directory, may_be_program && kind == PackageKind::Program) {
            Some(advice) => failure.help(advice),
            None => failure,
        }
    };
    let mut warn = |message: String| tell(Note::Warning(message));
    if let Err(error) = PackageName::new(name) {
        return Err(refuse(format!("invalid package name: {error}"), true));
    }
    let invalid = |reason: &str| format!("invalid package name `{name}`: {reason}");
    if KEYWORDS.contains(&name) {
        return Err(refuse(invalid("it is a Rust keyword"), true));
    }
    if OUTPUT_DIRECTORIES.contains(&name) {
        if kind == PackageKind::Program {
            return Err(refuse(invalid("it conflicts with cargo's build directory names"), false));
        }
        warn(format!(
            "package `{name}` will not support binary executables with that name, it conflicts with cargo's \
             build directory names"
        ));
    }
    if name == "test" {
        return Err(refuse(invalid("it conflicts with Rust's built-in test library"), true));
    }
    if STANDARD.contains(&name) {
        warn(format!(
            "package name `{name}` may be confused with the package with that name in Rust's standard library\n\
             It is recommended to use a different name to avoid problems."
        ));
    }
    if is_windows_reserved(name) {
        warn(format!(
            "package name `{name}` is a reserved Windows filename\nThis package will not work on Windows platforms."
        ));
    }
    if !name.is_ascii() {
        warn(format!(
            "invalid package name `{name}`: contains non-ASCII characters\nNon-ASCII crate names are not \
             supported by Rust."
        ));
    }
    let lower = name.to_lowercase();
    if name != lower {
        warn(format!(
            "package name `{name}` is not snake_case or kebab-case which is recommended for package names, \
             consider `{lower}`"
        ));
    }
    Ok(())
}

/// What can be done about a refused name.
fn advice(name: &str, is_from_directory: bool, may_be_program: bool) -> Option<String> {
    let mut advice = Vec::new();
    if is_from_directory {
        advice.push("to override the package name, pass `--name <pkgname>`".to_owned());
    }
    let is_crate_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "-_".contains(c));
    if may_be_program && is_crate_name {
        advice.push(format!(
            "to name only the binary `{name}`, choose another package name and put the source at `src/bin/{name}.rs`"
        ));
    }
    (!advice.is_empty()).then(|| advice.join("\n"))
}
