//! Files, locks, digests and child processes for Wharf.
