//! Times wharf against cargo: in turn, several rounds, medians. Numbers from different runs are never compared.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::tool::{self, Outcome};

const USAGE: &str = "\
Usage: cargo xtask bench [SCENARIO]… [--rounds N] [--members N] [--project DIRECTORY] [--wharf BINARY] [--write]

Scenarios: noop metadata lock fetch touch edit cold worktree (default: all; lock and fetch need the network)
  --rounds N           rounds of each scenario (default 7)
  --members N          members of the generated workspace (default 500)
  --project DIRECTORY  measure on a copy of this project instead of those that belong to the scenarios
  --wharf BINARY       use this wharf instead of building one in release
  --write              write docs/benchmarks.md
";

/// Something that both tools are timed at.
struct Scenario {
    name: &'static str,
    project: Project,
    /// What brings everything into the state that the scenario starts from, once.
    warm: &'static [&'static str],
    arguments: &'static [&'static str],
    /// Brings the project into the state that is wanted, before every single run.
    prepare: fn(&Place, round: usize) -> Outcome,
}

/// What is worked on, unless another project is given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Project {
    /// A generated workspace of many small members.
    Generated,
    /// One package that depends on a hundred popular ones, which makes a graph of many hundreds.
    Popular,
    /// This repository.
    Own,
}

const SCENARIOS: [Scenario; 8] = [
    Scenario {
        name: "noop",
        project: Project::Generated,
        warm: &["build"],
        arguments: &["build"],
        prepare: |_, _| Ok(()),
    },
    Scenario {
        name: "metadata",
        project: Project::Generated,
        warm: &["metadata", "--format-version", "1"],
        arguments: &["metadata", "--format-version", "1"],
        prepare: |_, _| Ok(()),
    },
    Scenario {
        name: "lock",
        project: Project::Popular,
        warm: &["generate-lockfile"],
        arguments: &["generate-lockfile", "--offline"],
        prepare: |place, _| place.remove_lockfile(),
    },
    Scenario {
        name: "fetch",
        project: Project::Own,
        warm: &["fetch", "--locked"],
        arguments: &["fetch", "--locked"],
        prepare: |place, _| place.forget_packages(),
    },
    Scenario {
        name: "touch",
        project: Project::Generated,
        warm: &["build"],
        arguments: &["build"],
        prepare: |place, _| place.touch(),
    },
    Scenario {
        name: "edit",
        project: Project::Generated,
        warm: &["build"],
        arguments: &["build"],
        prepare: |place, round| place.edit(round),
    },
    Scenario {
        name: "cold",
        project: Project::Own,
        warm: &["fetch", "--locked"],
        arguments: &["build", "--locked", "--package", "wharf-sources"],
        prepare: |place, _| place.clean(),
    },
    Scenario {
        name: "worktree",
        project: Project::Own,
        warm: &["build", "--locked", "--package", "wharf-sources"],
        arguments: &[
            "build",
            "--locked",
            "--package",
            "wharf-sources",
            "--manifest-path",
            "../worktree/Cargo.toml",
            "--target-dir",
            "../worktree/target",
        ],
        prepare: |place, _| place.second_checkout(),
    },
];

/// One tool with a copy of the project and homes of its own.
struct Place {
    binary: PathBuf,
    project: PathBuf,
    cargo_home: PathBuf,
    wharf_home: PathBuf,
    /// The file that `touch` and `edit` change.
    edited: Option<PathBuf>,
}

#[derive(Clone, Copy, Default)]
struct Sample {
    wall: Duration,
    /// User and system time of the tool and its children.
    cpu: Duration,
    /// Peak memory of the tool's own process, KiB.
    memory: u64,
}

pub fn run(words: &[String]) -> Outcome {
    let Some(options) = Options::parse(words)? else {
        print!("{USAGE}");
        return Ok(());
    };
    let wharf = match &options.wharf {
        Some(wharf) => wharf.clone(),
        None => tool::build_wharf(true)?,
    };
    let binaries = [("cargo", real_cargo()), ("wharf", wharf)];
    let mut table = String::from("| scenario | | cargo | wharf | ratio |\n|---|---|---|---|---|\n");
    let chosen = SCENARIOS.iter().filter(|scenario| {
        options.wanted.is_empty() || options.wanted.iter().any(|name| name == scenario.name)
    });
    let mut last: Option<(Project, [Place; 2])> = None;
    for scenario in chosen {
        let places = match last.take().filter(|(project, _)| *project == scenario.project) {
            Some((_, places)) => places,
            None => {
                let [cargo, wharf] = &binaries;
                [options.place(scenario.project, cargo)?, options.place(scenario.project, wharf)?]
            }
        };
        let rows = measure(scenario, &places, options.rounds)?;
        print!("{rows}");
        table.push_str(&rows);
        last = Some((scenario.project, places));
    }
    println!("{table}");
    if options.write {
        let command = format!("cargo xtask bench {}", words.join(" "));
        let text = format!(
            "# Benchmarks\n\nMedians of {} rounds, the tools in turn, in one run of `{}`.\n\n{table}",
            options.rounds,
            command.trim_end()
        );
        tool::write(&tool::root().join("docs/benchmarks.md"), &text)?;
    }
    Ok(())
}

struct Options {
    wanted: Vec<String>,
    rounds: usize,
    members: usize,
    project: Option<PathBuf>,
    wharf: Option<PathBuf>,
    write: bool,
}

impl Options {
    fn parse(words: &[String]) -> Outcome<Option<Self>> {
        let mut options =
            Self { wanted: Vec::new(), rounds: 7, members: 500, project: None, wharf: None, write: false };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
            let number = |text: &String| text.parse::<usize>().map_err(|error| format!("`{text}`: {error}"));
            match word.as_str() {
                "--help" => return Ok(None),
                "--rounds" => options.rounds = number(value()?)?.max(1),
                "--members" => options.members = number(value()?)?.max(1),
                "--project" => options.project = Some(value()?.into()),
                "--wharf" => options.wharf = Some(value()?.into()),
                "--write" => options.write = true,
                name if SCENARIOS.iter().any(|scenario| scenario.name == name) => {
                    options.wanted.push(name.to_owned());
                }
                other => return Err(format!("unknown argument `{other}`\n{USAGE}")),
            }
        }
        Ok(Some(options))
    }
}

impl Options {
    /// A copy of the project for one of the tools.
    fn place(&self, project: Project, (name, binary): &(&str, PathBuf)) -> Outcome<Place> {
        let directory = tool::scratch().join("bench").join(name);
        tool::remove(&directory)?;
        let goal = directory.join("project");
        match (&self.project, project) {
            (Some(source), _) => tool::copy(source, &goal)?,
            (None, Project::Generated) => generate(&goal, self.members)?,
            (None, Project::Popular) => popular(&goal)?,
            (None, Project::Own) => tool::clone(&goal)?,
        }
        Ok(Place {
            binary: binary.clone(),
            edited: edited_file(&goal),
            project: goal,
            cargo_home: directory.join("cargo-home"),
            wharf_home: directory.join("wharf-home"),
        })
    }
}

/// Runs a scenario and renders its rows of the table.
fn measure(scenario: &Scenario, places: &[Place; 2], rounds: usize) -> Outcome<String> {
    let mut samples: [Vec<Sample>; 2] = [Vec::new(), Vec::new()];
    for place in places {
        place.time(scenario.warm)?;
    }
    for round in 0..rounds {
        for (place, samples) in places.iter().zip(&mut samples) {
            (scenario.prepare)(place, round)?;
            samples.push(place.time(scenario.arguments)?);
        }
    }
    let lockfiles = places.each_ref().map(|place| std::fs::read(place.project.join("Cargo.lock")).ok());
    if lockfiles[0] != lockfiles[1] {
        return Err(format!("the tools have left different lockfiles after `{}`", scenario.name));
    }
    let [cargo, wharf] = samples.map(|samples| Sample {
        wall: median(samples.iter().map(|sample| sample.wall)),
        cpu: median(samples.iter().map(|sample| sample.cpu)),
        memory: median(samples.iter().map(|sample| sample.memory)),
    });
    let mut rows = String::new();
    let mut row = |what: &str, cargo: f64, wharf: f64, unit: &str| {
        let ratio = if cargo > 0.0 { format!("{:.2}", wharf / cargo) } else { "–".to_owned() };
        rows.push_str(&format!(
            "| {} | {what} | {cargo:.1} {unit} | {wharf:.1} {unit} | {ratio} |\n",
            scenario.name
        ));
    };
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    row("wall", ms(cargo.wall), ms(wharf.wall), "ms");
    row("cpu", ms(cargo.cpu), ms(wharf.cpu), "ms");
    #[expect(clippy::cast_precision_loss, reason = "megabytes with one decimal")]
    row("peak memory", cargo.memory as f64 / 1024.0, wharf.memory as f64 / 1024.0, "MiB");
    Ok(rows)
}

fn median<T: Ord + Copy>(values: impl Iterator<Item = T>) -> T {
    let mut sorted: Vec<T> = values.collect();
    sorted.sort();
    sorted[sorted.len() / 2]
}

impl Place {
    fn time(&self, arguments: &[&str]) -> Outcome<Sample> {
        let mut command: Command = tool::command(&self.binary);
        command
            .args(arguments)
            .current_dir(&self.project)
            .env("CARGO_HOME", &self.cargo_home)
            .env("WHARF_HOME", &self.wharf_home)
            .env("CARGO_TARGET_DIR", self.project.join("target"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let shown = tool::show(&command);
        let fail = |error: std::io::Error| format!("cannot run `{shown}`: {error}");
        let (cpu, start) = (children_cpu(), Instant::now());
        let mut child = command.spawn().map_err(fail)?;
        let status_file = format!("/proc/{}/status", child.id());
        let mut memory = 0;
        let status = loop {
            // The kernel keeps the peak, so looking now and then is enough for anything that takes a while.
            memory = peak_memory(&status_file).unwrap_or(memory);
            match child.try_wait().map_err(fail)? {
                Some(status) => break status,
                None => std::thread::sleep(Duration::from_micros(500)),
            }
        };
        let wall = start.elapsed();
        if !status.success() {
            return Err(format!("`{shown}` failed in `{}`: {status}", self.project.display()));
        }
        Ok(Sample { wall, cpu: children_cpu().saturating_sub(cpu), memory })
    }

    fn remove_lockfile(&self) -> Outcome {
        match std::fs::remove_file(self.project.join("Cargo.lock")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.to_string()),
            _ => Ok(()),
        }
    }

    /// Leaves the index and the archives to be downloaded again.
    fn forget_packages(&self) -> Outcome {
        tool::remove(&self.cargo_home)
    }

    fn edited(&self) -> Outcome<&Path> {
        let none = || format!("`{}` has no source that could be edited", self.project.display());
        self.edited.as_deref().ok_or_else(none)
    }

    fn touch(&self) -> Outcome {
        let edited = self.edited()?;
        tool::write(edited, &tool::read(edited)?)
    }

    fn edit(&self, round: usize) -> Outcome {
        let edited = self.edited()?;
        let text = tool::read(edited)?;
        tool::write(edited, &format!("{text}\n#[doc(hidden)]\npub fn edit_{round}() {{}}\n"))
    }

    /// A fresh clone beside the project.
    fn second_checkout(&self) -> Outcome {
        let checkout = self.project.with_file_name("worktree");
        tool::remove(&checkout)?;
        tool::clone(&checkout)
    }

    fn clean(&self) -> Outcome {
        tool::remove(&self.project.join("target"))?;
        tool::remove(&self.wharf_home)
    }
}

/// The cargo behind rustup's proxy, whose start is not cargo's fault.
fn real_cargo() -> PathBuf {
    let found = tool::command("rustup").args(["which", "cargo"]).output();
    let path = found
        .ok()
        .filter(|output| output.status.success())
        .map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    path.unwrap_or_else(|| "cargo".into())
}

/// User and system time of all children that have ended, in ticks of 10 ms.
fn children_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is the program's name in parentheses and may hold blanks; `cutime` and `cstime` are the
    // 16th and 17th of all.
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks: u64 =
        after.split_whitespace().skip(13).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// The highest resident size so far, KiB.
fn peak_memory(status_file: &str) -> Option<u64> {
    let text = std::fs::read_to_string(status_file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

/// A workspace in which every member uses up to three earlier ones.
fn generate(project: &Path, members: usize) -> Outcome {
    tool::write(&project.join("Cargo.toml"), "[workspace]\nresolver = \"3\"\nmembers = [\"m*\"]\n")?;
    for member in 0..members {
        let used: Vec<usize> = [member / 2, member / 3, member.saturating_sub(1)]
            .into_iter()
            .filter(|other| *other < member)
            .collect();
        let mut manifest = format!(
            "[package]\nname = \"m{member}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n"
        );
        let mut source = format!("pub fn value() -> u64 {{\n    {member}\n");
        let mut seen = Vec::new();
        for other in used {
            if !seen.contains(&other) {
                seen.push(other);
                manifest.push_str(&format!("m{other} = {{ path = \"../m{other}\" }}\n"));
                source.push_str(&format!("        + m{other}::value() % 7\n"));
            }
        }
        source.push_str("}\n");
        tool::write(&project.join(format!("m{member}/Cargo.toml")), &manifest)?;
        tool::write(&project.join(format!("m{member}/src/lib.rs")), &source)?;
    }
    Ok(())
}

/// A package that depends on all that the comparison of popular packages has.
fn popular(project: &Path) -> Outcome {
    let list = tool::read(&tool::root().join("crates/wharf/tests/popular.txt"))?;
    let names = list.lines().filter(|line| !line.starts_with('#'));
    let mut manifest = String::from(
        "[package]\nname = \"popular\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n",
    );
    for name in names.filter_map(|line| line.trim_start_matches('+').split_whitespace().next()) {
        manifest.push_str(&format!("{name} = \"*\"\n"));
    }
    tool::write(&project.join("Cargo.toml"), &format!("{manifest}\n[workspace]\n"))?;
    tool::write(&project.join("src/lib.rs"), "")
}

/// The file that `touch` and `edit` change: a member in the middle of a generated workspace, else the root.
fn edited_file(project: &Path) -> Option<PathBuf> {
    let candidates = ["m50/src/lib.rs", "m0/src/lib.rs", "src/lib.rs", "src/main.rs"];
    candidates.iter().map(|candidate| project.join(candidate)).find(|path| path.exists())
}
