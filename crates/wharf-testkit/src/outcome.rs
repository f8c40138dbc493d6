//! What a program did, and the same without what differs from run to run.

use std::process::Output;

/// How a program ended and what it said.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The command line, for messages.
    pub command: String,
    /// The exit code; `None` when a signal ended it.
    pub status: Option<i32>,
    /// Standard output as text.
    pub stdout: String,
    /// Standard error as text.
    pub stderr: String,
    normaliser: Normaliser,
}

impl Outcome {
    pub(crate) fn new(command: String, output: Output, normaliser: Normaliser) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        Self { command, status: output.status.code(), stdout, stderr, normaliser }
    }

    /// Standard output without what differs from run to run.
    pub fn normal_stdout(&self) -> String {
        self.normaliser.apply(&self.stdout)
    }

    /// Standard error without what differs from run to run.
    pub fn normal_stderr(&self) -> String {
        self.normaliser.apply(&self.stderr)
    }

    /// Panics unless the exit code is 0.
    #[track_caller]
    pub fn succeeds(self) -> Self {
        self.exits_with(0)
    }

    /// Panics unless the exit code is `code`.
    #[track_caller]
    pub fn exits_with(self, code: i32) -> Self {
        assert_eq!(
            self.status,
            Some(code),
            "`{}` ended otherwise\n--- stdout\n{}\n--- stderr\n{}",
            self.command,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Panics unless standard error, normalised, holds `text`.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        let stderr = self.normal_stderr();
        assert!(stderr.contains(text), "`{}` did not say `{text}`, but:\n{stderr}", self.command);
        self
    }
}

/// Replaces paths of the sandbox, hashes and times.
#[derive(Clone, Debug, Default)]
pub struct Normaliser {
    /// Texts and what stands for them, longest first.
    replacements: Vec<(String, &'static str)>,
}

impl Normaliser {
    /// Replaces these texts, and hashes and times besides.
    pub fn new(mut replacements: Vec<(String, &'static str)>) -> Self {
        replacements.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        Self { replacements }
    }

    /// The text without what differs from run to run.
    pub fn apply(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (from, to) in &self.replacements {
            text = text.replace(from, to);
        }
        without_times(&without_hashes(&text))
    }
}

/// Puts `[HASH]` for every run of exactly 16 lower-case hex digits that begins after something else than a
/// letter or digit.
pub(crate) fn without_hashes(text: &str) -> String {
    const LENGTH: usize = 16;
    let is_hex = |letter: char| letter.is_ascii_digit() || ('a'..='f').contains(&letter);
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_hex) {
        let run = rest[start..].find(|letter: char| !is_hex(letter)).unwrap_or(rest.len() - start);
        let (end, before) = (start + run, rest[..start].chars().next_back());
        let after = rest[end..].chars().next();
        let apart = |side: Option<char>| side.is_none_or(|letter| !letter.is_alphanumeric());
        result.push_str(&rest[..start]);
        let hash = run == LENGTH && apart(before) && apart(after);
        result.push_str(if hash { "[HASH]" } else { &rest[start..end] });
        rest = &rest[end..];
    }
    result.push_str(rest);
    result
}

/// Puts `[TIME]` for durations such as `0.53s` and `1m 02s` that end a line or follow `in`.
fn without_times(text: &str) -> String {
    let line = |line: &str| match line.rfind(" in ") {
        Some(at) if is_time(&line[at + 4..]) => format!("{} in [TIME]", &line[..at]),
        _ => line.to_owned(),
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

fn is_time(text: &str) -> bool {
    let text = text.trim_end();
    text.ends_with('s')
        && text.starts_with(|first: char| first.is_ascii_digit())
        && text.chars().all(|letter| letter.is_ascii_digit() || "hms. ".contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_goes() {
        let normaliser = Normaliser::new(vec![("/t/x".into(), "[ROOT]"), ("/t/x/home".into(), "[HOME]")]);
        let check = |from: &str, to: &str| assert_eq!(normaliser.apply(from), to);
        check("/t/x/home/a /t/x/b", "[HOME]/a [ROOT]/b");
        check("libdep-0123456789abcdef.rlib", "libdep-[HASH].rlib");
        check(
            "0123456789abcdef0 0123456789abcde g0123456789abcdef",
            "0123456789abcdef0 0123456789abcde g0123456789abcdef",
        );
        check("Finished `dev` in 0.53s\nx", "Finished `dev` in [TIME]\nx");
        check("in 1m 02s", "in 1m 02s");
        check("done in 1m 02s", "done in [TIME]");
        check("born in styria", "born in styria");
    }
}
