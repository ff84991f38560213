//! Arguments that several commands of `lastgood glacier` share.

use std::path::PathBuf;

use clap::Args;
use glacier_archive::class::Tier;
use glacier_archive::money::Usd;
use jiff::SignedDuration;
use lastgood_operator::settings::rate::{Rate, rate};
use lastgood_operator::settings::time;

/// Where the machine keeps what it knows.
#[derive(Clone, Debug, Args)]
pub(crate) struct Kept {
    /// Folder of the catalogue and of fetched files [default: lastgood/glacier in $XDG_STATE_HOME or ~/.local/state]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Keep the catalogue in this PostgreSQL database instead of a file: its name, or a connection string or URL without a
    /// password
    #[arg(long, value_name = "DATABASE")]
    pub(crate) catalogue: Option<String>,
    /// Schema of the catalogue's tables, and what their names begin with [default: public.glacier_]
    #[arg(long, value_name = "SCHEMA.PREFIX", requires = "catalogue")]
    pub(crate) catalogue_tables: Option<String>,
}

/// Prices.
#[derive(Clone, Debug, Args)]
pub(crate) struct Prices {
    /// File with prices to use instead of the list prices of us-east-1 that lastgood contains
    #[arg(long, value_name = "FILE")]
    pub(crate) prices: Option<PathBuf>,
}

/// Limits of a retrieval.
#[derive(Clone, Debug, Args)]
pub(crate) struct Limits {
    /// Only this tier: bulk, standard or expedited [default: the cheapest within the limits]
    #[arg(long, value_name = "TIER")]
    pub(crate) tier: Option<Tier>,
    /// Everything must be ready within this time, such as 12h
    #[arg(long, value_name = "TIME", value_parser = time::duration)]
    pub(crate) deadline: Option<SignedDuration>,
    /// The retrieval must not cost more than this, such as 5usd
    #[arg(long, value_name = "SUM")]
    pub(crate) max_cost: Option<Usd>,
    /// Request no more than this many bytes within an hour, such as 100GiB; run `glacier retrieve` each hour for the rest
    #[arg(long, value_name = "SIZE", value_parser = rate)]
    pub(crate) per_hour: Option<Rate>,
    /// Days that retrieved copies stay readable
    #[arg(long, value_name = "DAYS", default_value_t = glacier_archive::plan::DAYS, value_parser = clap::value_parser!(u32).range(1..=365))]
    pub(crate) days: u32,
    #[command(flatten)]
    pub(crate) prices: Prices,
}
