//! From what the compiler wrote to other source text.

use std::collections::{BTreeMap, HashSet};

use rustfix::diagnostics::Diagnostic;
use rustfix::{CodeFix, Error, Filter, Suggestion};

/// What became of one text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Applied {
    /// The new text, if anything could be applied.
    pub text: Option<String>,
    /// How many suggestions were.
    pub fixes: usize,
    /// Why others could not be.
    pub conflicts: Vec<String>,
}

/// The diagnostics among what a compiler wrote.
pub(super) fn diagnostics(written: &str) -> impl Iterator<Item = Diagnostic> {
    written.lines().filter(|line| line.starts_with('{')).filter_map(|line| serde_json::from_str(line).ok())
}

/// The suggestions by file, in the compiler's order. One that would change several files is left out: they cannot be
/// changed together.
pub(super) fn by_file(written: &str, everything: bool) -> BTreeMap<String, Vec<Suggestion>> {
    let filter = if everything { Filter::Everything } else { Filter::MachineApplicableOnly };
    let any_lint = HashSet::<String>::new();
    let mut found: BTreeMap<String, Vec<Suggestion>> = BTreeMap::new();
    for diagnostic in diagnostics(written) {
        let Some(suggestion) = rustfix::collect_suggestions(&diagnostic, &any_lint, filter) else { continue };
        let replacements = suggestion.solutions.iter().flat_map(|solution| &solution.replacements);
        let files: HashSet<&String> = replacements.map(|it| &it.snippet.file_name).collect();
        if let [file] = files.into_iter().collect::<Vec<_>>().as_slice() {
            found.entry((*file).clone()).or_default().push(suggestion);
        }
    }
    found
}

/// Applies what can be applied. From the last to the first, as the compiler's tests do: of two that overlap, the later
/// one wins.
pub(super) fn apply(text: &str, suggestions: &[Suggestion]) -> Applied {
    let mut fix = CodeFix::new(text);
    let mut applied = Applied::default();
    for suggestion in suggestions.iter().rev() {
        match fix.apply(suggestion) {
            Ok(()) => applied.fixes += 1,
            // A macro's body is suggested to be changed once for every place where it is used.
            Err(Error::AlreadyReplaced { is_identical: true, .. }) => {}
            Err(conflict) => applied.conflicts.push(conflict.to_string()),
        }
    }
    if fix.modified() {
        match fix.finish() {
            Ok(text) => applied.text = Some(text),
            // A span that ends within a character: the compiler saw another text.
            Err(error) => {
                applied = Applied { conflicts: vec![error.to_string()], ..Applied::default() };
            }
        }
    }
    applied
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A diagnostic that suggests to put `new` into the place of some bytes of some files.
    fn suggests(replacements: &[(&str, usize, usize, &str)], applicability: &str) -> String {
        let spans: Vec<serde_json::Value> = replacements
            .iter()
            .map(|(file, start, end, new)| {
                serde_json::json!({
                    "file_name": file, "byte_start": start, "byte_end": end, "line_start": 1, "line_end": 1,
                    "column_start": start + 1, "column_end": end + 1, "is_primary": true, "text": [],
                    "suggested_replacement": new, "suggestion_applicability": applicability,
                })
            })
            .collect();
        let child = serde_json::json!({
            "message": "try this", "code": null, "level": "help", "spans": spans, "children": [],
        });
        serde_json::json!({
            "$message_type": "diagnostic", "message": "oh", "code": null, "level": "warning", "spans": [],
            "children": [child], "rendered": "oh",
        })
        .to_string()
    }

    fn applied(text: &str, written: &str) -> Applied {
        apply(text, &by_file(written, false)["a.rs"])
    }

    #[test]
    fn suggestions_are_applied_once() {
        let one = suggests(&[("a.rs", 4, 8, "")], "MachineApplicable");
        let twice = format!("not json\n{one}\n{one}\n");
        let want = Applied { text: Some("let x;\r\n".into()), fixes: 1, conflicts: Vec::new() };
        assert_eq!(applied("let mut x;\r\n", &twice), want);
    }

    #[test]
    fn overlapping_ones_wait() {
        let written = [
            suggests(&[("a.rs", 0, 3, "x")], "MachineApplicable"),
            suggests(&[("a.rs", 2, 4, "y")], "MachineApplicable"),
        ];
        let got = applied("abcd", &written.join("\n"));
        assert_eq!((got.text.as_deref(), got.fixes, got.conflicts.len()), (Some("aby"), 1, 1));
    }

    #[test]
    fn guesses_and_several_files_are_left_out() {
        let guess = suggests(&[("a.rs", 0, 1, "x")], "MaybeIncorrect");
        assert!(by_file(&guess, false).is_empty());
        assert_eq!(by_file(&guess, true).len(), 1);
        let wide = suggests(&[("a.rs", 0, 1, "x"), ("b.rs", 0, 1, "x")], "MachineApplicable");
        assert!(by_file(&wide, false).is_empty());
    }

    #[test]
    fn a_torn_character_is_no_text() {
        let torn = suggests(&[("a.rs", 0, 1, "")], "MachineApplicable");
        let got = applied("é", &torn);
        assert_eq!((got.text, got.fixes, got.conflicts.len()), (None, 0, 1));
    }
}
