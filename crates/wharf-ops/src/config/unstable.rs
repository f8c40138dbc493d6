//! `-Z` flags and `[unstable]`: which of Cargo's unstable features may be used.

use wharf_core::manifest::Unstable;

use super::{Config, Kind};
use crate::failure::{Failure, Result};
use crate::suggest::nearest;

/// The `-Z` flags of Cargo 1.95. What Wharf does not have of them has no effect.
const FLAGS: &[&str] = &[
    "advanced-env",
    "allow-features",
    "any-build-script-metadata",
    "asymmetric-token",
    "avoid-dev-deps",
    "binary-dep-depinfo",
    "bindeps",
    "build-analysis",
    "build-dir-new-layout",
    "build-std",
    "build-std-features",
    "cargo-lints",
    "checksum-freshness",
    "codegen-backend",
    "direct-minimal-versions",
    "dual-proc-macros",
    "feature-unification",
    "features",
    "fine-grain-locking",
    "fix-edition",
    "future-incompat-report",
    "gc",
    "git",
    "gitoxide",
    "help",
    "host-config",
    "json-target-spec",
    "lockfile-path",
    "minimal-versions",
    "msrv-policy",
    "mtime-on-use",
    "next-lockfile-bump",
    "no-embed-metadata",
    "no-index-update",
    "panic-abort-tests",
    "panic-immediate-abort",
    "print-im-a-teapot",
    "profile-hint-mostly-unused",
    "profile-rustflags",
    "public-dependency",
    "publish-timeout",
    "root-dir",
    "rustc-unicode",
    "rustdoc-depinfo",
    "rustdoc-map",
    "rustdoc-mergeable-info",
    "rustdoc-scrape-examples",
    "sbom",
    "script",
    "section-timings",
    "separate-nightlies",
    "skip-rustdoc-fingerprint",
    "target-applies-to-host",
    "trim-paths",
    "unstable-options",
    "warnings",
];

/// Flags that became stable, with the release that brought that: they have no effect any more.
const STABLE: &[(&str, &str)] = &[
    ("build-dir", "1.91"),
    ("cache-messages", "1.40"),
    ("check-cfg", "1.80"),
    ("compile-progress", "1.30"),
    ("config-include", "1.93"),
    ("config-profile", "1.43"),
    ("configurable-env", "1.56"),
    ("crate-versions", "1.47"),
    ("credential-process", "1.74"),
    ("doctest-in-workspace", "1.72"),
    ("doctest-xcompile", "1.89"),
    ("extra-link-arg", "1.56"),
    ("install-upgrade", "1.41"),
    ("lints", "1.74"),
    ("multitarget", "1.64"),
    ("named-profiles", "1.57"),
    ("namespaced-features", "1.60"),
    ("package-features", "1.51"),
    ("package-workspace", "1.89"),
    ("patch-in-config", "1.56"),
    ("registry-auth", "1.74"),
    ("sparse-registry", "1.68"),
    ("terminal-width", "1.68"),
    ("timings", "1.60"),
    ("weak-dep-features", "1.60"),
];

/// Flags that take `yes`, `no` or nothing.
const SWITCHES: &[&str] = &["print-im-a-teapot"];

/// Flags that take a value.
const VALUED: &[&str] = &[
    "allow-features",
    "build-std",
    "build-std-features",
    "features",
    "fix-edition",
    "git",
    "gitoxide",
    "root-dir",
];

impl Config {
    /// Which unstable features may be used: as for Cargo, none but on the nightly channel, or when the compiler is
    /// told to pretend. `[unstable]` is read only then.
    ///
    /// # Errors
    /// If a flag is given where none may be, or there is no such flag.
    pub fn use_unstable(&mut self, flags: &[String]) -> Result<()> {
        let allowed = match self.env().get("__CARGO_TEST_CHANNEL_OVERRIDE_DO_NOT_USE_THIS") {
            Some(channel) => matches!(channel, "nightly" | "dev"),
            None => self.env().get("RUSTC_BOOTSTRAP") == Some("1"),
        };
        self.unstable = Unstable { allowed, ..Unstable::default() };
        if !allowed {
            return match flags.iter().find(|flag| *flag != "help") {
                Some(flag) => Err(Failure::new(format!(
                    "the `-Z` flag (here `-Z {flag}`) is only accepted on the nightly channel of Cargo, but this is \
                     the `stable` channel"
                ))
                .help("leave it out: Wharf does what stable Cargo does")),
                None => Ok(()),
            };
        }
        for flag in flags {
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (flag.as_str(), None),
            };
            self.check_flag(name, value)?;
            if !(SWITCHES.contains(&name) && value == Some("no")) {
                self.unstable.flags.insert(name.to_owned());
                let parts = value.into_iter().flat_map(|value| value.split(','));
                self.unstable.flags.extend(parts.map(|part| format!("{name}={part}")));
            }
        }
        for name in self.names("unstable")? {
            let is_off = matches!(
                self.get(super::Key::from("unstable").child(&name))?.map(|value| value.kind),
                Some(Kind::Boolean(false))
            );
            if !is_off {
                self.unstable.flags.insert(name);
            }
        }
        Ok(())
    }

    /// Whether one value of a flag that takes several is on: it was given, or the flag was without any.
    pub fn has_unstable_value(&self, name: &str, value: &str) -> bool {
        let prefix = format!("{name}=");
        let flags = &self.unstable.flags;
        flags.contains(&format!("{prefix}{value}"))
            || (flags.contains(name) && !flags.iter().any(|flag| flag.starts_with(&prefix)))
    }

    /// What [`Config::use_unstable`] found.
    pub fn unstable(&self) -> &Unstable {
        &self.unstable
    }

    fn check_flag(&self, name: &str, value: Option<&str>) -> Result<()> {
        if name == "offline" {
            return Err(Failure::new("the flag `-Z offline` is gone: it is stable since 1.36")
                .help("write `--offline`"));
        }
        if let Some((_, since)) = STABLE.iter().find(|(stable, _)| *stable == name) {
            self.warn(format!("`-Z {name}` has no effect: it is stable since {since}, and always on"));
            return Ok(());
        }
        if !FLAGS.contains(&name) {
            let failure = Failure::new(format!("unknown `-Z` flag: `{name}`"));
            let near = nearest(name, FLAGS.iter().copied());
            return Err(match near {
                Some(near) => failure.help(format!("a flag with a similar name is `-Z {near}`")),
                None => failure.help("`-Z help` tells about unstable flags"),
            });
        }
        let Some(value) = value else { return Ok(()) };
        if SWITCHES.contains(&name) && !["yes", "no"].contains(&value) {
            return Err(Failure::new(format!("`-Z {name}` takes `yes` or `no`, not `{value}`")));
        }
        if !SWITCHES.contains(&name) && !VALUED.contains(&name) {
            return Err(Failure::new(format!("`-Z {name}` takes no value, but has `{value}`"))
                .help(format!("write `-Z {name}`")));
        }
        Ok(())
    }
}
