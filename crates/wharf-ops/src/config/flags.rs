//! `RUSTFLAGS` and all its other names.

use cargo_platform::Cfg;

use super::{Config, Key, Result};

/// Which tool the flags are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagKind {
    /// `RUSTFLAGS`, `rustflags`
    Rustc,
    /// `RUSTDOCFLAGS`, `rustdocflags`
    Rustdoc,
}

/// For which platform flags are asked, and in what build.
#[derive(Clone, Copy, Debug)]
pub struct CompilerFlags<'a> {
    /// The triple or short name of the platform.
    pub triple: &'a str,
    /// `rustc --print cfg` of it; `None` before that is known.
    pub cfgs: Option<&'a [Cfg]>,
    /// Whether it is the platform of units compiled without `--target` in a build that was given one: build scripts
    /// and procedural macros, which get no flags then.
    pub host_of_cross_build: bool,
}

impl Config {
    /// The user's flags for a tool. The first place that says anything is the only one that counts (reference,
    /// `build.rustflags`): `CARGO_ENCODED_RUSTFLAGS`, `RUSTFLAGS`, the `target` tables together, `build`.
    ///
    /// # Errors
    /// If a value has the wrong kind.
    pub fn compiler_flags(&self, kind: FlagKind, platform: &CompilerFlags<'_>) -> Result<Vec<String>> {
        let CompilerFlags { triple, cfgs, host_of_cross_build } = *platform;
        if host_of_cross_build {
            return Ok(Vec::new());
        }
        let (variable, name) = match kind {
            FlagKind::Rustc => ("RUSTFLAGS", "rustflags"),
            FlagKind::Rustdoc => ("RUSTDOCFLAGS", "rustdocflags"),
        };
        let owned = |words: Vec<&str>| words.into_iter().map(str::to_owned).collect();
        if let Some(flags) = self.env().get(&format!("CARGO_ENCODED_{variable}")) {
            return Ok(if flags.is_empty() { Vec::new() } else { owned(flags.split('\x1f').collect()) });
        }
        if let Some(flags) = self.env().get(variable) {
            return Ok(owned(flags.split(' ').map(str::trim).filter(|flag| !flag.is_empty()).collect()));
        }
        let list = |key: &Key| Ok(self.get_list(key)?.map(|found| found.value).unwrap_or_default());
        let mut flags = list(&Key::from("target").child(triple).child(name))?;
        // `cfg` tables have no `rustdocflags`.
        if let (FlagKind::Rustc, Some(cfgs)) = (kind, cfgs) {
            for table in self.matching_cfg_tables(cfgs)? {
                flags.extend(list(&table.child(name))?);
            }
        }
        if flags.is_empty() {
            flags = list(&Key::from("build").child(name))?;
        }
        Ok(flags)
    }
}
