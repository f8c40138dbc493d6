//! The search against trying everything.

use std::collections::BTreeMap;

use proptest::prelude::*;
use wharf_core::package::PackageId;
use wharf_core::summary::SharedSummary;
use wharf_core::{FeatureName, PackageName, Resolution};

use crate::world::*;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const VERSIONS: [&str; 4] = ["0.1.0", "0.2.0", "0.2.1", "1.0.0"];
const REQUIREMENTS: [&str; 6] = ["*", "^0.2", "=0.1.0", ">=0.2", "^1", "<1"];

type Release = (usize, usize, Vec<(usize, usize, bool)>, bool, bool);

/// Packages of four names with a few versions each; a dependency may ask for the feature `f`, which not every
/// package has; some link to one library.
fn releases() -> impl Strategy<Value = Vec<Release>> {
    let dependency = (0..NAMES.len(), 0..REQUIREMENTS.len(), prop::bool::weighted(0.2));
    let dependencies = prop::collection::vec(dependency, 0..3);
    let release =
        (0..NAMES.len(), 0..VERSIONS.len(), dependencies, any::<bool>(), prop::bool::weighted(0.15));
    prop::collection::vec(release, 1..10)
}

fn world(releases: &[Release]) -> World {
    let mut seen = std::collections::BTreeSet::new();
    let mut world = World::new();
    for (name, version, dependencies, has_feature, links) in releases {
        if !seen.insert((name, version)) {
            continue;
        }
        let texts: Vec<String> = dependencies
            .iter()
            .enumerate()
            // Dependencies lead on in the alphabet, so that no cycle comes about. Two entries of one package
            // that could share a version may be led together by their lock, as they are by Cargo.
            .filter(|(at, (other, ..))| {
                other > name && !dependencies[..*at].iter().any(|(earlier, ..)| earlier == other)
            })
            .map(|(_, dependency)| dependency)
            .map(|(other, req, wants)| {
                format!("{} {} {}", NAMES[*other], REQUIREMENTS[*req], if *wants { "+f" } else { "" })
            })
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let features: &[&str] = if *has_feature { &["f ="] } else { &[] };
        world = world.add(&format!("{} {}", NAMES[*name], VERSIONS[*version]), &texts, features);
        if *links {
            world = world.links("z");
        }
    }
    world.root("r 0.1.0", &["a *", "b *"], &[])
}

/// A name and the part of a version that tells compatible ranges apart.
type Range = (PackageName, (u64, u64));

/// Whether any choice of at most one version per name and range satisfies all that it leads to.
fn is_solvable(world: &World) -> bool {
    let mut ranges: BTreeMap<Range, Vec<Option<SharedSummary>>> = BTreeMap::new();
    for summary in world.packages().iter().filter(|summary| !summary.id.source().is_path()) {
        let version = summary.id.version();
        let range = if version.major > 0 { (version.major, 0) } else { (0, version.minor) };
        ranges
            .entry((summary.id.name().clone(), range))
            .or_insert_with(|| vec![None])
            .push(Some(summary.clone()));
    }
    let ranges: Vec<_> = ranges.into_values().collect();
    let root = world.packages().iter().find(|summary| summary.id.source().is_path()).unwrap();
    let mut choice = vec![0; ranges.len()];
    loop {
        let chosen: Vec<&SharedSummary> =
            choice.iter().zip(&ranges).filter_map(|(at, range)| range[*at].as_ref()).collect();
        if is_closed(root, &chosen) {
            return true;
        }
        let mut at = 0;
        loop {
            if at == ranges.len() {
                return false;
            }
            choice[at] += 1;
            if choice[at] < ranges[at].len() {
                break;
            }
            choice[at] = 0;
            at += 1;
        }
    }
}

/// Whether everything in `chosen` has its dependencies in `chosen`. More than is needed does no harm but for
/// libraries, and those sets come up without it too.
fn is_closed(root: &SharedSummary, chosen: &[&SharedSummary]) -> bool {
    let linking = chosen.iter().filter(|summary| summary.links.is_some()).count();
    linking <= 1
        && std::iter::once(&root).chain(chosen).all(|summary| {
            summary.dependencies.iter().all(|dependency| {
                chosen.iter().any(|other| {
                    dependency.matches_id(&other.id)
                        && dependency.features().iter().all(|feature| other.features.contains_key(feature))
                })
            })
        })
}

/// Whether an answer is one: closed, one version per range and library, every requirement met by its edge.
fn is_sound(resolution: &Resolution) -> bool {
    let features: BTreeMap<&PackageId, Vec<&FeatureName>> =
        resolution.packages.iter().map(|(id, package)| (id, package.features.iter().collect())).collect();
    let summaries: Vec<&SharedSummary> =
        resolution.packages.values().map(|package| &package.summary).collect();
    let links = summaries.iter().filter(|summary| summary.links.is_some()).count();
    let mut ranges = std::collections::BTreeSet::new();
    links <= 1
        && resolution.packages.iter().all(|(id, package)| {
            let version = id.version();
            let range = if version.major > 0 { (version.major, 0) } else { (0, version.minor) };
            ranges.insert((id.name().clone(), range))
                && package.summary.dependencies.iter().all(|dependency| {
                    package.edges.iter().any(|edge| {
                        edge.dependencies.contains(dependency)
                            && dependency.matches_id(&edge.to)
                            && dependency.features().iter().all(|name| features[&edge.to].contains(&name))
                    })
                })
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_trying_everything(releases in releases()) {
        let world = world(&releases);
        match world.solve() {
            Ok(resolution) => prop_assert!(is_sound(&resolution), "{:?}", chosen(&resolution)),
            Err(conflict) => prop_assert!(!is_solvable(&world), "{conflict}"),
        }
    }

    #[test]
    fn says_the_same_each_time_and_keeps_what_it_said(releases in releases()) {
        let mut world = world(&releases);
        let first = world.solve();
        world.gathers = true;
        match (first, world.solve()) {
            (Ok(first), Ok(second)) => {
                prop_assert_eq!(format!("{:?}", first), format!("{:?}", second));
                let kept = world.solve_with(|problem| problem.locked = lock(&first));
                prop_assert_eq!(format!("{first:?}"), format!("{:?}", kept.unwrap()));
            }
            (Err(first), Err(second)) => prop_assert_eq!(first.to_string(), second.to_string()),
            _ => prop_assert!(false, "an answer only once"),
        }
    }
}
