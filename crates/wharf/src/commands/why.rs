//! `why`

use wharf_ops::story::{Ending, Story, UnitStory};
use wharf_ops::{Failure, Result, settings};

use crate::cli::WhyArgs;
use crate::open::Opened;
use crate::session::Session;
use crate::shell::Verbosity;

/// How many units that were only put in place are listed unless everything is asked for.
const LISTED: usize = 10;

/// Tells what the last build did and why.
pub fn run(args: &WhyArgs, session: &Session) -> Result<()> {
    let opened = Opened::new(session, &args.manifest, args.target_dir.path.as_ref())?;
    let build_dir = settings::build_dir(&session.config, &opened.workspace)?;
    let mut story = Story::load(&build_dir)?;
    let is_chosen = args.package.is_some() || args.unit.is_some();
    story.units.retain(|unit| {
        args.package.as_ref().is_none_or(|name| unit.package == *name || unit.id.starts_with(name))
            && args.unit.as_ref().is_none_or(|text| unit.unit.contains(&**text) || unit.package == *text)
    });
    if story.units.is_empty() {
        return Err(Failure::new("the last build had no such unit")
            .help("without a name, `why` lists what the build did"));
    }
    if args.format == "json" {
        let text = serde_json::to_string(&story)
            .map_err(|error| Failure::new(format!("cannot write the story as JSON: {error}")))?;
        session.shell.out(text);
        return Ok(());
    }
    tell(&story, is_chosen || session.shell.verbosity() >= Verbosity::Verbose, session);
    Ok(())
}

fn tell(story: &Story, in_full: bool, session: &Session) {
    let counts = [
        (story.count(Ending::Built), "built"),
        (story.count(Ending::Failed), "failed"),
        (story.count(Ending::Restored), "from the store"),
        (story.count(Ending::Fresh), "in place"),
    ];
    let counts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    session.shell.out(format_args!("`{}`: {}", story.command.join(" "), counts.join(", ")));
    for unit in story.units.iter().filter(|unit| matches!(unit.outcome, Ending::Built | Ending::Failed)) {
        let word = if unit.outcome == Ending::Built { "built" } else { "failed" };
        line(word, unit, &format!(" in {}", seconds(unit.milliseconds)), session);
        for why in &unit.why {
            session.shell.out(format_args!("          {why}"));
        }
    }
    let most = if in_full { usize::MAX } else { LISTED };
    list(story, Ending::Restored, most, session);
    if in_full {
        list(story, Ending::Fresh, most, session);
    }
}

fn list(story: &Story, ending: Ending, most: usize, session: &Session) {
    let units: Vec<&UnitStory> = story.units.iter().filter(|unit| unit.outcome == ending).collect();
    let word = if ending == Ending::Fresh { "fresh" } else { "restored" };
    for unit in units.iter().take(most) {
        line(word, unit, &format!(", which took {} to make", seconds(unit.milliseconds)), session);
    }
    if units.len() > most {
        session.shell.out(format_args!("{word:<9} {} more: `-v` lists them", units.len() - most));
    }
}

fn line(word: &str, unit: &UnitStory, after: &str, session: &Session) {
    session.shell.out(format_args!("{word:<9} {} ({}){after}", unit.id, unit.unit));
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:02}s", milliseconds / 1000, milliseconds % 1000 / 10)
}
