//! Arguments about the database of a backup, and about files that it does not know.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use glacier_archive::pattern::Parts;
use pg_clone::ident::QualifiedName;
use pg_clone::restore::outside::Outside;

use crate::args::pg::{Tools, outside};
use crate::args::server::ServerArgs;

/// Which parts of a backup are meant.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct OfParts {
    /// Only the database
    #[arg(long, conflicts_with_all = ["files_only", "only"])]
    pub(crate) database_only: bool,
    /// Only the files
    #[arg(long)]
    pub(crate) files_only: bool,
}

impl OfParts {
    pub(crate) fn parts(self) -> Parts {
        match (self.database_only, self.files_only) {
            (true, _) => Parts::Database,
            (_, true) => Parts::Files,
            _ => Parts::All,
        }
    }
}

/// Which database is dumped, and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct Dumped {
    /// Dump this database too, before the files: its name, or a connection string or URL without a password
    #[arg(long, value_name = "DATABASE")]
    pub(crate) database: Option<String>,
    #[command(flatten)]
    pub(crate) tools: Tools,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// How the database of a backup is restored.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Database")]
pub(crate) struct Database {
    /// Database to restore into [default: the database that was dumped]
    #[arg(long, value_name = "DATABASE")]
    pub(crate) into: Option<String>,
    /// Confirm that the live database with this name may be replaced
    #[arg(long, value_name = "NAME")]
    pub(crate) confirm_database: Option<String>,
    /// Keep the replaced database as :previous and a copy of the restored one as :current [default: drop both]
    #[arg(long)]
    pub(crate) reversible: bool,
    /// Carry this table of the live database over into the restored one, with its rows and sequences, instead of restoring it;
    /// repeatable
    #[arg(long, value_name = "SCHEMA.TABLE")]
    pub(crate) carry_over: Vec<QualifiedName>,
    /// Restore all tables from the backup, also those about the backups of GlacierOnRails and of the catalogue, which are carried
    /// over otherwise
    #[arg(long, conflicts_with = "carry_over")]
    pub(crate) no_carry_over: bool,
    /// For managed servers (RDS, Cloud SQL, Azure): skip, with a warning, what only the service's superuser may restore
    #[arg(long)]
    pub(crate) managed: bool,
    /// Do not restore ownership
    #[arg(long)]
    pub(crate) no_owner: bool,
    /// Do not restore privileges
    #[arg(long)]
    pub(crate) no_acl: bool,
    /// Allow the dump's schema to do this outside of the new database; otherwise such a dump is refused; repeatable
    #[arg(long, value_name = "WHAT", value_parser = outside())]
    pub(crate) allow_outside: Vec<Outside>,
    #[command(flatten)]
    pub(crate) tools: Tools,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Where files go that a restored backup does not know.
#[derive(Clone, Debug, Args)]
pub(crate) struct OrphansPlace {
    /// Folder for files that the restored backup does not know [default: orphan_files beside the folder of the files]
    #[arg(long, value_name = "DIR")]
    pub(crate) orphans: Option<PathBuf>,
}

/// Commands about files that a restored backup did not know.
#[derive(Debug, Subcommand)]
pub(crate) enum Orphans {
    /// List the files that restores moved away
    Ls(OrphansLs),
    /// Move the files of a restore back to where they were; what is there stays
    Undo(OrphansUndo),
}

/// Arguments of `glacier orphans ls`.
#[derive(Debug, Args)]
pub(crate) struct OrphansLs {
    /// Folder of the files [default: `files` of the configuration file]
    #[arg(long, value_name = "DIR")]
    pub(crate) files: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) place: OrphansPlace,
}

/// Arguments of `glacier orphans undo`.
#[derive(Debug, Args)]
pub(crate) struct OrphansUndo {
    /// Name of the restore, as printed by `glacier orphans ls`
    #[arg(value_name = "RESTORE")]
    pub(crate) restore: String,
    /// Folder of the files [default: `files` of the configuration file]
    #[arg(long, value_name = "DIR")]
    pub(crate) files: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) place: OrphansPlace,
}
