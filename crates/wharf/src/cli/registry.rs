//! Commands that talk to registries.

use clap::Args;

/// `login`
#[derive(Clone, Debug, Default, Args)]
pub struct LoginArgs {
    /// The token (deprecated: it is read from standard input)
    #[arg(value_name = "TOKEN")]
    pub token: Option<String>,
    /// The registry
    #[arg(long, value_name = "REGISTRY")]
    pub registry: Option<String>,
    /// Arguments for the credential provider
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<String>,
}

/// `logout`
#[derive(Clone, Debug, Default, Args)]
pub struct LogoutArgs {
    /// The registry
    #[arg(long, value_name = "REGISTRY")]
    pub registry: Option<String>,
}
