//! What GlacierOnRails wrote into its three tables: backups, archives, and which file is in which backup.

use backup_core::digest::Sha256Digest;
use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::{Client, Row};

use super::connect::Connect;
use crate::error::{GlacierError, GlacierResult};

/// Names of the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GemTables {
    /// The schema they are in.
    pub schema: String,
    /// Backups.
    pub backups: String,
    /// Archives.
    pub archives: String,
    /// Which file is in which backup.
    pub joined: String,
}

impl Default for GemTables {
    fn default() -> Self {
        Self {
            schema: "public".to_owned(),
            backups: "application_data_backups".to_owned(),
            archives: "glacier_archives".to_owned(),
            joined: "application_data_backups_glacier_file_archives".to_owned(),
        }
    }
}

impl GemTables {
    /// Those that are not called as GlacierOnRails calls them: of backups, of archives, and of both, with `,` between.
    #[must_use]
    pub fn named(schema: &str, names: &str) -> Option<Self> {
        let mut names = names.split(',').map(|name| name.trim().to_owned());
        let (backups, archives, joined) = (names.next()?, names.next()?, names.next()?);
        let is_whole = names.next().is_none() && [&backups, &archives, &joined].iter().all(|name| !name.is_empty());
        is_whole.then(|| Self { schema: schema.to_owned(), backups, archives, joined })
    }

    /// Schema and name of each of the three.
    #[must_use]
    pub fn names(&self) -> [(&str, &str); 3] {
        [&self.backups, &self.archives, &self.joined].map(|table| (self.schema.as_str(), table.as_str()))
    }

    fn quoted(&self, table: &str) -> String {
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        format!("{}.{}", quoted(&self.schema), quoted(table))
    }

    /// The three of them, as SQL names them.
    fn all(&self) -> [String; 3] {
        [&self.backups, &self.archives, &self.joined].map(|table| self.quoted(table))
    }
}

/// A backup of GlacierOnRails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GemBackup {
    /// Its number.
    pub id: i64,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// The dump of the database, in `pg_dump`'s custom format.
    pub database: Option<GemArchive>,
    /// The files, each gzipped.
    pub files: Vec<GemArchive>,
}

/// An archive of GlacierOnRails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GemArchive {
    /// What the service calls it. It may begin with `-`.
    pub archive_id: String,
    /// The root of its tree, as the service told it; absent if the gem did not note it.
    pub tree_hash: Option<Sha256Digest>,
    /// Base name of the attached file, or the time of the dump.
    pub filename: String,
}

/// Reads all backups, the oldest first.
///
/// # Errors
/// [`GlacierError::Usage`] if the tables are not there; [`GlacierError::Catalogue`].
pub async fn backups(connect: &dyn Connect, tables: &GemTables) -> GlacierResult<Vec<GemBackup>> {
    let failed = |source: backup_core::error::Cause| GlacierError::Catalogue {
        action: "read",
        path: connect.describe(),
        source,
    };
    let client = connect.connect().await.map_err(failed)?;
    let missing = "SELECT n FROM pg_catalog.unnest($1::text[]) n WHERE pg_catalog.to_regclass(n) IS NULL LIMIT 1";
    if let Some(row) =
        client.query_opt(missing, &[&tables.all().to_vec()]).await.map_err(|error| failed(error.into()))?
    {
        let what = format!("`{}` has no table {}", connect.describe(), row.get::<_, String>(0));
        return Err(GlacierError::usage(what, "name the database of the application that used GlacierOnRails"));
    }
    read(&client, tables).await.map_err(|error| failed(error.into()))
}

async fn read(client: &Client, tables: &GemTables) -> Result<Vec<GemBackup>, tokio_postgres::Error> {
    let [backups, archives, joined] = tables.all();
    // Rails writes times without a zone, in UTC.
    let select = format!(
        "SELECT id::bigint, to_char(created_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM {backups} ORDER BY created_at, id"
    );
    let mut found: Vec<GemBackup> = client.query(&select, &[]).await?.iter().map(backup).collect();
    let dumps = format!(
        "SELECT application_data_backup_id::bigint, archive_id, checksum, filename FROM {archives} \
         WHERE type = 'GlacierDbArchive' AND application_data_backup_id IS NOT NULL AND archive_id IS NOT NULL \
         ORDER BY created_at, id"
    );
    for row in client.query(&dumps, &[]).await? {
        if let Some(backup) = found.iter_mut().find(|backup| backup.id == row.get::<_, i64>(0)) {
            backup.database = Some(archive(&row));
        }
    }
    let files = format!(
        "SELECT j.application_data_backup_id::bigint, a.archive_id, a.checksum, a.filename FROM {joined} j \
         JOIN {archives} a ON a.id = j.glacier_file_archive_id WHERE a.archive_id IS NOT NULL \
         ORDER BY a.filename, a.id"
    );
    for row in client.query(&files, &[]).await? {
        if let Some(backup) = found.iter_mut().find(|backup| backup.id == row.get::<_, i64>(0)) {
            let archive = archive(&row);
            // The join table has no key: a file may be there twice.
            if !backup.files.contains(&archive) {
                backup.files.push(archive);
            }
        }
    }
    Ok(found)
}

fn backup(row: &Row) -> GemBackup {
    let created_at = row.get::<_, Option<String>>(1).and_then(|text| text.parse().ok());
    GemBackup { id: row.get(0), created_at, database: None, files: Vec::new() }
}

fn archive(row: &Row) -> GemArchive {
    let tree_hash = row.get::<_, Option<String>>(2).and_then(|text| text.trim().parse().ok());
    GemArchive { archive_id: row.get(1), tree_hash, filename: row.get::<_, Option<String>>(3).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_tables_can_have_other_names() {
        let tables = GemTables::named("app", "backups, archives,both").unwrap();
        assert_eq!(tables.names(), [("app", "backups"), ("app", "archives"), ("app", "both")]);
        assert_eq!(tables.all()[2], "\"app\".\"both\"");
        for text in ["", "a,b", "a,b,", "a,b,c,d", "a,,c"] {
            assert_eq!(GemTables::named("app", text), None, "{text}");
        }
    }
}
