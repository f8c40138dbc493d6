//! `[lints]`: checks, and the compiler flags that come of them.

use std::cmp::Reverse;

use cargo_util_schemas::manifest::{TomlLintLevel, TomlLints, TomlToolLints};

use super::error::Problem;
use super::unstable::Gates;
use super::{LintFlag, Warning};

/// Lints of Cargo itself that are behind a feature.
const GATED: [&str; 2] = ["im_a_teapot", "test_dummy_unstable"];

const TOOLS: [&str; 4] = ["cargo", "clippy", "rust", "rustdoc"];

/// Refuses lint names that hold a tool, and warns of tools and settings that mean nothing.
pub(super) fn check(
    lints: &TomlLints,
    keys: &[&str],
    gates: Gates<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<(), Problem> {
    for (tool, table) in lints {
        if !TOOLS.contains(&tool.as_str()) {
            warnings.push(Warning::plain(format!(
                "unrecognized lint tool `lints.{tool}`: known tools are {}",
                TOOLS.map(|tool| format!("`{tool}`")).join(", ")
            )));
            continue;
        }
        if tool == "cargo" && gates.unstable.has("cargo-lints") {
            own_lints(table, keys, gates)?;
        } else if tool == "cargo" {
            warnings.push(Warning::plain("unused manifest key: lints.cargo (unstable)"));
        }
        for (name, lint) in table {
            if let Some((prefix, rest)) = name.split_once("::") {
                let mut path: Vec<&str> = keys.to_vec();
                path.extend([tool.as_str(), name.as_str()]);
                let problem = Problem::new(format!("`lints.{tool}.{name}` is not a lint name")).at(path);
                let known = tool == prefix || (tool == "rust" && TOOLS.contains(&prefix));
                return Err(match known {
                    true => problem.help(format!("write `lints.{prefix}.{rest}`")),
                    false => problem,
                });
            }
            for setting in lint.config().into_iter().flat_map(|config| config.keys()) {
                if !(tool == "rust" && name == "unexpected_cfgs" && setting == "check-cfg") {
                    warnings.push(Warning::plain(format!(
                        "unused manifest key: `lints.{tool}.{name}.{setting}`"
                    )));
                }
            }
        }
    }
    Ok(())
}

/// `[lints.cargo]`: Wharf looks for nothing that these name, but what Cargo refuses it refuses.
fn own_lints(table: &TomlToolLints, keys: &[&str], gates: Gates<'_>) -> Result<(), Problem> {
    for name in table.keys().filter(|name| GATED.contains(&name.as_str())) {
        let keys = keys.iter().copied().chain(["cargo", name.as_str()]);
        gates
            .require(&format!("lint `{name}`"), "test-dummy-unstable")
            .map_err(|problem| problem.at(keys))?;
    }
    Ok(())
}

/// The flags in the order in which the compiler takes them, later ones winning: by priority, then names
/// backwards, so that `all` comes late among equals (as Cargo orders them).
pub(super) fn flags(lints: &TomlLints) -> Result<Vec<LintFlag>, Problem> {
    let mut sorted = Vec::new();
    for (tool, table) in lints.iter().filter(|(tool, _)| *tool != "cargo") {
        for (name, lint) in table {
            let level = match lint.level() {
                TomlLintLevel::Forbid => "forbid",
                TomlLintLevel::Deny => "deny",
                TomlLintLevel::Warn => "warn",
                TomlLintLevel::Allow => "allow",
            };
            let flag = match tool.as_str() {
                "rust" => format!("--{level}={name}"),
                _ => format!("--{level}={tool}::{name}"),
            };
            sorted.push((lint.priority(), Reverse(name), flag, tool));
        }
    }
    sorted.sort();
    let mut flags: Vec<LintFlag> =
        sorted.into_iter().map(|(_, _, flag, tool)| LintFlag { tool: tool.clone(), flag }).collect();
    let expected = lints
        .get("rust")
        .and_then(|table| table.get("unexpected_cfgs"))
        .and_then(|lint| lint.config())
        .and_then(|config| config.get("check-cfg"));
    if let Some(expected) = expected {
        let list: Vec<String> = expected.clone().try_into().map_err(|_| {
            Problem::new("`lints.rust.unexpected_cfgs.check-cfg` must be a list of strings").at([
                "lints",
                "rust",
                "unexpected_cfgs",
                "check-cfg",
            ])
        })?;
        for value in list {
            for flag in ["--check-cfg".to_owned(), value] {
                flags.push(LintFlag { tool: "rust".to_owned(), flag });
            }
        }
    }
    Ok(flags)
}
