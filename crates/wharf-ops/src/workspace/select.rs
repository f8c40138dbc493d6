//! Which packages a command is about: `-p`, `--workspace`, `--exclude` and the default.

use std::sync::Arc;

use wharf_core::{Package, PackageId, PackageIdSpec};

use super::Workspace;
use crate::failure::{Failure, Result};

/// The packages that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackageSelection {
    /// Nothing was said: the default members.
    Default,
    /// `--workspace`, less `--exclude`.
    All {
        /// Specifications and globs to leave out.
        except: Vec<String>,
    },
    /// `-p`, specifications and globs.
    Named(Vec<String>),
}

/// Reads a package id specification; names with a typo get a good error from the caller instead.
pub fn parse_spec(text: &str) -> Result<PackageIdSpec> {
    PackageIdSpec::parse(text)
        .map_err(|error| Failure::from(error).context(format!("invalid package id specification `{text}`")))
}

/// Whether a specification names this package.
pub fn matches_spec(spec: &PackageIdSpec, id: &PackageId) -> bool {
    if spec.name() != id.name().as_str() {
        return false;
    }
    if let Some(version) = spec.partial_version()
        && !version.matches(id.version())
    {
        return false;
    }
    if let Some(url) = spec.url()
        && *url != id.source().spec_url()
    {
        return false;
    }
    match spec.kind() {
        Some(kind) => kind == id.source().kind(),
        None => true,
    }
}

fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '[', ']'])
}

/// One thing named by `-p` or `--exclude`.
enum Wanted {
    Glob(String, glob::Pattern),
    Spec(String, Box<PackageIdSpec>),
}

impl Wanted {
    fn parse(text: &str) -> Result<Self> {
        if is_glob(text) && !text.contains("://") {
            let pattern = glob::Pattern::new(text).map_err(|error| {
                Failure::from(error).context(format!("cannot build glob pattern from `{text}`"))
            })?;
            return Ok(Self::Glob(text.to_owned(), pattern));
        }
        Ok(Self::Spec(text.to_owned(), Box::new(parse_spec(text)?)))
    }

    fn takes(&self, package: &Package) -> bool {
        match self {
            Self::Glob(_, pattern) => pattern.matches(package.name()),
            Self::Spec(_, spec) => matches_spec(spec, package.id()),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Glob(text, _) | Self::Spec(text, _) => text,
        }
    }
}

/// What a selection chose, and what it named in vain.
#[derive(Debug)]
pub struct Selected {
    /// The chosen members, in the order of the workspace.
    pub packages: Vec<Arc<Package>>,
    /// `--exclude` entries that matched nothing: worth a warning.
    pub useless_excludes: Vec<String>,
    /// Specifications that no member matches; they may name a dependency.
    pub outside: Vec<PackageIdSpec>,
}

impl Workspace {
    /// The members that a selection names.
    ///
    /// Fails when a glob matches no member, and when nothing is selected at all. Specifications that match no
    /// member are returned: `build -p` takes dependencies too.
    pub fn select(&self, selection: &PackageSelection) -> Result<Selected> {
        let mut selected =
            Selected { packages: Vec::new(), useless_excludes: Vec::new(), outside: Vec::new() };
        match selection {
            PackageSelection::Default => selected.packages = self.default_members().cloned().collect(),
            PackageSelection::All { except } => {
                let except = except.iter().map(|text| Wanted::parse(text)).collect::<Result<Vec<_>>>()?;
                selected.packages = self
                    .members()
                    .filter(|package| !except.iter().any(|wanted| wanted.takes(package)))
                    .cloned()
                    .collect();
                for wanted in &except {
                    if !self.members().any(|package| wanted.takes(package)) {
                        selected.useless_excludes.push(wanted.text().to_owned());
                    }
                }
            }
            PackageSelection::Named(names) => {
                let wanted = names.iter().map(|text| Wanted::parse(text)).collect::<Result<Vec<_>>>()?;
                selected.packages = self
                    .members()
                    .filter(|package| wanted.iter().any(|wanted| wanted.takes(package)))
                    .cloned()
                    .collect();
                for wanted in wanted {
                    if self.members().any(|package| wanted.takes(package)) {
                        continue;
                    }
                    match wanted {
                        Wanted::Glob(text, _) => {
                            return Err(Failure::new(format!(
                                "package pattern(s) `{text}` not found in workspace `{}`",
                                self.root().display()
                            )));
                        }
                        Wanted::Spec(_, spec) => selected.outside.push(*spec),
                    }
                }
            }
        }
        if selected.packages.is_empty() && selected.outside.is_empty() {
            let failure = Failure::new(if self.is_virtual() && self.members.is_empty() {
                format!(
                    "manifest path `{}` contains no package: The manifest is virtual, and the workspace has no members.",
                    self.current_manifest.display()
                )
            } else {
                "no package is left to work on: everything is excluded".to_owned()
            });
            return Err(failure);
        }
        Ok(selected)
    }
}
