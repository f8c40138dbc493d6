//! `report`

use wharf_ops::future::Reports;
use wharf_ops::{Exit, Failure, Result, settings};

use crate::cli::{FutureArgs, ManifestOptions, ReportArgs, ReportCommand};
use crate::open::Opened;
use crate::session::Session;

/// What stands before every report on code that later compilers will refuse.
const INTRODUCTION: &str = "\
Packages of this build have code that compiles today and will be an error in a
later version of Rust, most often because it was never meant to be allowed.
Where a warning has a link, it leads to the reason and to what to write instead.
";

/// Shows what was found out earlier.
pub fn run(args: &ReportArgs, session: &Session) -> Result<()> {
    match &args.command {
        ReportCommand::FutureIncompatibilities(args) => future(args, session),
        ReportCommand::Timings(_) => refuse("timings"),
        ReportCommand::Sessions(_) => refuse("sessions"),
        ReportCommand::Rebuilds(_) => refuse("rebuilds"),
    }
}

fn future(args: &FutureArgs, session: &Session) -> Result<()> {
    let opened = Opened::new(session, &ManifestOptions::default(), None)?;
    let reports = Reports::load(&settings::build_dir(&session.config, &opened.workspace)?)?;
    let id = args.id.as_deref().map(number).transpose()?;
    let text = reports.text(id, args.package.as_deref())?;
    session.shell.out(INTRODUCTION);
    session.shell.out_raw(text.as_bytes());
    Ok(())
}

fn number(text: &str) -> Result<u32> {
    text.parse().map_err(|_| {
        Failure::new(format!("invalid value for `--id`: could not parse `{text}` as a number"))
            .exit(Exit::Usage)
    })
}

fn refuse(what: &str) -> Result<()> {
    let failure = Failure::new(format!(
        "the `report {what}` command is unstable, and only available on the nightly channel of Cargo"
    ));
    Err(match what {
        "rebuilds" => failure.help("`wharf why` tells why the last build built what it did"),
        "timings" => failure.help("`--timings` reports on the build that it is given to"),
        _ => failure,
    })
}
