//! The registry protocol for Wharf.
