//! Project verbs: `cargo xtask <verb>`. Each one is what CI, a release or a person at a desk would otherwise
//! have to remember. Must not know Wharf's crates: it runs binaries and reads files.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool for the terminal of a developer")]

use std::process::ExitCode;

mod bench;
mod demo;
mod soak;
mod tidy;
mod tool;

const USAGE: &str = "\
Usage: cargo xtask <verb>

  ci                 everything that must hold before a change lands (runs .ci/run)
  tidy               crate edges, file lengths, headers and words
  demo               build Wharf, then have it build and run a real package from crates.io
  bench [SCENARIO]…  time wharf against cargo; `bench --help` tells more
  soak [PACKAGE]…    build and test real packages with wharf and with cargo; `popular` compares a hundred more,
                        `kill` kills builds at two hundred moments
";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let verb = words.next().unwrap_or_default();
    let rest: Vec<String> = words.collect();
    let outcome = match verb.as_str() {
        "ci" => tool::run(tool::command(tool::root().join(".ci/run")).args(&rest)),
        "tidy" => tidy::run(),
        "demo" => demo::run(),
        "bench" => bench::run(&rest),
        "soak" => soak::run(&rest),
        _ => {
            print!("{USAGE}");
            return if matches!(verb.as_str(), "help" | "--help" | "-h") {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            };
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
