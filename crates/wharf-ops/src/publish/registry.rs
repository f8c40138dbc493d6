//! Which registry a command is about: `--registry`, `--index`, or what the manifests allow.

use std::collections::BTreeSet;
use std::sync::Arc;

use wharf_core::source::CRATES_IO;
use wharf_core::{Package, SourceId};

use crate::failure::{Failure, Result};
use crate::workspace::Loader;

/// A registry as named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryChoice {
    /// `--registry`, or `registry.default`
    Named(String),
    /// `--index`
    Index(SourceId),
}

impl RegistryChoice {
    /// The registry.
    ///
    /// # Errors
    /// If no registry of this name is configured.
    pub fn source(&self, loader: &Loader) -> Result<SourceId> {
        match self {
            Self::Index(source) => Ok(source.clone()),
            Self::Named(name) if name == CRATES_IO => Ok(SourceId::crates_io()),
            Self::Named(name) => loader.registry(name).ok_or_else(|| {
                Failure::new(format!("no index found for registry: `{name}`"))
                    .help(format!("give its index in `[registries.{name}]` of `.cargo/config.toml`"))
            }),
        }
    }
}

/// The registry of a choice; crates.io if there is none.
pub fn source_of(loader: &Loader, choice: Option<&RegistryChoice>) -> Result<SourceId> {
    choice.map_or_else(|| Ok(SourceId::crates_io()), |choice| choice.source(loader))
}

/// The registry that packages can be published to together, if their manifests leave no doubt; `None` for any.
pub(super) fn infer(packages: &[&Arc<Package>]) -> Result<Option<RegistryChoice>> {
    let lists: Vec<Option<&[String]>> = packages
        .iter()
        .map(|package| package.manifest.publish.as_deref())
        .filter(|list| list.is_none_or(|list| !list.is_empty()))
        .collect();
    let Some(first) = lists.first() else { return Ok(None) };
    if lists.iter().all(|list| list == first) {
        return match first {
            None | Some([]) => Ok(None),
            Some([only]) => Ok(Some(RegistryChoice::Named(only.clone()))),
            Some(several) => {
                let names: BTreeSet<String> = several.iter().map(|name| format!("\"{name}\"")).collect();
                let names: Vec<String> = names.into_iter().collect();
                Err(Failure::new(format!(
                    "--registry is required to choose among the registries {}",
                    names.join(", ")
                )))
            }
        };
    }
    let sets = lists.iter().flatten().map(|list| list.iter().collect::<BTreeSet<_>>());
    let common = sets.reduce(|all, list| all.intersection(&list).copied().collect()).unwrap_or_default();
    Err(if common.is_empty() {
        Failure::new("conflicts between `package.publish` fields in the selected packages")
    } else {
        Failure::new("--registry is required because not all `package.publish` settings agree")
    })
}

/// The registry that packages are made for. Those that may be published nowhere may be packaged for any.
pub(crate) fn for_packaging(
    loader: &Loader,
    packages: &[&Arc<Package>],
    choice: Option<&RegistryChoice>,
) -> Result<SourceId> {
    let choice = match choice {
        Some(choice) => Some(choice.clone()),
        None => infer(packages)?,
    };
    check_allowed(packages, choice.as_ref(), "packaged", true)?;
    source_of(loader, choice.as_ref())
}

/// Refuses a registry that a manifest does not name.
pub(super) fn check_allowed(
    packages: &[&Arc<Package>],
    choice: Option<&RegistryChoice>,
    deed: &str,
    nowhere_is_anywhere: bool,
) -> Result<()> {
    let name = match choice {
        Some(RegistryChoice::Named(name)) => name.as_str(),
        Some(RegistryChoice::Index(_)) => return Ok(()),
        None => CRATES_IO,
    };
    for package in packages {
        let Some(allowed) = &package.manifest.publish else { continue };
        if nowhere_is_anywhere && allowed.is_empty() {
            continue;
        }
        if !allowed.iter().any(|allowed| allowed == name) {
            return Err(Failure::new(format!(
                "`{}` cannot be {deed}: the registry `{name}` is not listed in `package.publish`",
                package.name()
            )));
        }
    }
    Ok(())
}
