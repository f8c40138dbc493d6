//! A [`Conflict`] in words: what failed, who wanted it, what is in the way, and what to do.

use std::fmt;

use wharf_core::dependency::Requirement;
use wharf_core::{Dependency, FeatureName, Version};

use crate::conflict::{
    Conflict, ConflictKind, Obstacle, PatchProblem, PathStep, Reason, Rejected, ReplaceProblem, Why,
};

/// How many names or versions a line shows.
const SHOWN: usize = 8;

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.kind {
            ConflictKind::NoMatchingPackage { dependency, locked, .. } => {
                write!(f, "no package `{}` in {}", dependency.name(), dependency.source())?;
                held(f, locked.as_ref())?;
                wanted(f, dependency, &self.path)
            }
            ConflictKind::NoMatchingVersion { dependency, locked, versions } => {
                write!(f, "no version of `{}` satisfies `{}`", dependency.name(), dependency.req())?;
                held(f, locked.as_ref())?;
                wanted(f, dependency, &self.path)?;
                offered(f, versions)
            }
            ConflictKind::VersionConflict { dependency, candidates, obstacles } => {
                write!(f, "no version of `{}` fits beside what others want", dependency.name())?;
                wanted(f, dependency, &self.path)?;
                write!(f, "\n  would do:  {}", list(candidates))?;
                in_the_way(f, dependency, obstacles)
            }
            ConflictKind::LinksConflict { dependency, candidates, links, obstacles } => {
                write!(f, "two packages link to the native library `{links}`")?;
                let versions = list(candidates);
                write!(f, "\n  one is:    `{}` {versions}", dependency.name())?;
                wanted(f, dependency, &self.path)?;
                in_the_way(f, dependency, obstacles)
            }
            ConflictKind::MissingFeature { dependency, candidates, reason, available } => {
                let feature = feature(reason);
                write!(f, "`{}` has no feature `{feature}`", dependency.name())?;
                wanted(f, dependency, &self.path)?;
                write!(f, "\n  versions:  {}", list(candidates))?;
                write!(f, "{}", because(reason))?;
                has(f, available)
            }
            ConflictKind::MissingRootFeature { package, reason, available, .. } => {
                write!(f, "`{package}` has no feature `{}`{}", feature(reason), because(reason))?;
                has(f, available)
            }
            ConflictKind::MissingRootDependency { package, name } => {
                write!(f, "`{package}` has no dependency `{name}`")
            }
            ConflictKind::FeatureCycle { package, feature } => {
                write!(f, "feature `{feature}` of `{package}` switches itself on")
            }
            ConflictKind::Cycle { packages } => {
                let Some(first) = packages.first() else { return Ok(()) };
                write!(f, "package `{first}` depends on itself")?;
                for next in packages.iter().skip(1).chain([first]) {
                    write!(f, "\n  by way of: `{next}`")?;
                }
                Ok(())
            }
            ConflictKind::Collision { first, second } => write!(
                f,
                "`{first}` and `{second}` have one name and version, and a lockfile cannot tell them apart"
            ),
            ConflictKind::Patch { target, dependency, problem } => {
                write!(f, "the patch of `{}` for {target} {}", dependency.name(), patch(problem))?;
                write!(f, "\n  searched:  {}", dependency.source())
            }
            ConflictKind::Replace { spec, problem, .. } => {
                write!(f, "the replacement of `{spec}` {}", replace(problem))
            }
            ConflictKind::Checksum { package, locked, found } => {
                write!(f, "the content of `{package}` is not the one that the lockfile names")?;
                let none = || "none".to_owned();
                write!(f, "\n  lockfile:  {}", locked.clone().unwrap_or_else(none))?;
                write!(f, "\n  source:    {}", found.clone().unwrap_or_else(none))
            }
            ConflictKind::Exhausted { dependency, tried } => {
                write!(f, "found no versions that fit together in {tried} attempts")?;
                match dependency {
                    Some(dependency) => wanted(f, dependency, &self.path),
                    None => Ok(()),
                }
            }
            ConflictKind::Index { name, source, .. } => {
                write!(f, "cannot look up `{name}` in {source}")?;
                who(f, &self.path)
            }
        }
    }
}

/// The line that names a package, the requirement, and who has it, down to a root.
fn wanted(f: &mut fmt::Formatter<'_>, dependency: &Dependency, path: &[PathStep]) -> fmt::Result {
    if let Some(first) = path.first() {
        write!(f, "\n  wanted by: `{}` as `{}`", first.package, entry(dependency))?;
    }
    way_up(f, path)
}

fn who(f: &mut fmt::Formatter<'_>, path: &[PathStep]) -> fmt::Result {
    if let Some(first) = path.first() {
        write!(f, "\n  wanted by: `{}`", first.package)?;
    }
    way_up(f, path)
}

fn way_up(f: &mut fmt::Formatter<'_>, path: &[PathStep]) -> fmt::Result {
    for pair in path.windows(2) {
        let [step, next] = pair else { continue };
        write!(f, "\n             which `{}` wants", next.package)?;
        if let Some(dependency) = &step.wanted_as {
            write!(f, " as `{}`", entry(dependency))?;
        }
    }
    Ok(())
}

/// A dependency as a manifest could say it, in short.
fn entry(dependency: &Dependency) -> String {
    let name = dependency.name();
    match dependency.req() {
        Requirement::Any => name.to_string(),
        req => format!("{name} = \"{req}\""),
    }
}

fn held(f: &mut fmt::Formatter<'_>, locked: Option<&Version>) -> fmt::Result {
    match locked {
        Some(version) => write!(f, " (held at {version} by the lockfile)"),
        None => Ok(()),
    }
}

fn offered(f: &mut fmt::Formatter<'_>, versions: &[Rejected]) -> fmt::Result {
    let (yanked, others): (Vec<_>, Vec<_>) = versions.iter().partition(|one| one.yanked);
    let texts = |versions: &[&Rejected]| -> Vec<String> {
        versions.iter().map(|one| one.version.to_string()).collect()
    };
    if !yanked.is_empty() {
        write!(f, "\n  yanked:    {}", list(&texts(&yanked)))?;
    }
    if !others.is_empty() {
        write!(f, "\n  there are: {}", list(&texts(&others)))?;
    }
    Ok(())
}

fn in_the_way(f: &mut fmt::Formatter<'_>, dependency: &Dependency, obstacles: &[Obstacle]) -> fmt::Result {
    for Obstacle { package, path, reason } in obstacles {
        match reason.why() {
            Why::Version => write!(f, "\n  chosen:    `{package}`")?,
            Why::Links => write!(f, "\n  other:     `{package}`")?,
            Why::Feature => {
                let name = dependency.name();
                write!(f, "\n  and:       no `{name}` with the feature `{}`", feature(reason))?;
                continue;
            }
        }
        if let [first, next, ..] = path.as_slice() {
            write!(f, ", which `{}` wants", next.package)?;
            if let Some(dependency) = &first.wanted_as {
                write!(f, " as `{}`", entry(dependency))?;
            }
            way_up(f, &path[1..])?;
        }
    }
    Ok(())
}

fn has(f: &mut fmt::Formatter<'_>, available: &[FeatureName]) -> fmt::Result {
    if available.is_empty() { Ok(()) } else { write!(f, "\n  it has:    {}", list(available)) }
}

fn list<T: fmt::Display>(items: &[T]) -> String {
    let mut text: Vec<String> = items.iter().take(SHOWN).map(ToString::to_string).collect();
    if items.len() > SHOWN {
        text.push("…".to_owned());
    }
    text.join(", ")
}

fn feature(reason: &Reason) -> &str {
    match reason {
        Reason::MissingFeature(name) | Reason::RequiredDependency(name) | Reason::HiddenDependency(name) => {
            name
        }
        Reason::Links(_) | Reason::Version => "",
    }
}

fn because(reason: &Reason) -> &'static str {
    match reason {
        Reason::RequiredDependency(_) => {
            "\n  because:   a dependency has that name, but only optional ones are features"
        }
        Reason::HiddenDependency(_) => {
            "\n  because:   an optional dependency has that name, but `dep:` keeps it from being a feature"
        }
        Reason::MissingFeature(_) | Reason::Links(_) | Reason::Version => "",
    }
}

fn patch(problem: &PatchProblem) -> String {
    match problem {
        PatchProblem::NotFound => "names a package that is not there".to_owned(),
        PatchProblem::NoVersion(versions) => {
            format!("asks for a version that is not there (there are: {})", list(versions))
        }
        PatchProblem::Several(versions) => format!("fits more than one version: {}", list(versions)),
        PatchProblem::SameSource => "points to the source that it patches".to_owned(),
        PatchProblem::Duplicate(version) => format!("stands for {version}, as another patch does"),
    }
}

fn replace(problem: &ReplaceProblem) -> String {
    match problem {
        ReplaceProblem::NotFound => "names a package that is not there".to_owned(),
        ReplaceProblem::Several(ids) => format!("fits more than one package: {}", list(ids)),
        ReplaceProblem::OtherVersion { original, replacement } => {
            format!("has version {replacement} where {original} is replaced")
        }
        ReplaceProblem::Overlap(other, id) => format!("and that of `{other}` both fit `{id}`"),
    }
}

impl Conflict {
    /// Whether an index that knows more packages could have given an answer.
    pub fn may_lack_packages(&self) -> bool {
        match &*self.kind {
            ConflictKind::NoMatchingPackage { dependency, .. }
            | ConflictKind::NoMatchingVersion { dependency, .. }
            | ConflictKind::VersionConflict { dependency, .. } => !dependency.source().is_path(),
            ConflictKind::Patch { dependency, .. } => !dependency.source().is_path(),
            ConflictKind::Exhausted { .. } => true,
            _ => false,
        }
    }

    /// What to do about it, as one line without `help:`.
    pub fn help(&self) -> Option<String> {
        match &*self.kind {
            ConflictKind::NoMatchingPackage { dependency, similar, .. } => match similar.first() {
                Some(name) => Some(format!("there is a package `{name}`")),
                None if dependency.source().is_registry() => {
                    Some(format!("look for it with `cargo search {}`", dependency.name()))
                }
                None => None,
            },
            ConflictKind::NoMatchingVersion { dependency, locked, versions } => {
                version_help(dependency, locked.as_ref(), versions)
            }
            ConflictKind::VersionConflict { dependency, obstacles, .. } => {
                let name = dependency.name();
                let is_own = obstacles.iter().any(|obstacle| obstacle.package.name() == name);
                is_own.then(|| {
                    format!("make the requirements on `{name}` agree, or update those who have them")
                })
            }
            ConflictKind::LinksConflict { .. } => {
                Some("choose versions of the dependents that agree on one of them".to_owned())
            }
            ConflictKind::MissingFeature { reason, available, .. } => {
                nearest(feature(reason), available).map(|name| format!("there is a feature `{name}`"))
            }
            ConflictKind::MissingRootFeature { reason, available, enabling, .. } => {
                if enabling.is_empty() {
                    return nearest(feature(reason), available)
                        .map(|name| format!("there is a feature `{name}`"));
                }
                let names: Vec<String> = enabling.iter().map(|name| format!("`{name}`")).collect();
                Some(format!("the dependency is switched on by {}", list(&names)))
            }
            ConflictKind::Patch { dependency, problem: PatchProblem::Several(versions), .. } => {
                let version = versions.last()?;
                Some(format!(
                    "choose one with `version = \"={version}\"` in the patch of `{}`",
                    dependency.name()
                ))
            }
            ConflictKind::Exhausted { dependency, .. } => {
                let name = dependency.as_ref()?.name();
                Some(format!("narrow the requirements that lead to `{name}`"))
            }
            _ => None,
        }
    }
}

fn version_help(dependency: &Dependency, locked: Option<&Version>, versions: &[Rejected]) -> Option<String> {
    let name = dependency.name();
    if locked.is_some() {
        return Some(format!("let it move with `cargo update {name}`"));
    }
    if versions.iter().all(|one| !one.version.pre.is_empty()) {
        let newest = versions.first()?;
        return Some(format!("a pre-release has to be named: `{name} = \"{}\"`", newest.version));
    }
    let newest = versions.iter().find(|one| !one.yanked && one.version.pre.is_empty())?;
    Some(format!("ask for `{name} = \"{}\"`", newest.version))
}

/// The name that differs least, if it differs little.
fn nearest<'a>(name: &str, known: &'a [FeatureName]) -> Option<&'a FeatureName> {
    let distances = known.iter().map(|known| (distance(name, known), known));
    distances
        .filter(|(distance, _)| *distance <= 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Insertions, deletions and substitutions between two words.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, from) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (column, to) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[column + 1];
            row[column + 1] = substituted.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}
