//! Announces names to an index that answers many at once: a walk over the graph as it would be if every
//! first candidate fitted, level by level, so that each level is one batch.

use std::collections::{BTreeSet, HashMap};

use wharf_core::{FeatureName, PackageName, SourceId};

use crate::catalog::{Catalog, PackageIx};
use crate::requirements::{Request, Wanted, requirements};

impl Catalog<'_> {
    /// Walks and announces. What fails here fails again, with its story, in the search.
    pub fn gather(&mut self) {
        let locked = self.locks.locked();
        if !locked.is_empty() {
            self.index.prefetch_exact(&locked);
        }
        let mut level: Vec<(PackageIx, Option<Wanted>, usize)> = Vec::new();
        for (position, root) in self.problem.roots.iter().enumerate() {
            level.push((self.add(&root.summary), None, position));
        }
        let mut seen: HashMap<PackageIx, (BTreeSet<FeatureName>, bool)> = HashMap::new();
        while !level.is_empty() {
            let mut unknown = BTreeSet::new();
            for (package, wanted, root) in &level {
                self.unknown_names(*package, self.request(wanted.as_ref(), *root), &mut unknown);
            }
            if !unknown.is_empty() {
                let unknown: Vec<_> = unknown.into_iter().collect();
                self.index.prefetch(&unknown);
            }
            let mut next = Vec::new();
            for (package, wanted, root) in &level {
                let needs = match wanted {
                    Some(wanted) => self.needs(*package, wanted),
                    None => self.needs_for(*package, self.request(None, *root)).map(std::rc::Rc::new),
                };
                let Ok(needs) = needs else { continue };
                for need in &needs.list {
                    let Some(first) = need.candidates.first() else { continue };
                    let is_new = !seen.contains_key(first);
                    let (names, default) = seen.entry(*first).or_default();
                    let asks_more = !need.wanted.names.is_subset(names) || (need.wanted.default && !*default);
                    if is_new || asks_more {
                        names.extend(need.wanted.names.iter().cloned());
                        *default |= need.wanted.default;
                        next.push((*first, Some(need.wanted.clone()), *root));
                    }
                }
            }
            level = next;
        }
    }

    fn request<'w>(&self, wanted: Option<&'w Wanted>, root: usize) -> Request<'w>
    where
        Self: 'w,
    {
        match wanted {
            Some(wanted) => Request::Dependency(wanted),
            None => {
                let root = &self.problem.roots[root];
                Request::Root { features: &root.features, dev_dependencies: root.dev_dependencies }
            }
        }
    }

    /// The names that a package's dependencies will ask for and that are not known yet. Locked ones do not
    /// need whole entries.
    fn unknown_names(
        &mut self,
        package: PackageIx,
        request: Request<'_>,
        unknown: &mut BTreeSet<(SourceId, PackageName)>,
    ) {
        let summary = std::sync::Arc::clone(self.summary(package));
        let Ok(found) = requirements(&summary, request) else { return };
        for (position, _) in found.dependencies {
            let entry = &summary.dependencies[position];
            let dependency = self.locked_dependency(package, entry);
            if self.dependency(dependency).locked.is_none() && !self.is_known(dependency) {
                unknown.insert((entry.source().clone(), entry.name().clone()));
            }
        }
    }
}
