//! Only what can be had back is changed: sources must be in version control, and what is in them committed.

use wharf_base::process::{self, Command};

use crate::config::Config;
use crate::failure::{Context, Failure, Result};
use crate::new::is_in_repository;

/// What `fix` may do all the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allowed {
    /// `--allow-no-vcs`
    pub no_vcs: bool,
    /// `--allow-dirty`; staged changes are allowed then as well.
    pub dirty: bool,
    /// `--allow-staged`
    pub staged: bool,
}

/// What git says of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Change {
    path: String,
    /// Whether all of it is in the index.
    is_staged: bool,
}

/// Refuses to go on where changes could not be told from the user's own, or not be taken back.
///
/// # Errors
/// If there is no version control around the current directory, or something is not committed, unless that is allowed.
pub fn check_version_control(config: &Config, allowed: Allowed) -> Result<()> {
    if allowed.no_vcs {
        return Ok(());
    }
    if !is_in_repository(config.cwd(), config) {
        return Err(Failure::new(
            "`fix` changes sources, and these are in no version control that could bring them back",
        )
        .help("`--allow-no-vcs` does it all the same"));
    }
    if allowed.dirty {
        return Ok(());
    }
    let mut changes = uncommitted(config)?;
    changes.retain(|change| !(change.is_staged && allowed.staged));
    if changes.is_empty() {
        return Ok(());
    }
    // What is worse comes first.
    changes.sort_by_key(|change| change.is_staged);
    let lines: Vec<String> = changes
        .iter()
        .map(|Change { path, is_staged }| {
            format!("  * {path} ({})", if *is_staged { "staged" } else { "dirty" })
        })
        .collect();
    let advice = match changes.iter().all(|change| change.is_staged) {
        true => "commit them, or let `--allow-staged` do it all the same",
        false => "commit them, or let `--allow-dirty` do it all the same",
    };
    Err(Failure::new(format!(
        "`fix` changes sources, and what is not committed could not be brought back:\n\n{}\n",
        lines.join("\n")
    ))
    .help(advice))
}

/// Everything in the repository around the current directory that differs from the commit. Of other systems than git
/// nothing is asked.
fn uncommitted(config: &Config) -> Result<Vec<Change>> {
    let in_git = config.cwd().ancestors().find(|above| above.join(".git").exists());
    let Some(root) = in_git else { return Ok(Vec::new()) };
    let mut command = Command::new("git")
        .args(["status", "--porcelain", "-z", "--no-renames", "--untracked-files=normal"])
        .cwd(root)
        .env("GIT_OPTIONAL_LOCKS", "0");
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env.remove(name);
    }
    let output = process::run(&command)
        .context(|| format!("cannot ask git for the status of `{}`", root.display()))?;
    Ok(changes(&String::from_utf8_lossy(&output.stdout)))
}

/// Reads `git status --porcelain -z`: two letters for index and work tree, a blank, and the path.
fn changes(status: &str) -> Vec<Change> {
    let entries = status.split('\0').filter_map(|entry| entry.split_at_checked(3));
    let change = |(letters, path): (&str, &str)| Change {
        path: path.to_owned(),
        is_staged: matches!(letters.as_bytes(), [b'A' | b'M' | b'D' | b'R' | b'T' | b'C', b' ', b' ']),
    };
    entries.map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_says() {
        let said = changes("A  src/new.rs\0 M src/lib.rs\0MM both.rs\0?? a b/\0AA merge.rs\0UU other.rs\0");
        let told: Vec<(&str, bool)> =
            said.iter().map(|change| (change.path.as_str(), change.is_staged)).collect();
        let dirty = ["src/lib.rs", "both.rs", "a b/", "merge.rs", "other.rs"].map(|path| (path, false));
        assert_eq!(told, [&[("src/new.rs", true)][..], &dirty[..]].concat());
        assert!(changes("").is_empty());
    }
}
