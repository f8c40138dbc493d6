//! The search against trying everything.
