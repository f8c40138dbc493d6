//! Registries, git, path and vendored sources for Wharf.
