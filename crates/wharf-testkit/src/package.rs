//! Packages for the sandbox's registry, made without cargo.

use std::collections::BTreeMap;

use wharf_server::auth::Caller;
use wharf_server::releases::Upload;
use wharf_wire::archive;

use crate::Sandbox;

/// A package on its way into the registry.
#[derive(Debug)]
#[must_use = "nothing is published before `publish`"]
pub struct PackageBuilder<'s> {
    sandbox: &'s Sandbox,
    name: String,
    version: String,
    package_keys: String,
    tables: String,
    files: BTreeMap<String, Vec<u8>>,
}

impl<'s> PackageBuilder<'s> {
    pub(crate) fn new(sandbox: &'s Sandbox, spec: &str) -> Self {
        let (name, version) = spec.split_once(' ').expect("a package is given as `name version`");
        Self {
            sandbox,
            name: name.to_owned(),
            version: version.to_owned(),
            package_keys: "edition = \"2021\"\n".to_owned(),
            tables: String::new(),
            files: BTreeMap::new(),
        }
    }

    /// Adds lines to `[package]` (`links = "z"`).
    pub fn package_keys(mut self, toml: &str) -> Self {
        self.package_keys.push_str(toml);
        self.package_keys.push('\n');
        self
    }

    /// Adds tables below `[package]` (`[dependencies]\na = "1"`). Without a registry a dependency is one of
    /// the sandbox's registry.
    pub fn tables(mut self, toml: &str) -> Self {
        self.tables.push_str(toml);
        self.tables.push('\n');
        self
    }

    /// Adds a file. Without any, the package is an empty library.
    pub fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.files.insert(path.to_owned(), content.as_ref().to_owned());
        self
    }

    /// Publishes the package and returns its index line.
    #[track_caller]
    pub fn publish(mut self) -> String {
        if self.files.is_empty() {
            self.files.insert("src/lib.rs".to_owned(), Vec::new());
        }
        let manifest = format!(
            "[package]\nname = \"{}\"\nversion = \"{}\"\n{}\n{}",
            self.name, self.version, self.package_keys, self.tables
        );
        let mut files: Vec<(&str, &[u8])> = vec![("Cargo.toml", manifest.as_bytes())];
        files.extend(self.files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())));
        let archive = archive::pack(&self.name, &self.version, &files).expect("packing into memory works");
        let upload = Upload {
            metadata: None,
            name: &self.name,
            version: &self.version,
            archive: &archive,
            index_url: None,
        };
        let published =
            self.sandbox.registry().app().releases().publish(&Caller::local("anonymous"), &upload);
        published.unwrap_or_else(|error| panic!("cannot publish {} {}: {error}", self.name, self.version))
    }
}
