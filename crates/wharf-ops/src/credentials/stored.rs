//! `cargo:token`: tokens in configuration, environment and `credentials.toml`.

use std::path::{Path, PathBuf};

use toml::{Table, Value};
use wharf_base::fs;
use wharf_core::SourceId;

use super::program::{Action, Answer, Cache, Request};
use super::{CredentialEvent, DisplayName};
use crate::config::Config;
use crate::failure::{Context, Failure, Result};

/// Answers a request out of the files.
pub(super) fn ask(
    config: &Config,
    source: &SourceId,
    request: &Request<'_>,
    tell: &dyn Fn(CredentialEvent),
) -> Result<Answer> {
    let name = source.display_name();
    match &request.action {
        Action::Get(_) => {
            let token = config.with_credentials()?.registry(&name)?.token;
            Ok(match token {
                Some(token) => {
                    Answer::Get { token: token.value, cache: Cache::Session, for_everything: true }
                }
                None => Answer::NotFound,
            })
        }
        Action::Login { token, login_url } => {
            let token = match token {
                Some(token) => token.clone(),
                None => read_token(login_url.as_deref(), tell)?,
            };
            check(&token)?;
            edit(config, &name, |table| {
                table.insert("token".to_owned(), Value::String(token));
                table.remove("secret-key");
                table.remove("secret-key-subject");
                true
            })?;
            tell(CredentialEvent::Done("Login", format!("token for `{name}` saved")));
            Ok(Answer::Done)
        }
        Action::Logout => {
            let removed = edit(config, &name, |table| {
                let had = table.remove("token").is_some();
                table.remove("secret-key").is_some() | table.remove("secret-key-subject").is_some() | had
            })?;
            if !removed {
                return Ok(Answer::NotFound);
            }
            tell(CredentialEvent::Done(
                "Logout",
                format!("token for `{name}` has been removed from local storage"),
            ));
            let place = match source.is_crates_io() {
                true => "<https://crates.io/me>".to_owned(),
                false => format!("the `{name}` website"),
            };
            tell(CredentialEvent::Note(format!(
                "the registry still accepts the token; to revoke it, visit {place}"
            )));
            Ok(Answer::Done)
        }
    }
}

fn read_token(login_url: Option<&str>, tell: &dyn Fn(CredentialEvent)) -> Result<String> {
    let text = match login_url {
        Some(url) => format!("please paste the token found on {url} below"),
        None => "please paste the token below".to_owned(),
    };
    tell(CredentialEvent::Prompt(text));
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .map_err(|error| Failure::new("cannot read the token from standard input").because(error))?;
    Ok(line.trim().to_owned())
}

/// Tokens are sent in a header.
fn check(token: &str) -> Result<()> {
    if token.is_empty() {
        return Err(Failure::new("please provide a non-empty token"));
    }
    let is_sendable = |c: char| c == '\t' || (' '..='~').contains(&c) || ('\u{a0}'..='\u{ff}').contains(&c);
    if !token.chars().all(is_sendable) {
        return Err(Failure::new(
            "the token holds characters that no header can carry: only printable ISO-8859-1 is allowed",
        ));
    }
    Ok(())
}

/// Changes the table of one registry in the credentials file, which is written anew as Cargo does it; `change`
/// tells whether there is anything to write.
fn edit(config: &Config, name: &str, change: impl FnOnce(&mut Table) -> bool) -> Result<bool> {
    let path = file(config.cargo_home());
    let text = fs::read_if_exists(&path)?.unwrap_or_default();
    let text = String::from_utf8(text)
        .map_err(|error| Failure::new(format!("`{}` is not UTF-8", path.display())).because(error))?;
    let mut document: Table =
        text.parse().context(|| format!("cannot read credentials in `{}`", path.display()))?;
    // Before there were several registries, the token of crates.io stood at the top.
    if let Some(token) = document.remove("token") {
        table(&mut document, "registry")?.entry("token").or_insert(token);
    }
    let registry = match name {
        wharf_core::source::CRATES_IO => table(&mut document, "registry")?,
        name => table(table(&mut document, "registries")?, name)?,
    };
    if !change(registry) {
        return Ok(false);
    }
    let text = toml::to_string(&document).context(|| "cannot write credentials".to_owned())?;
    fs::create_dir_all(path.parent().unwrap_or(&path))?;
    fs::write_atomic(&path, text)?;
    #[cfg(unix)]
    fs::set_mode(&path, 0o600)?;
    Ok(true)
}

fn table<'a>(parent: &'a mut Table, name: &str) -> Result<&'a mut Table> {
    let item = parent.entry(name).or_insert_with(|| Value::Table(Table::new()));
    item.as_table_mut().ok_or_else(|| Failure::new(format!("`{name}` in the credentials is not a table")))
}

/// `credentials` without extension is from before 1.39, and goes first where it exists.
fn file(cargo_home: &Path) -> PathBuf {
    let old = cargo_home.join("credentials");
    if old.is_file() { old } else { cargo_home.join("credentials.toml") }
}
