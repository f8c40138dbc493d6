//! What `fix` does, for people.

use std::collections::HashSet;

use wharf_core::manifest::Edition;
use wharf_ops::fix::{Message, Spoilt};

use crate::shell::{Shell, Verbosity};

/// Where the way from one edition to the next is described.
const GUIDE: &str = "https://doc.rust-lang.org/edition-guide/editions/transitioning-an-existing-project-to-a-new-edition.html";

/// What was told already: several targets may begin with one file.
#[derive(Debug, Default)]
pub struct Fixes {
    told: HashSet<Message>,
    has_explained: bool,
}

impl Fixes {
    /// Shows one message.
    pub fn show(&mut self, message: Message, shell: &Shell) {
        let begins = matches!(message, Message::Migrating { .. } | Message::NothingNewer { .. });
        if begins && !self.told.insert(message.clone()) {
            return;
        }
        match message {
            Message::Fixing { file } if shell.verbosity() >= Verbosity::Verbose => {
                shell.status("Fixing", file)
            }
            Message::Fixing { .. } => {}
            Message::Migrating { file, from, to } => {
                let (from, to) = (from.as_str(), to.as_str());
                shell.status("Migrating", format!("{file} from {from} edition to {to}"));
            }
            Message::NothingNewer { file, edition } => self.nothing_newer(&file, edition, shell),
            Message::Fixed { file, fixes } => shell.status("Fixed", count(&file, fixes)),
            Message::NotApplied { file, reasons } => {
                shell.warn(format!(
                    "some suggestions for `{file}` could not be applied:\n  {}\n\
                     This may be a fault of the compiler: it suggests what contradicts itself. Once the other changes are \
                     committed, `fix` can be tried again.",
                    reasons.join("\n  ")
                ));
            }
            Message::Spoilt(spoilt) => tell_spoilt(&spoilt, shell),
        }
    }

    fn nothing_newer(&mut self, file: &str, edition: Edition, shell: &Shell) {
        let year = edition.as_str();
        shell.warn(format!("`{file}` is in edition {year}, and there is none after it yet"));
        if !std::mem::replace(&mut self.has_explained, true) {
            shell.help(format!(
                "to come from an earlier edition, let `edition` in `Cargo.toml` be that one, run `fix --edition`, and \
                 change it to \"{year}\" only then: {GUIDE}"
            ));
        }
    }
}

/// `src/lib.rs (2 fixes)`
pub fn count(file: &str, fixes: usize) -> String {
    format!("{file} ({fixes} {})", if fixes == 1 { "fix" } else { "fixes" })
}

fn tell_spoilt(spoilt: &Spoilt, shell: &Shell) {
    let Spoilt { name, files, said, end, stays } = spoilt;
    let outcome = match stays {
        true => "the files stay as they are now",
        false => "the files are again as they were",
    };
    let mut text = format!("what rustc suggested for crate `{name}` does not compile: {outcome}");
    if !files.is_empty() {
        text.push_str(&format!(
            "\n\nthe compiler complained of these files:\n\n  * {}\n",
            files.join("\n  * ")
        ));
    }
    shell.warn(text);
    if !said.is_empty() {
        shell.err("It said:");
    }
    for said in said {
        shell.err(said.trim_end_matches('\n'));
    }
    if let Some(end) = end {
        shell.err(format!("rustc exited abnormally: {end}"));
    }
    if !stays {
        shell.help("suggestions that do not compile are a fault of the compiler; `--broken-code` leaves them in the files");
    }
    shell.err("What it said of the files as they were:\n");
}
