use std::path::Path;

use super::{Lockfile, LockfileError};

impl Lockfile {
    /// Reads a lockfile of any version from 1 to 4; `path` is for messages.
    ///
    /// # Errors
    /// Syntax errors, merge conflicts, unknown versions, packages listed twice, malformed names,
    /// versions and sources.
    pub fn parse(text: &str, path: &Path) -> Result<Self, LockfileError> {
        let _ = text;
        Err(LockfileError {
            path: path.to_owned(),
            message: "cannot be read yet".to_owned(),
            help: None,
            place: None,
        })
    }
}
