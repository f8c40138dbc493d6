//! Code that later compilers will refuse, for people.

use wharf_ops::future::{Finding, Kept, keep, newer_versions};

use crate::open::Opened;
use crate::session::Session;
use crate::settings::compile::Settled;

/// Keeps what a build found, and tells of it: in full if that is wanted, else in a few words, unless the configuration
/// wants none.
pub fn tell(findings: &[Finding<'_>], opened: &Opened, settled: &Settled, session: &Session) {
    let shell = &session.shell;
    let in_full = settled.future_report;
    if findings.is_empty() {
        if in_full {
            shell.note("no package has code that later versions of Rust are known to refuse");
        }
        return;
    }
    let program = session.program().name();
    let newer = newer_versions(&session.config, opened.workspace.loader(), findings);
    let (kept, written) = keep(&settled.request.settings.build_dir, findings, &newer, program);
    if let Err(failure) = written {
        shell.warn_failure("the report on code that later compilers will refuse could not be kept", &failure);
    }
    // Broken configuration is told by whoever depends on it.
    let is_wanted = session.config.misc().map_or(true, |misc| misc.future_incompat_report);
    if !in_full && !is_wanted {
        return;
    }
    let Kept { id, packages, advice } = kept;
    let packages: Vec<String> = packages.iter().map(ToString::to_string).collect();
    shell.warn(format!("a later version of Rust will refuse code in: {}", packages.join(", ")));
    let command = format!("`{program} report future-incompatibilities --id {id}`");
    if in_full {
        advice.iter().for_each(|advice| shell.help(advice));
        shell.note(format!("{command} shows what was found"));
    } else {
        shell
            .note(format!("{command} shows what was found, and `--future-incompat-report` what can be done"));
    }
}
