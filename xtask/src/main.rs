//! Project verbs.

fn main() {}
