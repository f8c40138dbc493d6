//! What has been published: taking in archives, yanking, owners and search.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::SystemTime;

use semver::Version;
use sha2::{Digest, Sha256};
use time::format_description::FormatItem;
use time::macros::format_description;
use wharf_wire::archive::{self, ArchiveError, Limits};
use wharf_wire::index::{EntryError, IndexEntry};
use wharf_wire::{NewCrate, api};

use crate::auth::Caller;
use crate::index::{Index, IndexFile};
use crate::manifest::{Home, ManifestError, PackagedManifest};
use crate::storage::{self, Record, Storage};

/// The longest name that crates.io takes, in characters.
const NAME_LIMIT: usize = 64;
const TIME: &[FormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The archive breaks a rule.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The manifest breaks a rule.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A name that a package may not have.
    #[error("invalid package name `{0}`: use ASCII letters, digits, `-` and `_`, a letter first, at most 64")]
    Name(String),
    /// The name is taken in another spelling.
    #[error("the name `{wanted}` is too close to the existing package `{taken}`")]
    NameTaken {
        /// The new name.
        wanted: String,
        /// The one that was there first.
        taken: String,
    },
    /// The version exists, perhaps with other build metadata.
    #[error("`{name}` {version} is already published")]
    Exists {
        /// The package.
        name: String,
        /// The version that is there.
        version: String,
    },
    /// The caller is not an owner.
    #[error("`{login}` is not an owner of `{name}`")]
    NotOwner {
        /// Who asked.
        login: String,
        /// For which package.
        name: String,
    },
    /// There is no such package or version.
    #[error("there is no {0}")]
    Missing(String),
    /// The last owner cannot go.
    #[error("`{0}` must keep at least one owner")]
    LastOwner(String),
    /// The file system failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// A stored index line is damaged.
    #[error(transparent)]
    Entry(#[from] EntryError),
}

/// What the registry insists on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) stands_in_for_crates_io: bool,
    pub(crate) clock: fn() -> SystemTime,
}

/// A package to take in.
#[derive(Debug)]
pub struct Upload<'a> {
    /// What the client says; `None` takes the manifest's word alone.
    pub metadata: Option<&'a NewCrate>,
    /// Name and version that the archive's directory must bear.
    pub name: &'a str,
    /// See `name`.
    pub version: &'a str,
    /// The `.crate` file.
    pub archive: &'a [u8],
    /// The index URL (with `sparse+`) by which the client knows this registry.
    pub index_url: Option<&'a str>,
}

/// All packages. Changes are made one at a time and are on disk before they can be seen.
#[derive(Debug)]
pub struct Releases {
    rules: Rules,
    storage: Storage,
    index: Index,
    /// By canonical name, under which names that are too close to each other are one.
    records: Mutex<BTreeMap<String, Record>>,
}

impl Releases {
    pub(crate) fn load(storage: Storage, rules: Rules) -> Result<Self, storage::Error> {
        let index = Index::default();
        let mut records = BTreeMap::new();
        for record in storage.records()? {
            index.put(record.name.to_lowercase(), index_file(&record));
            records.insert(canonical(&record.name), record);
        }
        Ok(Self { rules, storage, index, records: Mutex::new(records) })
    }

    /// The ready-made index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Takes in a package: archive, then record, then index. Returns the new index entry's line.
    pub fn publish(&self, caller: &Caller, upload: &Upload<'_>) -> Result<String, Error> {
        check_name(upload.name)?;
        let text = archive::manifest_of(upload.archive, upload.name, upload.version, Limits::PUBLIC)?;
        let manifest = PackagedManifest::parse(&text)?;
        if manifest.package.name != upload.name || manifest.package.version.to_string() != upload.version {
            return Err(ManifestError::Differs("name or version").into());
        }
        let home = Home { index_url: upload.index_url, is_crates_io: self.rules.stands_in_for_crates_io };
        if let Some(metadata) = upload.metadata {
            manifest.check_against(metadata, &home)?;
        }
        let entry = self.entry(&manifest, &home, upload.archive)?;
        let line = String::from_utf8(entry.render()).expect("JSON is text");

        let mut records = self.lock();
        let known = records.get(&canonical(upload.name));
        let mut record = match known {
            None => Record {
                name: upload.name.to_owned(),
                owners: vec![caller.login().to_owned()],
                description: None,
                lines: Vec::new(),
            },
            Some(record) => {
                check_addition(record, caller, upload.name, &manifest.package.version)?;
                record.clone()
            }
        };
        record.description = manifest.package.description.clone();
        record.lines.push(line.clone());
        self.storage.put_archive(upload.name, upload.version, upload.archive)?;
        self.commit(&mut records, record)?;
        Ok(line)
    }

    /// Marks a version as yanked or takes the mark back. Doing it twice is no error.
    pub fn set_yanked(&self, caller: &Caller, name: &str, version: &str, yanked: bool) -> Result<(), Error> {
        let mut records = self.lock();
        let mut record = owned(&records, caller, name)?.clone();
        let mut found = false;
        for line in &mut record.lines {
            let mut entry = IndexEntry::parse(line.as_bytes())?;
            if entry.vers.to_string() == version {
                found = true;
                entry.yanked = Some(yanked);
                let changed = String::from_utf8(entry.render()).expect("JSON is text");
                *line = changed;
            }
        }
        if !found {
            return Err(Error::Missing(format!("version {version} of `{name}`")));
        }
        self.commit(&mut records, record)
    }

    /// The archive of a version, if there is one.
    pub fn archive(&self, name: &str, version: &str) -> Result<Option<Vec<u8>>, Error> {
        // Both become parts of a path.
        if check_name(name).is_err() || Version::parse(version).is_err() {
            return Ok(None);
        }
        Ok(self.storage.archive(name, version)?)
    }

    /// Logins of the owners.
    pub fn owners(&self, name: &str) -> Result<Vec<String>, Error> {
        Ok(known(&self.lock(), name)?.owners.clone())
    }

    /// Adds owners, or removes them.
    pub fn change_owners(
        &self,
        caller: &Caller,
        name: &str,
        logins: &[String],
        add: bool,
    ) -> Result<(), Error> {
        let mut records = self.lock();
        let mut record = owned(&records, caller, name)?.clone();
        record.owners.retain(|owner| !logins.contains(owner));
        if add {
            record.owners.extend(logins.iter().cloned());
        }
        if record.owners.is_empty() {
            return Err(Error::LastOwner(record.name));
        }
        self.commit(&mut records, record)
    }

    /// Packages whose name or description holds `query` in any case, exact names first, at most `limit`; and
    /// how many there are in all.
    pub fn search(&self, query: &str, limit: usize) -> Result<api::Found, Error> {
        let query = query.to_lowercase();
        let records = self.lock();
        let holds = |text: &str| text.to_lowercase().contains(&query);
        let mut matches: Vec<&Record> = records
            .values()
            .filter(|record| holds(&record.name) || record.description.as_deref().is_some_and(holds))
            .collect();
        matches.sort_by_key(|record| (record.name.to_lowercase() != query, !holds(&record.name)));
        let total = u32::try_from(matches.len()).unwrap_or(u32::MAX);
        let mut crates = Vec::new();
        for record in matches.into_iter().take(limit) {
            crates.push(api::FoundCrate {
                name: record.name.clone(),
                max_version: highest(record)?.map(|version| version.to_string()).unwrap_or_default(),
                description: record.description.clone(),
            });
        }
        Ok(api::Found { crates, meta: api::FoundMeta { total } })
    }

    fn entry(
        &self,
        manifest: &PackagedManifest,
        home: &Home<'_>,
        archive: &[u8],
    ) -> Result<IndexEntry<'static>, Error> {
        let (mut features, mut features2) = (BTreeMap::new(), BTreeMap::new());
        for (name, values) in &manifest.features {
            let new_form = values.iter().any(|value| value.starts_with("dep:") || value.contains("?/"));
            let map = if new_form { &mut features2 } else { &mut features };
            map.insert(name.clone().into(), values.iter().map(|value| value.clone().into()).collect());
        }
        let v = (!features2.is_empty()).then_some(2);
        let now = time::OffsetDateTime::from((self.rules.clock)());
        let pubtime = now.format(TIME).expect("the format asks for nothing that a time lacks");
        Ok(IndexEntry {
            name: manifest.package.name.clone().into(),
            vers: manifest.package.version.clone(),
            deps: manifest.dependencies(home)?,
            cksum: hex::encode(Sha256::digest(archive)).into(),
            features,
            features2: v.map(|_| features2),
            yanked: Some(false),
            links: manifest.package.links.clone().map(Into::into),
            rust_version: manifest.package.rust_version.clone().map(Into::into),
            pubtime: Some(pubtime.into()),
            v,
        })
    }

    fn commit(&self, records: &mut BTreeMap<String, Record>, record: Record) -> Result<(), Error> {
        self.storage.put_record(&record)?;
        self.index.put(record.name.to_lowercase(), index_file(&record));
        records.insert(canonical(&record.name), record);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Record>> {
        // A panic between disk and memory would leave memory behind the disk, never ahead of it.
        self.records.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The form under which names count as the same.
fn canonical(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}

fn check_name(name: &str) -> Result<(), Error> {
    let fits = name.len() <= NAME_LIMIT
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_');
    if fits { Ok(()) } else { Err(Error::Name(name.to_owned())) }
}

fn check_addition(record: &Record, caller: &Caller, name: &str, version: &Version) -> Result<(), Error> {
    if record.name != name {
        return Err(Error::NameTaken { wanted: name.to_owned(), taken: record.name.clone() });
    }
    check_owner(record, caller)?;
    for line in &record.lines {
        let existing = IndexEntry::parse(line.as_bytes())?.vers;
        if existing.cmp_precedence(version).is_eq() {
            return Err(Error::Exists { name: name.to_owned(), version: existing.to_string() });
        }
    }
    Ok(())
}

fn check_owner(record: &Record, caller: &Caller) -> Result<(), Error> {
    if record.owners.iter().any(|owner| owner == caller.login()) {
        return Ok(());
    }
    Err(Error::NotOwner { login: caller.login().to_owned(), name: record.name.clone() })
}

fn known<'r>(records: &'r BTreeMap<String, Record>, name: &str) -> Result<&'r Record, Error> {
    records
        .get(&canonical(name))
        .filter(|record| record.name == name)
        .ok_or_else(|| Error::Missing(format!("package `{name}`")))
}

fn owned<'r>(
    records: &'r BTreeMap<String, Record>,
    caller: &Caller,
    name: &str,
) -> Result<&'r Record, Error> {
    let record = known(records, name)?;
    check_owner(record, caller)?;
    Ok(record)
}

fn index_file(record: &Record) -> IndexFile {
    IndexFile::of_lines(record.lines.iter().map(String::as_str))
}

/// The highest version, one that is not yanked and no pre-release if there is such a one.
fn highest(record: &Record) -> Result<Option<Version>, Error> {
    let mut best: Option<((bool, bool), Version)> = None;
    for line in &record.lines {
        let entry = IndexEntry::parse(line.as_bytes())?;
        let rank = (entry.yanked != Some(true), entry.vers.pre.is_empty());
        let candidate = (rank, entry.vers);
        if best.as_ref().is_none_or(|best| *best < candidate) {
            best = Some(candidate);
        }
    }
    Ok(best.map(|(_, version)| version))
}
