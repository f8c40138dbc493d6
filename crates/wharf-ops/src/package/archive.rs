//! The list of what an archive holds, and the archive itself. The same input gives the same bytes.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};
use tar::{EntryType, Header, HeaderMode};
use wharf_base::{fs, paths};
use wharf_core::Package;
use wharf_core::target::Target;

use super::files::{VcsInfo, check_name};
use crate::failure::{Context, Failure, Result};
use crate::tell::{Note, Tell};
use crate::workspace::Workspace;

const ORIGINAL_MANIFEST: &str = "Cargo.toml.orig";
const VCS_INFO: &str = ".cargo_vcs_info.json";
/// The time of every file; the one that Cargo gives, so that archives of both are the same.
const TIME: u64 = 1_153_704_088;

/// One file of an archive.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Below the package's directory.
    pub(super) path: PathBuf,
    pub(super) content: Content,
}

/// Where a file of an archive comes from.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// A file as it is.
    Copied(PathBuf),
    /// The prepared manifest, and the file that it was made from.
    Manifest(PathBuf),
    /// A lockfile, and the workspace's if there is one.
    Lockfile(Option<PathBuf>),
    /// The state of the repository.
    VcsInfo(VcsInfo),
}

/// The files of an archive, sorted by path.
pub(super) fn entries(
    package: &Package,
    workspace: &Workspace,
    files: &[PathBuf],
    vcs: Option<VcsInfo>,
    with_lockfile: bool,
    tell: Tell<'_>,
) -> Result<Vec<Entry>> {
    let root = package.root();
    let mut entries: Vec<Entry> = Vec::new();
    let mut has_manifest = false;
    for file in files {
        let path = file
            .strip_prefix(root)
            .map_err(|_| Failure::new(format!("`{}` is not below `{}`", file.display(), root.display())))?;
        check_name(path, tell)?;
        let text = path.to_str().ok_or_else(|| {
            Failure::new(format!("cannot package `{}`: its path is not UTF-8", path.display()))
        })?;
        match text {
            "Cargo.lock" => {}
            VCS_INFO | ORIGINAL_MANIFEST => {
                return Err(Failure::new(format!(
                    "the package holds a file `{text}`, a name that is reserved for packaging"
                )));
            }
            // Some file systems do not tell case apart.
            _ if text.eq_ignore_ascii_case("Cargo.toml") => has_manifest = true,
            _ => entries.push(Entry { path: path.to_owned(), content: Content::Copied(file.clone()) }),
        }
    }
    let mut add = |path: &str, content| entries.push(Entry { path: path.into(), content });
    if has_manifest {
        add(ORIGINAL_MANIFEST, Content::Copied(package.manifest_path.clone()));
        add("Cargo.toml", Content::Manifest(package.manifest_path.clone()));
    } else {
        tell(Note::Warning(format!(
            "no `Cargo.toml` file found when packaging `{}` (note the case of the file name)",
            package.name()
        )));
    }
    if with_lockfile {
        let existing = Some(workspace.lockfile().to_owned()).filter(|path| path.exists());
        add("Cargo.lock", Content::Lockfile(existing));
    }
    if let Some(vcs) = vcs {
        add(VCS_INFO, Content::VcsInfo(vcs));
    }
    add_named(package, &mut entries, tell)?;
    for script in package.manifest.targets.iter().filter(|target| target.is_custom_build()) {
        check_script(package, script)?;
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

/// License and readme, which may lie outside of the package.
fn add_named(package: &Package, entries: &mut Vec<Entry>, tell: Tell<'_>) -> Result<()> {
    let root = package.root();
    let description = &package.manifest.description;
    let mut missing = Vec::new();
    let named = [("license-file", &description.license_file), ("readme", &description.readme)];
    for (key, file) in named.into_iter().filter_map(|(key, file)| Some((key, file.as_ref()?))) {
        let source = paths::normalize(&root.join(file));
        if !source.is_file() {
            missing.push(format!(
                "{key} `{file}` of `{}` does not appear to exist (relative to `{}`)",
                package.manifest_path.display(),
                root.display()
            ));
            continue;
        }
        let inside = source.strip_prefix(root).ok().map(Path::to_owned);
        let is_outside = inside.is_none();
        let path = inside.or_else(|| source.file_name().map(PathBuf::from)).unwrap_or_default();
        if !entries.iter().any(|entry| entry.path == path) {
            entries.push(Entry { path, content: Content::Copied(source) });
        } else if is_outside {
            tell(Note::Warning(format!(
                "{key} `{file}` lies outside of the package, and a file `{0}` is in its root already: the archive \
                 holds the latter; let {key} name it to be rid of this warning",
                path.display()
            )));
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(Failure::new(missing.join("\n"))) }
}

fn check_script(package: &Package, script: &Target) -> Result<()> {
    let path = paths::normalize(&script.src_path);
    let what = if !path.is_file() {
        "does not exist".to_owned()
    } else if !path.starts_with(package.root()) {
        format!("lies outside of the package, in `{}`", path.display())
    } else {
        return Ok(());
    };
    Err(Failure::new(format!("the source file of build script `{}` {what}", script.name)).help(format!(
        "let `build` in `{}` name a file inside of the package",
        package.manifest_path.display()
    )))
}

/// Texts that are made for an archive.
pub(super) struct Generated {
    pub(super) manifest: String,
    /// Only where it takes part.
    pub(super) lockfile: Option<String>,
}

/// A finished archive.
pub(super) struct Packed {
    pub(super) bytes: Vec<u8>,
    /// Bytes of all files together.
    pub(super) unpacked: u64,
}

/// Packs an archive.
pub(super) fn pack(
    package: &Package,
    entries: &[Entry],
    generated: &Generated,
    tell: Tell<'_>,
) -> Result<Packed> {
    let base = format!("{}-{}", package.name(), package.id().version());
    let gzip = GzBuilder::new().filename(format!("{base}.crate")).write(Vec::new(), Compression::best());
    let mut tar = tar::Builder::new(gzip);
    tar.sparse(false);
    let mut unpacked = 0;
    for entry in entries {
        tell(Note::Verbose("Archiving", entry.path.display().to_string()));
        let path = Path::new(&base).join(&entry.path);
        let mut add = |bytes: &[u8], mut header: Header| -> Result<()> {
            header.set_size(bytes.len() as u64);
            header.set_mtime(TIME);
            header.set_cksum();
            unpacked += bytes.len() as u64;
            tar.append_data(&mut header, &path, bytes)
                .context(|| format!("could not archive source file `{}`", entry.path.display()))
        };
        let text = match &entry.content {
            Content::Copied(file) => {
                let metadata = fs::metadata(file)
                    .context(|| format!("failed to open for archiving: `{}`", file.display()))?;
                let bytes = fs::read(file)
                    .context(|| format!("failed to open for archiving: `{}`", file.display()))?;
                let mut header = Header::new_gnu();
                header.set_metadata_in_mode(&metadata, HeaderMode::Deterministic);
                add(&bytes, header)?;
                continue;
            }
            Content::Manifest(_) => generated.manifest.clone(),
            Content::Lockfile(_) => generated.lockfile.clone().unwrap_or_default(),
            Content::VcsInfo(info) => serde_json::to_string_pretty(info)?,
        };
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        add(text.as_bytes(), header)?;
    }
    let mut gzip = tar.into_inner()?;
    gzip.flush()?;
    Ok(Packed { bytes: gzip.finish()?, unpacked })
}

/// The list for tools: path in the archive, and how it comes there.
pub(super) fn listing_json(package: &Package, entries: &[Entry]) -> serde_json::Value {
    let files: BTreeMap<String, serde_json::Value> = entries
        .iter()
        .map(|entry| {
            let (kind, path) = match &entry.content {
                Content::Copied(path) => ("copy", Some(path)),
                Content::Manifest(path) | Content::Lockfile(Some(path)) => ("generate", Some(path)),
                Content::Lockfile(None) | Content::VcsInfo(_) => ("generate", None),
            };
            let mut file = serde_json::Map::new();
            file.insert("kind".to_owned(), kind.into());
            if let Some(path) = path {
                file.insert("path".to_owned(), path.display().to_string().into());
            }
            (entry.path.display().to_string(), file.into())
        })
        .collect();
    serde_json::json!({ "id": package.id().to_spec().to_string(), "files": files })
}
