//! Names, versions, manifests, lockfiles and resolutions for Wharf.
