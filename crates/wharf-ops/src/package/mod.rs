//! Makes `.crate` archives of packages: which files, the prepared manifest, a lockfile, and the state of the
//! repository (source of the rules: Cargo reference, "cargo package").

mod archive;
pub(crate) mod describe;
pub(crate) mod files;
mod git;
pub(crate) mod manifest;
mod order;
mod overlay;
mod verify;

use std::path::PathBuf;
use std::sync::Arc;

use wharf_base::digest::Sha256;
use wharf_base::fs;
use wharf_core::lockfile::{LockVersion, Lockfile};
use wharf_core::{DepKind, Package, SourceId};
use wharf_resolve::RequestedFeatures;
use wharf_sources::Sources;

use crate::failure::{Context, Failure, Result};
use crate::publish::registry::{self, RegistryChoice};
use crate::resolve::features::distribute;
use crate::resolve::{CliFeatures, ResolveOptions, Unlock, lock, resolve_from, resolve_workspace};
use crate::tell::{Note, Tell};
use crate::workspace::{PackageSelection, Places, Workspace};

use archive::{Entry, Generated};
use files::RepositoryCheck;
pub use order::Order;
use overlay::Overlay;
pub use verify::{Unpacked, unpack};

/// What is to be packaged, and how.
#[derive(Clone, Debug)]
pub struct PackageRequest {
    /// Which packages.
    pub packages: PackageSelection,
    /// With which features they are verified.
    pub features: CliFeatures,
    /// Whether missing metadata is warned of.
    pub check_metadata: bool,
    /// `--allow-dirty`
    pub allow_dirty: bool,
    /// Not `--exclude-lockfile`.
    pub lockfile: bool,
    /// Not `--no-verify`: archives will be built.
    pub verify: bool,
    /// Nothing will be uploaded, so lockfiles may hold checksums of what was published under the same version.
    pub dry_run: bool,
    /// `--registry` or `--index`
    pub registry: Option<RegistryChoice>,
    /// How lockfiles are made.
    pub resolve: ResolveOptions,
    /// The current directory, from which paths are shown.
    pub cwd: PathBuf,
}

/// A package in its archive.
#[derive(Clone, Debug)]
pub struct Packaged {
    /// The package.
    pub package: Arc<Package>,
    /// The features that it is verified with.
    pub features: RequestedFeatures,
    /// The archive.
    pub archive: PathBuf,
    /// Its digest.
    pub checksum: Sha256,
}

impl Packaged {
    /// The name of the archive.
    pub fn file_name(&self) -> String {
        file_name(&self.package)
    }
}

fn file_name(package: &Package) -> String {
    format!("{}-{}.crate", package.name(), package.id().version())
}

/// What an archive would hold.
pub struct Listing {
    /// The paths, sorted.
    pub paths: Vec<String>,
    /// The same for tools.
    pub json: serde_json::Value,
}

type Chosen = Vec<(Arc<Package>, RequestedFeatures)>;

/// The packages that a request is about.
///
/// # Errors
/// If the selection names none, or something that is no member.
pub fn select(workspace: &Workspace, request: &PackageRequest) -> Result<Chosen> {
    let selected = workspace.select(&request.packages)?;
    if let Some(spec) = selected.outside.first() {
        return Err(Failure::new(format!("package ID specification `{spec}` did not match any packages"))
            .help("only members of the workspace can be packaged"));
    }
    let chosen = selected.packages;
    let mut with_features = distribute(workspace, &chosen, &request.features)?;
    with_features.retain(|(package, _)| chosen.iter().any(|wanted| wanted.id() == package.id()));
    Ok(with_features)
}

/// Lists what the archives would hold.
///
/// # Errors
/// If the packages are not fit to be packaged.
pub fn list(
    workspace: &Workspace,
    sources: &Sources,
    request: &PackageRequest,
    tell: Tell<'_>,
) -> Result<Vec<Listing>> {
    let chosen = select(workspace, request)?;
    check_lockfile(workspace, sources, request)?;
    let mut listings = Vec::new();
    for (package, _) in Order::of(chosen).sorted() {
        let entries = prepare(workspace, &package, request, tell)?;
        listings.push(Listing {
            paths: entries.iter().map(|entry| entry.path.display().to_string()).collect(),
            json: archive::listing_json(&package, &entries),
        });
    }
    Ok(listings)
}

/// Makes the archives, dependencies before dependents.
///
/// # Errors
/// If the packages are not fit to be packaged.
pub fn assemble(
    workspace: &Workspace,
    sources: &Sources,
    request: &PackageRequest,
    chosen: Vec<(Arc<Package>, RequestedFeatures)>,
    tell: Tell<'_>,
) -> Result<Vec<Packaged>> {
    check_lockfile(workspace, sources, request)?;
    crate::compile::mark_as_cache(workspace.target_dir())?;
    let order = Order::of(chosen);
    let sorted = order.sorted();
    // Members that depend on one another are found in the registry only after they were published; until then they
    // are laid over it.
    let needs_overlay = order.has_dependencies() && (request.lockfile || request.verify);
    let mut overlay = None;
    if needs_overlay || request.registry.is_some() {
        let packages: Vec<&Arc<Package>> = sorted.iter().map(|(package, _)| package).collect();
        let upstream = registry::for_packaging(workspace.loader(), &packages, request.registry.as_ref())?;
        overlay = Some(Overlay::new(workspace, sources, upstream)?);
    }
    let mut all = Vec::new();
    for (package, features) in sorted {
        let entries = prepare(workspace, &package, request, tell)?;
        let packaged =
            one((workspace, sources), request, (&package, features), &entries, overlay.as_ref(), tell)?;
        if let Some(overlay) = &mut overlay
            && package.manifest.publish.as_ref().is_none_or(|registries| !registries.is_empty())
        {
            overlay.add(workspace, sources, &packaged)?;
        }
        all.push(packaged);
    }
    Ok(all)
}

/// Copies finished archives to where users look for them.
///
/// # Errors
/// If they cannot be written.
pub fn deliver(workspace: &Workspace, packaged: &[Packaged]) -> Result<()> {
    let dir = workspace.target_dir().join("package");
    fs::create_dir_all(&dir)?;
    for packaged in packaged {
        fs::write_atomic(&dir.join(packaged.file_name()), fs::read(&packaged.archive)?)?;
    }
    Ok(())
}

/// A lockfile that exists must be right, or be put right.
fn check_lockfile(workspace: &Workspace, sources: &Sources, request: &PackageRequest) -> Result<()> {
    if request.lockfile && workspace.lockfile().exists() {
        resolve_workspace(workspace, sources, &request.resolve, &Unlock::Nothing)?;
    }
    Ok(())
}

fn prepare(
    workspace: &Workspace,
    package: &Package,
    request: &PackageRequest,
    tell: Tell<'_>,
) -> Result<Vec<Entry>> {
    if request.check_metadata {
        check_metadata(package, request, tell);
    }
    if !package.manifest.include.is_empty() && !package.manifest.exclude.is_empty() {
        tell(Note::Warning(
            "both package.include and package.exclude are specified; the exclude list will be ignored"
                .to_owned(),
        ));
    }
    let files = files::of(package, tell)?;
    let vcs = files::check_repository(&RepositoryCheck {
        package,
        files: &files,
        root_manifest: workspace.root_manifest(),
        cwd: &request.cwd,
        allow_dirty: request.allow_dirty,
    })?;
    archive::entries(package, workspace, &files, vcs, request.lockfile, tell)
}

/// Whether people can find out what the package is about. crates.io insists on it; others may not.
fn check_metadata(package: &Package, request: &PackageRequest, tell: Tell<'_>) {
    let is_crates_io = match &request.registry {
        Some(RegistryChoice::Named(name)) => name == wharf_core::source::CRATES_IO,
        Some(RegistryChoice::Index(_)) => false,
        None => true,
    };
    let of = &package.manifest.description;
    let has = |fields: &[&Option<String>]| {
        fields.iter().any(|field| field.as_ref().is_some_and(|text| !text.is_empty()))
    };
    let mut missing = Vec::new();
    if !has(&[&of.description]) {
        missing.push("description");
    }
    if !has(&[&of.license, &of.license_file]) {
        missing.extend(["license", "license-file"]);
    }
    if !has(&[&of.documentation, &of.homepage, &of.repository]) {
        missing.extend(["documentation", "homepage", "repository"]);
    }
    let Some((last, others)) = missing.split_last().filter(|_| is_crates_io) else { return };
    let list =
        if others.is_empty() { (*last).to_owned() } else { format!("{} or {last}", others.join(", ")) };
    tell(Note::Warning(format!(
        "manifest has no {list}\n  see https://doc.rust-lang.org/cargo/reference/manifest.html#package-metadata"
    )));
}

/// Every dependency must be found by its version once its path or repository is gone. Dev-dependencies without one
/// are left out.
pub(crate) fn check_versions(package: &Package, deed: &str) -> Result<()> {
    let found = package.manifest.summary.dependencies.iter().find(|dependency| {
        let fields = dependency.fields();
        !fields.has_version && !fields.source.is_registry() && fields.kind != DepKind::Development
    });
    match found {
        None => Ok(()),
        Some(dependency) => Err(Failure::new(format!(
            "all dependencies must have a version requirement specified when {deed}: dependency `{}` has none",
            dependency.name()
        ))
        .help(format!("add `version`; the {} stays in use on this machine", if dependency.source().is_git() {
            "repository"
        } else {
            "path"
        }))
        .context(format!("failed to verify manifest at `{}`", package.manifest_path.display()))),
    }
}

fn one(
    (workspace, sources): (&Workspace, &Sources),
    request: &PackageRequest,
    (package, features): (&Arc<Package>, RequestedFeatures),
    entries: &[Entry],
    overlay: Option<&Overlay>,
    tell: Tell<'_>,
) -> Result<Packaged> {
    check_versions(package, "packaging")?;
    tell(Note::Status("Packaging", package.id().to_string()));
    let archive = workspace.target_dir().join("package/tmp-crate").join(file_name(package));
    fs::create_dir_all(archive.parent().unwrap_or(workspace.target_dir()))?;
    let packed = (|| {
        let included: Vec<PathBuf> = entries.iter().map(|entry| entry.path.clone()).collect();
        let published = manifest::publishable(package, workspace, Some(&included), tell)?;
        let lockfile = match request.lockfile {
            true => Some(lockfile(workspace, sources, request, &published.package, overlay)?),
            false => None,
        };
        archive::pack(package, entries, &Generated { manifest: published.text, lockfile }, tell)
    })()
    .context(|| "failed to prepare local package for uploading".to_owned())?;
    fs::write_atomic(&archive, &packed.bytes)?;
    tell(Note::Status(
        "Packaged",
        format!(
            "{} files, {} ({} compressed)",
            entries.len(),
            human(packed.unpacked),
            human(packed.bytes.len() as u64)
        ),
    ));
    let checksum = Sha256::of(&packed.bytes);
    Ok(Packaged { package: package.clone(), features, archive, checksum })
}

/// `1.5KiB`
fn human(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut size, mut unit) = (bytes as f64, 0);
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1}{}", UNITS[unit])
}

/// The lockfile that the package would have on its own, as near to the workspace's as can be.
fn lockfile(
    workspace: &Workspace,
    sources: &Sources,
    request: &PackageRequest,
    published: &Arc<Package>,
    overlay: Option<&Overlay>,
) -> Result<String> {
    let previous = lock::read(workspace)?;
    let mut locked = previous
        .as_ref()
        .map(|found| lock::graph(&found.lockfile, workspace, &request.resolve.patches))
        .unwrap_or_default();
    if let Some(overlay) = overlay.filter(|_| request.dry_run) {
        for package in &mut locked.packages {
            if let Some(checksum) = overlay.checksum(&package.id) {
                package.checksum = Some(checksum);
            }
        }
    }
    let alone = Workspace::ephemeral(workspace.loader().clone(), published.clone(), &Places::default());
    let resolution = resolve_from(&alone, sources, &request.resolve, (&locked, &Unlock::Nothing))?;
    let mut version = LockVersion::for_rust_version(published.manifest.rust_version.as_ref());
    if let Some(found) = &previous {
        version = version.max(found.lockfile.version);
    }
    let metadata = previous.as_ref().map(|found| &found.lockfile);
    Ok(Lockfile::from_resolution(&resolution, version, metadata).render(None))
}

/// The registry that a choice means.
pub(crate) type Upstream = SourceId;
