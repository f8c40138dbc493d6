//! The `wharf-server` binary.

fn main() {}
