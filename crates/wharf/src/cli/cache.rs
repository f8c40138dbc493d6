//! `cache`

use clap::{Args, Subcommand, ValueEnum};

/// `cache`
#[derive(Clone, Debug, Args)]
pub struct CacheArgs {
    /// How answers are written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = CacheFormat::Human, global = true)]
    pub format: CacheFormat,
    /// What to do.
    #[command(subcommand)]
    pub command: CacheCommand,
}

/// How answers of `cache` are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CacheFormat {
    /// For people
    Human,
    /// One JSON object
    Json,
}

/// What to do with the build cache.
#[derive(Clone, Debug, Subcommand)]
pub enum CacheCommand {
    /// Show how large it is, how large it may be, and who uses it
    Status,
    /// Remove what nothing refers to, and the least recently used of what is too much
    Gc {
        /// Make it this small, such as `5GiB`
        #[arg(long, value_name = "SIZE")]
        max_size: Option<String>,
    },
    /// Hash everything in it, and remove what is damaged
    Verify,
    /// Remove everything from it
    Clear,
    /// Print its directory
    Path,
}
