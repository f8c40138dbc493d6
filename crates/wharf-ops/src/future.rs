//! Code that later compilers will refuse: what builds heard of it, kept so that people can look at it later.
//!
//! The file and its form are Cargo's, and so is the text about each package, by which equal reports are known: either
//! tool shows what the other one found.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use semver::Version;
use serde::{Deserialize, Serialize};
use wharf_base::fs;
use wharf_core::PackageId;
use wharf_plan::Unit;
use wharf_sources::{Freshness, Network};

use crate::config::Config;
use crate::connect;
use crate::failure::{Context, Failure, Result};
use crate::workspace::Loader;

/// Below the directory of intermediates.
const FILE: &str = ".future-incompat-report.json";
/// The form of the file.
const VERSION: u32 = 0;
/// How many reports are kept.
const KEPT: usize = 5;

/// What the compiler said of one unit.
#[derive(Debug)]
pub struct Finding<'p> {
    /// The unit.
    pub unit: &'p Unit,
    /// Diagnostics, rendered with colours.
    pub diagnostics: Vec<String>,
}

/// A report that is kept now, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its number.
    pub id: u32,
    /// The packages with such code.
    pub packages: BTreeSet<PackageId>,
    /// What people can do about it.
    pub advice: Vec<String>,
}

/// Later versions of packages, oldest first.
pub type Newer = BTreeMap<PackageId, Vec<Version>>;

/// All reports that are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reports {
    version: u32,
    next_id: u32,
    reports: Vec<Report>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Report {
    id: u32,
    suggestion_message: String,
    /// By `name@version`.
    per_package: BTreeMap<String, String>,
}

impl Default for Reports {
    fn default() -> Self {
        Self { version: VERSION, next_id: 1, reports: Vec::new() }
    }
}

/// Keeps what a build found, unless an equal report is kept already. `program` is the name by which people call this
/// program.
///
/// # Errors
/// If the file cannot be written. The report can be shown all the same.
pub fn keep(build_dir: &Path, findings: &[Finding<'_>], newer: &Newer, program: &str) -> (Kept, Result<()>) {
    // What cannot be read is of no use to anybody any more.
    let mut reports = Reports::load(build_dir).unwrap_or_default();
    let per_package = per_package(findings);
    let known = reports.reports.iter().find(|report| report.per_package == per_package);
    let id = known.map_or(reports.next_id, |report| report.id);
    let is_known = known.is_some();
    let advice = advice(findings, newer, &format!("{program} report future-incompatibilities --id {id}"));
    let packages = findings.iter().map(|finding| finding.unit.id().clone()).collect();
    let written = if is_known {
        Ok(())
    } else {
        reports.add(Report { id, suggestion_message: bulleted(&advice), per_package });
        reports.save(build_dir)
    };
    (Kept { id, packages, advice }, written)
}

impl Reports {
    /// Reads the reports of a workspace.
    ///
    /// # Errors
    /// If there are none, or only such as a later Cargo understands.
    pub fn load(build_dir: &Path) -> Result<Reports> {
        let path = build_dir.join(FILE);
        let bytes = fs::read_if_exists(&path)?.filter(|bytes| !bytes.is_empty());
        let Some(bytes) = bytes else { return Err(Failure::new("no reports are currently available")) };
        let reports: Reports =
            serde_json::from_slice(&bytes).context(|| format!("cannot understand `{}`", path.display()))?;
        if reports.version != VERSION {
            return Err(Failure::new(format!(
                "`{}` was written by a later version of Cargo",
                path.display()
            )));
        }
        if reports.reports.is_empty() {
            return Err(Failure::new("no reports are currently available"));
        }
        Ok(reports)
    }

    /// The text of one report, the newest if none is named, with colours; of all packages or of one, named as
    /// `name@version`.
    ///
    /// # Errors
    /// If there is no such report, or nothing about the package in it.
    pub fn text(&self, id: Option<u32>, package: Option<&str>) -> Result<String> {
        let found = match id {
            None => self.reports.last(),
            Some(id) => self.reports.iter().find(|report| report.id == id),
        };
        let report = found.ok_or_else(|| {
            let ids: Vec<String> = self.reports.iter().map(|report| report.id.to_string()).collect();
            Failure::new(format!("there is no report with the number {}", id.unwrap_or_default()))
                .help(format!("these are kept: {}", ids.join(", ")))
        })?;
        let about: Vec<&str> = match package {
            None => report.per_package.values().map(String::as_str).collect(),
            Some(package) => {
                let text = report.per_package.get(package).ok_or_else(|| {
                    let known: Vec<&str> = report.per_package.keys().map(String::as_str).collect();
                    Failure::new(format!("the report has nothing about a package `{package}`"))
                        .help(format!("it is about: {}", known.join(", ")))
                })?;
                vec![text]
            }
        };
        Ok(format!("{}\n{}", report.suggestion_message, about.join("\n")))
    }

    fn add(&mut self, report: Report) {
        self.next_id = report.id + 1;
        self.reports.push(report);
        let excess = self.reports.len().saturating_sub(KEPT);
        self.reports.drain(..excess);
    }

    /// Of two builds at once the later one wins: a lost report comes again with the next build.
    fn save(&self, build_dir: &Path) -> Result<()> {
        let text = serde_json::to_vec(self).context(|| "cannot write the report down".to_owned())?;
        Ok(fs::write_atomic(&build_dir.join(FILE), text)?)
    }
}

fn spec(id: &PackageId) -> String {
    format!("{}@{}", id.name(), id.version())
}

fn per_package(findings: &[Finding<'_>]) -> BTreeMap<String, String> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for Finding { unit, diagnostics } in findings {
        let text = texts.entry(spec(unit.id())).or_default();
        text.push_str(&format!(
            "The package `{}` currently triggers the following future incompatibility lints:\n",
            unit.id()
        ));
        for line in diagnostics.iter().flat_map(|diagnostic| diagnostic.lines()) {
            text.push_str(&format!("> {line}\n"));
        }
    }
    texts
}

/// What can be done where the code is somebody else's. `command` shows the report.
fn advice(findings: &[Finding<'_>], newer: &Newer, command: &str) -> Vec<String> {
    if findings.iter().all(|finding| finding.unit.is_local()) {
        return Vec::new();
    }
    let mut advice = Vec::new();
    let later: Vec<String> = newer.iter().map(|(id, versions)| later(id, versions)).collect();
    if !later.is_empty() {
        advice.push(format!("update to a version that may do without such code{}", later.concat()));
    }
    let packages: BTreeMap<&PackageId, &Unit> =
        findings.iter().map(|finding| (finding.unit.id(), finding.unit)).collect();
    let whom: Vec<String> = packages
        .values()
        .map(|unit| {
            let repository = unit.package.manifest.description.repository.as_deref();
            format!(
                "  - {spec}, from {}\n    `{command} --package {spec}` shows what it has",
                repository.unwrap_or("a repository that it does not name"),
                spec = spec(unit.id()),
            )
        })
        .collect();
    advice.push(format!("see that the maintainers know of it, or help them to mend it\n{}", whom.join("\n")));
    advice.push(
        "put a mended copy of your own in its place with `[patch]` in `Cargo.toml`\n\
         https://doc.rust-lang.org/cargo/reference/overriding-dependencies.html#the-patch-section"
            .to_owned(),
    );
    advice
}

fn later(id: &PackageId, versions: &[Version]) -> String {
    let versions: Vec<String> = versions.iter().map(Version::to_string).collect();
    format!("\n  - {id}, of which there are {}", versions.join(", "))
}

fn bulleted(advice: &[String]) -> String {
    if advice.is_empty() {
        return String::new();
    }
    let points: Vec<String> = advice.iter().map(|point| format!("\n- {point}\n")).collect();
    format!("what can be done about it:\n{}", points.concat())
}

/// The versions after those that were used, as far as the indexes on this machine know: nobody waits for a network
/// only to be warned.
pub fn newer_versions(config: &Arc<Config>, loader: &Arc<Loader>, findings: &[Finding<'_>]) -> Newer {
    let mut newer = Newer::new();
    let ids: BTreeSet<&PackageId> = findings.iter().map(|finding| finding.unit.id()).collect();
    let of_registries = ids.into_iter().filter(|id| id.source().is_registry()).collect::<Vec<_>>();
    if of_registries.is_empty() {
        return newer;
    }
    let offline = Network::Offline { because: "a report" };
    let Ok(sources) = connect::sources(config, loader, offline, Box::new(|_| {})) else { return newer };
    for id in of_registries {
        let is_later = |version: &Version| version > id.version();
        let found = sources.matching(id.source(), id.name(), Freshness::Current, &is_later);
        let usable = found.unwrap_or_default().into_iter().filter(|summary| !summary.yanked);
        let mut versions: Vec<Version> = usable.map(|summary| summary.id.version().clone()).collect();
        versions.sort();
        if !versions.is_empty() {
            newer.insert(id.clone(), versions);
        }
    }
    newer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(id: u32) -> Report {
        let text = format!("about {id}");
        let per_package = [("a@1.0.0".to_owned(), text.clone()), ("b@1.0.0".to_owned(), text)].into();
        Report { id, suggestion_message: "do this\n".into(), per_package }
    }

    #[test]
    fn only_the_last_ones_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Reports::load(dir.path()).is_err());
        let mut reports = Reports::default();
        (1..=7).for_each(|id| reports.add(report(id)));
        reports.save(dir.path()).unwrap();
        let reports = Reports::load(dir.path()).unwrap();
        assert_eq!(reports.reports.iter().map(|report| report.id).collect::<Vec<_>>(), [3, 4, 5, 6, 7]);
        assert_eq!(reports.next_id, 8);
        assert_eq!(reports.text(None, Some("a@1.0.0")).unwrap(), "do this\n\nabout 7");
        assert_eq!(reports.text(Some(3), None).unwrap(), "do this\n\nabout 3\nabout 3");
        assert!(reports.text(Some(1), None).is_err());
        assert!(reports.text(None, Some("c@1.0.0")).is_err());
    }

    /// Cargo 1.95 wrote this.
    #[test]
    fn the_form_is_cargos() {
        let text = r#"{"version":0,"next_id":2,"reports":[{"id":1,"suggestion_message":"","per_package":{"foo@0.1.0":"The package"}}]}"#;
        let reports: Reports = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&reports).unwrap(), text);
    }
}
