//! Wharf's operations, one file each.
