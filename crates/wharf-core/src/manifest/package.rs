//! `[package]`: inheritance, defaults and checks.

use std::path::Path;

use cargo_util_schemas::core::PartialVersion;
use cargo_util_schemas::manifest::{
    InheritableField, RustVersion, StringOrBool, TomlPackage, TomlPackageBuild, VecStringOrBool,
};

use super::error::Problem;
use super::inherit::{Inherit, readme_file};
use super::unstable::{Gates, refused};
use super::{Description, Edition, Files, Warning, discovery};

/// `[package]` with nothing left to inherit or to discover.
pub(super) fn settle(
    package: &TomlPackage,
    inherit: &Inherit<'_>,
    files: &dyn Files,
) -> Result<TomlPackage, Problem> {
    if package.name.is_none() {
        return Err(Problem::new("`package.name` is missing").at(["package"]).help("add `name = \"…\"`"));
    }
    macro_rules! field {
        ($field:ident, $key:literal) => {
            inherit
                .field(package.$field.as_ref(), $key, |root| root.$field.clone())?
                .map(InheritableField::Value)
        };
    }
    let readme = inherit.readme(package.readme.as_ref(), files)?;
    let readme = match readme_file(readme.as_ref(), |name| files.is_file(Path::new(name))) {
        Some(name) => StringOrBool::String(name),
        None => StringOrBool::Bool(false),
    };
    Ok(TomlPackage {
        edition: field!(edition, "edition"),
        rust_version: field!(rust_version, "rust-version"),
        version: field!(version, "version"),
        authors: field!(authors, "authors"),
        exclude: field!(exclude, "exclude"),
        include: field!(include, "include"),
        publish: field!(publish, "publish"),
        keywords: field!(keywords, "keywords"),
        categories: field!(categories, "categories"),
        description: field!(description, "description"),
        homepage: field!(homepage, "homepage"),
        documentation: field!(documentation, "documentation"),
        license: field!(license, "license"),
        repository: field!(repository, "repository"),
        license_file: inherit.license_file(package.license_file.as_ref())?.map(InheritableField::Value),
        readme: Some(InheritableField::Value(readme)),
        build: Some(discovery::build_script(package, files)?),
        autolib: Some(false),
        autobins: Some(false),
        autoexamples: Some(false),
        autotests: Some(false),
        autobenches: Some(false),
        ..package.clone()
    })
}

/// The descriptive fields of a settled package.
pub(super) fn description(package: &TomlPackage) -> Description {
    fn own<T: Clone>(field: Option<&InheritableField<T>>) -> Option<T> {
        field.and_then(InheritableField::as_value).cloned()
    }
    Description {
        authors: own(package.authors.as_ref()).unwrap_or_default(),
        keywords: own(package.keywords.as_ref()).unwrap_or_default(),
        categories: own(package.categories.as_ref()).unwrap_or_default(),
        license: own(package.license.as_ref()),
        license_file: own(package.license_file.as_ref()),
        description: own(package.description.as_ref()),
        readme: match own(package.readme.as_ref()) {
            Some(StringOrBool::String(name)) => Some(name),
            _ => None,
        },
        homepage: own(package.homepage.as_ref()),
        repository: own(package.repository.as_ref()),
        documentation: own(package.documentation.as_ref()),
        badges: Default::default(),
    }
}

/// Where the package may be published, and whether that fits its version.
pub(super) fn publish(package: &TomlPackage) -> Result<Option<Vec<String>>, Problem> {
    let has_version = package.version.is_some();
    let publish = match package.publish.as_ref().and_then(InheritableField::as_value) {
        Some(VecStringOrBool::VecString(registries)) => Some(registries.clone()),
        Some(VecStringOrBool::Bool(false)) => Some(Vec::new()),
        Some(VecStringOrBool::Bool(true)) => None,
        None => (!has_version).then(Vec::new),
    };
    if !has_version && publish.as_ref().is_none_or(|registries| !registries.is_empty()) {
        return Err(Problem::new("a package that may be published needs a version")
            .at(["package", "publish"])
            .help("add `version` to `[package]`"));
    }
    Ok(publish)
}

/// Reads an edition; the caller adds the place.
pub(super) fn edition_of(text: &str) -> Result<Edition, Problem> {
    if let Some(edition) = Edition::parse(text) {
        return Ok(edition);
    }
    let known = "known editions are `2015`, `2018`, `2021` and `2024`";
    Err(match text.parse::<u16>() {
        Ok(2025..2050) => Problem::new(format!("edition `{text}` is newer than this program")).help(known),
        _ if text == "future" => refused("edition `future`", "unstable-editions"),
        _ => Problem::new(format!("unknown edition `{text}`")).help(known),
    })
}

/// `package.edition`, checked against `rust-version`; 2015 when it is not stated.
pub(super) fn edition(package: &TomlPackage, warnings: &mut Vec<Warning>) -> Result<Edition, Problem> {
    let rust_version = package.rust_version.as_ref().and_then(InheritableField::as_value);
    let fits = |edition: Edition| {
        first_version(edition).is_none_or(|first| {
            rust_version.is_none_or(|wanted| first.is_compatible_with(&wanted.to_partial()))
        })
    };
    let Some(text) = package.edition.as_ref().and_then(InheritableField::as_value) else {
        let editions = [Edition::E2024, Edition::E2021, Edition::E2018];
        let newest = editions.into_iter().find(|edition| fits(*edition)).unwrap_or_default();
        if rust_version.is_none() || newest != Edition::default() {
            warnings.push(Warning::plain(format!(
                "no edition is set, so it is 2015; {} would be possible",
                if rust_version.is_none() { Edition::LATEST } else { newest }.as_str()
            )));
        }
        return Ok(Edition::default());
    };
    let edition = edition_of(text).map_err(|problem| problem.at(["package", "edition"]))?;
    if !fits(edition) {
        let wanted = rust_version.map(ToString::to_string).unwrap_or_default();
        let first = first_version(edition).map(|first| first.to_string()).unwrap_or_default();
        return Err(Problem::new(format!(
            "rust-version {wanted} cannot compile edition {}, which came with {first}",
            edition.as_str()
        ))
        .at(["package", "rust-version"])
        .help("raise `rust-version`, or take an older edition"));
    }
    Ok(edition)
}

fn first_version(edition: Edition) -> Option<RustVersion> {
    let minor = match edition {
        Edition::E2015 => return None,
        Edition::E2018 => 31,
        Edition::E2021 => 56,
        Edition::E2024 => 85,
    };
    let version = PartialVersion { major: 1, minor: Some(minor), patch: Some(0), pre: None, build: None };
    RustVersion::try_from(version).ok()
}

/// Whether the package has a build script.
pub(super) fn has_build_script(package: &TomlPackage) -> bool {
    match &package.build {
        Some(TomlPackageBuild::SingleScript(_)) => true,
        Some(TomlPackageBuild::MultipleScript(scripts)) => !scripts.is_empty(),
        _ => false,
    }
}

/// Keys that only a nightly toolchain may use.
pub(super) fn refuse_unstable(package: &TomlPackage, gates: Gates<'_>) -> Result<(), Problem> {
    let has_scripts = matches!(package.build, Some(TomlPackageBuild::MultipleScript(_)));
    for (is_set, key, feature) in [
        (package.im_a_teapot.is_some(), "im-a-teapot", "test-dummy-unstable"),
        (package.default_target.is_some(), "default-target", "per-package-target"),
        (package.forced_target.is_some(), "forced-target", "per-package-target"),
        (package.metabuild.is_some(), "metabuild", "metabuild"),
        (has_scripts, "build", "multiple-build-scripts"),
    ] {
        if is_set {
            gates
                .require(&format!("`package.{key}`"), feature)
                .map_err(|problem| problem.at(["package", key]))?;
        }
    }
    Ok(())
}

/// Old spellings with `_`: a warning, and an error from edition 2024 on.
pub(super) fn deprecated_underscore(
    (old, new): (bool, bool),
    key: &str,
    owner: &str,
    edition: Edition,
    warnings: &mut Vec<Warning>,
) -> Result<(), Problem> {
    if !old {
        return Ok(());
    }
    let spelled = key.replace('-', "_");
    if edition >= Edition::E2024 {
        return Err(Problem::new(format!("`{spelled}` of {owner} is not supported since edition 2024"))
            .at([spelled])
            .help(format!("write `{key}`")));
    }
    warnings.push(Warning::plain(match new {
        true => format!("`{spelled}` of {owner} is ignored, because `{key}` is there too"),
        false => {
            format!("`{spelled}` of {owner} is deprecated and goes away with edition 2024: write `{key}`")
        }
    }));
    Ok(())
}
