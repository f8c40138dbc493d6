//! Keeps the store within bounds: what was not used for the longest time goes first.
//!
//! A build holds the store's `use` lock together with other builds for as long as it runs. Whoever removes something
//! holds it alone, for moments only, so that a build that begins meanwhile waits for one moment at most. What was
//! marked before is looked at again under the lock: a build between two moments may have come to need it.

use std::collections::{HashMap, HashSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use wharf_base::digest::Digest;
use wharf_base::fs;
use wharf_base::lock::{self, Lock, Mode};

use crate::generation;
use crate::look::Sight;
use crate::roots;
use crate::signatures::{Stamp, now};
use crate::store::{Entry, Store};

/// How long builds may be kept waiting.
const MOMENT: Duration = Duration::from_millis(30);
/// How long they are left alone between two moments.
const PAUSE: Duration = Duration::from_millis(20);
/// What was written this shortly before the collection began may belong to it or not, in nanoseconds.
const MARGIN: i64 = 2_000_000_000;
/// How long a directory of a script is kept for a target directory that was not built in since.
const KEPT_FOR: Duration = Duration::from_hours(30 * 24);

/// What is in a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Results that can be found again.
    pub results: u64,
    /// Contents.
    pub contents: u64,
    /// Their bytes.
    pub content_bytes: u64,
    /// Those bytes that target directories share by hard links: removing them here frees nothing.
    pub shared_bytes: u64,
    /// Directories that build scripts of immutable packages filled.
    pub directories: u64,
    /// Their bytes.
    pub directory_bytes: u64,
    /// The target directories that use the store, and when they last did, in seconds since 1970.
    pub roots: Vec<(PathBuf, u64)>,
}

impl Usage {
    /// All bytes.
    pub fn bytes(&self) -> u64 {
        self.content_bytes + self.directory_bytes
    }
}

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// Results.
    pub results: u64,
    /// Contents.
    pub contents: u64,
    /// Directories of build scripts.
    pub directories: u64,
    /// Bytes in all of them.
    pub bytes: u64,
    /// Whether running builds, or another collection, left no moment for all of it.
    pub was_kept_out: bool,
}

/// What a look at every content found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Contents that are whole.
    pub whole: u64,
    /// Contents that were damaged, and are removed.
    pub damaged: Vec<PathBuf>,
    /// Results that named a content that is missing, and are removed.
    pub incomplete: u64,
    /// Lists of results that could not be read to their end; what could be read of them is kept.
    pub garbled: Vec<PathBuf>,
    /// Directories of build scripts that do not hold what they should, and are removed.
    pub altered: Vec<PathBuf>,
}

impl Verified {
    /// Whether nothing was wrong. A missing content is nothing wrong: somebody removed it to make room.
    pub fn is_clean(&self) -> bool {
        self.damaged.is_empty() && self.garbled.is_empty() && self.altered.is_empty()
    }
}

/// A result, as far as its removal goes.
struct Candidate {
    list: usize,
    sight: Sight,
    used: i64,
    contents: Vec<(PathBuf, u64)>,
}

struct List {
    key: Digest,
    path: PathBuf,
    stamp: Stamp,
}

/// Lets one removal at a time into the store, and only while no build runs.
struct Gate<'a> {
    store: &'a Store,
    until: Instant,
}

impl Gate<'_> {
    /// Does all deeds, some at a moment. Gives back whether there was time for all.
    fn each<T>(&self, deeds: impl IntoIterator<Item = T>, mut deed: impl FnMut(T)) -> bool {
        let mut deeds = deeds.into_iter().peekable();
        while deeds.peek().is_some() {
            let Some(alone) = self.alone() else { return false };
            let began = Instant::now();
            while began.elapsed() < MOMENT
                && let Some(next) = deeds.next()
            {
                deed(next);
            }
            drop(alone);
            if deeds.peek().is_some() {
                std::thread::sleep(PAUSE);
            }
        }
        true
    }

    fn alone(&self) -> Option<Lock> {
        loop {
            match lock::try_acquire(&self.store.use_lock(), Mode::Exclusive) {
                Ok(Some(lock)) if lock.is_real() => return Some(lock),
                // Without locks nobody knows who is building.
                Ok(Some(_)) | Err(_) => return None,
                Ok(None) if Instant::now() >= self.until => return None,
                Ok(None) => std::thread::sleep(PAUSE),
            }
        }
    }
}

impl Store {
    /// Looks how much there is.
    pub fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        self.each_blob(&mut |_, metadata| {
            usage.contents += 1;
            usage.content_bytes += metadata.len();
            if metadata.nlink() > 1 {
                usage.shared_bytes += metadata.len();
            }
        });
        for list in self.lists() {
            usage.results += self.entries(&list.key).count() as u64;
        }
        for (_, _, path) in self.generations() {
            usage.directories += 1;
            usage.directory_bytes += size_of_tree(&path);
        }
        let seconds = |stamp: i64| u64::try_from(stamp / 1_000_000_000).unwrap_or_default();
        let roots = roots::all(self).into_iter();
        usage.roots = roots.map(|root| (root.target, seconds(root.used))).collect();
        usage
    }

    /// Removes what nothing refers to, and, if there are more than `most` bytes, what was not used for the longest
    /// time. Waits at most `patience` for moments in which no build runs.
    pub fn collect(&self, most: u64, patience: Duration) -> Collected {
        let mut collected = Collected::default();
        let gate = Gate { store: self, until: Instant::now() + patience };
        let collecting = lock::try_acquire(&self.root().join("locks/collect"), Mode::Exclusive);
        let Ok(Some(_collecting)) = collecting else {
            return Collected { was_kept_out: true, ..collected };
        };
        let began = now() - MARGIN;
        let done = self.collect_directories(&gate, &mut collected)
            && self.collect_results(&gate, most, &mut collected)
            && self.collect_contents(&gate, began, &mut collected)
            && self.collect_litter(&gate, began);
        collected.was_kept_out = !done;
        collected
    }

    /// Directories that no target directory refers to any more.
    fn collect_directories(&self, gate: &Gate<'_>, collected: &mut Collected) -> bool {
        let mut wanted: HashSet<(String, String)> = HashSet::new();
        let oldest = now() - i64::try_from(KEPT_FOR.as_nanos()).unwrap_or(i64::MAX);
        for root in roots::all(self) {
            if !root.target.exists() {
                std::fs::remove_file(&root.file).ok();
                continue;
            }
            wanted.extend(
                root.directories.into_iter().filter(|(_, used)| *used > oldest).map(|(name, _)| name),
            );
        }
        let began = now();
        let unwanted: Vec<_> = self
            .generations()
            .into_iter()
            .filter(|(root, name, _)| !wanted.contains(&(name_of(root), name.clone())))
            .collect();
        gate.each(unwanted, |(root, name, path)| {
            // A build may have come since the roots were read.
            let is_new = std::fs::metadata(path.join("whole"))
                .is_ok_and(|metadata| Stamp::of(&metadata).latest() > began - MARGIN);
            let used_since = roots::all(self)
                .iter()
                .any(|user| user.used > began - MARGIN && user.has(&name_of(&root), &name));
            if is_new || used_since {
                return;
            }
            let bytes = size_of_tree(&path);
            // The mark goes first: what is half removed must not look whole.
            std::fs::remove_file(path.join("whole")).ok();
            if fs::remove_dir_all(&path).is_ok() {
                std::fs::remove_file(root.join(format!("{name}.lock"))).ok();
                collected.directories += 1;
                collected.bytes += bytes;
                std::fs::remove_dir(&root).ok();
            }
        })
    }

    /// The results that were not used for the longest time, as far as there are too many.
    fn collect_results(&self, gate: &Gate<'_>, most: u64, collected: &mut Collected) -> bool {
        let lists = self.lists();
        let mut results = Vec::new();
        for (index, list) in lists.iter().enumerate() {
            for (position, entry) in self.entries(&list.key).enumerate() {
                // The list is stamped when its first result is used.
                let used = if position == 0 { entry.used.max(list.stamp.modified()) } else { entry.used };
                let contents = contents_of(self, &entry);
                results.push(Candidate { list: index, sight: entry.sight, used, contents });
            }
        }
        results.sort_by_key(|result| std::cmp::Reverse(result.used));
        let directories: u64 = self.generations().iter().map(|(_, _, path)| size_of_tree(path)).sum();
        let total: u64 = {
            let unique: HashMap<&PathBuf, u64> = results
                .iter()
                .flat_map(|result| result.contents.iter().map(|(path, size)| (path, *size)))
                .collect();
            unique.values().sum()
        };
        if total + directories <= most {
            return true;
        }
        // Some room is made, or each build would bring the next collection.
        let most = (most / 10 * 9).saturating_sub(directories);
        let mut kept: HashSet<PathBuf> = HashSet::new();
        let mut bytes = 0;
        let mut unwanted: HashMap<usize, Vec<Sight>> = HashMap::new();
        for result in results {
            let more: u64 =
                result.contents.iter().filter(|(path, _)| !kept.contains(path)).map(|(_, size)| size).sum();
            if bytes + more > most {
                // From here on everything older goes, too: a small old result is not worth more than a large one.
                bytes = most.max(bytes);
                unwanted.entry(result.list).or_default().push(result.sight);
                continue;
            }
            bytes += more;
            kept.extend(result.contents.into_iter().map(|(path, _)| path));
        }
        gate.each(unwanted, |(index, sights)| {
            let list = &lists[index];
            // Used since: then it is not among the oldest.
            let is_same = std::fs::metadata(&list.path).is_ok_and(|now| Stamp::of(&now) == list.stamp);
            if is_same && self.remove_all(&list.key, &sights).is_ok() {
                collected.results += sights.len() as u64;
            }
        })
    }

    /// Contents that no result names.
    fn collect_contents(&self, gate: &Gate<'_>, began: i64, collected: &mut Collected) -> bool {
        let mut wanted = HashSet::new();
        for list in self.lists() {
            for entry in self.entries(&list.key) {
                wanted.extend(contents_of(self, &entry).into_iter().map(|(path, _)| path));
            }
        }
        let mut unwanted = Vec::new();
        self.each_blob(&mut |path, metadata| {
            if !wanted.contains(path) && Stamp::of(metadata).latest() < began {
                unwanted.push((path.to_owned(), metadata.len()));
            }
        });
        gate.each(unwanted, |(path, size)| {
            // Whoever takes it into a new result stamps it.
            let is_old = std::fs::metadata(&path).is_ok_and(|now| Stamp::of(&now).latest() < began);
            if is_old && std::fs::remove_file(&path).is_ok() {
                collected.contents += 1;
                collected.bytes += size;
            }
        })
    }

    /// What killed processes left.
    fn collect_litter(&self, gate: &Gate<'_>, began: i64) -> bool {
        let mut litter = Vec::new();
        for top in ["cas", "ac", "roots"] {
            each_file(&self.root().join(top), &mut |path, metadata| {
                let is_draft = name_of(path).starts_with('.');
                if is_draft && Stamp::of(metadata).latest() < began {
                    litter.push(path.to_owned());
                }
            });
        }
        let lists = self.lists().into_iter();
        let empty =
            lists.filter(|list| list.stamp.latest() < began && self.entries(&list.key).next().is_none());
        litter.extend(empty.map(|list| list.path));
        each_file(&self.root().join("locks/run"), &mut |path, _| litter.push(path.to_owned()));
        for entry in fs::read_dir(self.root()).unwrap_or_default() {
            if name_of(&entry.path).starts_with(".trash-") {
                fs::remove_dir_all(&entry.path).ok();
            }
        }
        gate.each(litter, |path| {
            std::fs::remove_file(path).ok();
        })
    }

    /// Hashes everything, and removes what is not what it should be.
    pub fn verify(&self) -> Verified {
        let mut verified = Verified::default();
        // Nobody makes room meanwhile.
        let _used = self.enter();
        let mut blobs = Vec::new();
        self.each_blob(&mut |path, _| blobs.push(path.to_owned()));
        for path in blobs {
            let wanted = digest_in_name(self.root(), &path);
            if wanted.is_some() && Digest::of_file(&path).ok() == wanted {
                verified.whole += 1;
            } else if path.exists() {
                std::fs::remove_file(&path).ok();
                verified.damaged.push(path);
            }
        }
        for list in self.lists() {
            let mut entries = self.entries(&list.key);
            let incomplete: Vec<Sight> = entries
                .by_ref()
                .filter(|entry| contents_of(self, entry).iter().any(|(path, _)| !path.exists()))
                .map(|entry| entry.sight)
                .collect();
            if !entries.was_whole() {
                verified.garbled.push(list.path.clone());
            }
            if (!incomplete.is_empty() || !entries.was_whole())
                && self.remove_all(&list.key, &incomplete).is_ok()
            {
                verified.incomplete += incomplete.len() as u64;
            }
        }
        for (_, _, path) in self.generations() {
            if !generation::is_unaltered(&path) {
                std::fs::remove_file(path.join("whole")).ok();
                verified.altered.push(path);
            }
        }
        verified
    }

    /// Removes everything, once no build runs.
    pub fn clear(&self, patience: Duration) -> Collected {
        let usage = self.usage();
        let gate = Gate { store: self, until: Instant::now() + patience };
        let Some(alone) = gate.alone() else {
            return Collected { was_kept_out: true, ..Collected::default() };
        };
        // Builds wait for the renaming only.
        let trash = self.root().join(format!(".trash-{}", now()));
        fs::create_dir_all(&trash).ok();
        for part in ["ac", "out", "cas", "roots", "snapshots"] {
            std::fs::rename(self.root().join(part), trash.join(part)).ok();
        }
        for part in ["ac", "out", "cas"] {
            fs::create_dir_all(&self.root().join(part)).ok();
        }
        drop(alone);
        fs::remove_dir_all(&trash).ok();
        Collected {
            results: usage.results,
            contents: usage.contents,
            directories: usage.directories,
            bytes: usage.bytes(),
            was_kept_out: false,
        }
    }

    fn lists(&self) -> Vec<List> {
        let mut lists = Vec::new();
        let top = self.root().join("ac");
        each_file(&top, &mut |path, metadata| {
            let Ok(below) = path.strip_prefix(&top) else { return };
            let hex: String = below.iter().map(|part| part.to_string_lossy()).collect();
            if let Some(key) = Digest::from_hex(&hex) {
                lists.push(List { key, path: path.to_owned(), stamp: Stamp::of(metadata) });
            }
        });
        lists
    }

    fn each_blob(&self, look: &mut dyn FnMut(&Path, &std::fs::Metadata)) {
        each_file(&self.root().join("cas"), &mut |path, metadata| {
            if !name_of(path).starts_with('.') {
                look(path, metadata);
            }
        });
    }

    /// The root, name and directory of everything below `out/`, filled or half filled.
    fn generations(&self) -> Vec<(PathBuf, String, PathBuf)> {
        let mut found = Vec::new();
        for root in fs::read_dir(&self.root().join("out")).unwrap_or_default() {
            for below in fs::read_dir(&root.path).unwrap_or_default() {
                if below.kind.is_dir() {
                    let name = name_of(&below.path);
                    found.push((root.path.clone(), name, below.path));
                }
            }
        }
        found
    }
}

fn contents_of(store: &Store, entry: &Entry) -> Vec<(PathBuf, u64)> {
    let blobs = entry.outputs.iter().map(|(_, blob)| blob);
    let blobs = blobs.chain(entry.tree.iter().flat_map(|(_, blobs)| blobs));
    blobs.map(|blob| (store.path(&blob.digest, blob.executable), blob.size)).collect()
}

fn digest_in_name(root: &Path, path: &Path) -> Option<Digest> {
    let below = path.strip_prefix(root.join("cas")).ok()?;
    let name: String = below.iter().map(|part| part.to_string_lossy()).collect();
    Digest::from_hex(name.strip_suffix(".x").unwrap_or(&name))
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn size_of_tree(dir: &Path) -> u64 {
    let mut size = 0;
    each_file(dir, &mut |_, metadata| size += metadata.len());
    size
}

/// Looks at all files below a directory. What vanishes meanwhile is left out.
fn each_file(dir: &Path, look: &mut dyn FnMut(&Path, &std::fs::Metadata)) {
    for entry in fs::read_dir(dir).unwrap_or_default() {
        if entry.kind.is_dir() {
            each_file(&entry.path, look);
        } else if let Ok(metadata) = std::fs::symlink_metadata(&entry.path) {
            look(&entry.path, &metadata);
        }
    }
}
