//! The `wharf` command line: a drop-in for `cargo`.

mod cli;

fn main() {}
