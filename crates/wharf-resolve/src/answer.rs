//! From a finished search to a [`Resolution`], and the checks that concern the whole graph.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use wharf_core::Resolution;
use wharf_core::package::PackageId;
use wharf_core::resolution::{ResolvedEdge, ResolvedPackage};

use crate::catalog::{Catalog, PackageIx};
use crate::conflict::{Conflict, ConflictKind};
use crate::problem::Problem;
use crate::state::State;

/// Puts the answer together.
pub(crate) fn answer(catalog: &Catalog<'_>, state: &State) -> Result<Resolution, Conflict> {
    let chosen: BTreeSet<PackageIx> = state.chosen().collect();
    let mut edges: HashMap<PackageIx, Vec<ResolvedEdge>> = HashMap::new();
    for package in &chosen {
        for (parent, dependencies) in state.parents(*package) {
            let mut dependencies: Vec<_> =
                dependencies.iter().map(|number| catalog.dependency(*number).entry.clone()).collect();
            dependencies.sort();
            let edge = ResolvedEdge { to: catalog.id(*package).clone(), dependencies };
            edges.entry(*parent).or_default().push(edge);
        }
    }
    let mut packages = BTreeMap::new();
    let mut replacements = BTreeMap::new();
    for package in &chosen {
        let summary = catalog.summary(*package);
        let mut edges = edges.remove(package).unwrap_or_default();
        edges.sort_by(|left, right| left.to.cmp(&right.to));
        let resolved = ResolvedPackage {
            summary: summary.clone(),
            edges,
            features: state.features(*package).cloned().unwrap_or_default(),
            checksum: summary.checksum.clone(),
        };
        packages.insert(summary.id.clone(), resolved);
        if let Some(by) = catalog.replacement(*package) {
            replacements.insert(summary.id.clone(), catalog.id(by).clone());
        }
    }
    let mut unused_patches: Vec<PackageId> = catalog
        .patches
        .iter()
        .flat_map(|(_, patches)| patches)
        .filter(|patch| !chosen.contains(patch))
        .map(|patch| catalog.id(*patch).clone())
        .collect();
    unused_patches.sort();
    unused_patches.dedup();
    let resolution = Resolution { packages, replacements, unused_patches };
    check_cycles(&resolution)?;
    check_collisions(&resolution)?;
    check_checksums(catalog.problem, &resolution)?;
    Ok(resolution)
}

/// Dev-dependencies may point back: tests are built after the library.
fn check_cycles(resolution: &Resolution) -> Result<(), Conflict> {
    let mut done: BTreeSet<&PackageId> = BTreeSet::new();
    for start in resolution.ids() {
        if done.contains(start) {
            continue;
        }
        let mut path: Vec<(&PackageId, Vec<&PackageId>)> = vec![(start, needed(resolution, start))];
        let mut on_path = BTreeSet::from([start]);
        while let Some((at, rest)) = path.last_mut() {
            let Some(next) = rest.pop() else {
                on_path.remove(at);
                done.insert(at);
                path.pop();
                continue;
            };
            if on_path.contains(next) {
                let circle = path.iter().map(|(id, _)| (*id).clone()).skip_while(|id| id != next);
                return Err(Conflict::new(ConflictKind::Cycle { packages: circle.collect() }));
            }
            if !done.contains(next) {
                path.push((next, needed(resolution, next)));
                on_path.insert(next);
            }
        }
    }
    Ok(())
}

/// The packages that a build of `id` needs, last first.
fn needed<'a>(resolution: &'a Resolution, id: &PackageId) -> Vec<&'a PackageId> {
    let edges = resolution.edges(id).iter();
    let mut needed: Vec<&PackageId> = edges
        .filter(|edge| edge.dependencies.iter().any(|dependency| dependency.is_transitive()))
        .flat_map(|edge| [Some(&edge.to), resolution.replacements.get(&edge.to)])
        .flatten()
        .collect();
    needed.reverse();
    needed
}

/// A lockfile does not hold the paths of path packages.
fn check_collisions(resolution: &Resolution) -> Result<(), Conflict> {
    let mut seen = HashMap::new();
    for id in resolution.ids().filter(|id| id.source().is_path()) {
        if let Some(first) = seen.insert((id.name(), id.version()), id) {
            let kind = ConflictKind::Collision { first: first.clone(), second: id.clone() };
            return Err(Conflict::new(kind));
        }
    }
    Ok(())
}

/// One version of one package never changes its content.
fn check_checksums(problem: &Problem, resolution: &Resolution) -> Result<(), Conflict> {
    for locked in &problem.locked.packages {
        let Some(found) = resolution.get(&locked.id) else { continue };
        if locked.checksum.is_some() && locked.checksum != found.checksum {
            return Err(Conflict::new(ConflictKind::Checksum {
                package: locked.id.clone(),
                locked: locked.checksum.clone(),
                found: found.checksum.clone(),
            }));
        }
    }
    Ok(())
}
