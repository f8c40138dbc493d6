//! What may stand in a `[profile.*]` table.

use cargo_util_schemas::manifest::{StringOrBool, TomlProfile};

use super::ProfileError;

/// Checks one table of a manifest or of configuration; gives what to warn of. `is_open` tells whether an unstable
/// feature may be used.
///
/// # Errors
/// Settings that do not exist, stand where they may not, or are unstable.
pub fn check(
    name: &str,
    table: &TomlProfile,
    is_open: &dyn Fn(&str) -> bool,
) -> Result<Vec<String>, ProfileError> {
    let refuse = |message: String| Err(ProfileError::Setting { name: name.to_owned(), message });
    layer(name, table, is_open)?;
    if let Some(table) = &table.build_override {
        overriding(name, "build-override", table, is_open)?;
    }
    for (spec, table) in table.package.iter().flatten() {
        overriding(name, &format!("package.{spec}"), table, is_open)?;
    }
    if table.dir_name.is_some() {
        return refuse("`dir-name` cannot be set: the directory has the profile's name".to_owned());
    }
    if table.inherits.as_deref() == Some("debug") {
        return refuse("`inherits` is \"debug\", but that profile is called \"dev\"".to_owned());
    }
    if let Some(panic) = &table.panic
        && !["unwind", "abort", "immediate-abort"].contains(&panic.as_str())
    {
        return refuse(format!("`panic` is `{panic}`, but can only be \"unwind\" or \"abort\""));
    }
    if let Some(StringOrBool::String(lto)) = &table.lto
        && (lto == "true" || lto == "false")
    {
        return refuse(format!("`lto` is the string \"{lto}\": write {lto} without quotes"));
    }
    Ok(match name {
        "doc" => vec!["profile `doc` has no effect".to_owned()],
        "test" | "bench" if table.panic.is_some() => {
            vec![format!("`panic` has no effect in profile `{name}`")]
        }
        _ => Vec::new(),
    })
}

fn layer(name: &str, table: &TomlProfile, is_open: &dyn Fn(&str) -> bool) -> Result<(), ProfileError> {
    for (is_set, key, feature) in [
        (table.codegen_backend.is_some(), "codegen-backend", "codegen-backend"),
        (table.rustflags.is_some(), "rustflags", "profile-rustflags"),
        (table.trim_paths.is_some(), "trim-paths", "trim-paths"),
        (
            table.panic.as_deref() == Some("immediate-abort"),
            "panic = \"immediate-abort\"",
            "panic-immediate-abort",
        ),
    ] {
        if is_set && !is_open(feature) {
            let message =
                format!("`{key}` is unstable: it needs the feature `{feature}` of a nightly toolchain");
            return Err(ProfileError::Setting { name: name.to_owned(), message });
        }
    }
    Ok(())
}

fn overriding(
    name: &str,
    which: &str,
    table: &TomlProfile,
    is_open: &dyn Fn(&str) -> bool,
) -> Result<(), ProfileError> {
    for (is_set, key) in [
        (table.package.is_some(), "package"),
        (table.build_override.is_some(), "build-override"),
        (table.panic.is_some(), "panic"),
        (table.lto.is_some(), "lto"),
        (table.rpath.is_some(), "rpath"),
    ] {
        if is_set {
            let message = format!("`{key}` cannot stand in `{which}`");
            return Err(ProfileError::Setting { name: name.to_owned(), message });
        }
    }
    layer(name, table, is_open)
}
