//! One tool with a clone of the project and homes of its own.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::bench::measure::Sample;
use crate::tool::{self, Outcome};

/// Which tool.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Cargo,
    Wharf,
    /// `cargo` with `kache` before the compiler.
    Kache,
    /// `mbx`, which starts `cargo` with itself before the compiler.
    Mbx,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Cargo => "cargo",
            Kind::Wharf => "wharf",
            Kind::Kache => "kache",
            Kind::Mbx => "mbx",
        }
    }

    /// Whether it is a cache before cargo's compiler.
    pub fn is_cache(self) -> bool {
        matches!(self, Kind::Kache | Kind::Mbx)
    }
}

pub struct Place {
    kind: Kind,
    binary: PathBuf,
    directory: PathBuf,
    arguments: Vec<String>,
    /// The file that is touched and edited, in the project.
    edited: Option<PathBuf>,
}

impl Place {
    pub fn new(
        kind: Kind,
        binary: PathBuf,
        directory: PathBuf,
        arguments: Vec<String>,
        edited: Option<PathBuf>,
    ) -> Place {
        Place { kind, binary, directory, arguments, edited }
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn project(&self) -> PathBuf {
        self.directory.join("project")
    }

    fn second(&self) -> PathBuf {
        self.directory.join("second")
    }

    fn store(&self) -> PathBuf {
        self.directory.join("store")
    }

    pub fn lockfile(&self) -> Option<Vec<u8>> {
        std::fs::read(self.project().join("Cargo.lock")).ok()
    }

    fn command(&self, words: &[&str], is_second: bool) -> Command {
        let (home, checkout) =
            (self.directory.join("cargo-home"), if is_second { self.second() } else { self.project() });
        let mut command = tool::command(match self.kind {
            Kind::Kache => real_cargo(),
            _ => self.binary.clone(),
        });
        command.args(words);
        if matches!(words, ["build" | "check", ..]) {
            command.args(&self.arguments);
        }
        command
            .current_dir(&checkout)
            .env("CARGO_HOME", home)
            .env("CARGO_TARGET_DIR", checkout.join("target"));
        match self.kind {
            Kind::Cargo => &mut command,
            Kind::Wharf => command.env("WHARF_HOME", self.store()),
            Kind::Kache => command
                .env("RUSTC_WRAPPER", &self.binary)
                .env("KACHE_CACHE_DIR", self.store())
                .env("KACHE_LOCAL_ONLY", "1"),
            Kind::Mbx => command.env("MBX_CACHE_DIR", self.store()).env("MBX_DISPLAY", "plain"),
        };
        command
    }

    pub fn time(&self, words: &[&str], is_second: bool) -> Outcome<Sample> {
        let mut command = self.command(words, is_second);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
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
            return Err(format!("`{shown}` failed in `{}`: {status}", self.directory.display()));
        }
        Ok(Sample { wall, cpu: children_cpu().saturating_sub(cpu), memory })
    }

    /// The crates that are compiled, as the tool tells it.
    pub fn compiled(&self, words: &[&str], is_second: bool) -> Outcome<Vec<String>> {
        let mut command = self.command(words, is_second);
        let output = command
            .arg("-v")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("cannot run `{}`: {error}", tool::show(&command)))?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() {
            return Err(format!("`{}` failed\n{text}", tool::show(&command)));
        }
        let calls = text.lines().filter(|line| line.trim_start().starts_with("Running `"));
        let name = |line: &str| {
            line.split_once("--crate-name ")
                .and_then(|(_, rest)| rest.split_whitespace().next())
                .map(str::to_owned)
        };
        Ok(calls.filter_map(name).collect())
    }

    pub fn remove_lockfile(&self) -> Outcome {
        match std::fs::remove_file(self.project().join("Cargo.lock")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.to_string()),
            _ => Ok(()),
        }
    }

    /// Leaves the index and the archives to be downloaded again.
    pub fn forget_packages(&self) -> Outcome {
        tool::remove(&self.directory.join("cargo-home"))
    }

    fn edited(&self) -> Outcome<PathBuf> {
        let none = || {
            format!(
                "`{}` has no source that could be edited: name one with `--edit`",
                self.project().display()
            )
        };
        Ok(self.project().join(self.edited.as_ref().ok_or_else(none)?))
    }

    pub fn touch(&self) -> Outcome {
        let edited = self.edited()?;
        tool::write(&edited, &tool::read(&edited)?)
    }

    pub fn edit(&self, round: usize) -> Outcome {
        let edited = self.edited()?;
        let text = tool::read(&edited)?;
        tool::write(&edited, &format!("{text}\n#[doc(hidden)]\npub fn edit_{round}() {{}}\n"))
    }

    /// A comment comes, is built, and goes.
    pub fn comment_and_remove(&self, round: usize) -> Outcome {
        let edited = self.edited()?;
        let text = tool::read(&edited)?;
        tool::write(&edited, &format!("{text}\n// Round {round}.\n"))?;
        self.time(&["build"], false)?;
        tool::write(&edited, &text)
    }

    /// Another branch, on which a file differs, is built.
    pub fn switch_and_back(&self) -> Outcome {
        let edited = self.edited()?;
        let git = |words: &[&str]| tool::run(tool::command("git").args(words).current_dir(self.project()));
        let commit = "-c user.name=bench -c user.email=bench@localhost commit --quiet --all --message other";
        if git(&["show-ref", "--quiet", "refs/heads/bench-other"]).is_err() {
            git(&["checkout", "--quiet", "-B", "bench-one"])?;
            git(&["checkout", "--quiet", "-b", "bench-other"])?;
            let text = tool::read(&edited)?;
            tool::write(&edited, &format!("{text}\npub fn on_the_other_branch() {{}}\n"))?;
            git(&commit.split(' ').collect::<Vec<_>>())?;
        }
        git(&["checkout", "--quiet", "bench-other"])?;
        self.time(&["build"], false)?;
        git(&["checkout", "--quiet", "bench-one"])
    }

    /// A fresh clone beside the project.
    pub fn second_checkout(&self) -> Outcome {
        let checkout = self.second();
        tool::remove(&checkout)?;
        super::project::clone(&self.project(), &checkout)
    }

    /// Moves the second checkout aside; returns where it is now.
    pub fn keep_second_checkout(&self, number: usize) -> Outcome<PathBuf> {
        let goal = self.directory.join(format!("kept-{number}"));
        tool::remove(&goal)?;
        std::fs::rename(self.second(), &goal)
            .map_err(|error| format!("cannot move `{}`: {error}", self.second().display()))?;
        Ok(goal)
    }

    pub fn clean(&self) -> Outcome {
        tool::remove(&self.project().join("target"))?;
        tool::remove(&self.store())
    }

    /// The bytes on disk of all that is in target directories of checkouts, but not where people look. What is there by
    /// several names, in the store or in other checkouts, takes room once.
    pub fn intermediates(&self) -> Outcome<u64> {
        let mut script = String::new();
        for checkout in std::fs::read_dir(&self.directory).map_err(|error| error.to_string())?.flatten() {
            for part in ["deps", "build", "incremental"] {
                let directory = checkout.path().join("target/debug").join(part);
                if directory.is_dir() {
                    script.push_str(&format!(" '{}'", directory.display()));
                }
            }
        }
        let command = format!("du --bytes --summarize --total {script} | tail -n 1 | cut -f 1");
        let output =
            tool::command("sh").args(["-c", &command]).output().map_err(|error| error.to_string())?;
        String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse()
            .map_err(|_| format!("`{command}` told no number"))
    }
}

/// The cargo behind rustup's proxy, whose start is not cargo's fault.
pub fn real_cargo() -> PathBuf {
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
