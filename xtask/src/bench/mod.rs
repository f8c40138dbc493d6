//! Times wharf against cargo, and caches that stand before cargo's compiler: in turn, several rounds, medians. Numbers
//! from different runs are never compared.

use std::path::{Path, PathBuf};

use crate::tool::{self, Outcome};

mod measure;
mod place;
mod project;

use measure::{Sample, row};
use place::{Kind, Place};
use project::Project;

const USAGE: &str = "\
Usage: cargo xtask bench [SCENARIO]… [--rounds N] [--members N] [--project DIRECTORY] [--edit FILE] [--wharf BINARY]
                         [--kache BINARY] [--mbx BINARY] [--write] [-- ARGUMENTS]

Scenarios: noop check metadata lock fetch touch edit comment branch cold worktree worktrees
           (default: all; lock and fetch need the network)
  --rounds N           rounds of each scenario (default 7)
  --members N          members of the generated workspace (default 500)
  --project DIRECTORY  measure on a clone of this repository instead of the projects that belong to the scenarios
  --edit FILE          the file of the project that is touched and edited
  --wharf BINARY       use this wharf instead of building one in release
  --kache BINARY       measure cargo with this kache, too, in scenarios about caching
  --mbx BINARY         the same for mbx
  --write              write docs/benchmarks.md
  ARGUMENTS            what else `build` is told in a project that was given
";

/// Something that the tools are timed at.
struct Scenario {
    name: &'static str,
    project: Project,
    /// What brings everything into the state that the scenario starts from, once.
    warm: &'static [&'static str],
    command: &'static [&'static str],
    /// Where the command is given.
    at: Checkout,
    /// Whether it says something about caches that stand before a compiler.
    about_caches: bool,
    /// Brings the project into the state that is wanted, before every single run.
    prepare: fn(&Place, round: usize) -> Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Checkout {
    First,
    Second,
}

const BUILD: Scenario = Scenario {
    name: "noop",
    project: Project::Generated,
    warm: &["build"],
    command: &["build"],
    at: Checkout::First,
    about_caches: false,
    prepare: |_, _| Ok(()),
};

const METADATA: &[&str] = &["metadata", "--format-version", "1"];

const SCENARIOS: [Scenario; 12] = [
    BUILD,
    Scenario { name: "check", warm: &["check"], command: &["check"], ..BUILD },
    Scenario { name: "metadata", warm: METADATA, command: METADATA, ..BUILD },
    Scenario {
        name: "lock",
        project: Project::Popular,
        warm: &["generate-lockfile"],
        command: &["generate-lockfile", "--offline"],
        prepare: |place, _| place.remove_lockfile(),
        ..BUILD
    },
    Scenario {
        name: "fetch",
        project: Project::Own,
        warm: &["fetch", "--locked"],
        command: &["fetch", "--locked"],
        prepare: |place, _| place.forget_packages(),
        ..BUILD
    },
    Scenario { name: "touch", prepare: |place, _| place.touch(), ..BUILD },
    Scenario { name: "edit", prepare: |place, round| place.edit(round), ..BUILD },
    Scenario { name: "comment", prepare: |place, round| place.comment_and_remove(round), ..BUILD },
    Scenario { name: "branch", prepare: |place, _| place.switch_and_back(), ..BUILD },
    Scenario {
        name: "cold",
        project: Project::Own,
        warm: &["fetch"],
        about_caches: true,
        prepare: |place, _| place.clean(),
        ..BUILD
    },
    Scenario {
        name: "worktree",
        project: Project::Own,
        at: Checkout::Second,
        about_caches: true,
        prepare: |place, _| place.second_checkout(),
        ..BUILD
    },
    Scenario {
        name: "worktrees",
        project: Project::Own,
        at: Checkout::Second,
        prepare: |place, _| place.second_checkout(),
        ..BUILD
    },
];

pub fn run(words: &[String]) -> Outcome {
    let Some(options) = Options::parse(words)? else {
        print!("{USAGE}");
        return Ok(());
    };
    let wharf = match &options.wharf {
        Some(wharf) => wharf.clone(),
        None => tool::build_wharf(true)?,
    };
    let mut tools = vec![(Kind::Cargo, place::real_cargo()), (Kind::Wharf, wharf)];
    tools.extend(options.kache.clone().map(|binary| (Kind::Kache, binary)));
    tools.extend(options.mbx.clone().map(|binary| (Kind::Mbx, binary)));
    let mut text = String::new();
    let chosen = SCENARIOS.iter().filter(|scenario| {
        options.wanted.is_empty() || options.wanted.iter().any(|name| name == scenario.name)
    });
    let mut last: Option<(Project, Vec<Place>)> = None;
    for scenario in chosen {
        let places = match last.take().filter(|(project, _)| *project == scenario.project) {
            Some((_, places)) => places,
            None => {
                let places = tools.iter().map(|tool| options.place(scenario.project, tool));
                places.collect::<Outcome<Vec<_>>>()?
            }
        };
        let rows = match scenario.name {
            "worktrees" => many_worktrees(scenario, &places)?,
            _ => measure_scenario(scenario, &places, options.rounds)?,
        };
        print!("{rows}");
        text.push_str(&rows);
        last = Some((scenario.project, places));
    }
    let table = format!("{}{text}", measure::header(tools.iter().map(|(kind, _)| kind.name())));
    println!("\n{table}");
    if options.write {
        let command = format!("cargo xtask bench {}", words.join(" "));
        let page = format!(
            "# Benchmarks\n\nMedians of {} rounds, the tools in turn, in one run of `{}`.\n\n{table}",
            options.rounds,
            command.trim_end()
        );
        tool::write(&tool::root().join("docs/benchmarks.md"), &page)?;
    }
    Ok(())
}

struct Options {
    wanted: Vec<String>,
    rounds: usize,
    members: usize,
    project: Option<PathBuf>,
    edit: Option<PathBuf>,
    wharf: Option<PathBuf>,
    kache: Option<PathBuf>,
    mbx: Option<PathBuf>,
    write: bool,
    arguments: Vec<String>,
}

impl Options {
    fn parse(words: &[String]) -> Outcome<Option<Self>> {
        let mut options = Self {
            wanted: Vec::new(),
            rounds: 7,
            members: 500,
            project: None,
            edit: None,
            wharf: None,
            kache: None,
            mbx: None,
            write: false,
            arguments: Vec::new(),
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
            let number = |text: &String| text.parse::<usize>().map_err(|error| format!("`{text}`: {error}"));
            match word.as_str() {
                "--help" => return Ok(None),
                "--rounds" => options.rounds = number(value()?)?.max(1),
                "--members" => options.members = number(value()?)?.max(1),
                "--project" => options.project = Some(value()?.into()),
                "--edit" => options.edit = Some(value()?.into()),
                "--wharf" => options.wharf = Some(value()?.into()),
                "--kache" => options.kache = Some(value()?.into()),
                "--mbx" => options.mbx = Some(value()?.into()),
                "--write" => options.write = true,
                "--" => options.arguments = words.by_ref().cloned().collect(),
                name if SCENARIOS.iter().any(|scenario| scenario.name == name) => {
                    options.wanted.push(name.to_owned());
                }
                other => return Err(format!("unknown argument `{other}`\n{USAGE}")),
            }
        }
        Ok(Some(options))
    }

    /// A clone of the project for one of the tools.
    fn place(&self, project: Project, (kind, binary): &(Kind, PathBuf)) -> Outcome<Place> {
        let directory = tool::scratch().join("bench").join(kind.name());
        tool::remove(&directory)?;
        let goal = directory.join("project");
        let mut arguments = self.arguments.clone();
        match (&self.project, project) {
            (Some(source), _) => project::clone(source, &goal)?,
            (None, Project::Generated) => project::generate(&goal, self.members)?,
            (None, Project::Popular) => project::popular(&goal)?,
            (None, Project::Own) => {
                project::clone(&tool::root(), &goal)?;
                arguments = ["--locked", "--package", "wharf-sources"].map(str::to_owned).to_vec();
            }
        }
        let edited = match &self.edit {
            Some(file) => Some(file.clone()),
            None => project::edited_file(&goal),
        };
        Ok(Place::new(*kind, binary.clone(), directory, arguments, edited))
    }
}

impl Scenario {
    fn time(&self, place: &Place) -> Outcome<Sample> {
        place.time(self.command, self.at == Checkout::Second)
    }
}

/// Runs a scenario and renders its rows of the table.
fn measure_scenario(scenario: &Scenario, places: &[Place], rounds: usize) -> Outcome<String> {
    let is_measured = |place: &Place| scenario.about_caches || !place.kind().is_cache();
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); places.len()];
    for place in places.iter().filter(|place| is_measured(place)) {
        place.time(scenario.warm, false)?;
    }
    for round in 0..rounds {
        for (place, samples) in places.iter().zip(&mut samples).filter(|(place, _)| is_measured(place)) {
            (scenario.prepare)(place, round)?;
            samples.push(scenario.time(place)?);
        }
    }
    let lockfiles: Vec<_> = places.iter().filter(|place| is_measured(place)).map(Place::lockfile).collect();
    if lockfiles.windows(2).any(|pair| pair[0] != pair[1]) {
        return Err(format!("the tools have left different lockfiles after `{}`", scenario.name));
    }
    let medians: Vec<Option<Sample>> = samples.iter().map(|samples| measure::median(samples)).collect();
    let mut rows = String::new();
    for (what, unit, value) in measure::FIGURES {
        let values: Vec<Option<f64>> = medians.iter().map(|sample| sample.as_ref().map(value)).collect();
        rows.push_str(&row(scenario.name, what, unit, &values));
    }
    if scenario.command == ["build"] || scenario.command == ["check"] {
        rows.push_str(&compiler_calls(scenario, places, rounds)?);
    }
    Ok(rows)
}

/// Runs a scenario once more for each tool that says what it compiles.
fn compiler_calls(scenario: &Scenario, places: &[Place], round: usize) -> Outcome<String> {
    let mut counts = Vec::new();
    let mut names = String::new();
    for place in places {
        if place.kind().is_cache() {
            counts.push(None);
            continue;
        }
        (scenario.prepare)(place, round)?;
        let calls = place.compiled(scenario.command, scenario.at == Checkout::Second)?;
        if place.kind() == Kind::Wharf && (1..=20).contains(&calls.len()) {
            names = format!("wharf compiled: {}\n", calls.join(", "));
        }
        counts.push(Some(measure::count(calls.len())));
    }
    print!("{names}");
    Ok(row(scenario.name, "compiler calls", "", &counts))
}

/// How much room ten checkouts take, besides what lies where people look.
fn many_worktrees(scenario: &Scenario, places: &[Place]) -> Outcome<String> {
    let mut rows = String::new();
    for place in places.iter().filter(|place| place.kind() == Kind::Wharf) {
        place.time(scenario.warm, false)?;
        let one = place.intermediates()?;
        let mut directories = Vec::new();
        for number in 0..9 {
            place.second_checkout()?;
            scenario.time(place)?;
            directories.push(place.keep_second_checkout(number)?);
        }
        let ten = place.intermediates()?;
        #[expect(clippy::cast_precision_loss, reason = "a ratio with two decimals")]
        let ratio = ten as f64 / one.max(1) as f64;
        rows.push_str(&format!(
            "ten checkouts of `{}`: intermediates take {ten} bytes, those of one {one}: {ratio:.2} times\n",
            place.project().display()
        ));
        for directory in directories {
            tool::remove(Path::new(&directory))?;
        }
    }
    Ok(rows)
}
