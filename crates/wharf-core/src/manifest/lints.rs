//! `[lints]`: checks, and the compiler flags that come of them.

use std::cmp::Reverse;

use cargo_util_schemas::manifest::{TomlLintLevel, TomlLints};

use super::error::Problem;
use super::{LintFlag, Warning};

const TOOLS: [&str; 4] = ["cargo", "clippy", "rust", "rustdoc"];

/// Refuses lint names that hold a tool, and warns of tools and settings that mean nothing.
pub(super) fn check(lints: &TomlLints, keys: &[&str], warnings: &mut Vec<Warning>) -> Result<(), Problem> {
    for (tool, table) in lints {
        if !TOOLS.contains(&tool.as_str()) {
            warnings.push(Warning::plain(format!(
                "unrecognized lint tool `lints.{tool}`: known tools are {}",
                TOOLS.map(|tool| format!("`{tool}`")).join(", ")
            )));
            continue;
        }
        if tool == "cargo" {
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
