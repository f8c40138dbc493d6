//! The repository around a new package, and its ignore file.

use std::path::{Path, PathBuf};

use wharf_base::process::{self, Command};
use wharf_base::{fs, paths};

use crate::config::{Config, ConfigError, Key};
use crate::failure::{Failure, Result};

/// A version control system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionControl {
    /// Git
    Git,
    /// Mercurial
    Hg,
    /// Pijul
    Pijul,
    /// Fossil
    Fossil,
    /// None at all.
    None,
}

const NAMES: &[(&str, VersionControl)] = &[
    ("git", VersionControl::Git),
    ("hg", VersionControl::Hg),
    ("pijul", VersionControl::Pijul),
    ("fossil", VersionControl::Fossil),
    ("none", VersionControl::None),
];

impl VersionControl {
    /// The system that `--vcs` and `cargo-new.vcs` call so.
    pub fn named(name: &str) -> Option<VersionControl> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, vcs)| *vcs)
    }

    /// The entry that shows a repository of this system.
    fn marker(self) -> &'static str {
        match self {
            Self::Git => ".git",
            Self::Hg => ".hg",
            Self::Pijul => ".pijul",
            Self::Fossil => ".fossil",
            Self::None => "",
        }
    }

    /// The files that keep `target` out of the repository, and the line that says so.
    fn ignore(self) -> (&'static [&'static str], &'static str) {
        match self {
            Self::Git => (&[".gitignore"], "/target"),
            Self::Hg => (&[".hgignore"], "^target$"),
            Self::Pijul => (&[".ignore"], "/target"),
            Self::Fossil => (&[".fossil-settings/ignore-glob", ".fossil-settings/clean-glob"], "target"),
            Self::None => (&[], ""),
        }
    }
}

/// The system whose repository is in a directory.
pub(super) fn present(directory: &Path) -> Result<Option<VersionControl>> {
    let is_present =
        |vcs: &VersionControl| *vcs != VersionControl::None && directory.join(vcs.marker()).exists();
    let mut found = NAMES.iter().map(|(_, vcs)| *vcs).filter(is_present);
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => Err(Failure::new(
            "more than one of .hg, .git, .pijul, .fossil configurations found and the ignore file can't be \
             filled in as a result",
        )
        .help("specify --vcs to override detection")),
        (found, _) => Ok(found),
    }
}

/// Makes the directory of a package and its repository, and writes the ignore file. If nothing is stated, a
/// repository around the package is enough; without one, `cargo-new.vcs` or Git is taken.
pub(super) fn start(package: &Path, stated: Option<VersionControl>, config: &Config) -> Result<()> {
    let configured = configured(config)?;
    let vcs = match stated {
        Some(vcs) => vcs,
        None if is_in_repository(package.parent().unwrap_or(package), config) => VersionControl::None,
        None => configured.unwrap_or(VersionControl::Git),
    };
    fs::create_dir_all(package)?;
    if vcs != VersionControl::None && !package.join(vcs.marker()).exists() {
        initialize(package, vcs, config)?;
    }
    let (files, line) = vcs.ignore();
    for file in files {
        write_ignore(&package.join(file), line, vcs == VersionControl::Fossil)?;
    }
    Ok(())
}

fn configured(config: &Config) -> Result<Option<VersionControl>> {
    let Some(found) = config.get_string("cargo-new.vcs")? else { return Ok(None) };
    match VersionControl::named(&found.value) {
        Some(vcs) => Ok(Some(vcs)),
        None => Err(ConfigError::Invalid {
            key: Key::from("cargo-new.vcs").to_string(),
            definition: found.definition,
            reason: format!("`{}` is not one of `git`, `hg`, `pijul`, `fossil` and `none`", found.value),
        }
        .into()),
    }
}

/// Whether a directory (which need not exist yet) lies in a repository that does not ignore it.
pub(crate) fn is_in_repository(directory: &Path, config: &Config) -> bool {
    let directory = paths::normalize(directory);
    for above in directory.ancestors() {
        if above.join(".hg").exists() {
            return true;
        }
        if above.join(".git").exists() {
            return above == directory || !is_ignored(&directory, above, config);
        }
    }
    false
}

fn is_ignored(directory: &Path, repository: &Path, config: &Config) -> bool {
    let command =
        command("git", config).args(["check-ignore", "--quiet", "--"]).arg(directory).cwd(repository);
    process::output(&command).is_ok_and(|output| output.status.success())
}

fn command(program: &str, config: &Config) -> Command {
    let mut command = Command::new(program).cwd(config.cwd());
    command.env = config.env().for_child();
    // A hook that runs Cargo must not have the new repository made inside of its own.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env.remove(name);
    }
    command
}

fn initialize(package: &Path, vcs: VersionControl, config: &Config) -> Result<()> {
    let run = |command: Command| process::run(&command).map(drop);
    match vcs {
        VersionControl::Git => run(command("git", config).args(["init", "--quiet", "--"]).arg(package))?,
        VersionControl::Hg => run(command("hg", config).args(["init", "--"]).arg(package))?,
        VersionControl::Pijul => run(command("pijul", config).args(["init", "--"]).arg(package))?,
        VersionControl::Fossil => {
            // The database lies beside the checkout, under the name that shows a repository.
            let database: PathBuf = package.join(".fossil");
            run(command("fossil", config).args(["init", "--"]).arg(&database))?;
            let open = command("fossil", config).args(["open", "--force", "--"]).arg(&database).cwd(package);
            run(open)?;
            let dotfiles = ["settings", "ignore-glob", "target"];
            run(command("fossil", config).args(dotfiles).cwd(package))?;
            run(command("fossil", config).args(["settings", "clean-glob", "target"]).cwd(package))?;
        }
        VersionControl::None => {}
    }
    Ok(())
}

/// Adds a line to an ignore file; what is there already stays, and is not said twice.
fn write_ignore(file: &Path, line: &str, is_fossil: bool) -> Result<()> {
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent)?;
    }
    let old = match fs::read_if_exists(file)? {
        None => return Ok(fs::write(file, format!("{line}\n"))?),
        Some(bytes) => String::from_utf8(bytes)
            .map_err(|_| Failure::new(format!("`{}` is not UTF-8", file.display())))?,
    };
    let is_there = old.lines().any(|old| old == line);
    let added = match (is_fossil, is_there) {
        (true, true) => String::new(),
        (true, false) => format!("{line}\n"),
        (false, false) => format!("\n\n# Added by cargo\n\n{line}\n"),
        (false, true) => {
            format!("\n\n# Added by cargo\n#\n# already existing elements were commented out\n\n#{line}\n")
        }
    };
    Ok(fs::write(file, old + &added)?)
}
