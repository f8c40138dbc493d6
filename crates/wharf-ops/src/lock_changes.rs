//! What a new resolution changes in the lockfile, as people are told: counts, lines, and notes of what is newer.
//!
//! Which lines there are, their order and their notes are Cargo 1.95's.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use cargo_util_schemas::manifest::RustVersion;
use wharf_core::summary::SharedSummary;
use wharf_core::{PackageId, PackageName, PartialVersion, Resolution, SourceId, Version, VersionReq};
use wharf_resolve::{PreciseVersion, VersionOrder};
use wharf_sources::{Freshness, Sources};

use crate::failure::Result;
use crate::resolve::{ResolveOptions, honours_rust_version};
use crate::workspace::Workspace;

/// What changed in a lockfile.
#[derive(Clone, Debug, Default)]
pub struct LockChanges {
    /// The headline; `None` when it would say nothing.
    pub locking: Option<Locking>,
    /// One line for each package worth a word. Those of [`ChangeKind::Unchanged`] are for the curious only.
    pub lines: Vec<LockLine>,
    /// How many packages stayed although something newer would fit.
    pub behind: usize,
}

/// The headline: what follows the word `Locking`.
#[derive(Clone, Debug)]
pub struct Locking {
    /// How many packages are new in the lockfile.
    pub count: usize,
    /// Which versions were tried first.
    pub order: VersionOrder,
    /// The toolchain that versions were chosen for, if one counted.
    pub rust_version: Option<PartialVersion>,
    /// The instant after which versions did not count.
    pub published_until: Option<Arc<str>>,
}

/// One package.
#[derive(Clone, Debug)]
pub struct LockLine {
    /// What happened to it.
    pub kind: ChangeKind,
    /// The package, and where it moved from.
    pub text: String,
    /// What to know about it.
    pub note: Option<LockNote>,
}

/// What happened to a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was not there before.
    Added,
    /// It is gone.
    Removed,
    /// One version took the place of an older one.
    Upgraded,
    /// One version took the place of a newer one.
    Downgraded,
    /// It stays.
    Unchanged,
}

impl ChangeKind {
    /// The word at the head of the line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "Adding",
            Self::Removed => "Removing",
            Self::Upgraded => "Updating",
            Self::Downgraded => "Downgrading",
            Self::Unchanged => "Unchanged",
        }
    }

    fn is_new(self) -> bool {
        matches!(self, Self::Added | Self::Upgraded | Self::Downgraded)
    }
}

/// The end of a line, in parentheses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockNote {
    /// The toolchain is too old for it.
    RequiresRust(RustVersion),
    /// Something newer exists.
    Available {
        /// The newest.
        version: Version,
        /// The toolchain that the newest needs, when that is why it was not taken.
        requires: Option<RustVersion>,
        /// Whether nothing but a requirement keeps it from being taken.
        usable: bool,
    },
}

impl fmt::Display for LockNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RequiresRust(version) => write!(f, "(requires Rust {version})"),
            Self::Available { version, requires: Some(rust), .. } => {
                write!(f, "(available: v{version}, requires Rust {rust})")
            }
            Self::Available { version, requires: None, .. } => write!(f, "(available: v{version})"),
        }
    }
}

impl fmt::Display for Locking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.count == 1 { "" } else { "s" };
        let which = match self.order {
            VersionOrder::Highest => "latest",
            VersionOrder::Lowest => "earliest",
        };
        write!(f, "{} package{plural} to {which}", self.count)?;
        if let Some(rust) = &self.rust_version {
            write!(f, " Rust {rust}")?;
        }
        write!(f, " compatible version{plural}")?;
        match &self.published_until {
            Some(instant) => write!(f, " as of {instant}"),
            None => Ok(()),
        }
    }
}

/// A resolution and the one before it.
pub struct Comparison<'a> {
    /// Whose packages they are.
    pub workspace: &'a Workspace,
    /// Who knows of newer versions.
    pub sources: &'a Sources,
    /// How it was resolved.
    pub options: &'a ResolveOptions,
    /// The packages before; `None` when there was no lockfile.
    pub before: Option<&'a [PackageId]>,
    /// The packages now.
    pub now: &'a Resolution,
}

/// What `update` was asked, as far as it matters for what is told.
#[derive(Clone, Copy, Debug)]
pub struct Moved<'a> {
    /// `--precise`: the count goes without saying.
    pub is_precise: bool,
    /// Packages that had to go to one version; no other version of their name counts as newer.
    pub versions: &'a [PreciseVersion],
    /// How new the answers of sources have to be.
    pub freshness: Freshness,
}

impl Moved<'_> {
    /// Nothing in particular was asked.
    const FREELY: Self = Self { is_precise: false, versions: &[], freshness: Freshness::Current };
}

impl Comparison<'_> {
    /// What is told when a lockfile came into being, or was changed because manifests were: members and packages
    /// that went without saying are left out.
    ///
    /// # Errors
    /// If a source cannot be asked.
    pub fn noticed(&self) -> Result<LockChanges> {
        let mut changes = self.changes();
        changes.retain(|change| !self.workspace.is_member(&change.package) && change.kind.is_new());
        if changes.is_empty() {
            return Ok(LockChanges::default());
        }
        let required = self.required_versions();
        let direct = self.direct();
        let mut lines = Vec::new();
        for change in &changes {
            let (refused, newer) = self.notes(change, (&required, &direct), &Moved::FREELY)?;
            let note = refused.or(newer);
            if self.before.is_some() || note.is_some() {
                lines.push(LockLine { kind: change.kind, text: change.to_string(), note });
            }
        }
        Ok(LockChanges { locking: Some(self.locking(changes.len())), lines, behind: 0 })
    }

    /// What `update` tells: everything.
    ///
    /// # Errors
    /// If a source cannot be asked.
    pub fn updated(&self, moved: &Moved<'_>) -> Result<LockChanges> {
        let changes = self.changes();
        let count = changes.iter().filter(|change| change.kind.is_new()).count();
        let required = self.required_versions();
        let direct = self.direct();
        if moved.freshness == Freshness::Current {
            self.prefetch(&changes);
        }
        let mut told = LockChanges {
            locking: (!moved.is_precise).then(|| self.locking(count)),
            lines: Vec::new(),
            behind: 0,
        };
        for change in &changes {
            let note = match change.kind {
                ChangeKind::Removed => None,
                kind => {
                    let (refused, newer) = self.notes(change, (&required, &direct), moved)?;
                    let is_behind = newer.is_some();
                    let note = refused.or(newer);
                    if kind == ChangeKind::Unchanged {
                        if note.is_none() {
                            continue;
                        }
                        told.behind += usize::from(is_behind);
                    }
                    note
                }
            };
            told.lines.push(LockLine { kind: change.kind, text: change.to_string(), note });
        }
        Ok(told)
    }

    fn locking(&self, count: usize) -> Locking {
        let rust_version = honours_rust_version(self.workspace, self.options).then(|| {
            let stated = self.workspace.members().filter_map(|member| member.manifest.rust_version.as_ref());
            stated.min().map(RustVersion::to_partial).or_else(|| self.options.rustc.clone())
        });
        Locking {
            count,
            order: self.options.order,
            rust_version: rust_version.flatten(),
            published_until: self.options.published_until.clone(),
        }
    }

    /// All packages before and now, by name and source.
    fn changes(&self) -> Vec<Change> {
        let mut places: BTreeMap<(&PackageName, SourceId), [BTreeSet<&PackageId>; 2]> = BTreeMap::new();
        let before = self.before.unwrap_or_default().iter().map(|id| (0, id));
        for (side, id) in before.chain(self.now.ids().map(|id| (1, id))) {
            places.entry((id.name(), id.source().without_precise())).or_default()[side].insert(id);
        }
        let mut changes = Vec::new();
        for [old, new] in places.values() {
            let removed: Vec<_> = old.difference(new).copied().cloned().collect();
            let added: Vec<_> = new.difference(old).copied().cloned().collect();
            match (&removed[..], &added[..]) {
                ([from], [to]) => changes.push(Change::moved(from, to)),
                _ => {
                    let gone = removed.into_iter().map(|id| Change::plain(ChangeKind::Removed, id));
                    let came = added.into_iter().map(|id| Change::plain(ChangeKind::Added, id));
                    changes.extend(gone.chain(came));
                }
            }
            let stayed = new.intersection(old).copied().cloned();
            changes.extend(stayed.map(|id| Change::plain(ChangeKind::Unchanged, id)));
        }
        changes
    }

    /// The members and what they depend on themselves.
    fn direct(&self) -> BTreeSet<&PackageId> {
        let mut direct = BTreeSet::new();
        for member in self.workspace.member_ids() {
            direct.insert(member);
            direct.extend(self.now.edges(member).iter().map(|edge| self.now.used_for(&edge.to)));
        }
        direct
    }

    /// The lowest toolchain that has to build each package.
    fn required_versions(&self) -> BTreeMap<&PackageId, PartialVersion> {
        let rustc = self.options.rustc.clone();
        let mut required: BTreeMap<&PackageId, PartialVersion> = BTreeMap::new();
        if !honours_rust_version(self.workspace, self.options) {
            return match rustc {
                Some(rustc) => self.now.ids().map(|id| (id, rustc.clone())).collect(),
                None => required,
            };
        }
        let mut pending: VecDeque<(&PackageId, PartialVersion)> = VecDeque::new();
        for member in self.workspace.members() {
            let stated = member.manifest.rust_version.as_ref().map(RustVersion::to_partial);
            pending.extend(stated.or_else(|| rustc.clone()).map(|version| (member.id(), version)));
        }
        while let Some((id, version)) = pending.pop_front() {
            if required.get(id).is_some_and(|known| *known <= version) {
                continue;
            }
            let edges = self.now.edges(id).iter();
            pending.extend(edges.map(|edge| (self.now.used_for(&edge.to), version.clone())));
            required.insert(id, version);
        }
        required
    }

    fn prefetch(&self, changes: &[Change]) {
        let unchanged = changes.iter().filter(|change| change.kind == ChangeKind::Unchanged);
        let wanted: Vec<_> = unchanged
            .map(|change| &change.package)
            .filter(|id| id.source().is_remote_registry())
            .map(|id| (id.source().without_precise(), id.name().clone()))
            .collect();
        if wanted.len() > 1 {
            self.sources.prefetch(&wanted);
        }
    }

    /// That the toolchain is too old, and what is newer.
    fn notes(
        &self,
        change: &Change,
        (required, direct): (&BTreeMap<&PackageId, PartialVersion>, &BTreeSet<&PackageId>),
        moved: &Moved<'_>,
    ) -> Result<(Option<LockNote>, Option<LockNote>)> {
        let id = &change.package;
        let required = required.get(id);
        let own = self.now.get(id).and_then(|package| package.summary.rust_version);
        let refused = match (own, required) {
            (Some(own), Some(required)) if !id.source().is_path() && !own.is_compatible_with(required) => {
                Some(LockNote::RequiresRust(own))
            }
            _ => None,
        };
        if !id.source().is_registry() {
            return Ok((refused, None));
        }
        let source = id.source().without_precise();
        if moved.versions.iter().any(|wanted| wanted.name == *id.name() && wanted.source.same_place(&source))
        {
            return Ok((refused, None));
        }
        let (version, is_direct) = (id.version(), direct.contains(id));
        let caret = VersionReq { comparators: vec![caret(version)] };
        let of_interest = |other: &Version| other > version && (is_direct || caret.matches(other));
        let others = self.sources.matching(&source, id.name(), moved.freshness, &of_interest)?;
        Ok((refused, newer(version, &others, required, is_direct)))
    }
}

/// What is worth telling of the other versions of a package: first what the toolchain can build and requirements
/// may accept, then, for what members ask for themselves, any newer version; then the same for newer toolchains.
fn newer(
    version: &Version,
    all: &[SharedSummary],
    required: Option<&PartialVersion>,
    is_direct: bool,
) -> Option<LockNote> {
    let caret = VersionReq { comparators: vec![caret(version)] };
    let compatible = |other: &Version| other != version && caret.matches(other);
    let is_newer = |other: &Version| {
        let same_numbers =
            (other.major, other.minor, other.patch) == (version.major, version.minor, version.patch);
        version < other && (other.pre.is_empty() || same_numbers)
    };
    let buildable = |summary: &SharedSummary| match (&summary.rust_version, required) {
        (Some(needs), Some(required)) => needs.is_compatible_with(required),
        _ => true,
    };
    let best = |fits: &dyn Fn(&Version) -> bool, usable: bool| {
        let fitting = all.iter().filter(|summary| !summary.yanked && fits(summary.id.version()));
        fitting
            .filter(|summary| !usable || buildable(summary))
            .max_by_key(|summary| summary.id.version())
            .map(|summary| LockNote::Available {
                version: summary.id.version().clone(),
                requires: summary.rust_version.filter(|_| !usable),
                usable,
            })
    };
    // With a toolchain as it is, then with a newer one.
    [true, false].into_iter().find_map(|usable| {
        best(&compatible, usable).or_else(|| if is_direct { best(&is_newer, usable) } else { None })
    })
}

fn caret(version: &Version) -> semver::Comparator {
    semver::Comparator {
        op: semver::Op::Caret,
        major: version.major,
        minor: Some(version.minor),
        patch: Some(version.patch),
        pre: version.pre.clone(),
    }
}

/// A package before and after.
struct Change {
    kind: ChangeKind,
    package: PackageId,
    from: Option<PackageId>,
}

impl Change {
    fn plain(kind: ChangeKind, package: PackageId) -> Self {
        Self { kind, package, from: None }
    }

    fn moved(from: &PackageId, to: &PackageId) -> Self {
        // Build metadata has no order that means anything.
        let kind = match from.version().cmp_precedence(to.version()) {
            Ordering::Greater => ChangeKind::Downgraded,
            Ordering::Less | Ordering::Equal => ChangeKind::Upgraded,
        };
        Self { kind, package: to.clone(), from: Some(from.clone()) }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(from) = &self.from else { return write!(f, "{}", self.package) };
        match self.package.source().git_object() {
            Some(object) => write!(f, "{from} -> #{}", object.get(..8).unwrap_or(object)),
            None => write!(f, "{from} -> v{}", self.package.version()),
        }
    }
}
