//! Sandboxes for Wharf's own tests.
