//! What packages may do while they are built: the level from configuration, and the grants of `wharf-grants.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use wharf_base::fs;
use wharf_core::PackageId;
use wharf_exec::{Deed, Stopped};
use wharf_plan::{Grant, Sandbox, SandboxLevel};

use crate::config::{Config, Env};
use crate::failure::{Context, Failure, Result};

/// The file of grants, in the workspace's root directory and in `$CARGO_HOME`.
pub const GRANTS: &str = "wharf-grants.toml";

/// Directories of the system, which everybody may read.
const SYSTEM: [&str; 16] = [
    "/bin", "/sbin", "/usr", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/nix", "/gnu", "/proc",
    "/sys", "/dev", "/run", "/snap",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantsFile {
    #[serde(default)]
    grants: BTreeMap<String, Allowed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowed {
    network: Option<bool>,
    #[serde(default)]
    write: Vec<String>,
    #[serde(default)]
    read: Vec<String>,
}

/// Settles everything about the sandbox for one workspace.
///
/// # Errors
/// If the level is none that is known, or a file of grants is malformed.
pub fn settle(config: &Config, workspace_root: &Path) -> Result<Sandbox> {
    let env = config.env();
    let mut grants = Vec::new();
    // What came from a registry does not decide about itself when it is installed.
    let is_foreign =
        ["registry", "git"].iter().any(|dir| workspace_root.starts_with(config.cargo_home().join(dir)));
    if !is_foreign {
        grants = read_grants(workspace_root, env)?;
    }
    grants.extend(read_grants(config.cargo_home(), env)?);
    let mut homes = vec![config.cargo_home().to_owned()];
    homes.extend(env.rustup_home(config.cwd()));
    let mut sources = ["registry", "git"].map(|dir| config.cargo_home().join(dir)).to_vec();
    sources.extend(env.rustup_home(config.cwd()));
    Ok(Sandbox {
        level: level(config)?,
        grants,
        readable: readable(config),
        homes,
        sources,
        jobserver: jobserver(env),
    })
}

/// `WHARF_SANDBOX`, else `wharf.sandbox`, else what serves most people.
fn level(config: &Config) -> Result<SandboxLevel> {
    if let Some(text) = config.env().get("WHARF_SANDBOX").filter(|text| !text.is_empty()) {
        return parse_level(text).context(|| "invalid value of `WHARF_SANDBOX`".to_owned());
    }
    let Some(value) = config.wharf("sandbox")? else { return Ok(SandboxLevel::DenyNet) };
    parse_level(value.as_str().unwrap_or_default()).context(|| "invalid value of `wharf.sandbox`".to_owned())
}

fn parse_level(text: &str) -> Result<SandboxLevel> {
    Ok(match text {
        "off" => SandboxLevel::Off,
        "observe" => SandboxLevel::Observe,
        "deny-net" => SandboxLevel::DenyNet,
        "strict" => SandboxLevel::Strict,
        other => {
            return Err(Failure::new(format!(
                "`{other}` is none of `off`, `observe`, `deny-net` and `strict`"
            )));
        }
    })
}

/// The line of a file of grants that would allow a package what it was refused.
pub fn grant_line(package: &PackageId, stopped: &[Stopped], home: Option<&Path>, root: &Path) -> String {
    let mut allowed = Vec::new();
    let reaches = |it: &Stopped| matches!(it.deed, Deed::Network | Deed::LocalSocket);
    if stopped.iter().any(reaches) {
        allowed.push("network = true".to_owned());
    }
    let mut places = BTreeSet::new();
    for stopped in stopped {
        let Deed::Write(path) = &stopped.deed else { continue };
        // What is not there yet can be made only by who may write to its directory.
        let place = if path.is_file() { path } else { path.parent().unwrap_or(path) };
        let below = |base: &Path| place.strip_prefix(base).ok().map(|rest| rest.display().to_string());
        let text = match (below(root), home.and_then(below)) {
            (Some(inside), _) if !inside.is_empty() => inside,
            (_, Some(inside)) if !inside.is_empty() => format!("~/{inside}"),
            _ => place.display().to_string(),
        };
        places.insert(toml::Value::String(text).to_string());
    }
    if !places.is_empty() {
        allowed.push(format!("write = [{}]", places.into_iter().collect::<Vec<_>>().join(", ")));
    }
    format!("\"{}@{}\" = {{ {} }}", package.name(), package.version(), allowed.join(", "))
}

fn read_grants(dir: &Path, env: &Env) -> Result<Vec<Grant>> {
    let path = dir.join(GRANTS);
    let Some(bytes) = fs::read_if_exists(&path)? else { return Ok(Vec::new()) };
    let home = env.get_filled("HOME").map(Path::new);
    parse_grants(&String::from_utf8_lossy(&bytes), dir, home)
        .context(|| format!("failed to read grants from `{}`", path.display()))
}

fn parse_grants(text: &str, dir: &Path, home: Option<&Path>) -> Result<Vec<Grant>> {
    let file: GrantsFile = toml::from_str(text)?;
    let absolute = |text: &String| -> Result<PathBuf> {
        match text.strip_prefix("~/") {
            Some(rest) => {
                let home = home.ok_or_else(|| Failure::new("`~` means nothing without `HOME`"))?;
                Ok(home.join(rest))
            }
            None => Ok(dir.join(text)),
        }
    };
    let mut grants = Vec::new();
    for (spec, allowed) in file.grants {
        let (name, version) = match spec.split_once('@') {
            Some((name, version)) => (name.to_owned(), Some(version.to_owned())),
            None => (spec.clone(), None),
        };
        let is_number = |part: &str| !part.is_empty();
        if name.is_empty() || version.as_deref().is_some_and(|version| !version.split('.').all(is_number)) {
            return Err(Failure::new(format!("`{spec}` is neither `name` nor `name@version`")));
        }
        grants.push(Grant {
            name,
            version,
            network: allowed.network,
            write: allowed.write.iter().map(absolute).collect::<Result<_>>()?,
            read: allowed.read.iter().map(absolute).collect::<Result<_>>()?,
        });
    }
    // The more it says about the version, the earlier it is asked.
    grants.sort_by_key(|grant| std::cmp::Reverse(grant.version.as_ref().map_or(0, String::len)));
    Ok(grants)
}

/// What everybody may read where reading is confined.
fn readable(config: &Config) -> Vec<PathBuf> {
    let (env, cwd, cargo_home) = (config.env(), config.cwd(), config.cargo_home());
    let mut all: Vec<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
    // Not `credentials.toml` beside them.
    for name in ["registry", "git", "bin", "config", "config.toml", "env"] {
        all.push(cargo_home.join(name));
    }
    all.extend(env.rustup_home(cwd));
    if let Some(path) = env.get_os("PATH") {
        all.extend(std::env::split_paths(path).filter(|dir| dir.is_absolute()));
    }
    all
}

/// The named pipe of an inherited jobserver (GNU make 4.4).
fn jobserver(env: &Env) -> Option<PathBuf> {
    let flags = ["CARGO_MAKEFLAGS", "MAKEFLAGS", "MFLAGS"].iter().find_map(|name| env.get(name))?;
    flags.split_whitespace().find_map(|flag| flag.strip_prefix("--jobserver-auth=fifo:")).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Grant>> {
        parse_grants(text, Path::new("/w"), Some(Path::new("/home/me")))
    }

    #[test]
    fn grants_are_read() {
        let text = "[grants]\n\"foo-sys\" = { network = true }\n\
                    \"foo-sys@1.2\" = { network = false, write = [\"~/.cache/foo\", \"out\", \"/var/foo\"] }\n";
        let grants = parse(text).unwrap();
        assert_eq!(grants.len(), 2);
        assert_eq!((grants[0].version.as_deref(), grants[0].network), (Some("1.2"), Some(false)));
        let write: Vec<&str> = grants[0].write.iter().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(write, ["/home/me/.cache/foo", "/w/out", "/var/foo"]);
        assert_eq!((grants[1].name.as_str(), grants[1].network), ("foo-sys", Some(true)));
    }

    #[test]
    fn wrong_grants_are_refused() {
        for text in
            ["[grants]\n\"a@\" = {}", "[grants]\na = { net = true }", "[grant]", "[grants]\n\"@1\" = {}"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse_level("deny").is_err());
    }
}
