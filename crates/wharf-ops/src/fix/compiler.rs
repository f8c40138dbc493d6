//! In the compiler's place: runs it, applies what it suggests, and runs it again.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use wharf_base::fs;
use wharf_base::process::{self, Command, Output};
use wharf_core::manifest::Edition;

use super::Task;
use super::message::{Message, Spoilt};
use super::suggestions::{self, Applied};
use crate::failure::{Context, Failure, Result};

/// The one edition whose idioms the compiler has suggestions for.
const IDIOMATIC: Edition = Edition::E2018;
/// How compilers end on errors, and on errors of their own.
const USUAL_ENDS: [i32; 2] = [1, 101];

/// What the parent is to see of the compiler.
pub struct Ended {
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
    /// The status to end with.
    pub code: i32,
}

/// Fixes the crate that a compiler is called for; `words` is its command line, from the program on, and `task` the file
/// of the task.
///
/// # Errors
/// If it cannot be called, or a file cannot be written.
pub fn fix_crate(task: &Path, words: &[OsString], tell: &mut dyn FnMut(&Message)) -> Result<Ended> {
    let call = Call::read(words)?;
    let lock = fs::open(task)?;
    let task = &Task::read(task)?;
    let cwd = std::env::current_dir().context(|| "cannot find the current directory".to_owned())?;
    // Where there are no locks it is left to chance, as in other programs there.
    lock.lock().ok();
    let wants_fixes = call.begin(task, tell);
    let command = call.command(task);
    let mut session = Session { task, cwd, command, files: BTreeMap::new() };
    if !wants_fixes {
        return Ok(Ended::of(session.compile()?));
    }
    let (first, last) = session.work()?;
    session.tell_conflicts(tell);
    session.end(&call, (first, last), tell)
}

/// A call of the compiler, as far as it matters here.
struct Call {
    words: Vec<OsString>,
    crate_name: String,
    source: String,
    edition: Edition,
}

impl Call {
    fn read(words: &[OsString]) -> Result<Call> {
        let text = |at: usize| words.get(at).map(|word| word.to_string_lossy().into_owned());
        let after = |flag: &str| words.iter().position(|word| word == flag).and_then(|at| text(at + 1));
        let is_edition = |word: &OsString| word.to_string_lossy().starts_with("--edition=");
        let edition = words.iter().position(is_edition);
        let year = edition.and_then(text).unwrap_or_default();
        let edition_named = Edition::parse(year.trim_start_matches("--edition="));
        // The source file stands after the edition in every call that is planned.
        let source = edition.and_then(|at| text(at + 1));
        match (after("--crate-name"), source, edition_named) {
            (Some(crate_name), Some(source), Some(edition)) => {
                Ok(Call { words: words.to_vec(), crate_name, source, edition })
            }
            _ => Err(Failure::new("this is no call of the compiler in which something could be fixed")),
        }
    }

    /// Tells what is to come of it; whether there is anything to apply.
    fn begin(&self, task: &Task, tell: &mut dyn FnMut(&Message)) -> bool {
        let file = self.source.clone();
        if !task.wish.edition {
            tell(&Message::Fixing { file });
            return true;
        }
        let from = self.edition;
        match from.next() {
            Some(to) => tell(&Message::Migrating { file, from, to }),
            None => tell(&Message::NothingNewer { file, edition: from }),
        }
        from.next().is_some()
    }

    fn command(&self, task: &Task) -> Command {
        let program = self.words.first().cloned().unwrap_or_default();
        let mut command = Command::new(program).args(self.words.iter().skip(1).cloned());
        if !task.wish.edition {
            // Denied warnings must not keep the compiler from suggesting how to be rid of them.
            command = command.arg("--cap-lints=warn");
        } else {
            // Other suggestions could make the edition's fail, and nobody asked for them.
            command = command.arg("--cap-lints=allow");
            if let Some(to) = self.edition.next() {
                command = command.arg(format!("--force-warn=rust-{}-compatibility", to.as_str()));
            }
        }
        if task.wish.idioms && self.edition == IDIOMATIC {
            command = command.arg(format!("-Wrust-{}-idioms", self.edition.as_str()));
        }
        command
    }
}

/// A file that suggestions were applied to.
struct FixedFile {
    path: PathBuf,
    before: String,
    fixes: usize,
    conflicts: Vec<String>,
}

struct Session<'a> {
    task: &'a Task,
    cwd: PathBuf,
    command: Command,
    /// By the name that the compiler has for them.
    files: BTreeMap<String, FixedFile>,
}

impl Session<'_> {
    fn compile(&self) -> Result<Output> {
        Ok(process::output(&self.command)?)
    }

    /// Compiles and applies until that makes no difference; returns what the compiler left at first and at last.
    fn work(&mut self) -> Result<(Output, Output)> {
        let mut first = None;
        for round in 1.. {
            self.files.values_mut().for_each(|file| file.conflicts.clear());
            let output = self.compile()?;
            let changed = self.may_apply(&output) && self.apply(&output)?;
            let first = first.get_or_insert_with(|| output.clone());
            if !changed {
                return Ok((first.clone(), output));
            }
            let has_conflicts = self.files.values().any(|file| !file.conflicts.is_empty());
            if !has_conflicts || round >= self.task.rounds {
                return Ok((first.clone(), self.compile()?));
            }
        }
        unreachable!("the loop ends by returning")
    }

    /// Suggestions for code that does not compile may make it worse.
    fn may_apply(&self, output: &Output) -> bool {
        output.status.success() || self.task.wish.broken_code
    }

    /// Applies one round of suggestions; whether any file is another now.
    fn apply(&mut self, output: &Output) -> Result<bool> {
        let written = String::from_utf8_lossy(&output.stderr);
        let mut changed = false;
        for (name, suggestions) in suggestions::by_file(&written, self.task.everything) {
            if !self.task.region.holds(&self.cwd, &name) {
                continue;
            }
            let path = self.cwd.join(&name);
            // What is no text, or not there, was not written by hand.
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let Applied { text: fixed, fixes, conflicts } = suggestions::apply(&text, &suggestions);
            let file = self.files.entry(name).or_insert_with(|| FixedFile {
                path: path.clone(),
                before: text,
                fixes: 0,
                conflicts: Vec::new(),
            });
            file.fixes += fixes;
            file.conflicts = conflicts;
            if let Some(fixed) = fixed {
                write(&path, &fixed)?;
                changed = true;
            }
        }
        Ok(changed)
    }

    fn tell_conflicts(&self, tell: &mut dyn FnMut(&Message)) {
        for (file, FixedFile { conflicts, .. }) in &self.files {
            if !conflicts.is_empty() {
                tell(&Message::NotApplied { file: file.clone(), reasons: conflicts.clone() });
            }
        }
    }

    /// Leaves the files as they are if they compile, else as they were. What was worse before is no reason to fail.
    fn end(
        self,
        call: &Call,
        (first, last): (Output, Output),
        tell: &mut dyn FnMut(&Message),
    ) -> Result<Ended> {
        if last.status.success() {
            for (file, FixedFile { fixes, .. }) in self.files.iter().filter(|(_, file)| file.fixes > 0) {
                tell(&Message::Fixed { file: file.clone(), fixes: *fixes });
            }
            return Ok(Ended::of(last));
        }
        let stays = self.task.wish.broken_code;
        if !stays {
            for file in self.files.values().filter(|file| file.fixes > 0) {
                write(&file.path, &file.before)?;
            }
        }
        if self.files.is_empty() {
            return Ok(Ended::of(last));
        }
        tell(&Message::Spoilt(spoilt(call.crate_name.clone(), &last, stays)));
        Ok(Ended::of(first))
    }
}

/// Written where it is: a link stays one, and so does what the file may be used for.
fn write(path: &Path, text: &str) -> Result<()> {
    Ok(fs::write(path, text)?)
}

fn spoilt(name: String, last: &Output, stays: bool) -> Spoilt {
    let written = String::from_utf8_lossy(&last.stderr);
    let mut files = BTreeSet::new();
    let mut said = Vec::new();
    for diagnostic in suggestions::diagnostics(&written) {
        files.extend(diagnostic.spans.into_iter().map(|span| span.file_name));
        said.push(diagnostic.rendered.unwrap_or(diagnostic.message));
    }
    // A compiler that breaks down writes plain text.
    said.extend(written.lines().filter(|line| !line.starts_with('{')).map(str::to_owned));
    let is_usual = last.status.code().is_some_and(|code| USUAL_ENDS.contains(&code));
    let end = (!is_usual).then(|| process::describe(&last.status));
    Spoilt { name, files: files.into_iter().collect(), said, end, stays }
}

impl Ended {
    fn of(output: Output) -> Ended {
        let Output { status, stdout, mut stderr } = output;
        if status.signal().is_some() {
            stderr.extend(format!("the compiler was ended by {}\n", process::describe(&status)).bytes());
        }
        // The parent only asks whether it is 0.
        Ended { stdout, stderr, code: status.code().unwrap_or(2) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fix::{Region, Wish};

    fn call(edition: &str) -> Call {
        let line =
            format!("clippy-driver rustc --crate-name foo --edition={edition} src/lib.rs --crate-type lib");
        Call::read(&line.split(' ').map(OsString::from).collect::<Vec<_>>()).unwrap()
    }

    fn task(edition: bool, idioms: bool) -> Task {
        Task {
            wish: Wish { edition, idioms, broken_code: false },
            everything: false,
            rounds: 4,
            region: Region { within: Vec::new(), without: Vec::new() },
        }
    }

    #[test]
    fn a_call_is_understood() {
        let call = call("2021");
        assert_eq!((call.crate_name.as_str(), call.source.as_str()), ("foo", "src/lib.rs"));
        assert_eq!(call.edition, Edition::E2021);
        assert!(Call::read(&["rustc".into(), "-vV".into()]).is_err());
    }

    #[test]
    fn lints_that_take_part() {
        let added = |edition, task: Task| {
            let words = call(edition).command(&task).args.split_off(7);
            words.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(added("2018", task(false, false)), "--cap-lints=warn");
        assert_eq!(added("2018", task(false, true)), "--cap-lints=warn -Wrust-2018-idioms");
        assert_eq!(added("2021", task(false, true)), "--cap-lints=warn");
        assert_eq!(
            added("2021", task(true, false)),
            "--cap-lints=allow --force-warn=rust-2024-compatibility"
        );
        assert_eq!(added("2024", task(true, false)), "--cap-lints=allow");
    }

    #[test]
    fn the_newest_edition_has_none_after_it() {
        let mut told = Vec::new();
        assert!(!call("2024").begin(&task(true, false), &mut |message| told.push(message.clone())));
        assert!(matches!(&told[..], [Message::NothingNewer { edition: Edition::E2024, .. }]));
    }
}
