//! `[target.<triple>]` and `[target.'cfg(…)']`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cargo_platform::{Cfg, CfgExpr, Platform};
use wharf_plan::{LinkArgFor, Runner, ScriptOutput};

use super::{Config, ConfigError, Key, Kind, Result, Sourced, Value};

/// What configuration says of one platform, `cfg` tables included.
#[derive(Clone, Debug, Default)]
pub struct TargetConfig {
    /// `linker`: a path, or a name to look up.
    pub linker: Option<PathBuf>,
    /// `runner`
    pub runner: Option<Runner>,
    /// `<links>` tables: what takes the place of the build scripts of packages with that `links`.
    pub links_overrides: BTreeMap<String, ScriptOutput>,
}

/// Keys that are no name of a native library. `ar` was one once.
const OWN_KEYS: &[&str] = &["ar", "linker", "runner", "rustflags", "rustdocflags"];

impl Config {
    /// The `cfg(…)` tables that hold for a platform, in order of their names.
    pub(super) fn matching_cfg_tables(&self, cfgs: &[Cfg]) -> Result<Vec<Key>> {
        let top = Key::from("target");
        let mut tables = Vec::new();
        for name in self.names(&top)? {
            let key = top.child(&name);
            if !name.starts_with("cfg(") {
                continue;
            }
            if let Ok(platform) = name.parse::<Platform>() {
                let mut warnings = Vec::new();
                platform.check_cfg_keywords(&mut warnings, std::path::Path::new("configuration"));
                warnings.into_iter().for_each(|warning| self.warn(warning));
            }
            self.warn_unused(&key, &["linker", "runner", "rustflags"])?;
            if CfgExpr::matches_key(&name, cfgs) {
                tables.push(key);
            }
        }
        Ok(tables)
    }

    /// What the configuration says of a platform: the triple's own table goes before the `cfg` tables.
    ///
    /// # Errors
    /// If a value has the wrong kind, or two matching `cfg` tables both set a runner or both a linker.
    pub fn target(&self, triple: &str, cfgs: &[Cfg]) -> Result<TargetConfig> {
        let own = Key::from("target").child(triple);
        let tables = self.matching_cfg_tables(cfgs)?;
        let linker = match self.get_program(own.child("linker"))? {
            Some(linker) => Some(linker.value),
            None => self.only("linker", &tables, |key| self.get_program(key))?,
        };
        let runner = match self.get_command(own.child("runner"))? {
            Some(runner) => Some(runner.value),
            None => self.only("runner", &tables, |key| self.get_command(key))?,
        };
        Ok(TargetConfig {
            linker,
            runner: runner.map(|(program, args)| Runner { program, args }),
            links_overrides: self.links_overrides(&own)?,
        })
    }

    /// The one value that the tables give; several tables that give one contradict each other.
    fn only<T>(
        &self,
        name: &str,
        tables: &[Key],
        get: impl Fn(&Key) -> Result<Option<Sourced<T>>>,
    ) -> Result<Option<T>> {
        let mut found: Option<(Key, Sourced<T>)> = None;
        for table in tables {
            let key = table.child(name);
            let Some(value) = get(&key)? else { continue };
            if let Some((other, _)) = &found {
                let reason = format!("`{other}` holds for the same platform; only one may");
                return Err(ConfigError::invalid(&key, &value.definition, reason));
            }
            found = Some((key, value));
        }
        Ok(found.map(|(_, value)| value.value))
    }

    fn links_overrides(&self, target: &Key) -> Result<BTreeMap<String, ScriptOutput>> {
        let mut overrides = BTreeMap::new();
        let Some(value) = self.stored(target)? else { return Ok(overrides) };
        let table = value.as_table().ok_or_else(|| value.mismatch(target, "a table"))?;
        for (library, value) in table {
            if OWN_KEYS.contains(&library.as_str()) {
                continue;
            }
            let key = target.child(library);
            let settings = value.as_table().ok_or_else(|| value.mismatch(&key, "a table"))?;
            let mut output = ScriptOutput::default();
            for (name, value) in settings {
                add_setting(&mut output, &key.child(name), name, value)?;
            }
            overrides.insert(library.clone(), output);
        }
        Ok(overrides)
    }
}

fn add_setting(output: &mut ScriptOutput, key: &Key, name: &str, value: &Value) -> Result<()> {
    let link_args = |target: LinkArgFor| -> Result<Vec<(LinkArgFor, String)>> {
        Ok(strings(key, value)?.into_iter().map(|arg| (target.clone(), arg)).collect())
    };
    match name {
        "rustc-flags" => {
            let flags = string(key, value)?;
            let (paths, libraries) =
                split_flags(flags).map_err(|reason| ConfigError::invalid(key, &value.definition, reason))?;
            output.library_paths.extend(paths);
            output.library_links.extend(libraries);
        }
        "rustc-link-lib" => output.library_links.extend(strings(key, value)?),
        "rustc-link-search" => {
            output.library_paths.extend(strings(key, value)?.into_iter().map(PathBuf::from));
        }
        "rustc-link-arg-cdylib" | "rustc-cdylib-link-arg" => {
            output.link_args.extend(link_args(LinkArgFor::Cdylib)?);
        }
        "rustc-link-arg-bins" => output.link_args.extend(link_args(LinkArgFor::Bins)?),
        "rustc-link-arg" => output.link_args.extend(link_args(LinkArgFor::All)?),
        "rustc-link-arg-tests" => output.link_args.extend(link_args(LinkArgFor::Tests)?),
        "rustc-link-arg-benches" => output.link_args.extend(link_args(LinkArgFor::Benches)?),
        "rustc-link-arg-examples" => output.link_args.extend(link_args(LinkArgFor::Examples)?),
        "rustc-cfg" => output.cfgs.extend(strings(key, value)?),
        "rustc-check-cfg" => output.check_cfgs.extend(strings(key, value)?),
        "rustc-env" => {
            let table = value.as_table().ok_or_else(|| value.mismatch(key, "a table"))?;
            for (name, value) in table {
                output.env.push((name.clone(), string(&key.child(name), value)?.to_owned()));
            }
        }
        "warning" | "rerun-if-changed" | "rerun-if-env-changed" => {
            let reason = "this cannot be said in place of a build script";
            return Err(ConfigError::invalid(key, &value.definition, reason));
        }
        _ => output.metadata.push((name.to_owned(), string(key, value)?.to_owned())),
    }
    Ok(())
}

fn string<'a>(key: &Key, value: &'a Value) -> Result<&'a str> {
    value.as_str().ok_or_else(|| value.mismatch(key, "a string"))
}

fn strings(key: &Key, value: &Value) -> Result<Vec<String>> {
    match &value.kind {
        Kind::List(items) => items.iter().map(|item| string(key, item).map(str::to_owned)).collect(),
        _ => Err(value.mismatch(key, "an array of strings")),
    }
}

/// Reads `-L PATH` and `-l NAME`, with or without the blank.
fn split_flags(flags: &str) -> Result<(Vec<PathBuf>, Vec<String>), String> {
    let (mut paths, mut libraries) = (Vec::new(), Vec::new());
    let mut words = flags.split_whitespace();
    while let Some(word) = words.next() {
        let Some((flag, rest)) = word.split_at_checked(2).filter(|(flag, _)| ["-L", "-l"].contains(flag))
        else {
            return Err(format!("only `-l` and `-L` are allowed, not `{word}`"));
        };
        let value = if rest.is_empty() { words.next() } else { Some(rest) };
        let value = value.ok_or_else(|| format!("`{flag}` needs a value"))?;
        if flag == "-L" {
            paths.push(PathBuf::from(value));
        } else {
            libraries.push(value.to_owned());
        }
    }
    Ok((paths, libraries))
}
