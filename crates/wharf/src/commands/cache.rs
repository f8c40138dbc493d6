//! `cache`

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use wharf_ops::cache::{Cache, Collected, Usage, Verified, parse_size};
use wharf_ops::{Failure, Result};

use crate::cli::{CacheArgs, CacheCommand, CacheFormat};
use crate::open::human_bytes;
use crate::session::Session;

/// How long a command waits for moments in which no build runs.
const PATIENCE: Duration = Duration::from_mins(1);

/// Shows and tidies the build cache.
pub fn run(args: &CacheArgs, session: &Session) -> Result<()> {
    let cache = Cache::new(&session.config)?;
    let is_json = args.format == CacheFormat::Json;
    match &args.command {
        CacheCommand::Path => {
            let path = cache.path().display().to_string();
            session.shell.out(if is_json { json!({ "path": path }).to_string() } else { path });
        }
        CacheCommand::Status => status(&cache, &cache.usage()?, is_json, session),
        CacheCommand::Gc { max_size } => {
            let wrong = |text: &str| Failure::new(format!("`{text}` is no size"));
            let limit =
                max_size.as_ref().map(|text| parse_size(text).ok_or_else(|| wrong(text))).transpose()?;
            let collected = cache.collect(limit, PATIENCE)?;
            tell(&collected, is_json, session);
            if collected.was_kept_out {
                session.shell.warn("builds are using the build cache, so not everything was removed");
            }
        }
        CacheCommand::Clear => tell(&cache.clear(PATIENCE)?, is_json, session),
        CacheCommand::Verify => return verify(&cache.verify()?, is_json, session),
    }
    Ok(())
}

fn status(cache: &Cache, usage: &Usage, is_json: bool, session: &Session) {
    if is_json {
        let roots = usage
            .roots
            .iter()
            .map(|(path, used)| json!({ "path": path.to_string_lossy(), "last_used": used }));
        let value = json!({
            "path": cache.path().to_string_lossy(),
            "limit": cache.limit(),
            "bytes": usage.bytes(),
            "results": usage.results,
            "contents": usage.contents,
            "content_bytes": usage.content_bytes,
            "shared_bytes": usage.shared_bytes,
            "directories": usage.directories,
            "directory_bytes": usage.directory_bytes,
            "target_directories": roots.collect::<Vec<_>>(),
        });
        session.shell.out(value);
        return;
    }
    let out = |line: String| session.shell.out(line);
    out(format!("path      {}", cache.path().display()));
    out(format!("size      {} of {}", human_bytes(usage.bytes()), human_bytes(cache.limit())));
    out(format!("results   {}", usage.results));
    out(format!(
        "contents  {} ({}, of which {} are shared with target directories)",
        usage.contents,
        human_bytes(usage.content_bytes),
        human_bytes(usage.shared_bytes)
    ));
    out(format!("OUT_DIRs  {} ({})", usage.directories, human_bytes(usage.directory_bytes)));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    for (path, used) in &usage.roots {
        let days = now.saturating_sub(*used) / (24 * 60 * 60);
        let when = match days {
            0 => "today".to_owned(),
            1 => "yesterday".to_owned(),
            days => format!("{days} days ago"),
        };
        out(format!("used by   {} ({when})", path.display()));
    }
}

fn tell(collected: &Collected, is_json: bool, session: &Session) {
    let Collected { results, contents, directories, bytes, was_kept_out } = collected;
    if is_json {
        let value = json!({
            "results": results,
            "contents": contents,
            "directories": directories,
            "bytes": bytes,
            "complete": !was_kept_out,
        });
        session.shell.out(value);
        return;
    }
    let text = format!(
        "{results} results, {contents} contents and {directories} OUT_DIRs, {} in total",
        human_bytes(*bytes)
    );
    session.shell.status("Removed", text);
}

fn verify(verified: &Verified, is_json: bool, session: &Session) -> Result<()> {
    let Verified { whole, damaged, incomplete, garbled, altered } = verified;
    let names =
        |paths: &[PathBuf]| paths.iter().map(|path| path.to_string_lossy().into_owned()).collect::<Vec<_>>();
    if is_json {
        let value = json!({
            "whole": whole,
            "damaged": names(damaged),
            "incomplete": incomplete,
            "garbled": names(garbled),
            "altered": names(altered),
            "clean": verified.is_clean(),
        });
        session.shell.out(value);
    } else {
        for (what, paths) in [("content", damaged), ("list of results", garbled), ("OUT_DIR", altered)] {
            for path in paths {
                session.shell.warn(format!("damaged {what}: `{}`", path.display()));
            }
        }
        session.shell.status("Verified", format!("{whole} contents, {} damaged", damaged.len()));
    }
    if verified.is_clean() {
        return Ok(());
    }
    Err(Failure::new("parts of the build cache were damaged, and are removed")
        .help("what they held is made again when it is needed"))
}
