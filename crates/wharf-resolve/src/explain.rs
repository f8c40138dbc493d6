//! From the state of a failed search to a [`Conflict`].

use std::collections::{HashMap, VecDeque};

use wharf_core::dependency::Requirement;
use wharf_core::{Dependency, FeatureName, FeatureValue, Summary};

use crate::catalog::{Catalog, PackageIx};
use crate::conflict::{Conflict, ConflictKind, Obstacle, PathStep, Reason, Rejected, Why};
use crate::past::Obstacles;
use crate::requirements::Missing;
use crate::search::Search;
use crate::state::{State, Turn};

/// Adds the way from `package` to a root.
pub(crate) fn with_path(search: &Search<'_>, mut conflict: Conflict, package: PackageIx) -> Conflict {
    conflict.path = path(&search.catalog, &search.state, package);
    conflict
}

/// Two roots that exclude each other.
pub(crate) fn root_conflict(
    search: &Search<'_>,
    root: PackageIx,
    other: PackageIx,
    reason: Reason,
) -> Conflict {
    let id = search.catalog.id(root);
    let dependency = Dependency::plain(id.name().clone(), id.source().clone(), Requirement::Any);
    let obstacles = vec![obstacle(search, other, reason.clone())];
    let candidates = vec![id.version().clone()];
    Conflict::new(match reason {
        Reason::Links(links) => ConflictKind::LinksConflict { dependency, candidates, links, obstacles },
        _ => ConflictKind::VersionConflict { dependency, candidates, obstacles },
    })
}

/// A root that lacks what a user asked of it.
pub(crate) fn root_feature(summary: &Summary, missing: Missing) -> Conflict {
    let package = summary.id.clone();
    if let Missing::Dependency(name) = missing {
        return Conflict::new(ConflictKind::MissingRootDependency { package, name });
    }
    match missing.reason(summary) {
        Err(feature) => Conflict::new(ConflictKind::FeatureCycle { package, feature }),
        Ok(reason) => {
            let enabling = match &reason {
                Reason::HiddenDependency(name) => enabling_features(summary, name),
                _ => Vec::new(),
            };
            let available = summary.features.keys().cloned().collect();
            Conflict::new(ConflictKind::MissingRootFeature { package, reason, available, enabling })
        }
    }
}

fn enabling_features(summary: &Summary, dependency: &FeatureName) -> Vec<FeatureName> {
    let enables = |value: &FeatureValue| match value {
        FeatureValue::Dep { dep } | FeatureValue::DepFeature { dep, weak: false, .. } => dep == dependency,
        _ => false,
    };
    let features = summary.features.iter().filter(|(_, values)| values.iter().any(enables));
    features.map(|(name, _)| name.clone()).collect()
}

/// A package of the index with a feature that switches itself on.
pub(crate) fn feature_cycle(search: &Search<'_>, package: PackageIx, feature: FeatureName) -> Conflict {
    let kind = ConflictKind::FeatureCycle { package: search.catalog.id(package).clone(), feature };
    with_path(search, Conflict::new(kind), package)
}

/// A dependency without a candidate, and nothing left to go back to.
pub(crate) fn failure(search: &mut Search<'_>, turn: &Turn, obstacles: &Obstacles) -> Conflict {
    let need = turn.need();
    let kind = if need.candidates.is_empty() {
        match nothing_there(&mut search.catalog, turn) {
            Ok(kind) => kind,
            Err(conflict) => return with_path(search, conflict, turn.parent),
        }
    } else {
        in_the_way(search, turn, obstacles)
    };
    with_path(search, Conflict::new(kind), turn.parent)
}

fn nothing_there(catalog: &mut Catalog<'_>, turn: &Turn) -> Result<ConflictKind, Conflict> {
    let number = turn.need().dependency;
    let mut found = catalog.versions(number)?;
    found.sort_by(|left, right| catalog.id(*right).version().cmp(catalog.id(*left).version()));
    let facts = catalog.dependency(number);
    let dependency = facts.entry.clone();
    let locked = facts.locked.as_ref().map(|id| id.version().clone());
    if found.is_empty() {
        let similar = catalog.index.similar_names(dependency.source(), dependency.name());
        return Ok(ConflictKind::NoMatchingPackage { dependency, locked, similar });
    }
    let versions = found
        .iter()
        .map(|package| {
            let summary = catalog.summary(*package);
            Rejected { version: summary.id.version().clone(), yanked: summary.yanked }
        })
        .collect();
    Ok(ConflictKind::NoMatchingVersion { dependency, locked, versions })
}

fn in_the_way(search: &Search<'_>, turn: &Turn, obstacles: &Obstacles) -> ConflictKind {
    let catalog = &search.catalog;
    let need = turn.need();
    let dependency = catalog.dependency(need.dependency).entry.clone();
    let candidates = need.candidates.iter().map(|package| catalog.id(*package).version().clone()).collect();
    let links = obstacles.values().find_map(|reason| match reason {
        Reason::Links(links) => Some(links.clone()),
        _ => None,
    });
    let told = || obstacles.iter().map(|(chosen, reason)| obstacle(search, chosen.package, reason.clone()));
    if let Some(links) = links {
        return ConflictKind::LinksConflict { dependency, candidates, links, obstacles: told().collect() };
    }
    let only_features = obstacles.values().all(|reason| reason.why() == Why::Feature);
    match obstacles.values().find(|reason| reason.why() == Why::Feature) {
        Some(reason) if only_features => {
            let available = need.candidates.first().map_or_else(Vec::new, |package| {
                catalog.summary(*package).features.keys().cloned().collect()
            });
            ConflictKind::MissingFeature { dependency, candidates, reason: reason.clone(), available }
        }
        _ => ConflictKind::VersionConflict { dependency, candidates, obstacles: told().collect() },
    }
}

fn obstacle(search: &Search<'_>, package: PackageIx, reason: Reason) -> Obstacle {
    Obstacle {
        package: search.catalog.id(package).clone(),
        path: path(&search.catalog, &search.state, package),
        reason,
    }
}

/// One of the shortest ways from a package to one that nobody asks for.
pub(crate) fn path(catalog: &Catalog<'_>, state: &State, package: PackageIx) -> Vec<PathStep> {
    let mut came_from: HashMap<PackageIx, PackageIx> = HashMap::new();
    let mut pending = VecDeque::from([package]);
    let mut end = package;
    while let Some(at) = pending.pop_front() {
        end = at;
        let parents = state.parents(at);
        if parents.iter().all(|(parent, _)| *parent == at) {
            break;
        }
        for (parent, _) in parents {
            if *parent != package && !came_from.contains_key(parent) {
                came_from.insert(*parent, at);
                pending.push_back(*parent);
            }
        }
    }
    let mut steps = vec![PathStep { package: catalog.id(end).clone(), wanted_as: None }];
    let mut at = end;
    while let Some(child) = came_from.get(&at) {
        let wanted_as = state
            .parents(*child)
            .iter()
            .find(|(parent, _)| *parent == at)
            .and_then(|(_, dependencies)| dependencies.first())
            .map(|dependency| catalog.dependency(*dependency).entry.clone());
        steps.push(PathStep { package: catalog.id(*child).clone(), wanted_as });
        at = *child;
    }
    steps.reverse();
    steps
}
