//! Arguments of `lastgood config`.

use clap::{Args, Subcommand};

/// Commands about the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Print every setting with its effective value
    Show(Show),
    /// List the names in the configuration file: configurations (`--config NAME`) and profiles (`-P NAME`)
    #[command(visible_alias = "list")]
    Ls,
    /// Check the whole configuration file, without doing anything else
    Check,
    /// Print the JSON Schema of the configuration file, for editors and other programs
    Schema,
    /// Print the path of the configuration file in use
    Path,
}

/// Arguments of `config show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Configuration to show, as in `pg dump --config`
    #[arg(long, value_name = "NAME")]
    pub(crate) config: Option<String>,
    /// Also print where each value comes from
    #[arg(long)]
    pub(crate) origin: bool,
}
