//! The store: contents by digest (`cas/`), and what each key made (`ac/`).
//!
//! Nothing is synced to the disk. What was written shortly before a crash may come back empty, so an entry carries
//! the boot in which its contents were last known to be whole, and in another boot they are hashed before use.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use wharf_base::digest::{Digest, Hasher};
use wharf_base::{fs, lock};

use crate::look::{PlainPath, Sight};
use crate::sealed;
use crate::signatures::{self, Stamp};
use crate::step::{KeptLine, Step, Undeclared};
use crate::tree::{Manifest, Node};

const MAGIC: &[u8] = b"wharf entries 5\n";

/// How many results are kept under one key: one for each set of sources seen lately. Those that name a checkout are
/// counted apart: another one must not drive them out.
const ENTRIES: usize = 16;
/// How many checkouts there can be under one key.
const CHECKOUTS: usize = 64;

/// Contents and results, shared by all builds of one user on one machine. Any number of processes may use it at once.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    boot: Digest,
    /// Whether `boot` is really known; if not, nothing is believed without hashing.
    boot_known: bool,
}

/// A content in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Blob {
    pub digest: Digest,
    pub size: u64,
    pub executable: bool,
    /// When the content was written, in nanoseconds since 1970. Who writes through a hard link changes it.
    pub modified: i64,
    /// Where the checkout's mark is in it.
    pub marks: Vec<u64>,
}

/// What one run made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub boot: Digest,
    pub sight: Sight,
    pub outputs: Vec<(String, Blob)>,
    pub tree: Option<(Manifest, Vec<Blob>)>,
    /// Which directory holds the tree, where that is chosen.
    pub generation: Option<u32>,
    pub stdout: Option<String>,
    pub lines: Vec<KeptLine>,
    pub took: Duration,
    /// When it was made or brought back last, in nanoseconds since 1970. For the first one of a list the time of the
    /// file counts too.
    pub used: i64,
}

impl Entry {
    /// Whether its last use is to be noted anew.
    pub(crate) fn is_stale(&self) -> bool {
        self.used < signatures::now() - STAMPED
    }
}

/// The keys under which results of this step are found, the one that is shared furthest first. One that is made is
/// kept under all of them.
pub(crate) fn base_keys(step: &Step) -> Vec<Digest> {
    let declared = declared_key(step);
    let Some(Undeclared { checkout, values, beyond: _ }) = &step.undeclared else { return vec![declared] };
    let shared = values.as_ref().map(|values| {
        Hasher::for_purpose("wharf action with values 1").digest(&declared).digest(values).finish()
    });
    let mut local = Hasher::for_purpose("wharf action of a checkout 1");
    local.digest(&declared).value(checkout);
    shared.into_iter().chain([local.finish()]).collect()
}

fn declared_key(step: &Step) -> Digest {
    let mut hasher = Hasher::for_purpose("wharf action 1");
    hasher.number(step.recipe.values().len() as u64);
    for (name, value) in step.recipe.values() {
        hasher.value(name).value(value);
    }
    for input in &step.inputs {
        hasher.value(&input.name).digest(&input.digest);
    }
    hasher.finish()
}

/// The key for the other form of the same step.
pub(crate) fn incremental_key(key: &Digest) -> Digest {
    Hasher::for_purpose("wharf incremental action 1").digest(key).finish()
}

impl Store {
    /// Opens the store in this directory, making it if need be.
    ///
    /// # Errors
    /// If the directory cannot be made.
    pub fn open(root: &Path) -> fs::Result<Store> {
        for part in ["cas", "ac", "locks"] {
            fs::create_dir_all(&root.join(part))?;
        }
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Ok(Store { root: root.to_owned(), boot_known: !boot.is_empty(), boot: Digest::of(boot) })
    }

    /// Whether this directory can hold a store: it exists or can be made, and can be written.
    ///
    /// # Errors
    /// What cannot be done with it.
    pub fn probe(root: &Path) -> fs::Result<()> {
        for part in ["cas", "ac", "locks", "out"] {
            let part = root.join(part);
            fs::create_dir_all(&part)?;
            crate::sys::check_writable(&part).map_err(|cause| fs::Error::new("write in", &part, cause))?;
        }
        Ok(())
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn boot(&self) -> Digest {
        self.boot
    }

    /// Where a content lies. Programs have their own file, because the mode belongs to the file.
    pub(crate) fn path(&self, digest: &Digest, executable: bool) -> PathBuf {
        let hex = digest.to_hex();
        let suffix = if executable { ".x" } else { "" };
        self.root.join("cas").join(&hex[..2]).join(format!("{}{suffix}", &hex[2..]))
    }

    /// Takes a file into the store: moved there if `keep` is false, else copied. If the content is there already and
    /// whole, that one stays.
    pub(crate) fn put(&self, file: &Path, digest: Digest, executable: bool, keep: bool) -> fs::Result<Blob> {
        let path = self.path(&digest, executable);
        let size = fs::metadata(file)?.size();
        if let Ok(metadata) = std::fs::metadata(&path)
            && metadata.size() == size
            && Digest::of_file(&path).is_ok_and(|there| there == digest)
        {
            // Whoever makes room sees by the file's times that somebody has come to need it.
            fs::set_mode(&path, if executable { 0o555 } else { 0o444 })?;
            let metadata = fs::metadata(&path)?;
            return Ok(blob(digest, executable, &metadata));
        }
        let dir = path.parent().expect("a blob lies in a directory of the store");
        fs::create_dir_all(dir)?;
        let mode = if executable { 0o555 } else { 0o444 };
        if !keep {
            fs::set_mode(file, mode)?;
            if std::fs::rename(file, &path).is_ok() {
                return Ok(blob(digest, executable, &fs::metadata(&path)?));
            }
            // Another file system: copied below.
        }
        let draft = dir.join(self.draft_name());
        fs::copy(file, &draft)?;
        fs::set_mode(&draft, mode)?;
        fs::rename(&draft, &path)?;
        Ok(blob(digest, executable, &fs::metadata(&path)?))
    }

    /// A name that no other process or thread uses.
    fn draft_name(&self) -> String {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        format!(".draft-{}-{}-{count}", std::process::id(), signatures::now())
    }

    /// The file of a blob, if it is there and whole; a damaged one is removed. `fresh` says that the blob was whole
    /// in this boot, so that a size and a time are proof enough.
    pub(crate) fn whole(&self, blob: &Blob, fresh: bool) -> Option<PathBuf> {
        let path = self.path(&blob.digest, blob.executable);
        let metadata = std::fs::metadata(&path).ok()?;
        let stamp = Stamp::of(&metadata);
        if metadata.size() == blob.size {
            if fresh && stamp.modified() == blob.modified {
                return Some(path);
            }
            if Digest::of_file(&path).is_ok_and(|there| there == blob.digest) {
                return Some(path);
            }
        }
        // Whoever else uses the key finds it missing, and makes it again.
        std::fs::remove_file(&path).ok();
        None
    }

    /// Whether this file is the very blob, whole: a hard link to it.
    pub(crate) fn is_blob(&self, file: &std::fs::Metadata, blob: &Blob, fresh: bool) -> bool {
        let stamp = Stamp::of(file);
        fresh
            && stamp.modified() == blob.modified
            && file.size() == blob.size
            && std::fs::metadata(self.path(&blob.digest, blob.executable))
                .is_ok_and(|there| there.ino() == file.ino() && there.dev() == file.dev())
    }

    /// Whether the contents of an entry were whole in this boot.
    pub(crate) fn is_of_this_boot(&self, entry: &Entry) -> bool {
        self.boot_known && entry.boot == self.boot
    }

    /// Puts a tree back into its place, which is emptied before. `None` if a content is missing.
    pub(crate) fn restore_tree(
        &self,
        (manifest, blobs): &(Manifest, Vec<Blob>),
        root: &Path,
        fresh: bool,
    ) -> fs::Result<Option<()>> {
        let Some(sources) =
            blobs.iter().map(|blob| self.whole(blob, fresh)).collect::<Option<Vec<PathBuf>>>()
        else {
            return Ok(None);
        };
        fs::remove_any(root)?;
        fs::create_dir_all(root)?;
        let mut sources = sources.iter();
        for entry in &manifest.entries {
            let path = root.join(&entry.path);
            match &entry.node {
                Node::Dir => fs::create_dir(&path)?,
                Node::Link(target) => fs::symlink(target, &path)?,
                Node::File { executable, .. } => {
                    let Some(source) = sources.next() else { return Ok(None) };
                    fs::copy(source, &path)?;
                    fs::set_mode(&path, if *executable { 0o755 } else { 0o644 })?;
                }
            }
        }
        Ok(Some(()))
    }

    /// Takes all files of a tree into the store, in the manifest's order.
    pub(crate) fn put_tree(&self, manifest: &Manifest, root: &Path) -> fs::Result<Vec<Blob>> {
        let mut blobs = Vec::new();
        for entry in &manifest.entries {
            if let Node::File { digest, executable, .. } = &entry.node {
                blobs.push(self.put(&root.join(&entry.path), *digest, *executable, true)?);
            }
        }
        Ok(blobs)
    }

    fn list_path(&self, key: &Digest) -> PathBuf {
        let hex = key.to_hex();
        self.root.join("ac").join(&hex[..2]).join(&hex[2..])
    }

    /// What a look at the list of a key says; `None` if there is none.
    pub(crate) fn list_stamp(&self, key: &Digest) -> Option<Stamp> {
        std::fs::metadata(self.list_path(key)).ok().map(|metadata| Stamp::of(&metadata))
    }

    /// The sealed entries under a key, newest first.
    pub(crate) fn entries(&self, key: &Digest) -> Entries {
        let mut entries = Entries { bytes: Vec::new(), at: 0, modified: i64::MAX, is_garbled: false };
        if let Ok(mut file) = File::open(self.list_path(key))
            && let Ok(metadata) = file.metadata()
            && metadata.is_file()
        {
            entries.modified = Stamp::of(&metadata).modified();
            file.read_to_end(&mut entries.bytes).ok();
        }
        entries
    }

    /// Adds an entry under a key; one that was seen to read the same gives way.
    pub(crate) fn insert(&self, key: &Digest, entry: &Entry) -> fs::Result<()> {
        self.change(key, |list| {
            list.retain(|old| old.sight != entry.sight);
            list.insert(0, Entry { used: signatures::now(), ..entry.clone() });
            thin_out(list);
        })
    }

    /// Removes the entry that was seen to read this.
    pub(crate) fn remove(&self, key: &Digest, sight: &Sight) -> fs::Result<()> {
        self.change(key, |list| list.retain(|old| old.sight != *sight))
    }

    /// Removes the entries that were seen to read these.
    pub(crate) fn remove_all(&self, key: &Digest, sights: &[Sight]) -> fs::Result<()> {
        self.change(key, |list| list.retain(|old| !sights.contains(&old.sight)))?;
        if self.entries(key).next().is_none() {
            fs::remove_file_if_exists(&self.list_path(key))?;
        }
        Ok(())
    }

    /// Notes that the first entry of a list was used.
    pub(crate) fn stamp(&self, key: &Digest) {
        if let Ok(file) = File::open(self.list_path(key)) {
            file.set_modified(SystemTime::now()).ok();
        }
    }

    /// Holds the store as one that uses it: nothing is removed meanwhile to make room. Where there are no locks,
    /// nothing ever is.
    pub(crate) fn enter(&self) -> Option<lock::Lock> {
        lock::acquire(&self.use_lock(), lock::Mode::Shared, || ()).ok()
    }

    /// The lock of those who use the store.
    pub(crate) fn use_lock(&self) -> PathBuf {
        self.root.join("locks/use")
    }

    fn change(&self, key: &Digest, edit: impl FnOnce(&mut Vec<Entry>)) -> fs::Result<()> {
        let path = self.list_path(key);
        let lock = self.root.join("locks").join(&key.to_hex()[..2]);
        let _held = lock::acquire(&lock, lock::Mode::Exclusive, || ())?;
        let mut list: Vec<Entry> = self.entries(key).collect();
        edit(&mut list);
        fs::create_dir_all(path.parent().expect("a list lies in a directory of the store"))?;
        let mut bytes = Vec::new();
        for sealed in list.iter().filter_map(|entry| sealed::seal(MAGIC, entry)) {
            bytes.extend_from_slice(&(sealed.len() as u64).to_le_bytes());
            bytes.extend_from_slice(&sealed);
        }
        fs::write_atomic(&path, bytes)
    }
}

/// Leaves the newest entries of each checkout.
fn thin_out(list: &mut Vec<Entry>) {
    let mut counts: Vec<(Vec<PlainPath>, usize)> = Vec::new();
    list.retain(|entry| {
        let held = &entry.sight.held;
        let known = counts.iter().position(|(known, _)| known == held).unwrap_or(counts.len());
        if known == counts.len() {
            counts.push((held.clone(), 0));
        }
        counts[known].1 += 1;
        known < CHECKOUTS && counts[known].1 <= ENTRIES
    });
}

fn blob(digest: Digest, executable: bool, metadata: &std::fs::Metadata) -> Blob {
    let modified = Stamp::of(metadata).modified();
    Blob { digest, size: metadata.size(), executable, modified, marks: Vec::new() }
}

/// Reads entries one by one, because the newest is mostly the one. What is damaged is left out.
pub(crate) struct Entries {
    bytes: Vec<u8>,
    at: usize,
    /// When the list was written or last stamped.
    modified: i64,
    is_garbled: bool,
}

/// How exactly the last use of a result is known, in nanoseconds: stamping costs more than looking.
const STAMPED: i64 = 12 * 60 * 60 * 1_000_000_000;

impl Entries {
    /// Whether the time of the list says too little about its last use.
    pub(crate) fn is_stale(&self) -> bool {
        self.modified < signatures::now() - STAMPED
    }

    /// Whether everything that was read so far was whole.
    pub(crate) fn was_whole(&self) -> bool {
        !self.is_garbled
    }
}

impl Iterator for Entries {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        loop {
            let left = self.bytes.get(self.at..)?;
            self.is_garbled |= !left.is_empty() && left.len() < 8;
            let (length, rest) = left.split_first_chunk::<8>()?;
            let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
            let entry = rest.get(..length).map(|sealed| sealed::open(MAGIC, sealed));
            self.at += 8 + length.min(rest.len());
            match entry {
                Some(Some(entry)) => return Some(entry),
                Some(None) => self.is_garbled = true,
                None => {
                    self.is_garbled = true;
                    return None;
                }
            }
        }
    }
}

/// Whether a file has a bit that lets somebody run it.
pub(crate) fn is_executable(metadata: &std::fs::Metadata) -> bool {
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(store: &Store, path: &str) -> Entry {
        let seen = crate::look::SeenPath { path: path.into(), seen: crate::look::Seen::Missing };
        Entry {
            boot: store.boot(),
            sight: Sight { paths: vec![seen], ..Sight::default() },
            outputs: Vec::new(),
            tree: None,
            generation: None,
            stdout: None,
            lines: Vec::new(),
            took: Duration::ZERO,
            used: 0,
        }
    }

    #[test]
    fn after_a_reboot_contents_are_hashed() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "good").unwrap();
        let blob = store.put(&file, Digest::of("good"), false, true).unwrap();
        let path = store.whole(&blob, true).unwrap();

        // What a crash can do: the size and the time are there, the content is not.
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        fs::set_mode(&path, 0o644).unwrap();
        fs::write(&path, "\0\0\0\0").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        assert_eq!(store.whole(&blob, false), None);
        assert!(!path.exists());

        let mut old = entry(&store, "x");
        old.boot = Digest::of("another boot");
        assert!(!store.is_of_this_boot(&old));
    }

    #[test]
    fn lists_are_bounded_and_newest_first() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let key = Digest::of("key");
        for index in 0..ENTRIES + 4 {
            store.insert(&key, &entry(&store, &index.to_string())).unwrap();
        }
        store.insert(&key, &entry(&store, "10")).unwrap();
        let first = |entry: Entry| entry.sight.paths[0].path.display().to_string();
        let paths: Vec<String> = store.entries(&key).map(first).collect();
        assert_eq!(paths.len(), ENTRIES);
        assert_eq!(paths[..3], ["10", "19", "18"]);
        store.remove(&key, &entry(&store, "19").sight).unwrap();
        assert_eq!(store.entries(&key).count(), ENTRIES - 1);
    }
}
