//! The main job on real input: Wharf builds a package of crates.io with its dependencies and runs it.

use crate::tool::{self, Outcome};

/// A program that people use, with dependencies of every common kind.
const PACKAGE: (&str, &str) = ("ripgrep", "15.1.0");

pub fn run() -> Outcome {
    let (name, version) = PACKAGE;
    println!("1. cargo builds wharf");
    let wharf = tool::build_wharf(false)?;
    println!("2. {name} {version} comes from crates.io");
    let source = tool::scratch().join("demo").join(name);
    tool::source_of(name, version, &source)?;
    println!("3. wharf builds {name} and runs it over Wharf's own sources");
    let crates = tool::root().join("crates");
    let mut run = tool::command(&wharf);
    run.current_dir(&source).args(["run", "--", "--count-matches", "--sort", "path", "^pub fn"]).arg(crates);
    println!("   {}", tool::show(&run));
    tool::run(&mut run)?;
    println!("4. once more: nothing is left to do");
    tool::run(tool::command(&wharf).current_dir(&source).arg("build"))
}
