//! The whole answer of a command that had nothing to do, kept with everything that it looked at: when nothing of
//! that has changed, the answer is given again without reading a manifest.
//!
//! One file for each command line, directory and environment below `$WHARF_HOME/snapshots`. Losing one costs time
//! only.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use wharf_base::digest::{Digest, Hasher};
use wharf_base::trail::{self, Look, Looked};
use wharf_base::{fs, sealed};

use crate::config::{ColorChoice, Env};

/// Changes when a reader of the old form would misunderstand the new one.
const MAGIC: &[u8] = b"wharf snapshot 1\n";

/// How much older than the command's start a file's times must be to prove that it was not written meanwhile, in
/// nanoseconds. Kernels keep file times to a tick of 1 to 10 milliseconds.
const TICK: i64 = 20_000_000;

/// How many snapshots are kept; the least recently used go first.
const MOST: usize = 256;

/// A snapshot that was used within this time is not stamped again, in seconds.
const STAMPED: u64 = 24 * 60 * 60;

/// What a command said, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said {
    /// Bytes on standard output.
    Out(Vec<u8>),
    /// A line on standard error, with colours.
    Err(String),
    /// The line that tells of success, but for the time that it took.
    Finished(String),
}

/// What a command answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// When it used colours.
    pub color: ColorChoice,
    /// What it said.
    pub said: Vec<Said>,
}

/// Names the question: the same words, typed in the same place, with the same variables, to the same program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question(Digest);

/// How a program was started.
#[derive(Clone, Copy, Debug)]
pub struct Started<'a> {
    /// The name that it goes by.
    pub name: &'a str,
    /// The program.
    pub executable: &'a Path,
    /// The words after its name.
    pub args: &'a [std::ffi::OsString],
    /// Where.
    pub cwd: &'a Path,
    /// The environment.
    pub env: &'a Env,
}

impl Question {
    /// The question that a start of the program asks. Nothing is believed in another boot than that in which it was
    /// written, since files may lose their content and keep their times in a crash.
    pub fn of(started: &Started<'_>) -> Option<Question> {
        let program = std::fs::metadata(started.executable).ok()?;
        let boot = std::fs::read("/proc/sys/kernel/random/boot_id").ok()?;
        let mut hasher = Hasher::for_purpose("wharf question 1");
        hasher.value(started.name).value(started.executable.as_os_str().as_encoded_bytes());
        for number in [program.dev(), program.ino(), program.size()] {
            hasher.number(number);
        }
        hasher.number(program.mtime_nsec().cast_unsigned()).number(program.mtime().cast_unsigned());
        hasher.value(boot).value(started.cwd.as_os_str().as_encoded_bytes());
        hasher.number(started.args.len() as u64);
        for arg in started.args {
            hasher.value(arg.as_encoded_bytes());
        }
        for (name, value) in started.env.iter() {
            let text = name.to_string_lossy();
            // Those of the terminal are configuration too.
            if !wharf_plan::is_session_variable(&text) || text.starts_with("CARGO_TERM_") {
                hasher.value(name.as_encoded_bytes()).value(value.as_encoded_bytes());
            }
        }
        Some(Question(hasher.finish()))
    }
}

#[derive(Serialize, Deserialize)]
struct Snapshot {
    seen: Vec<Seen>,
    answer: Answer,
}

#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    #[serde(with = "sealed::os")]
    path: PathBuf,
    look: u8,
    state: State,
}

/// What was at a path, as far as the look went.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    Missing,
    File,
    Dir,
    Other,
    Stamped(Stamp),
    Resolved(#[serde(with = "sealed::os")] PathBuf),
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: i64,
    changed: i64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Stamp {
        let nanoseconds =
            |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl State {
    fn now(path: &Path, look: Look) -> Option<State> {
        if look == Look::Resolved {
            return Some(std::fs::canonicalize(path).map_or(State::Missing, State::Resolved));
        }
        let metadata = match look {
            Look::Link => std::fs::symlink_metadata(path),
            _ => std::fs::metadata(path),
        };
        let metadata = match metadata {
            Ok(metadata) => metadata,
            Err(error) => {
                use std::io::ErrorKind::{NotADirectory, NotFound};
                return matches!(error.kind(), NotFound | NotADirectory).then_some(State::Missing);
            }
        };
        let is_content = look == Look::Content || look == Look::Link;
        Some(match metadata.file_type() {
            kind if kind.is_dir() && look == Look::Entries => State::Stamped(Stamp::of(&metadata)),
            kind if kind.is_dir() => State::Dir,
            _ if is_content => State::Stamped(Stamp::of(&metadata)),
            kind if kind.is_file() => State::File,
            _ => State::Other,
        })
    }

    fn is_settled(&self, began: i64) -> bool {
        match self {
            State::Stamped(stamp) => stamp.modified.max(stamp.changed) < began - TICK,
            _ => true,
        }
    }
}

fn code(look: Look) -> u8 {
    match look {
        Look::Kind => 0,
        Look::Content => 1,
        Look::Entries => 2,
        Look::Link => 3,
        Look::Resolved => 4,
    }
}

fn look(code: u8) -> Option<Look> {
    [Look::Kind, Look::Content, Look::Entries, Look::Link, Look::Resolved].into_iter().nth(code.into())
}

/// The snapshots of one user.
#[derive(Clone, Debug)]
pub struct Snapshots {
    home: PathBuf,
}

/// A command whose looks are being noted.
#[derive(Debug)]
pub struct Watch {
    began: i64,
}

impl Watch {
    /// Notes all looks of this process from now on.
    pub fn begin() -> Watch {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        trail::begin();
        Watch { began: i64::try_from(since.as_nanos()).unwrap_or(0) }
    }
}

impl Snapshots {
    /// Those below `$WHARF_HOME`.
    pub fn new(wharf_home: &Path) -> Snapshots {
        Snapshots { home: wharf_home.to_owned() }
    }

    fn dir(&self) -> PathBuf {
        self.home.join("snapshots")
    }

    fn file(&self, question: &Question) -> PathBuf {
        self.dir().join(question.0.to_hex())
    }

    /// The answer to a question that was asked before, if everything that it rests on is as it was.
    pub fn find(&self, question: &Question) -> Option<Answer> {
        let path = self.file(question);
        let bytes = std::fs::read(&path).ok()?;
        let snapshot: Snapshot = sealed::open(MAGIC, &bytes)?;
        let holds = |seen: &Seen| {
            look(seen.look).and_then(|look| State::now(&seen.path, look)).as_ref() == Some(&seen.state)
        };
        if !snapshot.seen.iter().all(holds) {
            return None;
        }
        stamp(&path);
        Some(snapshot.answer)
    }

    /// Keeps an answer, unless what it rests on may have changed while it was found; tells whether it was kept.
    /// Files of Wharf's own that only spare work are nothing that it rests on.
    pub fn keep(&self, question: &Question, watch: &Watch, answer: Answer) -> bool {
        let Some(looks) = trail::end() else { return false };
        let mut seen = Vec::with_capacity(looks.len());
        for Looked { path, look, found } in looks {
            if self.is_own(&path) {
                continue;
            }
            match State::now(&path, look) {
                Some(state) if (state != State::Missing) == found && state.is_settled(watch.began) => {
                    seen.push(Seen { path, look: code(look), state });
                }
                _ => return false,
            }
        }
        let Some(bytes) = sealed::seal(MAGIC, &Snapshot { seen, answer }) else { return false };
        let kept =
            fs::create_dir_all(&self.dir()).and_then(|()| fs::write_atomic(&self.file(question), bytes));
        if kept.is_ok() {
            self.forget_old();
        }
        kept.is_ok()
    }

    fn is_own(&self, path: &Path) -> bool {
        let below_home = path.strip_prefix(&self.home).is_ok_and(|rest| !rest.starts_with("out"));
        below_home || path.starts_with("/proc")
    }

    fn forget_old(&self) {
        let Ok(entries) = fs::read_dir(&self.dir()) else { return };
        if entries.len() <= MOST {
            return;
        }
        let used = |path: &PathBuf| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        let mut files: Vec<_> = entries.into_iter().map(|entry| (used(&entry.path), entry.path)).collect();
        files.sort();
        for (_, path) in files.iter().take(files.len() - MOST / 2) {
            std::fs::remove_file(path).ok();
        }
    }
}

/// Notes that a snapshot is in use, not more than once a day.
fn stamp(path: &Path) {
    let Ok(modified) = std::fs::metadata(path).and_then(|metadata| metadata.modified()) else { return };
    let age = SystemTime::now().duration_since(modified).unwrap_or_default();
    if age.as_secs() > STAMPED
        && let Ok(file) = std::fs::File::options().append(true).open(path)
    {
        file.set_modified(SystemTime::now()).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(dir: &Path) -> Watch {
        // Older than the start by more than a tick.
        std::thread::sleep(std::time::Duration::from_millis(30));
        let watch = Watch::begin();
        assert!(fs::read(&dir.join("read")).is_ok());
        assert!(!fs::exists(&dir.join("missing")));
        assert_eq!(fs::read_dir(&dir.join("listed")).unwrap().len(), 0);
        watch
    }

    #[test]
    fn an_answer_holds_until_something_changes() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let snapshots = Snapshots::new(&dir.join("home"));
        let question = Question(Digest::of("q"));
        let answer = Answer { color: ColorChoice::Auto, said: vec![Said::Err("all is well".to_owned())] };
        std::fs::write(dir.join("read"), "1").unwrap();
        std::fs::create_dir(dir.join("listed")).unwrap();

        let changes: [(&str, &dyn Fn()); 3] = [
            ("a file", &|| std::fs::write(dir.join("read"), "2").unwrap()),
            ("a name in a directory", &|| std::fs::write(dir.join("listed/new"), "").unwrap()),
            ("something that was missing", &|| std::fs::write(dir.join("missing"), "").unwrap()),
        ];
        for (what, change) in changes {
            let watch = settled(dir);
            assert!(snapshots.keep(&question, &watch, answer.clone()));
            assert_eq!(snapshots.find(&question), Some(answer.clone()));
            change();
            assert_eq!(snapshots.find(&question), None, "{what}");
            std::fs::remove_file(dir.join("listed/new")).ok();
            std::fs::remove_file(dir.join("missing")).ok();
        }

        let watch = settled(dir);
        std::fs::write(dir.join("read"), "3").unwrap();
        assert!(!snapshots.keep(&question, &watch, answer.clone()), "written while it was being read");
        let watch = settled(dir);
        std::fs::write(dir.join("missing"), "").unwrap();
        assert!(!snapshots.keep(&question, &watch, answer.clone()), "no longer missing");
        std::fs::remove_file(dir.join("missing")).unwrap();
        let watch = settled(dir);
        trail::spoil();
        assert!(!snapshots.keep(&question, &watch, answer.clone()), "a program was asked");

        let watch = settled(dir);
        assert!(snapshots.keep(&question, &watch, answer));
        let file = snapshots.file(&question);
        let mut bytes = std::fs::read(&file).unwrap();
        bytes.truncate(bytes.len() - 1);
        std::fs::write(&file, bytes).unwrap();
        assert_eq!(snapshots.find(&question), None, "a damaged file is no snapshot");
    }
}
