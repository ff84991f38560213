//! Sources and targets: folders of files, SQLite, PostgreSQL, programs.

mod attributes;
mod command;
mod folding;
mod lines;
mod local;
mod ndjson_folder;
mod ndjson_source;
mod ndjson_target;
mod place;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod postgres_identity;
#[cfg(feature = "postgres")]
mod postgres_names;
#[cfg(feature = "postgres")]
mod postgres_source;
#[cfg(feature = "postgres")]
mod postgres_target;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "sqlite")]
mod sqlite_beside;
#[cfg(feature = "sqlite")]
mod sqlite_schema;
#[cfg(feature = "sqlite")]
mod sqlite_source;
#[cfg(feature = "sqlite")]
mod sqlite_tables;
#[cfg(feature = "sqlite")]
mod sqlite_target;

pub use command::CommandSource;
pub use ndjson_source::NdjsonSource;
pub use ndjson_target::NdjsonTarget;
#[cfg(feature = "postgres")]
pub use postgres_source::PostgresSource;
#[cfg(feature = "postgres")]
pub use postgres_target::PostgresTarget;
#[cfg(feature = "sqlite")]
pub use sqlite_source::SqliteSource;
#[cfg(feature = "sqlite")]
pub use sqlite_target::SqliteTarget;
