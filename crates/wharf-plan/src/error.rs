//! Why there is no plan, and what is worth telling of one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use wharf_core::suggest::closest;
use wharf_core::{CrateType, PackageId};

/// Why a request cannot be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A package takes part that was not given.
    #[error("package `{0}` is needed for the build, but was not fetched")]
    NotFetched(PackageId),
    /// Tests of a package that is not in the workspace.
    #[error(
        "package `{package}` cannot be tested because it requires dev-dependencies and is not a member of the \
         workspace"
    )]
    CannotTest {
        /// Which.
        package: String,
    },
    /// A target that was asked for by name needs features.
    #[error(
        "target `{target}` in package `{package}` requires the features: {}\n\
         Consider enabling them by passing, e.g., `--features=\"{}\"`",
        quoted(features), features.join(" ")
    )]
    RequiredFeatures {
        /// The target.
        target: String,
        /// Its package.
        package: String,
        /// What it needs.
        features: Vec<String>,
    },
    /// A `required-features` entry of a form that cannot stand there.
    #[error("invalid feature `{feature}` in required-features of target `{target}`: {rule}")]
    RequiredFeatureForm {
        /// The entry.
        feature: String,
        /// The target.
        target: String,
        /// The rule.
        rule: &'static str,
    },
    /// `--lib` without a library.
    #[error("no library targets found in {}", packages_of(packages))]
    NoLibrary {
        /// The selected packages.
        packages: Vec<String>,
    },
    /// No target of this name.
    #[error("{}", no_target(self))]
    NoTarget {
        /// `bin`, `example`, `test` or `bench`.
        what: &'static str,
        /// The name or pattern.
        name: String,
        /// Whether it is a pattern.
        is_pattern: bool,
        /// Where it was looked for, as part of a sentence.
        selection: String,
        /// Targets of the kind in the selected packages, with the packages.
        available: BTreeMap<String, Vec<String>>,
        /// Targets of the name in other members.
        elsewhere: BTreeMap<String, Vec<String>>,
    },
    /// A pattern that does not parse.
    #[error("cannot build glob pattern from `{pattern}`: {reason}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// `--crate-type` for several targets.
    #[error(
        "crate types to rustc can only be passed to one target, consider filtering\nthe package by passing, e.g., \
         `--lib` or `--example` to specify a single target"
    )]
    CrateTypesForMany,
    /// `--crate-type` for a program.
    #[error(
        "crate types can only be specified for libraries and example libraries.\n\
         Binaries, tests, and benchmarks are always the `bin` crate type"
    )]
    CrateTypesForProgram,
    /// Extra compiler arguments for several targets.
    #[error(
        "extra arguments to `{tool}` can only be passed to one target, consider filtering\nthe package by passing, \
         e.g., `--lib` or `--bin NAME` to specify a single target"
    )]
    ArgumentsForMany {
        /// `rustc` or `rustdoc`.
        tool: &'static str,
    },
    /// One dependency under two names.
    #[error("the crate `{from}` depends on crate `{to}` multiple times with different names")]
    TwoNames {
        /// The dependent.
        from: PackageId,
        /// The dependency.
        to: PackageId,
    },
    /// Two packages claim one native library.
    #[error(
        "multiple packages link to native library `{links}`, but a native library can be linked only once: \
         `{first}` and `{second}`"
    )]
    Links {
        /// The `links` value.
        links: String,
        /// One package.
        first: PackageId,
        /// The other.
        second: PackageId,
    },
    /// A platform without one of the crate types.
    #[error(
        "cannot produce {} for `{package}` as the target `{triple}` does not support these crate types",
        list(crate_types)
    )]
    CrateType {
        /// The package.
        package: PackageId,
        /// The types.
        crate_types: Vec<CrateType>,
        /// The platform.
        triple: String,
    },
    /// Two documented targets of one name.
    #[error(
        "document output filename collision\n\
         The {what} `{name}` in package `{package}` has the same name as the {other_what} `{name}` in package \
         `{other}`.\nOnly one may be documented at once since they output to the same path.\n\
         Consider documenting only one, renaming one, or marking one with `doc = false` in Cargo.toml."
    )]
    DocCollision {
        /// The kind of one target.
        what: &'static str,
        /// The name.
        name: String,
        /// The package of one.
        package: PackageId,
        /// The kind of the other.
        other_what: &'static str,
        /// The package of the other.
        other: PackageId,
    },
    /// Packages for a newer compiler.
    #[error("{}", rust_version(rustc, packages, *any_local))]
    RustVersion {
        /// The compiler's version.
        rustc: String,
        /// `name@version` and what it requires.
        packages: Vec<(String, String)>,
        /// Whether one of them is a path package, for which no other version could be chosen.
        any_local: bool,
    },
    /// Units that need each other.
    #[error("the units of `{0}` need each other in a circle")]
    Circle(PackageId),
}

/// Something to be told that does not stand in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Doc tests were asked for, but the library's crate types have none.
    NoDoctests {
        /// The package.
        package: String,
        /// The types of its library.
        crate_types: Vec<CrateType>,
    },
    /// Flags that no target answers to.
    NothingMatched {
        /// `bins`, `tests`, …, `all-targets`.
        filters: Vec<&'static str>,
    },
    /// A `required-features` entry that cannot be met.
    RequiredFeature {
        /// The entry.
        feature: String,
        /// The target.
        target: String,
        /// Why not.
        reason: String,
    },
    /// Two units write one file.
    Collision {
        /// The file.
        path: PathBuf,
        /// The kind, name and package of one.
        first: (&'static str, String, PackageId),
        /// The kind, name and package of the other.
        second: (&'static str, String, PackageId),
        /// Whether it is documentation.
        is_doc: bool,
    },
    /// A dependency that has nothing to link against.
    NotLinkable {
        /// The dependency's crate.
        dependency: String,
        /// The dependent.
        dependent: String,
    },
}

impl Notice {
    /// The sentence.
    pub fn text(&self) -> String {
        match self {
            Self::NoDoctests { package, crate_types } => format!(
                "doc tests are not supported for crate type(s) `{}` in package `{package}`",
                list(crate_types)
            ),
            Self::NothingMatched { filters } => {
                let quoted: Vec<_> = filters.iter().map(|filter| format!("`{filter}`")).collect();
                format!(
                    "target filter{} {} specified, but no targets matched; this is a no-op",
                    if filters.len() > 1 { "s" } else { "" },
                    quoted.join(", ")
                )
            }
            Self::RequiredFeature { feature, target, reason } => {
                format!("invalid feature `{feature}` in required-features of target `{target}`: {reason}")
            }
            Self::Collision { path, first, second, is_doc } => collision(path, first, second, *is_doc),
            Self::NotLinkable { dependency, dependent } => format!(
                "the package `{dependency}` provides no linkable target\n  note: this might cause `{dependent}` to \
                 fail compilation\n  help: add \"rlib\" or \"dylib\" to `crate-type` of `{dependency}`"
            ),
        }
    }
}

type Described = (&'static str, String, PackageId);

fn collision(path: &std::path::Path, first: &Described, second: &Described, is_doc: bool) -> String {
    let (what, name, package) = second;
    let (other_what, other_name, other_package) = first;
    let advice = if is_doc {
        "both crates are documented at the same path"
    } else {
        "consider changing their names to be unique or compiling them separately"
    };
    format!(
        "output filename collision at {}\n  note: the {what} target `{name}` in package `{package}` has the same \
         output filename as the {other_what} target `{other_name}` in package `{other_package}`\n  help: {advice}",
        path.display()
    )
}

fn quoted(words: &[String]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn list(types: &[CrateType]) -> String {
    types.iter().map(CrateType::as_str).collect::<Vec<_>>().join(", ")
}

fn packages_of(packages: &[String]) -> String {
    match packages {
        [one] => format!("package `{one}`"),
        many => format!("packages: {}", many.join(", ")),
    }
}

fn no_target(error: &PlanError) -> String {
    let PlanError::NoTarget { what, name, is_pattern, selection, available, elsewhere } = error else {
        return String::new();
    };
    let named = if *is_pattern { "matches pattern" } else { "named" };
    let mut text = format!("no {what} target {named} `{name}`{selection}");
    if !elsewhere.is_empty() {
        let mut by_package: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (target, packages) in elsewhere {
            for package in packages {
                by_package.entry(package).or_default().push(target);
            }
        }
        for (package, targets) in by_package {
            text.push_str(&format!("\nhelp: available {what} in `{package}` package:"));
            for target in targets {
                text.push_str(&format!("\n    {target}"));
            }
        }
    } else if let Some(close) = closest(name, available.keys().map(String::as_str)) {
        text.push_str(&format!("\n\nhelp: a target with a similar name exists: `{close}`"));
    } else if !available.is_empty() {
        text.push_str(&format!("\nhelp: available {what} targets:"));
        for (target, packages) in available {
            match packages.as_slice() {
                [_] => text.push_str(&format!("\n    {target}")),
                many => {
                    for package in many {
                        text.push_str(&format!("\n    {target} in package {package}"));
                    }
                }
            }
        }
    }
    text
}

fn rust_version(rustc: &str, packages: &[(String, String)], any_local: bool) -> String {
    let plural = if packages.len() == 1 { "" } else { "s" };
    let mut text = format!("rustc {rustc} is not supported by the following package{plural}:\n");
    for (package, wanted) in packages {
        text.push_str(&format!("  {package} requires rustc {wanted}\n"));
    }
    if !any_local {
        text.push_str(&format!(
            "Either upgrade rustc or select compatible dependency versions with\n\
             `cargo update <name>@<current-ver> --precise <compatible-ver>`\n\
             where `<compatible-ver>` is the latest version supporting rustc {rustc}"
        ));
    }
    text.trim_end().to_owned()
}
