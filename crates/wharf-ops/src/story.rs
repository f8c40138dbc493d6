//! What the last build that had something to do did, and why: kept beside the build's other state, so that it can be
//! asked about afterwards.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wharf_base::fs;

use crate::failure::{Failure, Result};

/// Changes when a reader of the old form would misunderstand the new one.
const VERSION: u32 = 1;

/// The story of one build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Story {
    version: u32,
    /// When it ended, in seconds since 1970.
    pub ended: u64,
    /// What was typed, without the program's name.
    pub command: Vec<String>,
    /// Units in the order in which they ended.
    pub units: Vec<UnitStory>,
}

/// What became of one unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitStory {
    /// The name of its package.
    pub package: String,
    /// The package with version and place, as status lines show it.
    pub id: String,
    /// The unit in its package: `lib`, `bin "x"`, `build script`.
    pub unit: String,
    /// How its outputs came to their place.
    pub outcome: Ending,
    /// Why an earlier result did not serve; empty unless it was built.
    pub why: Vec<String>,
    /// How long the command ran, now or when the result was made, in milliseconds.
    pub milliseconds: u64,
}

/// How a unit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// Its command ran.
    Built,
    /// Its command ran and failed.
    Failed,
    /// It was made before, in this checkout or another, and came from the store.
    Restored,
    /// It was in its place.
    Fresh,
}

impl Ending {
    /// Whether its outputs were made before.
    pub fn is_hit(self) -> bool {
        matches!(self, Ending::Restored | Ending::Fresh)
    }
}

impl Story {
    /// A story that ends now.
    pub fn new(command: Vec<String>, units: Vec<UnitStory>) -> Story {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Story { version: VERSION, ended: now.as_secs(), command, units }
    }

    /// How many units ended in this way.
    pub fn count(&self, outcome: Ending) -> usize {
        self.units.iter().filter(|unit| unit.outcome == outcome).count()
    }

    /// Keeps the story, if there is one to tell: a build that found everything in place does not replace what is
    /// known of the one before. That it cannot be kept is no reason to fail.
    pub fn save(&self, build_dir: &Path) {
        if self.count(Ending::Fresh) == self.units.len() {
            return;
        }
        if let Ok(text) = serde_json::to_vec(self) {
            fs::write_atomic(&path(build_dir), text).ok();
        }
    }

    /// The story of the last build in a directory.
    ///
    /// # Errors
    /// If there was none, or its story cannot be read.
    pub fn load(build_dir: &Path) -> Result<Story> {
        let path = path(build_dir);
        let none = || {
            Failure::new(format!("nothing is known of a build in `{}`", build_dir.display()))
                .help("build first: every build that has something to do leaves its reasons there")
        };
        let bytes = fs::read_if_exists(&path)?.ok_or_else(none)?;
        match serde_json::from_slice::<Story>(&bytes) {
            Ok(story) if story.version == VERSION => Ok(story),
            // Another version's, or damaged: as good as none.
            _ => Err(none()),
        }
    }
}

fn path(build_dir: &Path) -> PathBuf {
    build_dir.join(".wharf/last-build.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(outcome: Ending) -> UnitStory {
        let text = String::new;
        UnitStory { package: text(), id: text(), unit: text(), outcome, why: Vec::new(), milliseconds: 0 }
    }

    #[test]
    fn a_build_with_nothing_to_do_does_not_replace_a_story() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(&dir.path().join(".wharf")).unwrap();
        assert!(Story::load(dir.path()).is_err());
        let story = Story::new(vec!["build".to_owned()], vec![unit(Ending::Built), unit(Ending::Fresh)]);
        story.save(dir.path());
        assert_eq!(Story::load(dir.path()).unwrap(), story);
        Story::new(vec!["check".to_owned()], vec![unit(Ending::Fresh)]).save(dir.path());
        assert_eq!(Story::load(dir.path()).unwrap(), story);
        fs::write(&path(dir.path()), "{").unwrap();
        assert!(Story::load(dir.path()).is_err());
    }
}
