//! The first source files.

use std::path::Path;

use wharf_base::fs;

use super::PackageKind;
use crate::failure::{Failure, Result};

/// One source file of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// Relative to the package.
    pub(super) path: String,
    /// What it is the root of.
    pub(super) kind: PackageKind,
}

impl Source {
    /// What is in it when it is made. Byte for byte what Cargo writes: tutorials and tests rely on it.
    pub(super) fn template(&self) -> &'static str {
        match self.kind {
            PackageKind::Program => "fn main() {\n    println!(\"Hello, world!\");\n}\n",
            PackageKind::Library => concat!(
                "pub fn add(left: u64, right: u64) -> u64 {\n",
                "    left + right\n",
                "}\n",
                "\n",
                "#[cfg(test)]\n",
                "mod tests {\n",
                "    use super::*;\n",
                "\n",
                "    #[test]\n",
                "    fn it_works() {\n",
                "        let result = add(2, 2);\n",
                "        assert_eq!(result, 4);\n",
                "    }\n",
                "}\n",
            ),
        }
    }
}

/// Where the source of a package goes that has none yet.
pub(super) fn default_source(kind: PackageKind) -> Source {
    let path = match kind {
        PackageKind::Program => "src/main.rs",
        PackageKind::Library => "src/lib.rs",
    };
    Source { path: path.to_owned(), kind }
}

pub(super) fn two_libraries(first: &Source, second: &Source) -> Failure {
    Failure::new(format!(
        "cannot have a package with multiple libraries, found both `{}` and `{}`",
        first.path, second.path
    ))
}

/// The sources that are there: roots by their names, and a file named like the package by what is in it.
pub(super) fn detect(package: &Path, name: &str) -> Result<Vec<Source>> {
    let candidates = [
        ("src/main.rs".to_owned(), Some(PackageKind::Program)),
        ("main.rs".to_owned(), Some(PackageKind::Program)),
        (format!("src/{name}.rs"), None),
        (format!("{name}.rs"), None),
        ("src/lib.rs".to_owned(), Some(PackageKind::Library)),
        ("lib.rs".to_owned(), Some(PackageKind::Library)),
    ];
    let mut sources: Vec<Source> = Vec::new();
    for (path, kind) in candidates {
        let file = package.join(&path);
        if !file.is_file() {
            continue;
        }
        let kind = match kind {
            Some(kind) => kind,
            None if fs::read_to_string(&file)?.contains("fn main") => PackageKind::Program,
            None => PackageKind::Library,
        };
        let source = Source { path, kind };
        if let Some(other) = sources.iter().find(|other| other.kind == kind) {
            return Err(match kind {
                PackageKind::Library => two_libraries(other, &source),
                PackageKind::Program => Failure::new(format!(
                    "multiple possible binary sources found:\n  {}\n  {}\ncannot automatically generate \
                     Cargo.toml as the main target would be ambiguous",
                    other.path, source.path
                )),
            });
        }
        sources.push(source);
    }
    Ok(sources)
}
