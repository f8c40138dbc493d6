//! The `.d` files: rustc's, which tell what was read, and Cargo's, which lie beside finals for other build systems.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What one compiler call read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DepInfo {
    /// Files, as the compiler named them.
    pub files: Vec<PathBuf>,
    /// Variables (`env!`, `option_env!`) and the values that they had.
    pub env: Vec<(String, Option<String>)>,
}

/// Why a `.d` file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read dep-info of the compiler: {reason} in `{line}`")]
pub struct DepInfoError {
    reason: &'static str,
    line: String,
}

impl DepInfo {
    /// Reads what rustc wrote: make rules of which the first lists everything, spaces in names behind a
    /// backslash, and comments `# env-dep:NAME=value` with `\n`, `\r` and `\\` behind a backslash.
    ///
    /// # Errors
    /// An unknown or unfinished escape.
    pub fn parse(text: &str) -> Result<Self, DepInfoError> {
        let mut info = Self::default();
        let mut has_rule = false;
        for line in text.lines() {
            let fail = |reason| DepInfoError { reason, line: line.to_owned() };
            if let Some(rest) = line.strip_prefix("# env-dep:") {
                let (name, value) = match rest.split_once('=') {
                    Some((name, value)) => (name, Some(unescaped(value).map_err(fail)?)),
                    None => (rest, None),
                };
                info.env.push((unescaped(name).map_err(fail)?, value));
            } else if let (false, Some((_, files))) = (has_rule, line.split_once(": ")) {
                has_rule = true;
                let mut words = files.split_whitespace();
                while let Some(word) = words.next() {
                    let mut file = word.to_owned();
                    while file.ends_with('\\') {
                        file.pop();
                        file.push(' ');
                        file.push_str(words.next().ok_or_else(|| fail("a name ends with a backslash"))?);
                    }
                    info.files.push(PathBuf::from(file));
                }
            }
        }
        Ok(info)
    }
}

fn unescaped(text: &str) -> Result<String, &'static str> {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        out.push(match characters.next() {
            Some('\\') => '\\',
            Some('n') => '\n',
            Some('r') => '\r',
            Some(_) => return Err("unknown escape"),
            None => return Err("unfinished escape"),
        });
    }
    Ok(out)
}

/// One make rule: the final and everything that it was made of, absolute or relative to `base`.
pub(crate) fn rule(made: &Path, from: &BTreeSet<PathBuf>, base: Option<&Path>) -> String {
    let mut text = format!("{}:", name(made, base));
    for path in from {
        text.push(' ');
        text.push_str(&name(path, base));
    }
    text.push('\n');
    text
}

fn name(path: &Path, base: Option<&Path>) -> String {
    let path = base.and_then(|base| path.strip_prefix(base).ok()).unwrap_or(path);
    path.to_string_lossy().replace(' ', "\\ ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rules_and_variables() {
        let text = "/o/a.d: src/main.rs src/a\\ b.rs /abs/x.txt\n\n/o/a: src/main.rs\n\nsrc/main.rs:\n\n# env-dep:A=1\\n2\n# env-dep:B\n";
        let info = DepInfo::parse(text).unwrap();
        assert_eq!(info.files, ["src/main.rs", "src/a b.rs", "/abs/x.txt"].map(PathBuf::from));
        assert_eq!(info.env, [("A".to_owned(), Some("1\n2".to_owned())), ("B".to_owned(), None)]);
        assert!(DepInfo::parse("# env-dep:A=\\q\n").is_err());
    }

    #[test]
    fn writes_rules() {
        let from = ["/w/b c", "/x"].map(PathBuf::from).into();
        assert_eq!(rule(Path::new("/w/t/a"), &from, None), "/w/t/a: /w/b\\ c /x\n");
        assert_eq!(rule(Path::new("/w/t/a"), &from, Some(Path::new("/w"))), "t/a: b\\ c /x\n");
    }
}
