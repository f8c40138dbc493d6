//! Options of every command.

use clap::Args;

const MANIFEST: &str = "Manifest Options";

/// Options that stand before or after the command.
#[derive(Clone, Debug, Default, Args)]
pub struct GlobalArgs {
    /// Say more (-vv: everything, the output of build scripts included)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say nothing but errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", value_parser = ["auto", "always", "never"])]
    pub color: Option<String>,
    /// Fail if `Cargo.lock` would change
    #[arg(long, global = true, help_heading = MANIFEST)]
    pub locked: bool,
    /// Do not use the network
    #[arg(long, global = true, help_heading = MANIFEST)]
    pub offline: bool,
    /// The same as --locked and --offline together
    #[arg(long, global = true, help_heading = MANIFEST)]
    pub frozen: bool,
    /// Override a configuration value, or read another configuration file
    #[arg(long, global = true, value_name = "KEY=VALUE|PATH")]
    pub config: Vec<String>,
    /// Unstable flags (nightly-only)
    #[arg(short = 'Z', global = true, value_name = "FLAG")]
    pub unstable: Vec<String>,
}

impl GlobalArgs {
    /// Puts what was typed before an alias together with what the alias and the words after it say.
    #[must_use]
    pub fn merged(self, later: GlobalArgs) -> GlobalArgs {
        let GlobalArgs { verbose, quiet, color, locked, offline, frozen, mut config, mut unstable } = self;
        config.extend(later.config);
        unstable.extend(later.unstable);
        GlobalArgs {
            verbose: verbose.saturating_add(later.verbose),
            quiet: quiet || later.quiet,
            color: later.color.or(color),
            locked: locked || later.locked,
            offline: offline || later.offline,
            frozen: frozen || later.frozen,
            config,
            unstable,
        }
    }
}
