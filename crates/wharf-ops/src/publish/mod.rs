//! Uploads packages to a registry and waits until its index has them (source of the rules: Cargo reference, "cargo
//! publish").

pub mod registry;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use wharf_base::fs;
use wharf_core::{DepKind, Package, PackageId, SourceId};
use wharf_resolve::RequestedFeatures;
use wharf_sources::{Api, ApiToken, Freshness, Sources};

use crate::credentials::Operation;
use crate::failure::{Context, Failure, Result};
use crate::package::describe::describe;
use crate::package::{Order, PackageRequest, Packaged, check_versions, select};
use crate::tell::{Note, Tell};
use crate::workspace::{PackageSelection, Workspace};
use registry::{RegistryChoice, check_allowed, infer, source_of};

/// How long the index is waited for, in the absence of a wish.
pub const WAIT: Duration = Duration::from_secs(60);

/// Packages that may be published, and where.
pub struct Publishing {
    /// The packages.
    pub packages: Vec<(Arc<Package>, RequestedFeatures)>,
    /// The registry as chosen, if it is not crates.io by default.
    pub choice: Option<RegistryChoice>,
    /// The registry.
    pub registry: SourceId,
}

/// Finds out what is to be published where; `None` if there is nothing to publish and that is no mistake.
///
/// # Errors
/// If a package that was named may not be published, or the registry is in doubt.
pub fn plan(workspace: &Workspace, request: &PackageRequest, tell: Tell<'_>) -> Result<Option<Publishing>> {
    let is_nowhere = |package: &Package| package.manifest.publish.as_ref().is_some_and(Vec::is_empty);
    let (barred, packages): (Vec<_>, Vec<_>) =
        select(workspace, request)?.into_iter().partition(|(package, _)| is_nowhere(package));
    let may_skip = match &request.packages {
        PackageSelection::Default => workspace.is_virtual(),
        PackageSelection::All { .. } => true,
        PackageSelection::Named(_) => false,
    };
    if !barred.is_empty() && !may_skip {
        let names: Vec<String> = barred.iter().map(|(package, _)| format!("`{}`", package.name())).collect();
        return Err(Failure::new(format!("{} cannot be published", names.join(", ")))
            .help("set `package.publish` to `true` or to a list of registries in Cargo.toml"));
    }
    if packages.is_empty() {
        let plural = if barred.len() == 1 { "" } else { "s" };
        let count = barred.len();
        tell(Note::Warning(format!("nothing to publish, but found {count} unpublishable package{plural}")));
        tell(Note::Help(
            "to publish packages, set `package.publish` to `true` or a non-empty list".to_owned(),
        ));
        return Ok(None);
    }
    let choice = {
        let just: Vec<&Arc<Package>> = packages.iter().map(|(package, _)| package).collect();
        choose(request, &just, tell)?
    };
    let registry = source_of(workspace.loader(), choice.as_ref())?;
    Ok(Some(Publishing { packages, choice, registry }))
}

fn choose(
    request: &PackageRequest,
    packages: &[&Arc<Package>],
    tell: Tell<'_>,
) -> Result<Option<RegistryChoice>> {
    let stated = request.registry.clone();
    let choice = match &stated {
        Some(_) => stated.clone(),
        None => infer(packages)?,
    };
    check_allowed(packages, choice.as_ref(), "published", false)?;
    match (&stated, &choice) {
        (Some(RegistryChoice::Index(_)), _) => {
            let names = |package: &&Arc<Package>| {
                package.manifest.publish.as_ref().is_some_and(|list| !list.is_empty())
            };
            if packages.iter().any(names) {
                tell(Note::Warning(
                    "`--index` ignores the registries that `package.publish` names; `--registry` would not"
                        .to_owned(),
                ));
            }
        }
        (None, Some(RegistryChoice::Named(name))) if name != wharf_core::source::CRATES_IO => {
            tell(Note::Remark(format!(
                "found `{name}` as only allowed registry. Publishing to it automatically."
            )));
        }
        _ => {}
    }
    Ok(choice)
}

impl Publishing {
    /// Checks what the registry would refuse, before anything is built.
    ///
    /// # Errors
    /// If a version is there already, or a dependency cannot be found there.
    pub fn check(&self, sources: &Sources, api: &Api<'_>, dry_run: bool, tell: Tell<'_>) -> Result<()> {
        for (package, _) in &self.packages {
            self.check_new(package, sources, dry_run, tell)?;
            self.check_dependencies(package, api)?;
        }
        Ok(())
    }

    fn check_new(&self, package: &Package, sources: &Sources, dry_run: bool, tell: Tell<'_>) -> Result<()> {
        let version = package.id().version();
        let found = sources.matching(&self.registry, package.name(), Freshness::Current, &|other| {
            same_release(other, version)
        })?;
        if found.iter().all(|summary| summary.yanked) {
            return Ok(());
        }
        let message =
            format!("crate {}@{version} already exists on {}", package.name(), index(&self.registry));
        if !dry_run {
            return Err(Failure::new(message));
        }
        tell(Note::Warning(message));
        Ok(())
    }

    fn check_dependencies(&self, package: &Package, api: &Api<'_>) -> Result<()> {
        check_versions(package, "publishing")?;
        for dependency in &package.manifest.summary.dependencies {
            let fields = dependency.fields();
            if fields.kind == DepKind::Development && !fields.has_version {
                continue;
            }
            let foreign = fields.source.is_registry() && !fields.source.same_place(&self.registry);
            if foreign && (self.registry.is_crates_io() || api.is_crates_io()) {
                return Err(Failure::new(format!(
                    "crates cannot be published to crates.io with dependencies sourced from other registries: \
                     `{}` is pulled from {}",
                    fields.name, fields.source
                ))
                .help(format!("publish `{}` to crates.io before", fields.name))
                .context(format!("failed to verify manifest at `{}`", package.manifest_path.display())));
            }
        }
        Ok(())
    }
}

/// Build metadata does not make a version another one.
fn same_release(a: &wharf_core::Version, b: &wharf_core::Version) -> bool {
    (a.major, a.minor, a.patch, &a.pre) == (b.major, b.minor, b.patch, &b.pre)
}

fn index(registry: &SourceId) -> String {
    match registry.registry_name() {
        Some(name) if !registry.is_crates_io() => format!("`{name}` index"),
        _ if registry.is_crates_io() => "crates.io index".to_owned(),
        _ => format!("`{}` index", registry.url()),
    }
}

/// What an upload needs.
pub struct Upload<'a> {
    /// The workspace.
    pub workspace: &'a Workspace,
    /// What was planned.
    pub publishing: &'a Publishing,
    /// The archives.
    pub packaged: &'a [Packaged],
    /// The token for an upload, asked for each package.
    pub token: &'a dyn Fn(&Operation) -> Result<ApiToken>,
    /// `--dry-run`
    pub dry_run: bool,
    /// How long the index is waited for; not at all if zero.
    pub wait: Duration,
    /// Sources that nothing was asked of yet, and that say nothing.
    pub fresh_sources: &'a dyn Fn() -> Result<Sources>,
}

/// Uploads archives, dependencies before dependents: a dependent only after the index has what it depends on.
///
/// # Errors
/// If the registry refuses one, or the index does not get what others wait for.
pub fn upload(upload: &Upload<'_>, sources: &Sources, tell: Tell<'_>) -> Result<()> {
    let order = Order::of(upload.publishing.packages.clone());
    let mut waiting: BTreeMap<PackageId, BTreeSet<PackageId>> = upload
        .packaged
        .iter()
        .map(|packaged| packaged.package.id())
        .map(|id| (id.clone(), order.dependencies(id).cloned().collect()))
        .collect();
    let mut unconfirmed = BTreeSet::new();
    while !waiting.is_empty() {
        let ready: Vec<PackageId> =
            waiting.iter().filter(|(_, needed)| needed.is_empty()).map(|(id, _)| id.clone()).collect();
        for id in &ready {
            waiting.remove(id);
        }
        for (at, id) in ready.iter().enumerate() {
            let rest: Vec<&PackageId> = ready[at + 1..].iter().chain(waiting.keys()).collect();
            transmit(upload, sources, id, &rest, tell)?;
            unconfirmed.insert(id.clone());
        }
        let confirmed = confirm(upload, &unconfirmed, waiting.len(), tell)?;
        if confirmed.is_empty() {
            if waiting.is_empty() {
                break;
            }
            return Err(Failure::new(format!(
                "unable to publish {} due to a timeout while waiting for published dependencies to be available",
                list(waiting.keys(), "and")
            )));
        }
        for id in &confirmed {
            unconfirmed.remove(id);
            for needed in waiting.values_mut() {
                needed.remove(id);
            }
        }
    }
    Ok(())
}

fn transmit(
    upload: &Upload<'_>,
    sources: &Sources,
    id: &PackageId,
    rest: &[&PackageId],
    tell: Tell<'_>,
) -> Result<()> {
    let registry = &upload.publishing.registry;
    let packaged = upload
        .packaged
        .iter()
        .find(|packaged| packaged.package.id() == id)
        .ok_or_else(|| Failure::new(format!("`{id}` was not packaged")))?;
    tell(Note::Status("Uploading", id.to_string()));
    let described = describe(&packaged.package, upload.workspace, registry)?;
    if upload.dry_run {
        tell(Note::Warning("aborting upload due to dry run".to_owned()));
        return Ok(());
    }
    let operation = Operation::Publish {
        name: described.name.clone(),
        version: described.vers.clone(),
        checksum: packaged.checksum.to_hex(),
    };
    let api = sources.api(registry, (upload.token)(&operation)?)?;
    // The index is waited for with other sources, which need the lock too.
    sources.release();
    let archive = fs::read(&packaged.archive)?;
    let warnings = api.publish(&described, &archive).map_err(|error| {
        let failure = Failure::from(error).context(format!(
            "failed to publish {} to registry at {}",
            id.tool_tips(),
            api.host()
        ));
        if rest.is_empty() {
            return failure;
        }
        let rest: Vec<String> = rest.iter().map(ToString::to_string).collect();
        failure.help(format!("these packages have not been published yet: {}", rest.join(", ")))
    })?;
    if !warnings.invalid_categories.is_empty() {
        tell(Note::Warning(format!(
            "the registry ignored categories that it does not know: {}",
            warnings.invalid_categories.join(", ")
        )));
        tell(Note::Help("<https://crates.io/category_slugs> lists those of crates.io".to_owned()));
    }
    if !warnings.invalid_badges.is_empty() {
        tell(Note::Warning(format!("the registry ignored badges: {}", warnings.invalid_badges.join(", "))));
    }
    for other in warnings.other {
        tell(Note::Warning(other));
    }
    tell(Note::Status("Uploaded", format!("{} to {registry}", id.tool_tips())));
    Ok(())
}

/// Waits until the index has at least one of the packages; gives those that it has, none if that took too long.
fn confirm(
    upload: &Upload<'_>,
    unconfirmed: &BTreeSet<PackageId>,
    remaining: usize,
    tell: Tell<'_>,
) -> Result<BTreeSet<PackageId>> {
    if upload.dry_run {
        return Ok(unconfirmed.clone());
    }
    if upload.wait.is_zero() {
        return Ok(BTreeSet::new());
    }
    let registry = &upload.publishing.registry;
    let any = list(unconfirmed, "or");
    let what = if unconfirmed.len() == 1 { "crate" } else { "crates" };
    if remaining == 0 {
        tell(Note::Remark(format!("waiting for {any} to be available at {registry}")));
        tell(Note::Help(format!(
            "you may press ctrl-c to skip waiting; the {what} should be available shortly"
        )));
    } else {
        let noun = if remaining == 1 { "crate" } else { "crates" };
        tell(Note::Remark(format!(
            "waiting for {any} to be available at {registry}.\n{remaining} remaining {noun} to be published"
        )));
    }
    let started = Instant::now();
    loop {
        let mut found = BTreeSet::new();
        let sources = (upload.fresh_sources)()?;
        for id in unconfirmed {
            let matching = sources
                .matching(registry, id.name(), Freshness::Current, &|version| version == id.version())?;
            if !matching.is_empty() {
                found.insert(id.clone());
            }
        }
        sources.release();
        if !found.is_empty() {
            tell(Note::Status("Published", format!("{} at {registry}", list(&found, "and"))));
            return Ok(found);
        }
        if started.elapsed() > upload.wait {
            break;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    tell(Note::Warning(format!("timed out waiting for {any} to be available in {registry}")));
    tell(Note::Remark(format!("the registry may have a backlog; the {what} should be available soon")));
    Ok(BTreeSet::new())
}

/// `a v1.0.0, b v1.0.0 and c v1.0.0`
fn list<'a>(ids: impl IntoIterator<Item = &'a PackageId>, last: &str) -> String {
    let mut names: Vec<String> = ids.into_iter().map(PackageId::tool_tips).collect();
    names.sort();
    match names.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [a, b] => format!("{a} {last} {b}"),
        [most @ .., end] => format!("{}, {last} {end}", most.join(", ")),
    }
}

/// Yanks a version of a package, or takes that back.
///
/// # Errors
/// If the registry refuses it.
pub fn yank(api: &Api<'_>, name: &str, version: &str, undo: bool, tell: Tell<'_>) -> Result<()> {
    tell(Note::Status(if undo { "Unyank" } else { "Yank" }, format!("{name}@{version}")));
    let deed = if undo { "undo a yank from" } else { "yank from" };
    api.yank(name, version, undo).context(|| format!("failed to {deed} the registry at {}", api.host()))
}
