//! `new` and `init`: a package from nothing.

mod layout;
mod membership;
mod names;
mod vcs;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use wharf_base::{fs, paths, process};

use crate::config::Config;
use crate::connect;
use crate::failure::{Context, Failure, Result};
use crate::workspace::{Places, Workspace};

pub use vcs::VersionControl;
pub(crate) use vcs::is_in_repository;

/// What to make.
#[derive(Clone, Debug)]
pub struct NewRequest {
    /// The directory of the package, absolute.
    pub path: PathBuf,
    /// Whether the directory must be new.
    pub place: Place,
    /// The name, if not that of the directory.
    pub name: Option<String>,
    /// What the package is; found out from the sources that are there, or a program, if not stated.
    pub kind: Option<PackageKind>,
    /// The edition, if not the latest.
    pub edition: Option<String>,
    /// The only registry that it may be published to.
    pub registry: Option<String>,
    /// The version control system, if stated.
    pub vcs: Option<VersionControl>,
}

/// Where a package is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `new`: in a directory that is not there yet.
    New,
    /// `init`: in a directory that may hold sources.
    Existing,
}

/// What a package is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageKind {
    /// To be run.
    Program,
    /// To be used by others.
    Library,
}

impl PackageKind {
    fn describe(self) -> &'static str {
        match self {
            Self::Program => "binary (application)",
            Self::Library => "library",
        }
    }
}

/// What is told while a package is made.
#[derive(Debug)]
pub enum Note {
    /// Something is done: the word of the status line, and the rest.
    Status(&'static str, String),
    /// Something that may be trouble later.
    Warning(String),
    /// The package is there, but the workspace around it cannot be opened.
    BrokenWorkspace(Failure),
    /// Where to read more.
    Hint(&'static str),
}

/// Where the keys of a manifest are explained.
const HINT: &str = "see more `Cargo.toml` keys and their definitions at \
                    https://doc.rust-lang.org/cargo/reference/manifest.html";

/// Makes a package: manifest, first source, repository with its ignore file, and membership of the workspace around.
///
/// # Errors
/// If the name cannot be one of a package, there is something in the way, or a file cannot be written.
pub fn create(request: &NewRequest, config: &Arc<Config>, tell: &mut dyn FnMut(Note)) -> Result<()> {
    let name = name(request)?;
    let (kind, sources, vcs) = match request.place {
        Place::New => {
            let kind = request.kind.unwrap_or(PackageKind::Program);
            tell(Note::Status("Creating", format!("{} `{name}` package", kind.describe())));
            if request.path.exists() {
                let message = format!("destination `{}` already exists", request.path.display());
                return Err(Failure::new(message).help("`init` makes a package in a directory that exists"));
            }
            (kind, vec![layout::default_source(kind)], request.vcs)
        }
        Place::Existing => existing(request, &name, config, tell)?,
    };
    check_path(&request.path, tell);
    names::check(&name, request.name.is_none(), kind, tell)?;
    let package = Package { request, name: &name, sources: &sources, vcs };
    package
        .write(config, tell)
        .context(|| format!("failed to create package `{name}` at `{}`", request.path.display()))?;
    check_workspace(&request.path.join("Cargo.toml"), config, tell);
    tell(Note::Hint(HINT));
    Ok(())
}

fn name(request: &NewRequest) -> Result<String> {
    if let Some(name) = &request.name {
        return Ok(name.clone());
    }
    let path = paths::normalize(&request.path);
    match path.file_name().map(|name| name.to_str()) {
        None => Err(Failure::new(format!("cannot tell the package name from the path `{}`", path.display()))
            .help("use `--name` to state it")),
        Some(None) => Err(Failure::new(format!("the directory name of `{}` is not Unicode", path.display()))
            .help("use `--name` to state the package name")),
        Some(Some(name)) => Ok(name.to_owned()),
    }
}

type Found = (PackageKind, Vec<layout::Source>, Option<VersionControl>);

/// What `init` makes of a directory with something in it.
fn existing(request: &NewRequest, name: &str, config: &Config, tell: &mut dyn FnMut(Note)) -> Result<Found> {
    let path = paths::normalize(&request.path);
    if config.env().get_filled("HOME").is_some_and(|home| Path::new(home) == path) {
        return Err(Failure::new("cannot create package in the home directory")
            .help("name another directory: `init <path>`"));
    }
    let mut sources = layout::detect(&path, name)?;
    let found_kind = match sources.iter().any(|source| source.kind == PackageKind::Program) {
        false if !sources.is_empty() => PackageKind::Library,
        _ => PackageKind::Program,
    };
    let kind = request.kind.unwrap_or(found_kind);
    let announced = request.kind.unwrap_or(PackageKind::Program);
    tell(Note::Status("Creating", format!("{} package", announced.describe())));
    if path.join("Cargo.toml").exists() {
        return Err(Failure::new("there is a `Cargo.toml` here already")
            .help("`new` makes a package in a new directory"));
    }
    match sources.as_mut_slice() {
        [] => sources.push(layout::default_source(kind)),
        [only] if only.kind != kind => {
            let message = format!("file `{}` seems to be a {} file", only.path, only.kind.describe());
            tell(Note::Warning(message));
            only.kind = kind;
        }
        [first, second, ..] if kind == PackageKind::Library => {
            return Err(layout::two_libraries(first, second));
        }
        _ => {}
    }
    let vcs = match request.vcs {
        Some(vcs) => Some(vcs),
        None => vcs::present(&path)?,
    };
    Ok((kind, sources, vcs))
}

/// Programs of this package would not be found through `PATH`.
fn check_path(path: &Path, tell: &mut dyn FnMut(Note)) {
    if std::env::join_paths([path]).is_err() {
        tell(Note::Warning(format!(
            "the path `{}` contains invalid PATH characters (usually `:`, `;`, or `\"`)\n\
             It is recommended to use a different name to avoid problems.",
            path.display()
        )));
    }
}

struct Package<'a> {
    request: &'a NewRequest,
    name: &'a str,
    sources: &'a [layout::Source],
    vcs: Option<VersionControl>,
}

impl Package<'_> {
    fn write(&self, config: &Config, tell: &mut dyn FnMut(Note)) -> Result<()> {
        let path = paths::normalize(&self.request.path);
        vcs::start(&path, self.vcs, config)?;
        let mut manifest = self.manifest();
        let manifest_path = path.join("Cargo.toml");
        membership::join(self.request, &path, &mut manifest, tell)?;
        fs::write(&manifest_path, manifest.to_string())?;
        for source in self.sources {
            let file = path.join(&source.path);
            if file.is_file() {
                continue;
            }
            if let Some(parent) = file.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&file, source.template())?;
            format(&file, config);
        }
        Ok(())
    }

    fn manifest(&self) -> toml_edit::DocumentMut {
        let mut manifest = toml_edit::DocumentMut::new();
        let mut package = toml_edit::Table::new();
        package["name"] = toml_edit::value(self.name);
        package["version"] = toml_edit::value("0.1.0");
        let latest = wharf_core::Edition::LATEST.as_str();
        package["edition"] = toml_edit::value(self.request.edition.as_deref().unwrap_or(latest));
        if let Some(registry) = &self.request.registry {
            package["publish"] = toml_edit::value(toml_edit::Array::from_iter([registry.as_str()]));
        }
        manifest["package"] = toml_edit::Item::Table(package);
        manifest["dependencies"] = toml_edit::table();
        for source in self.sources {
            let mut table = toml_edit::Table::new();
            match source.kind {
                PackageKind::Program if source.path != "src/main.rs" => {
                    table["name"] = toml_edit::value(self.name);
                    table["path"] = toml_edit::value(&source.path);
                    let programs = manifest
                        .entry("bin")
                        .or_insert(toml_edit::Item::ArrayOfTables(toml_edit::ArrayOfTables::new()));
                    if let Some(programs) = programs.as_array_of_tables_mut() {
                        programs.push(table);
                    }
                }
                PackageKind::Library if source.path != "src/lib.rs" => {
                    table["path"] = toml_edit::value(&source.path);
                    manifest["lib"] = toml_edit::Item::Table(table);
                }
                _ => {}
            }
        }
        manifest
    }
}

/// Formats a template as the user's settings ask. Without settings it is right already.
fn format(file: &Path, config: &Config) {
    let has_settings = file
        .ancestors()
        .skip(1)
        .any(|dir| ["rustfmt.toml", ".rustfmt.toml"].iter().any(|name| dir.join(name).is_file()));
    if has_settings {
        let mut command = process::Command::new("rustfmt").arg(file).cwd(config.cwd());
        command.env = config.env().for_child();
        // Unformatted is still right.
        let _ = process::output(&command);
    }
}

fn check_workspace(manifest: &Path, config: &Arc<Config>, tell: &mut dyn FnMut(Note)) {
    let manifest = paths::normalize(manifest);
    let opened =
        connect::loader(config).and_then(|loader| Workspace::open(loader, &manifest, &Places::default()));
    if let Err(failure) = opened {
        tell(Note::BrokenWorkspace(failure));
    }
}
