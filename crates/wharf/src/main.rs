//! The `wharf` command line: a drop-in for `cargo`.

fn main() {}
