//! This program in the compiler's place, as `fix` calls it.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use wharf_ops::fix::{FIX_WORD, Message, fix_crate};
use wharf_ops::{Failure, Result};

/// The status of failures that are not the compiler's.
const FAILED: u8 = 101;

/// Fixes a crate if this process was started to do that. Writes for the parent, which reads lines of JSON.
pub fn run() -> Option<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    if words.next()? != FIX_WORD {
        return None;
    }
    let task = words.next().unwrap_or_default();
    let words: Vec<OsString> = words.collect();
    Some(fix(Path::new(&task), &words).unwrap_or_else(|failure| {
        say(format!("error: {failure}\n").as_bytes());
        ExitCode::from(FAILED)
    }))
}

fn fix(task: &Path, words: &[OsString]) -> Result<ExitCode> {
    let ended = fix_crate(task, words, &mut |message: &Message| {
        say(format!("{}\n", message.to_line()).as_bytes());
    })?;
    say(&ended.stderr);
    io::stdout()
        .write_all(&ended.stdout)
        .map_err(|cause| Failure::from(cause).context("cannot write what the compiler wrote"))?;
    Ok(ExitCode::from(u8::try_from(ended.code).unwrap_or(FAILED)))
}

/// If the parent is gone there is nobody to tell.
fn say(bytes: &[u8]) {
    let _ = io::stderr().write_all(bytes);
}
