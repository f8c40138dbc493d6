//! `search`

use wharf_ops::connect::{ApiToken, Found};
use wharf_ops::publish::registry::source_of;
use wharf_ops::workspace::Places;
use wharf_ops::{Context, Result};

use super::package::registry;
use crate::cli::SearchArgs;
use crate::open::Opened;
use crate::session::Session;
use crate::shell::Shell;
use crate::shell::style::{GOOD, HELP};

/// How many results registries give at most.
const MOST: u32 = 100;
/// How many results are shown when nothing is said.
const USUAL: u32 = 10;

/// Searches a registry for packages.
pub fn run(args: &SearchArgs, session: &Session) -> Result<()> {
    let limit = args.limit.unwrap_or(USUAL).min(MOST);
    let query = args.query.join(" ");
    let opened = Opened::bare(session, &Places::default())?;
    let registry = source_of(opened.workspace.loader(), registry(&args.registry, session)?.as_ref())?;
    let api = opened.sources.api(&registry, ApiToken::IfRequired)?;
    opened.sources.release();
    let found =
        api.search(&query, limit).context(|| format!("cannot search the registry at {}", api.host()))?;
    show(&found, &query, &session.shell);
    let left = found.meta.total.saturating_sub(limit);
    if left > 0 {
        let more = match (limit < MOST, registry.is_crates_io()) {
            (true, _) => " (use --limit N to see more)".to_owned(),
            (false, true) => " (go to https://crates.io/search to see more)".to_owned(),
            (false, false) => String::new(),
        };
        session.shell.out(format!("... and {left} crates more{more}"));
    }
    if found.meta.total > 0 {
        session.shell.note(format!("to learn more about a package, run `{HELP}cargo info <name>{HELP:#}`"));
    }
    Ok(())
}

/// One line for each package, what was looked for in colour.
fn show(found: &Found, query: &str, shell: &Shell) {
    let entry = |name: &str, version: &str| format!("{name} = \"{version}\"");
    let lines: Vec<_> = found
        .crates
        .iter()
        .map(|found| (entry(&found.name, &found.max_version), found.description.as_deref()))
        .collect();
    let margin = lines.iter().map(|(entry, _)| entry.len()).max().unwrap_or(0) + 4;
    let width = 128_usize.saturating_sub(margin).max(80);
    for (entry, description) in lines {
        let line = match description {
            Some(text) => format!("{entry: <margin$}# {}", shortened(&text.replace('\n', " "), width)),
            None => entry,
        };
        shell.out(match query {
            "" => line,
            _ => line.replace(query, &format!("{GOOD}{query}{GOOD:#}")),
        });
    }
}

/// Text that is cut where it reaches a width, in characters.
fn shortened(text: &str, width: usize) -> String {
    match text.char_indices().nth(width - 1) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn long_text_is_cut() {
        assert_eq!(shortened("abc", 4), "abc");
        assert_eq!(shortened("abcd", 4), "abc…");
        assert_eq!(shortened("äöüß", 3), "äö…");
    }
}
