//! Applies to the sources of packages what the compiler suggests.
//!
//! `fix` is a check in which Wharf itself stands in the compiler's place for the selected packages
//! ([`wharf_plan::Fixer`]). There it runs the compiler, applies the suggestions, and runs it again until nothing comes
//! of it any more ([`fix_crate`]). What it did goes to the parent among the compiler's own lines ([`Message`]). A
//! package's dependents start when its last run is over, so they see it fixed.

mod compiler;
mod control;
mod features;
mod manifest;
mod message;
mod region;
mod suggestions;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use wharf_base::fs;
use wharf_plan::{Fixer, Settings, Toolchain};

use crate::config::{Config, Env};
use crate::failure::{Context, Result};
use crate::workspace::Workspace;

pub use compiler::{Ended, fix_crate};
pub use control::{Allowed, check_version_control};
pub use features::{FeatureLoss, FeatureLosses, feature_losses};
pub use manifest::{Migration, migrate_manifests};
pub use message::{Message, Spoilt};
use region::Region;

/// The first argument of this program when it stands in the compiler's place. The second one is the file of the task,
/// and the compiler's command line follows.
pub const FIX_WORD: &str = "--in-place-of-rustc";

/// How often the suggestions for one crate are applied and asked for again, unless `CARGO_FIX_MAX_RETRIES` says
/// otherwise. Some can only be applied when others have been.
const ROUNDS: usize = 4;

/// What is asked of the compiler's stand-in.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Task {
    #[serde(flatten)]
    wish: Wish,
    /// Suggestions that the compiler is not sure of are applied too.
    everything: bool,
    rounds: usize,
    region: Region,
}

/// What was typed.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Wish {
    /// `--edition`: make the code ready for the next edition.
    pub edition: bool,
    /// `--edition-idioms`: take up the habits of the edition.
    pub idioms: bool,
    /// `--broken-code`: apply suggestions although there are errors, and let them stay.
    pub broken_code: bool,
}

impl Task {
    fn read(path: &Path) -> Result<Task> {
        let text = fs::read_to_string(path)?;
        serde_json::from_str(&text).context(|| "cannot understand what is to be fixed".to_owned())
    }
}

/// A fixer, and what must live as long as it is used.
pub struct Fixing {
    /// What stands in the compiler's place.
    pub fixer: Fixer,
    /// What it reads, and locks: crates are fixed one at a time, since they may share files.
    _task: NamedTempFile,
}

/// Puts this program into the compiler's place.
///
/// # Errors
/// If no temporary file can be made.
pub fn fixing(
    workspace: &Workspace,
    config: &Config,
    toolchain: &Toolchain,
    settings: &Settings,
    wish: Wish,
) -> Result<Fixing> {
    let env: &Env = config.env();
    let rounds = env.get("CARGO_FIX_MAX_RETRIES").and_then(|text| text.parse().ok());
    let mut within: Vec<PathBuf> = vec![settings.workspace_root.clone(), settings.real_root.clone()];
    // Members may lie elsewhere than the root.
    within.extend(workspace.members().map(|member| member.root().to_owned()));
    within.dedup();
    let without = [config.cargo_home(), &settings.wharf_home, &toolchain.sysroot];
    let mut without: Vec<PathBuf> = without.iter().flat_map(|path| both_names(path)).collect();
    without.extend([settings.target_dir.clone(), settings.build_dir.clone()]);
    let task = Task {
        wish,
        everything: env.get_os("__CARGO_FIX_YOLO").is_some(),
        rounds: rounds.unwrap_or(ROUNDS),
        region: Region { within: within.clone(), without },
    };
    let text = serde_json::to_string(&task).context(|| "cannot write down what is to be fixed".to_owned())?;
    let file = NamedTempFile::new().context(|| "cannot make a temporary file".to_owned())?;
    fs::write(file.path(), text)?;
    let path = file.path().to_owned();
    let fixer = Fixer {
        program: settings.cargo.clone(),
        args: vec![FIX_WORD.into(), path.clone().into()],
        reads: vec![path],
        writes: within,
    };
    Ok(Fixing { fixer, _task: file })
}

/// A directory as it was named, and without links on the way: compilers may tell of it by either name.
fn both_names(path: &Path) -> Vec<PathBuf> {
    let real = fs::canonicalize(path).ok();
    [path.to_owned()].into_iter().chain(real).collect()
}
