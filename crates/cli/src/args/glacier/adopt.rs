//! Arguments of `lastgood glacier adopt`.

use std::path::PathBuf;

use clap::Args;
use glacier_archive::class::Tier;
use pg_clone::ident::QualifiedName;

use crate::args::pg::Tools;
use crate::args::server::ServerArgs;

/// Arguments of `glacier adopt`.
#[derive(Debug, Args)]
pub(crate) struct Adopt {
    /// Database with the tables of GlacierOnRails: its name, or a connection string or URL without a password
    #[arg(long, value_name = "DATABASE", required_unless_present = "dbname")]
    pub(crate) database: Option<String>,
    /// Vault that GlacierOnRails archived to [default: none; its backups are listed]
    #[arg(long, value_name = "VAULT")]
    pub(crate) vault: Option<String>,
    /// Number of the backup [default: the newest]
    #[arg(long, value_name = "ID", requires = "vault")]
    pub(crate) backup: Option<i64>,
    /// Folder to unpack files into; what is there stays
    #[arg(long, value_name = "DIR", requires = "vault")]
    pub(crate) files: Option<PathBuf>,
    /// Request what is needed by this tier: bulk, standard or expedited. This costs money
    #[arg(long, value_name = "TIER", requires = "vault")]
    pub(crate) retrieve: Option<Tier>,
    /// Restore the database of the backup into this one, once it was downloaded
    #[arg(long, value_name = "DATABASE", requires = "vault")]
    pub(crate) into: Option<String>,
    /// Confirm that the live database with this name may be replaced
    #[arg(long, value_name = "NAME", requires = "into")]
    pub(crate) confirm_database: Option<String>,
    /// Carry this table of the live database over, as those of GlacierOnRails are; repeatable
    #[arg(long, value_name = "SCHEMA.TABLE", requires = "into")]
    pub(crate) carry_over: Vec<QualifiedName>,
    /// Folder of what is downloaded [default: lastgood/glacier in $XDG_STATE_HOME or ~/.local/state]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Schema of the tables of GlacierOnRails [default: `gem-schema` of the configuration file, or else public]
    #[arg(long, value_name = "SCHEMA")]
    pub(crate) gem_schema: Option<String>,
    /// The three tables of GlacierOnRails where they have other names: of backups, of archives, and of both [default:
    /// `gem-tables` of the configuration file, or else
    /// application_data_backups,glacier_archives,application_data_backups_glacier_file_archives]
    #[arg(long, value_name = "TABLES")]
    pub(crate) gem_tables: Option<String>,
    #[command(flatten)]
    pub(crate) tools: Tools,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
