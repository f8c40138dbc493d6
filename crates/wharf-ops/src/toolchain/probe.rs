//! Asking the compiler, and reading what it answers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::Lines;

use wharf_base::digest::Hasher;
use wharf_base::process::{self, Command};
use wharf_core::{Cfg, CrateType};
use wharf_plan::{CompileKind, FileName};

use super::memory::{Answer, Memory};
use super::{Compiler, Result, ToolchainError, identity};
use crate::config::Config;

/// The crate types whose file names are asked for, in this order.
const CRATE_TYPES: [CrateType; 6] = [
    CrateType::Bin,
    CrateType::Rlib,
    CrateType::Dylib,
    CrateType::Cdylib,
    CrateType::Staticlib,
    CrateType::ProcMacro,
];

/// Stands for the crate name in file names, and ends the list before it.
const MARK: &str = "___";

/// What the compiler says of a platform.
pub(super) struct Platform {
    pub(super) file_names: BTreeMap<CrateType, FileName>,
    pub(super) sysroot: PathBuf,
    pub(super) split_debuginfo: Vec<String>,
    pub(super) cfgs: Vec<Cfg>,
}

/// Runs a question, unless the same compiler has answered it before. `extra` is what else the answer depends on.
pub(super) fn ask(
    compiler: &Compiler,
    config: &Config,
    command: &Command,
    what: &'static str,
    extra: &str,
    memory: &mut Memory,
) -> Result<Answer> {
    let mut hasher = Hasher::for_purpose("compiler's answer");
    for program in [Some(&compiler.rustc), compiler.wrapper.as_ref(), compiler.workspace_wrapper.as_ref()] {
        match program {
            Some(program) => identity::add_file(&mut hasher, program),
            None => drop(hasher.number(0)),
        }
    }
    hasher.value(command.program.as_encoded_bytes()).value(extra);
    for arg in &command.args {
        hasher.value(arg.as_encoded_bytes());
    }
    // `RUSTC_BOOTSTRAP` and its like change answers; so may anything that `[env]` sets.
    let rust = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b"RUST");
    let own = config.env().variables().iter().filter(|(name, _)| rust(name));
    for (name, value) in own {
        hasher.value(name.as_encoded_bytes()).value(value.as_encoded_bytes());
    }
    hasher.value("[env]");
    for (name, change) in &command.env.changes {
        hasher.value(name.as_encoded_bytes());
        hasher.value(change.as_deref().unwrap_or_default().as_encoded_bytes());
    }
    let key = hasher.finish();
    if let Some(answer) = memory.answer(&key) {
        return Ok(answer.clone());
    }
    let output = process::run(command).map_err(|cause| ToolchainError::Probe { what, cause })?;
    let text = |bytes: Vec<u8>| {
        String::from_utf8(bytes).map_err(|cause| ToolchainError::Answer {
            command: command.to_string(),
            reason: "it is not UTF-8".to_owned(),
            answer: String::from_utf8_lossy(cause.as_bytes()).into_owned(),
        })
    };
    let answer = Answer { stdout: text(output.stdout)?, stderr: text(output.stderr)? };
    memory.remember(&key, answer.clone());
    Ok(answer)
}

/// The question for all that is to be known of a platform.
pub(super) fn platform_command(command: Command, kind: &CompileKind, rustflags: &[String]) -> Command {
    let mut command = command.args(["-", "--crate-name", MARK, "--print=file-names"]).args(rustflags);
    if let CompileKind::Target(target) = kind {
        command = command.args(["--target", target.as_str()]);
        if target.as_str().ends_with(".json") {
            command = command.arg("-Zunstable-options");
        }
    }
    for crate_type in &CRATE_TYPES {
        command = command.args(["--crate-type", crate_type.as_str()]);
    }
    // Which crate types a platform lacks is told by warnings, so these must not be hidden or made errors.
    command.args([
        "--print=sysroot",
        "--print=split-debuginfo",
        "--print=crate-name",
        "--print=cfg",
        "-Wwarnings",
    ])
}

/// Reads the answer to [`platform_command`].
pub(super) fn parse(command: &Command, answer: &Answer) -> Result<Platform> {
    let malformed = |reason: String| ToolchainError::Answer {
        command: command.to_string(),
        reason,
        answer: format!("{}{}", answer.stdout, answer.stderr),
    };
    let mut lines = answer.stdout.lines();
    let mut file_names = BTreeMap::new();
    for crate_type in &CRATE_TYPES {
        if is_refused(crate_type, &answer.stderr) {
            continue;
        }
        let name = next_file_name(&mut lines)
            .ok_or_else(|| malformed(format!("the file name of crate type `{crate_type}` is missing")))?;
        file_names.insert(crate_type.clone(), name);
    }
    if let Some(name) = file_names.get(&CrateType::Rlib).cloned() {
        file_names.insert(CrateType::Lib, name);
    }
    let sysroot = lines.next().ok_or_else(|| malformed("the sysroot is missing".to_owned()))?;
    let mut split_debuginfo = Vec::new();
    loop {
        match lines.next() {
            Some(MARK) => break,
            Some(line) => split_debuginfo.push(line.to_owned()),
            None => return Err(malformed("the forms of debug information are missing".to_owned())),
        }
    }
    let mut cfgs = Vec::new();
    for line in lines {
        let cfg: Cfg = line.parse().map_err(|cause| malformed(format!("`{line}` is no `cfg`: {cause}")))?;
        // The compiler sets this because of the crate types in the question.
        if !matches!(&cfg, Cfg::Name(name) if *name == "proc_macro") {
            cfgs.push(cfg);
        }
    }
    Ok(Platform { file_names, sysroot: PathBuf::from(sysroot), split_debuginfo, cfgs })
}

fn next_file_name(lines: &mut Lines<'_>) -> Option<FileName> {
    let (prefix, suffix) = lines.next()?.trim().split_once(MARK)?;
    Some(FileName { prefix: prefix.to_owned(), suffix: suffix.to_owned() })
}

/// Whether the compiler said that the platform has no such crate type.
fn is_refused(crate_type: &CrateType, stderr: &str) -> bool {
    let name = format!("crate type `{crate_type}`");
    stderr.lines().any(|line| {
        line.contains(&name)
            && (line.contains("unsupported crate type") || line.contains("unknown crate type"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let stdout = "___\nlib___.rlib\nlib___.so\nlib___.a\nlib___.so\n/sys\noff\npacked\n___\nunix\nproc_macro\n\
                      target_os=\"linux\"\n";
        let stderr = "warning: dropping unsupported crate type `cdylib` for target `x`\n";
        let answer = Answer { stdout: stdout.to_owned(), stderr: stderr.to_owned() };
        let platform = parse(&Command::new("rustc"), &answer).unwrap();
        assert!(!platform.file_names.contains_key(&CrateType::Cdylib));
        assert_eq!(platform.file_names[&CrateType::Lib].suffix, ".rlib");
        assert_eq!(platform.file_names[&CrateType::ProcMacro].suffix, ".so");
        assert_eq!(platform.sysroot, PathBuf::from("/sys"));
        assert_eq!(platform.split_debuginfo, ["off", "packed"]);
        assert_eq!(platform.cfgs.len(), 2);
        let answer = Answer { stdout: "___\n".to_owned(), stderr: String::new() };
        assert!(parse(&Command::new("rustc"), &answer).is_err());
    }
}
