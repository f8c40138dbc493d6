//! A confinement made ready for one run of a command, and what was noticed of it.

use std::collections::HashSet;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, Scope, path_beneath_rules,
};

use super::filter::Wanted;
use super::question::{self, Asked, Change};
use super::{Confinement, Deed, Glimpse, Left, Noticed, Stopped, lacking};
use wharf_base::paths::normalize;

use crate::step::TreeWatch;
use crate::sys::{Answer, Cage, Listener, Question};

/// Files that every program writes to, and which keep nothing.
const DEVICES: [&str; 8] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/ptmx",
    "/dev/pts",
];

/// More different things than this are not told of one command.
const MOST_STOPPED: usize = 24;

/// More files than this are not noticed of one command.
const MOST_READ: usize = 4096;

/// A confinement with its cage, while a command runs in it.
pub(crate) struct Room {
    pub cage: Cage,
    /// Where files may be changed; `None` is anywhere.
    allowed: Option<Vec<PathBuf>>,
    /// Where nobody cares.
    private: Vec<PathBuf>,
    /// Whether it is noticed what is changed.
    watches: bool,
    own: Option<TreeWatch>,
    noticed: Option<Noticed>,
    left: Left,
    /// Files that were asked about before.
    known: HashSet<PathBuf>,
}

impl Room {
    /// Makes everything ready. `private` are the directories that the command may fill.
    pub(crate) fn new(confinement: &Confinement, private: &[&Path]) -> io::Result<Room> {
        let lacking = lacking();
        // The kernel takes rules only about what is there.
        for missing in confinement.writes.iter().flatten().filter(|path| !path.exists()) {
            std::fs::create_dir_all(missing).ok();
        }
        let allowed = confinement.writes.as_ref().filter(|_| !lacking.files).map(|writes| {
            let devices = DEVICES.iter().map(Path::new);
            let all = writes.iter().map(PathBuf::as_path).chain(private.iter().copied()).chain(devices);
            all.map(Path::to_owned).collect::<Vec<PathBuf>>()
        });
        let reads = confinement.reads.as_ref().filter(|_| !lacking.files);
        let wanted = Wanted {
            sockets: !confinement.network,
            writes: confinement.watches,
            reads: confinement.noticed.is_some(),
        };
        let cage = Cage {
            ruleset: ruleset(allowed.as_deref(), reads.map(Vec::as_slice)).map_err(io::Error::other)?,
            filter: wanted.filter().filter(|_| !lacking.network),
        };
        let real = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
        Ok(Room {
            cage,
            allowed: allowed.map(|allowed| allowed.iter().map(real).collect()),
            private: private.iter().map(|path| real(&path.to_path_buf())).collect(),
            watches: confinement.watches,
            own: confinement.own.as_ref().map(|own| TreeWatch {
                root: real(&own.root),
                skip: own.skip.iter().map(real).collect(),
                ..own.clone()
            }),
            noticed: confinement.noticed.as_ref().map(|noticed| {
                // Compilers go by the real names of directories.
                let names = |path: &PathBuf| [path.clone(), real(path)];
                let mut skip: Vec<PathBuf> = noticed.skip.iter().flat_map(names).collect();
                skip.sort();
                skip.dedup();
                Noticed { skip, ..noticed.clone() }
            }),
            left: Left::default(),
            known: HashSet::new(),
        })
    }

    /// Answers a question of the command.
    pub(crate) fn answer(&mut self, listener: &Listener, question: &Question) -> Answer {
        let asked = question::read(question);
        if let Asked::Reads(file) | Asked::Both(file) = &asked {
            self.reads(listener, question, file);
        }
        match asked {
            Asked::Socket { local } => {
                let deed = if local { Deed::LocalSocket } else { Deed::Network };
                self.stop(listener, question, deed);
                Answer::Refuse(libc::EACCES)
            }
            // The kernel decides by what it sees itself.
            Asked::Changes(changes) => {
                self.all_changes(listener, question, changes);
                Answer::GoOn
            }
            Asked::Both(change) => {
                self.all_changes(listener, question, vec![change]);
                Answer::GoOn
            }
            Asked::Reads(_) | Asked::Nothing => Answer::GoOn,
        }
    }

    fn reads(&mut self, listener: &Listener, question: &Question, file: &Change) {
        let Some(noticed) = &self.noticed else { return };
        let Some(path) = file.plain_path_of(question.pid) else { return };
        if self.left.read.len() >= MOST_READ || self.known.contains(&path) {
            return;
        }
        let plain = normalize(&path);
        if is_below_any(&plain, &self.private) || noticed.skips(&plain) {
            return;
        }
        let is_local = has_part(&plain, &noticed.local_names);
        let glimpse = if is_local { None } else { noticed.glimpse(&path, &plain) };
        // What it makes itself was not there before.
        let glimpse = glimpse.filter(|glimpse| *glimpse != Glimpse::Missing || !file.makes());
        if listener.still_asks(question) {
            self.left.is_local |= is_local;
            self.left.read.extend(glimpse.map(|glimpse| (path.clone(), glimpse)));
            self.known.insert(path);
        }
    }

    fn all_changes(&mut self, listener: &Listener, question: &Question, changes: Vec<Change>) {
        if !self.watches {
            return;
        }
        let paths: Vec<PathBuf> =
            changes.into_iter().filter_map(|change| change.path_of(question.pid)).collect();
        if listener.still_asks(question) {
            paths.into_iter().for_each(|path| self.changes(listener, question, path));
        }
    }

    fn changes(&mut self, listener: &Listener, question: &Question, path: PathBuf) {
        if is_below_any(&path, &self.private) {
            return;
        }
        if self.allowed.as_ref().is_some_and(|allowed| !is_below_any(&path, allowed)) {
            self.stop(listener, question, Deed::Write(path));
            return;
        }
        let is_own = self.own.as_ref().is_some_and(|own| {
            path.starts_with(&own.root)
                && !is_below_any(&path, &own.skip)
                // What version control notes for itself is no part of a result.
                && !path.components().any(|part| part.as_os_str() == ".git")
        });
        if is_own {
            self.left.wrote.insert(path);
        }
    }

    fn stop(&mut self, listener: &Listener, question: &Question, deed: Deed) {
        let stopped = &self.left.stopped;
        if stopped.len() >= MOST_STOPPED || stopped.iter().any(|known| known.deed == deed) {
            return;
        }
        let program = question::command_line(question.pid);
        let program = if listener.still_asks(question) { program } else { String::new() };
        self.left.stopped.push(Stopped { program, deed });
    }

    /// What was noticed of the command.
    pub(crate) fn leave(mut self) -> Left {
        // What it made itself it may read.
        let wrote = &self.left.wrote;
        self.left.read.retain(|path, _| !wrote.contains(path) && !wrote.contains(&normalize(path)));
        self.left
    }
}

impl Noticed {
    /// Whether a file does not count, whatever is there.
    fn skips(&self, plain: &Path) -> bool {
        is_below_any(plain, &self.skip) || is_library(plain) || has_part(plain, &self.skip_names)
    }

    /// What is there now, if that counts.
    fn glimpse(&self, path: &Path, plain: &Path) -> Option<Glimpse> {
        let is_system = is_below_any(plain, &self.system);
        let name = plain.as_os_str().as_bytes();
        if is_system && self.system_skip_endings.iter().any(|ending| name.ends_with(ending.as_bytes())) {
            return None;
        }
        Glimpse::of(path, self.lists && !is_system)
            .filter(|glimpse| *glimpse != Glimpse::Missing || !is_system)
    }
}

fn has_part(path: &Path, names: &[String]) -> bool {
    path.components().any(|part| names.iter().any(|name| part.as_os_str() == name.as_str()))
}

fn is_below_any(path: &Path, places: &[PathBuf]) -> bool {
    places.iter().any(|place| path.starts_with(place))
}

/// `libz.so`, `libz.so.1`, and what the loader reads to find them.
fn is_library(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    name.ends_with(".so") || name.contains(".so.") || name == "locale-archive"
}

/// The rules for the kernel; `None` if there are none, or it knows none.
fn ruleset(writes: Option<&[PathBuf]>, reads: Option<&[PathBuf]>) -> Result<Option<OwnedFd>, RulesetError> {
    let (writing, reading) = (AccessFs::from_write(ABI::V3), AccessFs::from_read(ABI::V3));
    let mut ruleset = Ruleset::default();
    match (writes, reads) {
        (None, None) => return Ok(None),
        (Some(_), None) => ruleset = ruleset.handle_access(writing)?,
        (None, Some(_)) => ruleset = ruleset.handle_access(reading)?,
        (Some(_), Some(_)) => ruleset = ruleset.handle_access(writing | reading)?,
    }
    // Nor signals to others, nor sockets without a name in the file system.
    let mut ruleset = ruleset.scope(Scope::from_all(ABI::V6))?.create()?;
    if let Some(writes) = writes {
        let rights = if reads.is_some() { writing | reading } else { writing };
        ruleset = ruleset.add_rules(path_beneath_rules(writes, rights))?;
    }
    if let Some(reads) = reads {
        ruleset = ruleset.add_rules(path_beneath_rules(reads, reading))?;
    }
    Ok(ruleset.into())
}
