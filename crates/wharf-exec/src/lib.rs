//! Runs graphs of actions and keeps what they made.
