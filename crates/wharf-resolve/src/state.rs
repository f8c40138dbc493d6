//! What has been chosen so far, and what is still to be done. Every change is on a trail and can be undone.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use wharf_core::FeatureName;

use crate::catalog::{Catalog, DependencyIx, LinksIx, Need, Needs, PackageIx, Slot};

/// The dependencies of one package that are still to be satisfied.
struct Frame {
    parent: PackageIx,
    needs: Rc<Needs>,
    next: usize,
    hopeless: bool,
}

/// Frames by how soon they are served: hopeless ones, whose failure is only to be explained, then those with
/// the fewest candidates for their next dependency, then the older.
type Key = (bool, usize, u32);

impl Frame {
    fn key(&self, number: u32) -> Key {
        let choice = self.needs.list.get(self.next).map_or(0, |need| need.candidates.len());
        (!self.hopeless, choice, number)
    }
}

enum Change {
    Chosen(Slot, Option<(PackageIx, u32)>),
    Linked(LinksIx),
    Edge(PackageIx, usize),
    Features(PackageIx, Vec<FeatureName>),
    Pushed,
    Advanced(u32),
    Finished(u32),
}

/// Who asks for a package, and by which dependencies.
pub(crate) type Parents = Vec<(PackageIx, Vec<DependencyIx>)>;

#[derive(Default)]
pub(crate) struct State {
    /// How many activations led here. The age of a package is the count at which it was chosen.
    pub age: u32,
    slots: Vec<Option<(PackageIx, u32)>>,
    links: Vec<Option<PackageIx>>,
    features: HashMap<PackageIx, BTreeSet<FeatureName>>,
    parents: HashMap<PackageIx, Parents>,
    frames: Vec<Frame>,
    queue: BTreeSet<Key>,
    trail: Vec<Change>,
}

/// A dependency that is to be satisfied now.
#[derive(Clone)]
pub(crate) struct Turn {
    pub parent: PackageIx,
    pub needs: Rc<Needs>,
    pub position: usize,
    pub hopeless: bool,
}

impl Turn {
    pub fn need(&self) -> &Need {
        &self.needs.list[self.position]
    }
}

impl State {
    /// A mark to go back to by [`State::undo_to`].
    pub fn mark(&self) -> usize {
        self.trail.len()
    }

    pub fn in_slot(&self, slot: Slot) -> Option<PackageIx> {
        self.slots.get(slot.0 as usize).copied().flatten().map(|(package, _)| package)
    }

    pub fn linked(&self, links: LinksIx) -> Option<PackageIx> {
        self.links.get(links.0 as usize).copied().flatten()
    }

    /// The age of a package, if it is chosen.
    pub fn age_of(&self, catalog: &Catalog<'_>, package: PackageIx) -> Option<u32> {
        let slot = catalog.package(package).slot;
        let (chosen, age) = self.slots.get(slot.0 as usize).copied().flatten()?;
        (chosen == package).then_some(age)
    }

    pub fn features(&self, package: PackageIx) -> Option<&BTreeSet<FeatureName>> {
        self.features.get(&package)
    }

    pub fn parents(&self, package: PackageIx) -> &[(PackageIx, Vec<DependencyIx>)] {
        self.parents.get(&package).map_or(&[], Vec::as_slice)
    }

    /// All chosen packages; one that stands in for another source comes up twice.
    pub fn chosen(&self) -> impl Iterator<Item = PackageIx> {
        self.slots.iter().flatten().map(|(package, _)| *package)
    }

    /// Puts a package in a slot, and returns the one that was there.
    pub fn choose(&mut self, slot: Slot, package: PackageIx) -> Option<PackageIx> {
        let at = slot.0 as usize;
        if self.slots.len() <= at {
            self.slots.resize(at + 1, None);
        }
        let previous = self.slots[at].replace((package, self.age));
        self.trail.push(Change::Chosen(slot, previous));
        previous.map(|(package, _)| package)
    }

    /// Gives a native library to a package; it must be free.
    pub fn link(&mut self, links: LinksIx, package: PackageIx) {
        let at = links.0 as usize;
        if self.links.len() <= at {
            self.links.resize(at + 1, None);
        }
        self.links[at] = Some(package);
        self.trail.push(Change::Linked(links));
    }

    /// Notes who asks for a package.
    pub fn add_edge(&mut self, child: PackageIx, parent: PackageIx, dependency: DependencyIx) {
        let parents = self.parents.entry(child).or_default();
        let at = match parents.iter().position(|(known, _)| *known == parent) {
            Some(at) => at,
            None => {
                parents.push((parent, Vec::new()));
                parents.len() - 1
            }
        };
        let dependencies = &mut parents[at].1;
        if !dependencies.contains(&dependency) {
            dependencies.push(dependency);
            self.trail.push(Change::Edge(child, at));
        }
    }

    pub fn add_features(&mut self, package: PackageIx, names: &[FeatureName]) {
        if names.is_empty() {
            return;
        }
        let features = self.features.entry(package).or_default();
        let added: Vec<FeatureName> =
            names.iter().filter(|name| features.insert((*name).clone())).cloned().collect();
        if !added.is_empty() {
            self.trail.push(Change::Features(package, added));
        }
    }

    /// Puts the dependencies of a package on the list of what is to be done.
    pub fn push(&mut self, parent: PackageIx, needs: Rc<Needs>, hopeless: bool) {
        let frame = Frame { parent, needs, next: 0, hopeless };
        let number = u32::try_from(self.frames.len()).expect("fewer frames than 2^32");
        self.queue.insert(frame.key(number));
        self.frames.push(frame);
        self.trail.push(Change::Pushed);
    }

    /// Takes the dependency that has the least choice.
    pub fn pop(&mut self) -> Option<Turn> {
        while let Some(key) = self.queue.pop_first() {
            let number = key.2;
            let frame = &mut self.frames[number as usize];
            if frame.next == frame.needs.list.len() {
                self.trail.push(Change::Finished(number));
                continue;
            }
            let turn = Turn {
                parent: frame.parent,
                needs: Rc::clone(&frame.needs),
                position: frame.next,
                hopeless: frame.hopeless,
            };
            frame.next += 1;
            let key = frame.key(number);
            self.queue.insert(key);
            self.trail.push(Change::Advanced(number));
            return Some(turn);
        }
        None
    }

    /// What is still to be done, in order.
    pub fn remaining(&self) -> impl Iterator<Item = (PackageIx, DependencyIx)> {
        self.queue.iter().flat_map(|(_, _, number)| {
            let frame = &self.frames[*number as usize];
            frame.needs.list[frame.next..].iter().map(|need| (frame.parent, need.dependency))
        })
    }

    /// Takes back everything since a mark.
    pub fn undo_to(&mut self, mark: usize) {
        while self.trail.len() > mark {
            match self.trail.pop().expect("the trail is longer than the mark") {
                Change::Chosen(slot, previous) => self.slots[slot.0 as usize] = previous,
                Change::Linked(links) => self.links[links.0 as usize] = None,
                Change::Edge(child, at) => self.undo_edge(child, at),
                Change::Features(package, added) => {
                    let features = self.features.get_mut(&package).expect("features were added");
                    for name in added {
                        features.remove(&name);
                    }
                }
                Change::Pushed => {
                    let frame = self.frames.pop().expect("a frame was pushed");
                    let number = u32::try_from(self.frames.len()).expect("fewer frames than 2^32");
                    self.queue.remove(&frame.key(number));
                }
                Change::Advanced(number) => {
                    let frame = &mut self.frames[number as usize];
                    self.queue.remove(&frame.key(number));
                    frame.next -= 1;
                    let key = frame.key(number);
                    self.queue.insert(key);
                }
                Change::Finished(number) => {
                    let key = self.frames[number as usize].key(number);
                    self.queue.insert(key);
                }
            }
        }
    }

    fn undo_edge(&mut self, child: PackageIx, at: usize) {
        let parents = self.parents.get_mut(&child).expect("an edge was added");
        parents[at].1.pop();
        if parents[at].1.is_empty() {
            // Parents go in the reverse of the order in which they came.
            parents.truncate(at);
        }
    }
}
