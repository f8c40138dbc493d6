//! `[patch]` and `[replace]`.

use std::collections::HashSet;

use semver::Version;
use wharf_core::dependency::{ReqText, Requirement};
use wharf_core::package::PackageId;
use wharf_core::{Dependency, PackageIdSpec};

use crate::catalog::{Catalog, PackageIx};
use crate::conflict::{Conflict, ConflictKind, PatchProblem, ReplaceProblem};
use crate::locks::{LockTable, Manifest};
use crate::problem::{Patch, Problem};

impl<'a> Catalog<'a> {
    /// Takes in patches, then locks: which locks hold depends on whether a patch is still the locked one.
    pub fn prepare(problem: &'a Problem, index: &'a dyn crate::Index) -> Result<Self, Conflict> {
        // Which packages are preferred is known only with the lock table, so what is numbered on the way
        // there is numbered again.
        let mut scout = Self::new(problem, index, LockTable::default());
        let (patches, avoided) = scout.find_patches()?;
        let locks = LockTable::new(problem, &avoided, &mut |source, name| {
            // A directory that is gone says nothing; what still needs it will say so.
            let package = *scout.all(source, name).ok()?.first()?;
            let summary = scout.summary(package);
            Some(Manifest { id: summary.id.clone(), dependencies: summary.dependencies.clone() })
        });
        let mut catalog = Self::new(problem, index, locks);
        for (patch, found) in problem.patches.iter().zip(patches) {
            let found = catalog.add(scout.summary(found));
            let url = patch.target.canonical_url();
            match catalog.patches.iter_mut().find(|(target, _)| target == url) {
                Some((_, group)) => group.push(found),
                None => catalog.patches.push((url.to_owned(), vec![found])),
            }
        }
        Ok(catalog)
    }

    /// The package of each `[patch]` entry, and the locked packages that must not be kept because of them.
    fn find_patches(&mut self) -> Result<(Vec<PackageIx>, HashSet<PackageId>), Conflict> {
        let problem = self.problem;
        let mut kept: Vec<&PackageId> = problem
            .locked
            .packages
            .iter()
            .filter(|package| package.keep)
            .map(|package| &package.id)
            .collect();
        kept.sort();
        kept.extend(&problem.locked.unused_patches);

        let mut avoided = HashSet::new();
        let mut found: Vec<PackageIx> = Vec::new();
        for patch in &problem.patches {
            let locked = kept.iter().find(|id| patch.dependency.matches_id(id));
            let mut choice = None;
            if let Some(id) = locked {
                choice = self.patch_candidates(&locked_to(&patch.dependency, id))?.first().copied();
                if choice.is_none() {
                    // The entry stands for another package now: neither what it was locked to nor what it
                    // patches may hold it back.
                    avoided.insert((*id).clone());
                    let patched = problem.locked.packages.iter().map(|package| &package.id).filter(|id| {
                        patch.dependency.matches_ignoring_source(id)
                            && id.source().canonical_url() == patch.target.canonical_url()
                    });
                    avoided.extend(patched.cloned());
                }
            }
            let choice = match choice {
                Some(choice) => choice,
                None => self.only_candidate(patch)?,
            };
            let id = self.id(choice).clone();
            if id.source().canonical_url() == patch.target.canonical_url() {
                return Err(refuse(patch, PatchProblem::SameSource));
            }
            let is_duplicate = problem.patches.iter().zip(&found).any(|(other, earlier)| {
                let earlier = self.id(*earlier);
                other.target.canonical_url() == patch.target.canonical_url()
                    && (earlier.name(), earlier.version()) == (id.name(), id.version())
            });
            if is_duplicate {
                return Err(refuse(patch, PatchProblem::Duplicate(id.version().clone())));
            }
            found.push(choice);
        }
        Ok((found, avoided))
    }

    fn patch_candidates(&mut self, dependency: &Dependency) -> Result<Vec<PackageIx>, Conflict> {
        let mut found = self.all(dependency.source(), dependency.name())?;
        found.retain(|package| {
            let is_locked = matches!(dependency.req(), Requirement::Locked(..));
            dependency.matches_id(self.id(*package)) && (is_locked || self.is_offered(*package))
        });
        Ok(found)
    }

    fn only_candidate(&mut self, patch: &Patch) -> Result<PackageIx, Conflict> {
        let found = self.patch_candidates(&patch.dependency)?;
        let versions = |catalog: &Self, packages: &[PackageIx]| -> Vec<Version> {
            let mut versions: Vec<Version> =
                packages.iter().map(|package| catalog.id(*package).version().clone()).collect();
            versions.sort();
            versions
        };
        match found.as_slice() {
            [only] => Ok(*only),
            [] => {
                let all = self.all(patch.dependency.source(), patch.dependency.name())?;
                let problem = match versions(self, &all) {
                    none if none.is_empty() => PatchProblem::NotFound,
                    others => PatchProblem::NoVersion(others),
                };
                Err(refuse(patch, problem))
            }
            several => Err(refuse(patch, PatchProblem::Several(versions(self, several)))),
        }
    }

    /// Finds out whether `[replace]` names this package, and what stands in for it then.
    pub fn find_replacement(&mut self, package: PackageIx) -> Result<(), Conflict> {
        let problem = self.problem;
        if problem.replaces.is_empty() || self.replaced.contains_key(&package) {
            return Ok(());
        }
        let id = self.id(package).clone();
        let mut entries = problem.replaces.iter().filter(|entry| spec_matches(&entry.spec, &id));
        let Some(entry) = entries.next() else {
            self.replaced.insert(package, None);
            return Ok(());
        };
        let refuse = |problem| {
            Conflict::new(ConflictKind::Replace {
                spec: Box::new(entry.spec.clone()),
                dependency: entry.dependency.clone(),
                problem,
            })
        };
        let held = problem.locked.replacements.iter().find(|(original, by)| {
            let keeps = problem.locked.packages.iter().any(|locked| locked.id == **by && locked.keep);
            spec_matches(&entry.spec, original) && entry.dependency.matches_id(by) && keeps
        });
        let dependency = match held {
            Some((_, by)) => locked_to(&entry.dependency, by),
            None => entry.dependency.clone(),
        };
        let found = self.patch_candidates(&dependency)?;
        let by = match found.as_slice() {
            [by] => *by,
            [] => return Err(refuse(ReplaceProblem::NotFound)),
            several => {
                let ids = several.iter().map(|package| self.id(*package).clone()).collect();
                return Err(refuse(ReplaceProblem::Several(ids)));
            }
        };
        if self.id(by).version() != id.version() {
            return Err(refuse(ReplaceProblem::OtherVersion {
                original: id.version().clone(),
                replacement: self.id(by).version().clone(),
            }));
        }
        if let Some(other) = entries.next() {
            return Err(refuse(ReplaceProblem::Overlap(Box::new(other.spec.clone()), id)));
        }
        let by = (!self.id(by).source().same_place(id.source())).then_some(by);
        self.replaced.insert(package, by);
        Ok(())
    }

    /// What stands in for a package by `[replace]`.
    pub fn replacement(&self, package: PackageIx) -> Option<PackageIx> {
        self.replaced.get(&package).copied().flatten()
    }
}

fn refuse(patch: &Patch, problem: PatchProblem) -> Conflict {
    Conflict::new(ConflictKind::Patch {
        target: patch.target.clone(),
        dependency: patch.dependency.clone(),
        problem,
    })
}

fn locked_to(dependency: &Dependency, id: &PackageId) -> Dependency {
    dependency.with(|fields| {
        let written = fields.req.written().cloned().unwrap_or(semver::VersionReq::STAR);
        fields.req = Requirement::Locked(id.version().clone(), ReqText(written));
        fields.source = fields.source.with_precise(id.source().precise().cloned());
    })
}

/// Whether a package id specification names `id` (reference, "Package ID Specifications").
fn spec_matches(spec: &PackageIdSpec, id: &PackageId) -> bool {
    spec.name() == id.name().as_str()
        && spec.partial_version().is_none_or(|version| version.matches(id.version()))
        && spec.url().is_none_or(|url| url == id.source().url())
        && spec.kind().is_none_or(|kind| kind == id.source().kind())
}
