//! Which package is to be installed.

use std::path::Path;
use std::sync::Arc;

use wharf_core::{Package, PackageName, PartialVersion, SourceId, Version, VersionReq};
use wharf_sources::{Freshness, Sources, Wanted};

use crate::failure::{Context, Failure, Result};
use crate::packages::read_released;
use crate::workspace::Loader;

/// A package as named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrateSpec {
    /// Its name.
    pub name: String,
    /// Which versions.
    pub version: Option<VersionReq>,
}

/// Reads `--version`: a requirement, or a version that is meant exactly.
///
/// # Errors
/// If it is neither.
pub fn parse_version(text: &str) -> Result<VersionReq> {
    let Some(first) = text.chars().next() else {
        return Err(Failure::new("no version provided for the `--version` flag"));
    };
    if let Some(rest) = text.strip_prefix('v') {
        return Err(Failure::new(format!("`{text}` is not a version requirement"))
            .help(format!("try changing the version to `{rest}`")));
    }
    if "<>=^~".contains(first) || text.contains('*') {
        return text.parse().context(|| format!("`{text}` is not a version requirement"));
    }
    match text.trim().parse::<Version>() {
        Ok(version) => Ok(exactly(&version)),
        Err(error) => {
            let failure = Failure::from(error).context(format!("`{text}` is not a version"));
            Err(match text.parse::<VersionReq>() {
                Ok(_) => failure.help(format!("for a range of versions, say so: `^{text}`")),
                Err(_) => failure,
            })
        }
    }
}

fn exactly(version: &Version) -> VersionReq {
    VersionReq {
        comparators: vec![semver::Comparator {
            op: semver::Op::Exact,
            major: version.major,
            minor: Some(version.minor),
            patch: Some(version.patch),
            pre: version.pre.clone(),
        }],
    }
}

/// Whether only one version can fit.
pub fn is_exact(req: &VersionReq) -> bool {
    matches!(req.comparators.as_slice(), [one]
        if one.op == semver::Op::Exact && one.minor.is_some() && one.patch.is_some())
}

/// The newest package of a registry that fits, put on disk.
///
/// # Errors
/// If there is none, or it needs a newer compiler than `rustc`.
pub fn in_registry(
    (sources, loader): (&Sources, &Loader),
    registry: &SourceId,
    spec: &CrateSpec,
    rustc: Option<&PartialVersion>,
    freshness: Freshness,
) -> Result<Arc<Package>> {
    let name = PackageName::new(&spec.name)?;
    let req = spec.version.clone().unwrap_or(VersionReq::STAR);
    let all = sources.matching(registry, &name, freshness, &|_| true)?;
    let fits = |version: &Version| req.matches(version);
    let found = all.iter().rfind(|summary| !summary.yanked && fits(summary.id.version()));
    let Some(summary) = found else {
        let is_yanked = is_exact(&req) && all.iter().any(|summary| fits(summary.id.version()));
        return Err(Failure::new(match is_yanked {
            true => format!("cannot install package `{name}`, it has been yanked from {registry}"),
            false => format!("could not find `{name}` in {registry} with version `{req}`"),
        }));
    };
    if let (Some(rustc), Some(wanted)) = (rustc, &summary.rust_version)
        && !wanted.is_compatible_with(rustc)
    {
        let supports =
            |rust_version: &cargo_util_schemas::manifest::RustVersion| rust_version.is_compatible_with(rustc);
        let other =
            all.iter().rev().find(|other| !other.yanked && other.rust_version.as_ref().is_none_or(supports));
        let failure = Failure::new(format!(
            "cannot install package `{name} {}`, it requires rustc {wanted} or newer, while the currently active \
             rustc version is {rustc}",
            summary.id.version()
        ));
        return Err(match other {
            Some(other) => failure.help(match &other.rust_version {
                Some(version) => format!("`{name} {}` supports rustc {version}", other.id.version()),
                None => format!("`{name} {}` does not say which rustc it needs", other.id.version()),
            }),
            None => failure,
        });
    }
    let wanted = Wanted { id: summary.id.clone(), checksum: summary.checksum.clone() };
    let dirs = sources.fetch(&[wanted])?;
    let dir =
        dirs.get(&summary.id).ok_or_else(|| Failure::new(format!("`{}` was not fetched", summary.id)))?;
    read_released(&summary.id, &dir.join("Cargo.toml"), loader.unstable())
}

/// The package of a git repository that fits, or the only one with programs.
///
/// # Errors
/// If there is none, or it is not clear which is meant.
pub fn in_git(
    sources: &Sources,
    repository: &SourceId,
    spec: Option<&CrateSpec>,
    rustc: Option<&PartialVersion>,
) -> Result<Arc<Package>> {
    let precise = sources.update_git(repository)?;
    let packages = sources.packages(&precise)?;
    let package = choose(packages, spec, &precise)?;
    check_rust_version(&package, rustc)?;
    Ok(Arc::new(package))
}

fn choose(packages: Vec<Package>, spec: Option<&CrateSpec>, source: &SourceId) -> Result<Package> {
    if let Some(CrateSpec { name, version }) = spec {
        let fits = |package: &Package| {
            package.name().as_str() == name
                && version.as_ref().is_none_or(|req| req.matches(package.id().version()))
        };
        let found = packages.into_iter().filter(fits).max_by(|a, b| a.id().cmp(b.id()));
        return found.ok_or_else(|| {
            let req = version.clone().unwrap_or(VersionReq::STAR);
            Failure::new(format!("could not find `{name}` in {source} with version `{req}`"))
        });
    }
    for (what, is_it) in [
        ("binaries", wharf_core::Target::is_bin as fn(&wharf_core::Target) -> bool),
        ("examples", wharf_core::Target::is_example),
    ] {
        let mut with: Vec<&Package> =
            packages.iter().filter(|package| package.manifest.targets.iter().any(is_it)).collect();
        with.sort_by(|a, b| a.name().cmp(b.name()));
        match with.as_slice() {
            [] => {}
            [one] => return Ok((*one).clone()),
            several => {
                let names: Vec<&str> = several.iter().map(|package| package.name().as_str()).collect();
                return Err(Failure::new(format!(
                    "multiple packages with {what} found: {}",
                    names.join(", ")
                ))
                .help(format!(
                    "name one of them, as in `install --git {} {}`",
                    source.url(),
                    names[0]
                )));
            }
        }
    }
    Err(Failure::new("no packages found with binaries or examples"))
}

/// The package in a directory.
///
/// # Errors
/// If there is none, or it is not the one that was named.
pub fn in_directory(
    loader: &Loader,
    dir: &Path,
    spec: Option<&CrateSpec>,
    rustc: Option<&PartialVersion>,
    from_cwd: bool,
) -> Result<Arc<Package>> {
    let shown = dir.display();
    if !dir.is_dir() {
        return Err(Failure::new(format!("`{shown}` is not a directory"))
            .help("--path must point to a directory that holds a Cargo.toml"));
    }
    let manifest = dir.join("Cargo.toml");
    if !manifest.exists() {
        return Err(if from_cwd {
            Failure::new(format!("`{shown}` is not a crate root"))
                .help("name a package to install from crates.io, or use --path or --git")
        } else {
            let failure = Failure::new(format!("`{shown}` does not contain a Cargo.toml file"));
            match dir.join("cargo.toml").exists() {
                true => failure.help("rename cargo.toml to Cargo.toml"),
                false => failure.help("--path must point to a directory that holds a Cargo.toml"),
            }
        });
    }
    let source = SourceId::for_path(dir)?;
    let package = loader.load_package(&manifest, &source)?;
    let package = choose(vec![(*package).clone()], spec, &source)?;
    check_rust_version(&package, rustc)?;
    Ok(Arc::new(package))
}

fn check_rust_version(package: &Package, rustc: Option<&PartialVersion>) -> Result<()> {
    let Some((rustc, wanted)) = rustc.zip(package.manifest.rust_version.as_ref()) else { return Ok(()) };
    if wanted.is_compatible_with(rustc) {
        return Ok(());
    }
    Err(Failure::new(format!(
        "cannot install package `{} {}`, it requires rustc {wanted} or newer, while the currently active rustc \
         version is {rustc}",
        package.name(),
        package.id().version()
    )))
}
