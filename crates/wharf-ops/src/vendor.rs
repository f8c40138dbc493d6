//! `vendor`: copies every package that is not local into one directory, which can stand in for their sources
//! (reference, "Source Replacement": "Directory Sources").

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cargo_util_schemas::manifest::{TomlManifest, TomlPackageBuild, TomlTarget};
use serde::Serialize;
use wharf_base::digest::Sha256;
use wharf_base::fs;
use wharf_core::source::CRATES_IO;
use wharf_core::{GitReference, Package, PackageId, SourceId, SourceKind};
use wharf_sources::{Sources, Wanted};

use crate::failure::{Context, Failure, Result};
use crate::package::manifest::PREAMBLE;
use crate::packages::{self, Reach};
use crate::resolve::{ResolveOptions, Unlock, resolve_workspace};
use crate::workspace::Workspace;

const CHECKSUMS: &str = ".cargo-checksum.json";
/// What the vendored directory is called in the configuration.
const SOURCE_NAME: &str = "vendored-sources";

/// What `vendor` is asked.
#[derive(Clone, Debug)]
pub struct VendorRequest {
    /// Where to, as typed: it is written so into the configuration.
    pub destination: PathBuf,
    /// The directory that the destination is relative to.
    pub cwd: PathBuf,
    /// Leave what is there already.
    pub no_delete: bool,
    /// Give every directory a version.
    pub versioned_dirs: bool,
}

/// A workspace whose dependencies are vendored.
pub struct Vendored<'a> {
    /// The workspace.
    pub workspace: &'a Workspace,
    /// Where its packages come from.
    pub sources: &'a Sources,
    /// How it is resolved.
    pub resolve: &'a ResolveOptions,
}

/// A package to be copied.
struct Item<'a> {
    package: Arc<Package>,
    checksum: Option<String>,
    sources: &'a Sources,
}

/// Copies the packages; `tell` hears of each with where it comes from and goes to. Returns the configuration that
/// puts the directory to use; `None` if there is nothing to vendor.
///
/// # Errors
/// If a workspace cannot be resolved, a package cannot be fetched or copied, or two sources have one version.
pub fn vendor(
    workspaces: &[Vendored<'_>],
    request: &VendorRequest,
    tell: &dyn Fn(&PackageId, &Path, &Path),
) -> Result<Option<String>> {
    let root = wharf_base::paths::absolute_from(&request.cwd, &request.destination);
    let existed = root.exists();
    fs::create_dir_all(&root)?;
    let mut old = if request.no_delete { BTreeSet::new() } else { visible_entries(&root)? };
    let items = gather(workspaces, &mut old)?;
    let newest = newest_versions(items.keys())?;
    let mut sources = BTreeSet::new();
    for (id, item) in &items {
        let is_newest = newest.get(id.name().as_str()) == Some(&id.version());
        let has_version = request.versioned_dirs || !is_newest;
        let name =
            if has_version { format!("{}-{}", id.name(), id.version()) } else { id.name().to_string() };
        sources.insert(id.source().without_precise());
        let to = root.join(&name);
        old.remove(&to);
        // What a registry has released never changes.
        if has_version && id.source().is_registry() && to.join(CHECKSUMS).exists() {
            continue;
        }
        tell(id, item.package.root(), &request.destination.join(&name));
        copy(item, &to).context(|| format!("failed to copy vendored sources for {id}"))?;
    }
    for entry in old {
        fs::remove_any(&entry)?;
    }
    if sources.is_empty() {
        if !existed {
            fs::remove_any(&root)?;
        }
        return Ok(None);
    }
    configuration(&sources, &request.destination).map(Some)
}

fn visible_entries(dir: &Path) -> Result<BTreeSet<PathBuf>> {
    let entries = fs::read_dir(dir)?.into_iter();
    let visible = entries.filter(|entry| !entry.name.as_encoded_bytes().starts_with(b"."));
    Ok(visible.map(|entry| entry.path).collect())
}

/// Every package that is not local. Local ones that lie in the directory are taken out of `old`.
fn gather<'a>(
    workspaces: &[Vendored<'a>],
    old: &mut BTreeSet<PathBuf>,
) -> Result<BTreeMap<PackageId, Item<'a>>> {
    let mut items = BTreeMap::new();
    for Vendored { workspace, sources, resolve } in workspaces {
        let place = workspace.root().display();
        let resolved = resolve_workspace(workspace, sources, resolve, &Unlock::Nothing)
            .context(|| format!("failed to load lockfile for {place}"))?;
        let reach = Reach { dev_dependencies: true, is_active: &|_| true };
        let needed = packages::reachable(&resolved.whole, workspace.member_ids(), &reach);
        let loaded = packages::load(workspace, sources, &resolved.whole, &needed)
            .context(|| format!("failed to download packages for {place}"))?;
        // Each workspace has its own sources, and each of those takes the lock on the home.
        sources.release();
        for (id, package) in loaded {
            if id.source().is_path() {
                old.remove(package.root());
                continue;
            }
            let checksum = resolved.whole.get(&id).and_then(|package| package.checksum.clone());
            items.entry(id).or_insert(Item { package, checksum, sources });
        }
    }
    Ok(items)
}

/// The newest version of each name. One directory cannot hold one version from two sources.
fn newest_versions<'i>(
    ids: impl Iterator<Item = &'i PackageId>,
) -> Result<BTreeMap<&'i str, &'i wharf_core::Version>> {
    let mut seen: BTreeMap<(&str, &wharf_core::Version), &SourceId> = BTreeMap::new();
    for id in ids {
        if let Some(other) = seen.insert((id.name().as_str(), id.version()), id.source()) {
            return Err(Failure::new(format!(
                "found duplicate version of package `{} v{}` vendored from two sources:\n\n\tsource 1: {other}\n\
                 \tsource 2: {}",
                id.name(),
                id.version(),
                id.source()
            )));
        }
    }
    // Versions come in ascending order, so the last one stays.
    Ok(seen.into_keys().collect())
}

fn copy(item: &Item<'_>, to: &Path) -> Result<()> {
    fs::remove_any(to)?;
    let id = item.package.id();
    let mut checksums = BTreeMap::new();
    let wanted = Wanted { id: id.clone(), checksum: item.checksum.clone() };
    // The archive, and not what lies unpacked: that may have been edited.
    let staging = to.with_file_name(format!(".vendor-staging-{}", std::process::id()));
    let unpacked = staging.join(format!("{}-{}", id.name(), id.version()));
    if item.sources.unpack_into(&wanted, &unpacked)? {
        fs::rename(&unpacked, to)?;
        fs::remove_any(&staging)?;
        let mut files = Vec::new();
        walk(to, &mut files)?;
        remove_repositories(to)?;
        for file in files {
            let relative = file.strip_prefix(to).unwrap_or(&file);
            if !is_wanted(relative) {
                fs::remove_file(&file)?;
                continue;
            }
            checksums.insert(slashed(relative), Sha256::of(fs::read(&file)?).to_hex());
        }
    } else {
        let root = item.package.root();
        // What there is to say of them was said when they were published, or concerns others.
        let files = crate::package::files::of(&item.package, &mut |_| {})?;
        let relative = |file: &Path| file.strip_prefix(root).unwrap_or(file).to_owned();
        let included: Vec<PathBuf> = files.iter().map(|file| relative(file)).collect();
        for (file, relative) in files.iter().zip(&included) {
            if is_wanted(relative) {
                let digest = copy_file((&item.package, &included), file, &to.join(relative))?;
                checksums.insert(slashed(relative), digest);
            }
        }
    }
    let list = serde_json::json!({ "files": checksums, "package": item.checksum });
    fs::write(&to.join(CHECKSUMS), list.to_string())?;
    Ok(())
}

fn copy_file((package, included): (&Package, &[PathBuf]), from: &Path, to: &Path) -> Result<String> {
    fs::create_dir_all(to.parent().unwrap_or(to))?;
    if package.id().source().is_git() && from == package.manifest_path {
        // Alone in its directory it can inherit nothing.
        let text = manifest(package, included)?;
        fs::write(to, &text)?;
        return Ok(Sha256::of(text).to_hex());
    }
    let bytes = fs::read(from)?;
    fs::write(to, &bytes)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_mode(to, fs::metadata(from)?.permissions().mode() & 0o777)?;
    }
    Ok(Sha256::of(bytes).to_hex())
}

/// The manifest of a git package as it is without its workspace, and without targets whose files are left out.
fn manifest(package: &Package, included: &[PathBuf]) -> Result<String> {
    let mut toml: TomlManifest = (*package.manifest.normalized).clone();
    let has = |path: &str| included.contains(&wharf_base::paths::normalize(Path::new(path)));
    let is_there =
        |target: &TomlTarget| target.path.as_ref().is_none_or(|path| has(&path.0.to_string_lossy()));
    let some = |targets: Option<Vec<TomlTarget>>| {
        let left: Vec<TomlTarget> = targets.into_iter().flatten().filter(|target| is_there(target)).collect();
        (!left.is_empty()).then_some(left)
    };
    toml.bin = some(toml.bin.take());
    toml.example = some(toml.example.take());
    toml.test = some(toml.test.take());
    toml.bench = some(toml.bench.take());
    toml.lib = toml.lib.take().filter(|library| is_there(library));
    if let Some(settings) = &mut toml.package {
        settings.build = match settings.build.take() {
            Some(TomlPackageBuild::SingleScript(script)) if !has(&script) => {
                Some(TomlPackageBuild::Auto(false))
            }
            build => build,
        };
    }
    let text = toml::to_string_pretty(&toml)
        .context(|| format!("cannot write the manifest of `{}`", package.id()))?;
    Ok(format!("{PREAMBLE}\n{text}"))
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        if entry.kind.is_dir() {
            if entry.name != ".git" {
                walk(&entry.path, files)?;
            }
        } else {
            files.push(entry.path);
        }
    }
    Ok(())
}

fn remove_repositories(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir)?.into_iter().filter(|entry| entry.kind.is_dir()) {
        if entry.name == ".git" {
            fs::remove_any(&entry.path)?;
        } else {
            remove_repositories(&entry.path)?;
        }
    }
    Ok(())
}

/// Files that belong to git or to the cache would only do harm in somebody else's repository.
fn is_wanted(relative: &Path) -> bool {
    let is_git = |part: std::path::Component<'_>| part.as_os_str() == ".git";
    let name = relative.file_name().and_then(|name| name.to_str());
    !relative.components().any(is_git)
        && !matches!(name, Some(".gitattributes" | ".gitignore"))
        && relative != Path::new(".cargo-ok")
        && relative != Path::new(CHECKSUMS)
}

fn slashed(path: &Path) -> String {
    let parts: Vec<_> = path.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    parts.join("/")
}

#[derive(Serialize)]
struct Configuration {
    source: BTreeMap<String, Replaced>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Replaced {
    Directory {
        directory: String,
    },
    Registry {
        #[serde(skip_serializing_if = "Option::is_none")]
        registry: Option<String>,
        #[serde(rename = "replace-with")]
        replace_with: &'static str,
    },
    Git {
        git: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        branch: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        rev: Option<String>,
        #[serde(rename = "replace-with")]
        replace_with: &'static str,
    },
}

fn configuration(sources: &BTreeSet<SourceId>, destination: &Path) -> Result<String> {
    let replace_with = SOURCE_NAME;
    let mut table = BTreeMap::new();
    for source in sources {
        let (name, replaced) = match source.kind() {
            _ if source.is_crates_io() => {
                (CRATES_IO.to_owned(), Replaced::Registry { registry: None, replace_with })
            }
            SourceKind::Git(reference) => {
                let (mut branch, mut tag, mut rev) = (None, None, None);
                match reference.clone() {
                    GitReference::Branch(name) => branch = Some(name),
                    GitReference::Tag(name) => tag = Some(name),
                    GitReference::Rev(name) => rev = Some(name),
                    GitReference::DefaultBranch => {}
                }
                let git = source.url().to_string();
                (source.encoded(), Replaced::Git { git, branch, tag, rev, replace_with })
            }
            SourceKind::SparseRegistry => {
                let url = format!("sparse+{}", source.url());
                (url.clone(), Replaced::Registry { registry: Some(url), replace_with })
            }
            _ => {
                let registry = Some(source.url().to_string());
                (source.encoded(), Replaced::Registry { registry, replace_with })
            }
        };
        table.insert(name, replaced);
    }
    let directory = destination.to_string_lossy().replace('\\', "/");
    table.insert(SOURCE_NAME.to_owned(), Replaced::Directory { directory });
    toml::to_string_pretty(&Configuration { source: table })
        .context(|| "cannot write the configuration".to_owned())
}
