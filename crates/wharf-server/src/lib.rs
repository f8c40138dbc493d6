//! A registry for cargo and wharf.
