//! `config get`

use wharf_ops::config::Key;
use wharf_ops::{Failure, Result};

use crate::cli::{ConfigArgs, ConfigCommand, ConfigGetArgs};
use crate::session::Session;

/// Shows configuration.
pub fn run(args: &ConfigArgs, session: &Session) -> Result<()> {
    session.refuse_unstable("config")?;
    match &args.command {
        ConfigCommand::Get(args) => get(args, session),
    }
}

fn get(args: &ConfigGetArgs, session: &Session) -> Result<()> {
    let toml = args.format == "toml";
    if args.show_origin && !toml {
        return Err(Failure::new(format!("the format `{}` has no room for `--show-origin`", args.format))
            .help("leave `--format` out"));
    }
    if args.merged == "no" {
        return Err(Failure::new("Wharf shows configuration only merged").help(
            "leave `--merged=no` out; `--show-origin` tells which file, variable or argument each value is from",
        ));
    }
    let (config, shell) = (&session.config, &session.shell);
    let key = match &args.key {
        Some(text) => config.parse_key(text)?,
        None => Key::root(),
    };
    let Some(value) = config.inspect(&key)? else {
        return Err(Failure::new(format!("`{key}` is not set in any configuration")));
    };
    if toml {
        for line in value.lines(&key, args.show_origin) {
            shell.out(line);
        }
    } else {
        let mut json = serde_json::to_value(value.to_toml())?;
        if args.format == "json" {
            for part in key.parts().iter().rev() {
                json = serde_json::Value::Object([(part.clone(), json)].into_iter().collect());
            }
        }
        shell.out(json);
    }
    let variables = config.variables();
    if key.parts().is_empty() && !variables.is_empty() {
        let lines = variables.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
        let title = "The following environment variables may affect the loaded values.";
        if toml {
            shell.out(format_args!("# {title}"));
            lines.for_each(|line| shell.out(format_args!("# {line}")));
        } else {
            shell.note(title);
            lines.for_each(|line| shell.err(line));
        }
    }
    Ok(())
}

fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', r"'\''"))
    }
}
