//! What is done to the graph as a whole: documentation that would be written twice, and units that host and target
//! have in common.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use wharf_core::PackageId;
use wharf_core::profile::{DebugInfo, Strip, StripLevel};

use crate::deps::Edges;
use crate::draft::{Draft, DraftId, Edge, Interner};
use crate::request::CompileKind;
use crate::unit::Mode;

/// Leaves one of several documentations that would go to the same place: that of the target rather than of the
/// host, and of the newest version. What was asked for always stays.
pub(crate) fn remove_duplicate_docs(
    interner: &Interner,
    edges: &mut Edges,
    roots: &[DraftId],
    only_host: bool,
) {
    let mut by_name: BTreeMap<String, Vec<DraftId>> = BTreeMap::new();
    let mut ids: Vec<DraftId> = edges.keys().copied().collect();
    ids.sort_unstable();
    for id in ids {
        let draft = interner.get(id);
        if draft.mode == Mode::Doc {
            by_name.entry(draft.target.crate_name()).or_default().push(id);
        }
    }
    let mut removed: HashSet<DraftId> = HashSet::new();
    for units in by_name.values().filter(|units| units.len() > 1) {
        let mut units = units.clone();
        if only_host {
            let (gone, kept) = units
                .into_iter()
                .partition::<Vec<_>, _>(|id| interner.get(*id).kind.is_host() && !roots.contains(id));
            removed.extend(gone);
            units = kept;
        }
        let mut by_source: HashMap<(PackageId, CompileKind), Vec<DraftId>> = HashMap::new();
        for id in units {
            let draft = interner.get(id);
            let any_version = PackageId::new(
                draft.id.name().clone(),
                semver::Version::new(0, 0, 0),
                draft.id.source().clone(),
            );
            by_source.entry((any_version, draft.kind.clone())).or_default().push(id);
        }
        for units in by_source.values() {
            let newest = units.iter().map(|id| interner.get(*id).id.version().clone()).max();
            let is_old = |id: &&DraftId| Some(interner.get(**id).id.version()) < newest.as_ref();
            removed.extend(units.iter().filter(is_old).filter(|id| !roots.contains(id)));
        }
    }
    if removed.is_empty() {
        return;
    }
    for list in edges.values_mut() {
        list.retain(|edge| !removed.contains(&edge.to));
    }
    let mut reached: BTreeSet<DraftId> = BTreeSet::new();
    let mut waiting = roots.to_vec();
    while let Some(id) = waiting.pop() {
        if reached.insert(id) {
            waiting.extend(edges[&id].iter().map(|edge| edge.to));
        }
    }
    edges.retain(|id, _| reached.contains(id));
}

/// The graph with its final units.
pub(crate) struct Shared {
    pub roots: Vec<DraftId>,
    pub edges: Edges,
}

/// Makes the units final. Without `--target`, what was kept apart under the host's triple becomes host code, and
/// equal units become one. Debug information that host code has only by default is given up, unless the target
/// needs the same unit with it. What has no debug information anywhere is stripped of the standard library's.
pub(crate) fn share(
    interner: &mut Interner,
    edges: &Edges,
    roots: &[DraftId],
    host_target: Option<&CompileKind>,
) -> Shared {
    let mut sharing =
        Sharing { interner, old: edges, host_target, done: HashMap::new(), new: HashMap::new() };
    let roots = roots.iter().map(|root| sharing.unit(*root, false)).collect();
    Shared { roots, edges: sharing.new }
}

struct Sharing<'a> {
    interner: &'a mut Interner,
    old: &'a Edges,
    host_target: Option<&'a CompileKind>,
    done: HashMap<DraftId, DraftId>,
    new: Edges,
}

/// A unit whose dependencies are being made final.
struct Open {
    id: DraftId,
    for_host: bool,
    next: usize,
}

impl Sharing<'_> {
    fn unit(&mut self, root: DraftId, for_host: bool) -> DraftId {
        let mut open = vec![Open { id: root, for_host, next: 0 }];
        while let Some(top) = open.last_mut() {
            let edges = &self.old[&top.id];
            match edges[top.next..].iter().position(|edge| !self.done.contains_key(&edge.to)) {
                Some(skip) => {
                    top.next += skip;
                    let edge = &edges[top.next];
                    open.push(Open { id: edge.to, for_host: edge.purpose.host, next: 0 });
                }
                None => {
                    let Open { id, for_host, .. } = *top;
                    open.pop();
                    if !self.done.contains_key(&id) {
                        self.finish(id, for_host);
                    }
                }
            }
        }
        self.done[&root]
    }

    fn finish(&mut self, id: DraftId, for_host: bool) {
        let edges: Vec<Edge> =
            self.old[&id].iter().map(|edge| Edge { to: self.done[&edge.to], ..edge.clone() }).collect();
        let mut draft: Draft = (**self.interner.get(id)).clone();
        if self.host_target == Some(&draft.kind) {
            draft.kind = CompileKind::Host;
        }
        let has_debuginfo = |id: &DraftId| self.interner.get(*id).profile.debuginfo.is_on();
        if matches!(draft.profile.strip, Strip::Deferred(_))
            && !draft.profile.debuginfo.is_on()
            && !edges.iter().any(|edge| has_debuginfo(&edge.to))
        {
            draft.profile.strip = Strip::Deferred(StripLevel::Named("debuginfo".to_owned()));
        }
        if let (true, true, Some(target)) = (for_host, draft.profile.debuginfo_deferred, self.host_target) {
            let mut probe = Draft { kind: target.clone(), dependencies: None, ..draft.clone() };
            probe.profile.debuginfo_deferred = false;
            if !self.interner.find(&probe).is_some_and(|id| self.old.contains_key(&id)) {
                draft.profile.debuginfo = DebugInfo::None;
            }
        }
        draft.profile.debuginfo_deferred = false;
        draft.dependencies = Some(edges.iter().map(|edge| edge.to).collect());
        let new = self.interner.intern(draft);
        self.done.insert(id, new);
        self.new.entry(new).or_insert(edges);
    }
}
