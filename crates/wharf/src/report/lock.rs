//! Changes of the lockfile as status lines.

use wharf_ops::lock_changes::{ChangeKind, LockChanges, LockLine};

use crate::shell::{Shell, Verbosity};

/// Shows the headline and every line but those of packages that stayed.
pub fn show(changes: &LockChanges, shell: &Shell) {
    if let Some(locking) = &changes.locking {
        shell.status("Locking", locking);
    }
    let is_verbose = shell.verbosity() >= Verbosity::Verbose;
    for line in &changes.lines {
        if line.kind != ChangeKind::Unchanged || is_verbose {
            show_line(line, shell);
        }
    }
}

/// The same for `update`, with a hint at what could be asked next.
pub fn show_update(changes: &LockChanges, shell: &Shell) {
    show(changes, shell);
    if shell.verbosity() >= Verbosity::Verbose {
        shell.note("to see how you depend on a package, run `cargo tree --invert <dep>@<ver>`");
    } else if changes.behind > 0 {
        shell
            .note(format!("pass `--verbose` to see {} unchanged dependencies behind latest", changes.behind));
    }
}

fn show_line(line: &LockLine, shell: &Shell) {
    let LockLine { kind, text, note } = line;
    let text = match note {
        Some(note) => format!("{text} {note}"),
        None => text.clone(),
    };
    match kind {
        ChangeKind::Added | ChangeKind::Upgraded => shell.status(kind.word(), text),
        ChangeKind::Removed | ChangeKind::Downgraded => shell.status_warning(kind.word(), text),
        ChangeKind::Unchanged => shell.status_note(kind.word(), text),
    }
}
