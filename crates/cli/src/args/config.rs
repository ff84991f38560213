//! Arguments of `lastgood config`.

use clap::{Args, Subcommand};

/// Commands about the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Print every setting with the value that counts
    Show(Show),
    /// Check the configuration file without doing anything: ends with 0, or with 2 and the line of the first error
    Check,
    /// Print the JSON Schema of the configuration file, for editors and other programs
    Schema,
    /// Print the path of the configuration file that is read
    Path,
}

/// Arguments of `config show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Configuration to show, as `pg dump` and `pg restore` take it
    #[arg(long, value_name = "NAME")]
    pub(crate) config: Option<String>,
    /// Print where each value comes from, too
    #[arg(long)]
    pub(crate) origin: bool,
}
