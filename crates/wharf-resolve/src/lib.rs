//! Version and feature resolution for Wharf.
