//! The projects that are worked on.

use std::path::{Path, PathBuf};

use crate::tool::{self, Outcome};

/// What is worked on, unless another project is given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Project {
    /// A generated workspace of many small members.
    Generated,
    /// One package that depends on a hundred popular ones, which makes a graph of many hundreds.
    Popular,
    /// This repository.
    Own,
}

/// A clone with all that is committed, without what earlier builds left there.
pub fn clone(source: &Path, goal: &Path) -> Outcome {
    tool::run(tool::command("git").args(["clone", "--quiet"]).arg(source).arg(goal))
}

/// A workspace in which every member uses up to three earlier ones.
pub fn generate(project: &Path, members: usize) -> Outcome {
    tool::write(&project.join("Cargo.toml"), "[workspace]\nresolver = \"3\"\nmembers = [\"m*\"]\n")?;
    tool::write(&project.join(".gitignore"), "target\nCargo.lock\n")?;
    for member in 0..members {
        let used: Vec<usize> = [member / 2, member / 3, member.saturating_sub(1)]
            .into_iter()
            .filter(|other| *other < member)
            .collect();
        let mut manifest = format!(
            "[package]\nname = \"m{member}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n"
        );
        let mut source = format!("pub fn value() -> u64 {{\n    {member}\n");
        let mut seen = Vec::new();
        for other in used {
            if !seen.contains(&other) {
                seen.push(other);
                manifest.push_str(&format!("m{other} = {{ path = \"../m{other}\" }}\n"));
                source.push_str(&format!("        + m{other}::value() % 7\n"));
            }
        }
        source.push_str("}\n");
        tool::write(&project.join(format!("m{member}/Cargo.toml")), &manifest)?;
        tool::write(&project.join(format!("m{member}/src/lib.rs")), &source)?;
    }
    commit(project)
}

/// Makes a repository of a directory.
fn commit(project: &Path) -> Outcome {
    for words in [
        &["init", "--quiet"][..],
        &["add", "--all"],
        &[
            "-c",
            "user.name=bench",
            "-c",
            "user.email=bench@localhost",
            "commit",
            "--quiet",
            "--message",
            "all",
        ],
    ] {
        tool::run(tool::command("git").args(words).current_dir(project))?;
    }
    Ok(())
}

/// A package that depends on all that the comparison of popular packages has.
pub fn popular(project: &Path) -> Outcome {
    let list = tool::read(&tool::root().join("crates/wharf/tests/popular.txt"))?;
    let names = list.lines().filter(|line| !line.starts_with('#'));
    let mut manifest = String::from(
        "[package]\nname = \"popular\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n",
    );
    for name in names.filter_map(|line| line.trim_start_matches('+').split_whitespace().next()) {
        manifest.push_str(&format!("{name} = \"*\"\n"));
    }
    tool::write(&project.join("Cargo.toml"), &format!("{manifest}\n[workspace]\n"))?;
    tool::write(&project.join("src/lib.rs"), "")
}

/// The file that is touched and edited: a member in the middle of a generated workspace, else the root.
pub fn edited_file(project: &Path) -> Option<PathBuf> {
    let candidates = ["m50/src/lib.rs", "m0/src/lib.rs", "src/lib.rs", "src/main.rs", "crates/core/main.rs"];
    candidates.iter().map(PathBuf::from).find(|candidate| project.join(candidate).exists())
}
