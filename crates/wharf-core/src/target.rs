//! What a package builds: libraries, programs, tests, examples, benches and its build script.

use std::fmt;
use std::path::PathBuf;

use crate::manifest::Edition;

/// A `crate-type` (reference, "Linkage").
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CrateType {
    /// `bin`
    Bin,
    /// `lib`: the compiler's choice, an rlib.
    Lib,
    /// `rlib`
    Rlib,
    /// `dylib`
    Dylib,
    /// `cdylib`
    Cdylib,
    /// `staticlib`
    Staticlib,
    /// `proc-macro`
    ProcMacro,
    /// Anything else, left to the compiler to judge.
    Other(String),
}

impl CrateType {
    /// Reads the manifest's spelling; unknown ones are kept.
    pub fn parse(text: &str) -> Self {
        match text {
            "bin" => Self::Bin,
            "lib" => Self::Lib,
            "rlib" => Self::Rlib,
            "dylib" => Self::Dylib,
            "cdylib" => Self::Cdylib,
            "staticlib" => Self::Staticlib,
            "proc-macro" => Self::ProcMacro,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The spelling of the manifest and of `--crate-type`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Bin => "bin",
            Self::Lib => "lib",
            Self::Rlib => "rlib",
            Self::Dylib => "dylib",
            Self::Cdylib => "cdylib",
            Self::Staticlib => "staticlib",
            Self::ProcMacro => "proc-macro",
            Self::Other(text) => text,
        }
    }

    /// Whether Rust code can link against it (`lib`, `rlib`, `dylib`, `proc-macro`).
    pub fn is_linkable(&self) -> bool {
        matches!(self, Self::Lib | Self::Rlib | Self::Dylib | Self::ProcMacro)
    }

    /// Whether making it runs the linker.
    pub fn is_dynamic(&self) -> bool {
        matches!(self, Self::Dylib | Self::Cdylib | Self::ProcMacro)
    }

    /// Whether its dependents may start when its metadata is written, before its code is.
    pub fn requires_upstream_objects(&self) -> bool {
        !matches!(self, Self::Lib | Self::Rlib)
    }
}

impl fmt::Display for CrateType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a target is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TargetKind {
    /// The package's library, with its crate types.
    Lib(Vec<CrateType>),
    /// A program.
    Bin,
    /// An integration test.
    Test,
    /// A benchmark.
    Bench,
    /// An example that is a library.
    ExampleLib(Vec<CrateType>),
    /// An example that is a program.
    ExampleBin,
    /// `build.rs`.
    CustomBuild,
}

impl TargetKind {
    /// The word used in messages and errors (`lib`, `bin`, `example`, …).
    pub fn description(&self) -> &'static str {
        match self {
            Self::Lib(_) => "lib",
            Self::Bin => "bin",
            Self::Test => "integration-test",
            Self::Bench => "bench",
            Self::ExampleLib(_) | Self::ExampleBin => "example",
            Self::CustomBuild => "build-script",
        }
    }

    /// The list that `metadata` and JSON messages print as `kind`.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::Lib(types) => types.iter().map(CrateType::as_str).collect(),
            Self::Bin => vec!["bin"],
            Self::Test => vec!["test"],
            Self::Bench => vec!["bench"],
            Self::ExampleLib(_) | Self::ExampleBin => vec!["example"],
            Self::CustomBuild => vec!["custom-build"],
        }
    }
}

/// One thing that a package builds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// The name as declared or discovered.
    pub name: String,
    /// What it is.
    pub kind: TargetKind,
    /// The absolute path of its root source file.
    pub src_path: PathBuf,
    /// Features without which it is left out.
    pub required_features: Vec<String>,
    /// Whether the manifest has `required-features` at all: `metadata` prints an empty list only then.
    pub required_features_stated: bool,
    /// Whether `test` builds and runs it.
    pub tested: bool,
    /// Whether `bench` builds and runs it.
    pub benched: bool,
    /// Whether `doc` documents it.
    pub documented: bool,
    /// Whether its documentation examples are tested.
    pub doctest: bool,
    /// Whether the libtest harness is linked in.
    pub harness: bool,
    /// The edition that it is written in.
    pub edition: Edition,
    /// `doc-scrape-examples` (unstable); `None` when not stated.
    pub doc_scrape_examples: Option<bool>,
    /// The final file's name when it differs from `name` (`filename`, unstable).
    pub filename: Option<String>,
}

impl Target {
    /// The name as a Rust crate name.
    pub fn crate_name(&self) -> String {
        self.name.replace('-', "_")
    }

    /// Whether this is the package's library (a proc macro is one).
    pub fn is_lib(&self) -> bool {
        matches!(self.kind, TargetKind::Lib(_))
    }

    /// Whether this is a program of the package.
    pub fn is_bin(&self) -> bool {
        self.kind == TargetKind::Bin
    }

    /// Whether this is an example of either kind.
    pub fn is_example(&self) -> bool {
        matches!(self.kind, TargetKind::ExampleBin | TargetKind::ExampleLib(_))
    }

    /// Whether this is an example that is a program.
    pub fn is_exe_example(&self) -> bool {
        self.kind == TargetKind::ExampleBin
    }

    /// Whether this is an integration test.
    pub fn is_test(&self) -> bool {
        self.kind == TargetKind::Test
    }

    /// Whether this is a benchmark.
    pub fn is_bench(&self) -> bool {
        self.kind == TargetKind::Bench
    }

    /// Whether this is the build script.
    pub fn is_custom_build(&self) -> bool {
        self.kind == TargetKind::CustomBuild
    }

    /// Whether this is a procedural macro.
    pub fn is_proc_macro(&self) -> bool {
        matches!(&self.kind, TargetKind::Lib(types) if types.contains(&CrateType::ProcMacro))
    }

    /// Whether other crates can depend on it: a library of which some crate type is linkable.
    pub fn is_linkable(&self) -> bool {
        matches!(&self.kind, TargetKind::Lib(types) if types.iter().any(CrateType::is_linkable))
    }

    /// The crate types that the compiler is asked for.
    pub fn crate_types(&self) -> Vec<CrateType> {
        match &self.kind {
            TargetKind::Lib(types) | TargetKind::ExampleLib(types) => types.clone(),
            TargetKind::Bin
            | TargetKind::Test
            | TargetKind::Bench
            | TargetKind::ExampleBin
            | TargetKind::CustomBuild => vec![CrateType::Bin],
        }
    }
}
