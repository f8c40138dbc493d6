//! The second of two steps: a [`TomlDocument`] becomes an [`AnyManifest`].

use super::document::{Origin, TomlDocument};
use super::error::Problem;
use super::{AnyManifest, Files};

pub(super) fn read(
    document: TomlDocument,
    origin: &Origin<'_>,
    files: &dyn Files,
) -> Result<AnyManifest, Problem> {
    let _ = (document, origin.source, files.is_file(origin.path));
    Err(Problem::new("manifests cannot be read yet").at(["package"]).help("wait"))
}
