//! Several runs may use one target directory at once. They mostly want the same contents in the same places; when
//! they do not, because a source was edited between their beginnings, nobody may read what another one has put there.
//!
//! Nobody waits. Every run writes down what it puts where, before it is there; and before a run believes what a
//! command has made, it looks whether something that the command could read was replaced meanwhile. A run that was
//! overtaken in this way begins again, as if it had been started only now. So does one that would put an older
//! content over that of a run that began later.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use wharf_base::digest::Digest;
use wharf_base::fs;
use wharf_base::lock::{self, Lock, Mode};

use crate::event::Failure;

/// A path, a run and a content.
const RECORD: usize = 16 + 8 + 16;

/// What the runs in one target directory put in its places.
pub(crate) struct Ledger {
    /// When this run began; also what others know it by.
    own: u64,
    running: PathBuf,
    state: Mutex<State>,
}

struct State {
    /// `None` where nothing can be written: then nobody else writes there either.
    file: Option<File>,
    /// Held while this run lives.
    _present: Option<Lock>,
    /// How much of the file was read.
    read: u64,
    /// What others put where since this run began, in order.
    others: HashMap<u128, Vec<Put>>,
}

#[derive(Clone, Copy)]
struct Put {
    by: u64,
    content: [u8; 16],
}

impl Ledger {
    /// Enters a run.
    pub(crate) fn join(dir: &Path) -> Ledger {
        let (running, path) = (dir.join("running"), dir.join("ledger"));
        // Who is alone begins a new page.
        if let Ok(Some(alone)) = lock::try_acquire(&running, Mode::Exclusive)
            && alone.is_real()
            && std::fs::metadata(&path).is_ok_and(|metadata| metadata.len() > 0)
        {
            File::options().write(true).truncate(true).open(&path).ok();
        }
        let present = lock::acquire(&running, Mode::Shared, || ()).ok();
        let file = File::options().read(true).append(true).create(true).open(&path).ok();
        let mut read = 0;
        if let Some(file) = &file
            && file.lock_shared().is_ok()
        {
            // What is written there is in its place already.
            read = file.metadata().map_or(0, |metadata| metadata.len());
            file.unlock().ok();
        }
        let began = u64::try_from(crate::signatures::now()).unwrap_or_default();
        let own = began & !0xfff | u64::from(std::process::id() & 0xfff);
        Ledger {
            own,
            running,
            state: Mutex::new(State { file, _present: present, read, others: HashMap::new() }),
        }
    }

    /// Puts a content in its place by calling `put`, unless a run that began later has put another one there.
    pub(crate) fn put(
        &self,
        path: &Path,
        content: &Digest,
        put: impl FnOnce() -> fs::Result<()>,
    ) -> Result<(), Failure> {
        let mut state = self.state();
        let Some(file) = state.file.as_ref().and_then(|file| file.try_clone().ok()) else {
            return Ok(put()?);
        };
        let is_locked = file.lock().is_ok();
        let done = self.put_locked(&mut state, &file, (path, content), put);
        if is_locked {
            // The clone shares the lock with the original, so that closing it would not let go.
            file.unlock().ok();
        }
        done
    }

    fn put_locked(
        &self,
        state: &mut State,
        mut file: &File,
        (path, content): (&Path, &Digest),
        put: impl FnOnce() -> fs::Result<()>,
    ) -> Result<(), Failure> {
        state.read_news(self.own);
        let (key, content) = (path_key(path), short(content));
        let newest = state.others.get(&key).and_then(|puts| puts.last());
        if newest.is_some_and(|newest| newest.by > self.own && newest.content != content) {
            return Err(Failure::Overtaken);
        }
        let mut record = Vec::with_capacity(RECORD);
        record.extend_from_slice(&key.to_le_bytes());
        record.extend_from_slice(&self.own.to_le_bytes());
        record.extend_from_slice(&content);
        // On a full disk nothing can be put in place either.
        file.write_all(&record).map_err(|cause| fs::Error::new("note a change of", path, cause))?;
        put()?;
        // What was there before is no longer.
        state.others.remove(&key);
        Ok(())
    }

    /// Forgets what others did at a place that is about to be looked at. They are not at it now: the caller holds its
    /// lock.
    pub(crate) fn forget(&self, path: &Path) {
        let mut state = self.state();
        state.read_news(self.own);
        state.others.remove(&path_key(path));
    }

    /// Says that a place is about to be filled by a command: whoever needs what is there must know.
    pub(crate) fn begin(&self, path: &Path) -> Result<(), Failure> {
        self.put(path, &Digest::of("being filled"), || Ok(()))
    }

    /// Reads what others wrote; says whether there is anything.
    pub(crate) fn has_news(&self) -> bool {
        let mut state = self.state();
        state.read_news(self.own);
        !state.others.is_empty()
    }

    /// Whether others have put something else there since this run began. As of the last look at the news.
    pub(crate) fn was_replaced(&self, path: &Path, content: &Digest) -> bool {
        let state = self.state();
        let short = short(content);
        let puts = state.others.get(&path_key(path));
        puts.is_some_and(|puts| puts.iter().any(|put| put.content != short))
    }

    /// Calls `deed` if no other run uses the target directory, and keeps others from beginning meanwhile.
    pub(crate) fn alone(self, deed: impl FnOnce()) {
        let Ledger { running, state, .. } = self;
        drop(state);
        if let Ok(Some(lock)) = lock::try_acquire(&running, Mode::Exclusive)
            && lock.is_real()
        {
            deed();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn read_news(&mut self, own: u64) {
        let Some(file) = &self.file else { return };
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        let news = length.saturating_sub(self.read) / RECORD as u64 * RECORD as u64;
        if news == 0 {
            return;
        }
        let mut bytes = vec![0; usize::try_from(news).unwrap_or_default()];
        let mut reader = file;
        if reader.seek(SeekFrom::Start(self.read)).and_then(|_| reader.read_exact(&mut bytes)).is_err() {
            return;
        }
        self.read += news;
        for record in bytes.chunks_exact(RECORD) {
            let (key, rest) = record.split_at(16);
            let (by, content) = rest.split_at(8);
            let (Ok(key), Ok(by), Ok(content)) = (key.try_into(), by.try_into(), content.try_into()) else {
                continue;
            };
            let by = u64::from_le_bytes(by);
            if by != own {
                self.others.entry(u128::from_le_bytes(key)).or_default().push(Put { by, content });
            }
        }
    }
}

fn path_key(path: &Path) -> u128 {
    u128::from_le_bytes(short(&Digest::of(path.as_os_str().as_bytes())))
}

fn short(digest: &Digest) -> [u8; 16] {
    *digest.as_bytes().first_chunk().expect("a digest has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_run_wins_and_the_earlier_one_knows() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("place");
        let (one, two) = (Digest::of("one"), Digest::of("two"));
        let first = Ledger::join(dir.path());
        first.put(&place, &one, || Ok(())).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(1));
        let second = Ledger::join(dir.path());
        assert!(!second.has_news(), "what was there before it began is no news");
        second.put(&place, &one, || Ok(())).unwrap();
        assert!(first.has_news());
        assert!(!first.was_replaced(&place, &one), "the same content");
        second.put(&place, &two, || Ok(())).unwrap();
        assert!(first.has_news() && first.was_replaced(&place, &one));
        let refused = first.put(&place, &one, || panic!("nothing is put there"));
        assert!(matches!(refused, Err(Failure::Overtaken)));
        second.put(&place, &two, || Ok(())).unwrap();
        first.put(&dir.path().join("elsewhere"), &one, || Ok(())).unwrap();
        first.forget(&place);
        assert!(!first.was_replaced(&place, &one), "looked at since");

        let mut was_alone = false;
        first.alone(|| was_alone = true);
        assert!(!was_alone);
        second.alone(|| was_alone = true);
        assert!(was_alone);
    }

    #[test]
    fn an_earlier_run_may_replace_what_a_later_one_found() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("place");
        let first = Ledger::join(dir.path());
        let second = Ledger::join(dir.path());
        first.put(&place, &Digest::of("old"), || Ok(())).unwrap();
        assert!(second.has_news() && second.was_replaced(&place, &Digest::of("new")));
    }
}
