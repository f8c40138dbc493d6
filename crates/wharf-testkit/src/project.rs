//! Projects in a sandbox.

use std::path::{Path, PathBuf};

use crate::both::Both;
use crate::calls::{Call, Recorder};
use crate::outcome::Outcome;
use crate::sandbox::{Sandbox, Tool};

/// A project that is still being written.
#[derive(Debug)]
#[must_use = "files are written by `build`"]
pub struct ProjectBuilder<'s> {
    sandbox: &'s Sandbox,
    directory: PathBuf,
    files: Vec<(String, String)>,
}

impl<'s> ProjectBuilder<'s> {
    pub(crate) fn new(sandbox: &'s Sandbox, name: &str) -> Self {
        Self { sandbox, directory: sandbox.root().join("work").join(name), files: Vec::new() }
    }

    /// Adds a file; directories on the way are made.
    pub fn file(mut self, path: &str, content: &str) -> Self {
        self.files.push((path.to_owned(), content.to_owned()));
        self
    }

    /// Adds a manifest for a package of the directory's name, with more TOML after its `[package]`.
    pub fn package(self, tables: &str) -> Self {
        let name = self.directory.file_name().expect("a project has a name").to_string_lossy().into_owned();
        self.file(
            "Cargo.toml",
            &format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n{tables}\n"),
        )
    }

    /// Writes the files.
    pub fn build(self) -> Project<'s> {
        let project = Project { sandbox: self.sandbox, directory: self.directory };
        for (path, content) in &self.files {
            project.write(path, content);
        }
        project
    }
}

/// A project on disk.
#[derive(Debug)]
pub struct Project<'s> {
    sandbox: &'s Sandbox,
    directory: PathBuf,
}

impl Project<'_> {
    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The world that it is in.
    pub fn sandbox(&self) -> &Sandbox {
        self.sandbox
    }

    /// Writes or replaces a file.
    pub fn write(&self, path: &str, content: &str) {
        let path = self.directory.join(path);
        let parent = path.parent().expect("a file is in a directory");
        std::fs::create_dir_all(parent).expect("the sandbox is writable");
        std::fs::write(&path, content)
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    }

    /// Reads a file.
    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        let path = self.directory.join(path);
        std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
    }

    /// Whether a file or directory is there.
    pub fn exists(&self, path: &str) -> bool {
        self.directory.join(path).exists()
    }

    /// Runs `cargo` with words separated by blanks.
    pub fn cargo(&self, arguments: &str) -> Outcome {
        self.run(Tool::Cargo, arguments)
    }

    /// Runs `wharf` with words separated by blanks.
    pub fn wharf(&self, arguments: &str) -> Outcome {
        self.run(Tool::Wharf, arguments)
    }

    /// Runs a tool with words separated by blanks.
    pub fn run(&self, tool: Tool, arguments: &str) -> Outcome {
        let words: Vec<&str> = arguments.split_whitespace().collect();
        self.sandbox.run(tool, &self.directory, &words, &[])
    }

    /// Runs a tool and tells which compilers it called.
    pub fn recorded(&self, tool: Tool, arguments: &str) -> (Outcome, Vec<Call>) {
        let recorder = Recorder::new(self.sandbox.root().join("recorder"));
        let words: Vec<&str> = arguments.split_whitespace().collect();
        let outcome = self.sandbox.run(tool, &self.directory, &words, &recorder.variables());
        (outcome, recorder.take(&self.sandbox.normaliser(tool)))
    }

    /// Runs `cargo` and `wharf` on equal copies of the project, one after the other at the same path, and
    /// leaves the project as it was. The words are separated by blanks.
    pub fn both(&self, arguments: &str) -> Both {
        Both::run(self, arguments)
    }
}
