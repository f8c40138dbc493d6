//! What is known of the contents of files, so that a file that was not touched is not read again.
//!
//! One compact file for each target directory: a header and records of equal size, because a build that has nothing
//! to do reads all of it.

use std::collections::HashMap;
use std::fs::Metadata;
use std::hash::{BuildHasherDefault, Hasher};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use wharf_base::digest::Digest;
use wharf_base::fs;

use crate::step::TreeWatch;

const MAGIC: &[u8] = b"wharf signatures 1\n";
const RECORD: usize = 16 + 5 * 8 + 32;

/// How much older than its hashing a file's times must be to prove anything, in nanoseconds. Kernels keep file times
/// to a tick of 1 to 10 milliseconds.
const TICK: i64 = 20_000_000;

/// Beyond this many records, those that this run did not ask for are forgotten when the file is saved.
const CROWD: usize = 50_000;

/// Contents of files by path, kept from run to run.
pub(crate) struct Signatures {
    file: PathBuf,
    boot: Digest,
    table: Mutex<Table>,
    /// Directories of which one look was enough.
    looked: Mutex<HashMap<TreeWatch, Option<Digest>>>,
}

#[derive(Default)]
struct Table {
    known: HashMap<u128, Known, BuildHasherDefault<PathHasher>>,
    changed: bool,
}

/// What one look at a file says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: i64,
    changed: i64,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    stamp: Stamp,
    digest: Digest,
    /// When the content was read, in nanoseconds since 1970; 0 for what an earlier run read.
    read_at: i64,
    /// Whether an equal stamp proves equal content.
    proven: bool,
    used: bool,
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Stamp {
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

    /// When the content was last written, in nanoseconds since 1970.
    pub(crate) fn modified(&self) -> i64 {
        self.modified
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The later of its two times, in nanoseconds since 1970.
    pub(crate) fn latest(&self) -> i64 {
        self.modified.max(self.changed)
    }
}

/// The content of a file, and how sure that is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Content {
    pub digest: Digest,
    pub stamp: Stamp,
    /// The content as this process knew it before this look, and when it had read it.
    pub before: Option<(Digest, i64)>,
}

/// Now, in nanoseconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

impl Signatures {
    /// Reads the file; a missing or damaged one, or one of another boot, is as good as an empty one. What was
    /// written shortly before a crash may have lost its content and kept its times, so nothing is believed across a
    /// reboot.
    pub(crate) fn load(file: &Path, boot: Digest) -> Signatures {
        let table = std::fs::read(file).ok().and_then(|bytes| decode(&bytes, boot)).unwrap_or_default();
        let (table, looked) = (Mutex::new(table), Mutex::default());
        Signatures { file: file.to_owned(), boot, table, looked }
    }

    /// Writes the file if anything is new.
    pub(crate) fn save(&self) -> fs::Result<()> {
        let mut table = self.table();
        if !table.changed {
            return Ok(());
        }
        if table.known.len() > CROWD {
            table.known.retain(|_, known| known.used);
        }
        if let Some(parent) = self.file.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write_atomic(&self.file, encode(&table, self.boot))?;
        table.changed = false;
        Ok(())
    }

    /// The digest of a regular file of which `metadata` was just read.
    pub(crate) fn content(&self, path: &Path, metadata: &Metadata) -> fs::Result<Content> {
        let (key, stamp) = (path_key(path), Stamp::of(metadata));
        let mut before = None;
        if let Some(known) = self.table().known.get_mut(&key) {
            known.used = true;
            if known.proven && known.stamp == stamp {
                return Ok(Content {
                    digest: known.digest,
                    stamp,
                    before: Some((known.digest, known.read_at)),
                });
            }
            before = Some((known.digest, known.read_at));
        }
        let read_at = now();
        let digest = Digest::of_file(path)?;
        let after = Stamp::of(&fs::metadata(path)?);
        let proven = after == stamp && stamp.latest() < read_at - TICK;
        self.insert(key, Known { stamp: after, digest, read_at, proven, used: true });
        Ok(Content { digest, stamp: after, before })
    }

    /// Whether `path` is known, without reading it, to have this content.
    pub(crate) fn proves(&self, path: &Path, metadata: &Metadata, digest: &Digest) -> bool {
        let mut table = self.table();
        let Some(known) = table.known.get_mut(&path_key(path)) else { return false };
        known.used = true;
        known.proven && known.digest == *digest && known.stamp == Stamp::of(metadata)
    }

    /// Notes the content of a file that this process has just put in its place and nobody else writes to.
    pub(crate) fn note(&self, path: &Path, metadata: &Metadata, digest: Digest) {
        let known = Known { stamp: Stamp::of(metadata), digest, read_at: now(), proven: true, used: true };
        self.insert(path_key(path), known);
    }

    /// What the first look at a directory in this run has seen.
    pub(crate) fn once(&self, watch: &TreeWatch, look: impl FnOnce() -> Option<Digest>) -> Option<Digest> {
        // Whoever asks meanwhile waits: two looks would cost more.
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        *looked.entry(watch.clone()).or_insert_with(look)
    }

    fn insert(&self, key: u128, known: Known) {
        let mut table = self.table();
        table.known.insert(key, known);
        table.changed = true;
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn path_key(path: &Path) -> u128 {
    let digest = Digest::of(path.as_os_str().as_bytes());
    u128::from_le_bytes(*digest.as_bytes().first_chunk().expect("a digest has 32 bytes"))
}

/// The keys are digests already.
#[derive(Default)]
struct PathHasher(u64);

impl Hasher for PathHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "half of a digest is still a digest")]
    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }
}

fn encode(table: &Table, boot: Digest) -> Vec<u8> {
    let mut body = Vec::with_capacity(table.known.len() * RECORD);
    for (key, known) in &table.known {
        let Known { stamp, digest, read_at: _, proven, used: _ } = known;
        if !proven {
            continue;
        }
        let Stamp { device, inode, size, modified, changed } = stamp;
        body.extend_from_slice(&key.to_le_bytes());
        for number in [device, inode, size] {
            body.extend_from_slice(&number.to_le_bytes());
        }
        for time in [modified, changed] {
            body.extend_from_slice(&time.to_le_bytes());
        }
        body.extend_from_slice(digest.as_bytes());
    }
    let check = Digest::of(&body);
    [MAGIC, boot.as_bytes(), check.as_bytes(), &body].concat()
}

fn decode(bytes: &[u8], boot: Digest) -> Option<Table> {
    let bytes = bytes.strip_prefix(MAGIC)?.strip_prefix(boot.as_bytes())?;
    let (check, body) = bytes.split_at_checked(32)?;
    if Digest::of(body).as_bytes() != check {
        return None;
    }
    let mut known = HashMap::with_capacity_and_hasher(body.len() / RECORD, BuildHasherDefault::default());
    for record in body.chunks_exact(RECORD) {
        let (key, rest) = record.split_first_chunk::<16>()?;
        let (numbers, digest) = rest.split_at_checked(40)?;
        let mut numbers = numbers.chunks_exact(8).filter_map(|number| number.first_chunk::<8>());
        let mut number = || numbers.next().copied().map(u64::from_le_bytes);
        let (device, inode, size) = (number()?, number()?, number()?);
        let (modified, changed) = (number()?.cast_signed(), number()?.cast_signed());
        let stamp = Stamp { device, inode, size, modified, changed };
        let digest = Digest::from_bytes(*digest.first_chunk()?);
        let entry = Known { stamp, digest, read_at: 0, proven: true, used: false };
        known.insert(u128::from_le_bytes(*key), entry);
    }
    Some(Table { known, changed: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_young_file_proves_nothing_and_an_old_one_does() {
        let dir = tempfile::tempdir().unwrap();
        let (file, kept) = (dir.path().join("a"), dir.path().join("signatures"));
        let boot = Digest::of("boot");
        fs::write(&file, "one").unwrap();
        let signatures = Signatures::load(&kept, boot);
        let look = |signatures: &Signatures| {
            let metadata = fs::metadata(&file).unwrap();
            let digest = signatures.content(&file, &metadata).unwrap().digest;
            (digest, signatures.proves(&file, &metadata, &digest))
        };
        assert_eq!(look(&signatures), (Digest::of("one"), false));
        std::thread::sleep(std::time::Duration::from_millis(40));
        assert_eq!(look(&signatures), (Digest::of("one"), true));
        signatures.save().unwrap();

        let metadata = fs::metadata(&file).unwrap();
        assert!(Signatures::load(&kept, boot).proves(&file, &metadata, &Digest::of("one")));
        assert!(!Signatures::load(&kept, Digest::of("other")).proves(&file, &metadata, &Digest::of("one")));
        fs::write(&file, "two").unwrap();
        assert_eq!(look(&Signatures::load(&kept, boot)).0, Digest::of("two"));
        let mut bytes = fs::read(&kept).unwrap();
        bytes.pop();
        fs::write(&kept, &bytes).unwrap();
        assert!(Signatures::load(&kept, boot).table().known.is_empty());
    }
}
