//! The build cache: how large it may be, what is in it, and making room.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use wharf_base::fs;
use wharf_exec::Store;
pub use wharf_exec::{Collected, Usage, Verified};

use crate::config::Config;
use crate::failure::{Context, Failure, Result};

/// The variable and key that say how large the cache may be.
const VARIABLE: &str = "WHARF_CACHE_SIZE";
const KEY: &str = "wharf.cache-size";

/// The variable and key that say whether builds use it.
const USE_VARIABLE: &str = "WHARF_CACHE";
const USE_KEY: &str = "wharf.cache";

/// Which build cache a build works with. There is always one, since it is what tells a build what is up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The one that all projects of the user share.
    Shared,
    /// One of its own, among the intermediates of the workspace: nothing is taken from the shared one, and nothing put
    /// there.
    Own,
}

impl Choice {
    /// By `WHARF_CACHE`, else by `wharf.cache`.
    ///
    /// # Errors
    /// If the one that counts is neither yes nor no.
    pub fn settle(config: &Config) -> Result<Choice> {
        let is_shared = match config.env().get_filled(USE_VARIABLE) {
            Some(text) => parse_switch(&text.to_string_lossy())?,
            None => config.get_bool(USE_KEY)?.is_none_or(|found| found.value),
        };
        Ok(if is_shared { Choice::Shared } else { Choice::Own })
    }
}

fn parse_switch(text: &str) -> Result<bool> {
    match text {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        other => Err(Failure::new(format!("`{other}` in `{USE_VARIABLE}` is neither yes nor no"))
            .help("write `1` or `true`, or `0` or `false` for builds that leave the build cache alone")),
    }
}

const GIB: u64 = 1 << 30;
/// Without being told, the cache takes a tenth of the disk, but not more and not less than this.
const MOST: u64 = 50 * GIB;
const LEAST: u64 = 5 * GIB;

/// How often room is made without being asked for.
const PERIOD: Duration = Duration::from_hours(24);

/// The cache of this user.
pub struct Cache {
    path: PathBuf,
    /// How many bytes it may hold.
    limit: u64,
}

impl Cache {
    /// Settles where it is and how large it may be; nothing is made yet.
    ///
    /// # Errors
    /// If no directory is known for it, or the size is no size.
    pub fn new(config: &Config) -> Result<Cache> {
        let path = config.env().wharf_home(config.cwd())?;
        let limit = limit(config, &path)?;
        Ok(Cache { path, limit })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes it may hold.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// What is in it.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn usage(&self) -> Result<Usage> {
        Ok(self.store()?.usage())
    }

    /// Removes what nothing refers to, and the least recently used of what is too much. Waits at most this long for
    /// moments in which no build runs.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn collect(&self, limit: Option<u64>, patience: Duration) -> Result<Collected> {
        Ok(self.store()?.collect(limit.unwrap_or(self.limit), patience))
    }

    /// Hashes everything and removes what is damaged.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn verify(&self) -> Result<Verified> {
        Ok(self.store()?.verify())
    }

    /// Removes everything.
    ///
    /// # Errors
    /// If it cannot be opened, or builds are running all the time.
    pub fn clear(&self, patience: Duration) -> Result<Collected> {
        let cleared = self.store()?.clear(patience);
        if cleared.was_kept_out {
            return Err(
                Failure::new("builds are using the build cache").help("try again when they have ended")
            );
        }
        Ok(cleared)
    }

    fn store(&self) -> Result<Store> {
        Store::open(&self.path)
            .context(|| format!("cannot open the build cache in `{}`", self.path.display()))
    }
}

/// Has room made by another process if that was not done today. To be called at the end of a build; costs one look at
/// a file otherwise.
pub fn make_room(config: &Config, home: &Path, program: &Path) {
    let stamp = home.join("collected");
    let age = std::fs::metadata(&stamp).and_then(|metadata| metadata.modified()).map(|time| time.elapsed());
    let is_due = match age {
        Ok(Ok(age)) => age > PERIOD,
        // A time in the future is wrong.
        Ok(Err(_)) => true,
        Err(_) => false,
    };
    if !is_due && age.is_ok() {
        return;
    }
    // Where it cannot be written, others see to it.
    if fs::write(&stamp, "").is_err() || !is_due {
        return;
    }
    let mut command = Command::new(program);
    // Under another name the word would mean a program that the user has, such as `cargo-cache`.
    command.arg0("wharf");
    command.args(["cache", "gc", "--quiet"]).env("WHARF_HOME", home).current_dir(home);
    if let Ok(limit) = limit(config, home) {
        command.env(VARIABLE, limit.to_string());
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    // It is nobody's business if it cannot be started now: it is due again tomorrow.
    drop(command.spawn());
}

fn limit(config: &Config, home: &Path) -> Result<u64> {
    let wrong = |from: &str, text: &str| {
        Failure::new(format!("`{text}` in {from} is no size"))
            .help("write a number and a unit, such as `20GiB`")
    };
    if let Some(text) = config.env().get_filled(VARIABLE) {
        let text = text.to_string_lossy();
        return parse_size(&text).ok_or_else(|| wrong(&format!("`{VARIABLE}`"), &text));
    }
    if let Some(found) = config.get_string(KEY)? {
        return parse_size(&found.value).ok_or_else(|| wrong(&format!("`{KEY}`"), &found.value));
    }
    let disk = wharf_exec::disk_size(home).unwrap_or(MOST);
    Ok((disk / 10).clamp(LEAST, MOST))
}

/// `20GiB`, `500 MB`, `1000000`; with or without the last `B`, in either case.
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let end =
        text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number.parse().ok()?;
    let unit = unit.trim().to_ascii_lowercase();
    let factor = match unit.trim_end_matches('b') {
        "" => 1.0,
        "k" => 1e3,
        "ki" => 1024.0,
        "m" => 1e6,
        "mi" => 1024.0 * 1024.0,
        "g" => 1e9,
        "gi" => 1024.0 * 1024.0 * 1024.0,
        "t" => 1e12,
        "ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a size has no sign and is no exact thing"
    )]
    Some((number * factor) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches() {
        for (text, wanted) in [("1", true), ("true", true), ("0", false), ("false", false)] {
            assert_eq!(parse_switch(text).unwrap(), wanted);
        }
        assert!(parse_switch("off").is_err());
    }

    #[test]
    fn sizes() {
        assert_eq!(parse_size("20GiB"), Some(20 * GIB));
        assert_eq!(parse_size(" 1.5 gib "), Some(3 * GIB / 2));
        assert_eq!(parse_size("500MB"), Some(500_000_000));
        assert_eq!(parse_size("7"), Some(7));
        assert_eq!(parse_size("5k"), Some(5000));
        for wrong in ["", "GiB", "5 apples", "-3G", "1.2.3M"] {
            assert_eq!(parse_size(wrong), None, "{wrong}");
        }
    }
}
