//! The schema archive: `pg_dump -Fc --schema-only` on the dump's snapshot, straight into the store.
//!
//! Where the snapshot may not be imported, `pg_dump` takes one of its own, later than the rows'. What it says is the schema
//! of the rows' moment if it says the same of a moment before: see `docs/decisions/0017-one-session-on-a-standby.md`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use backup_core::failure::Setting;
use backup_core::key::Key;
use backup_core::manifest::Part;
use backup_core::pipeline::{ObjectWriter, UploadBudget};
use backup_core::remedy;
use backup_core::store::{PutMode, PutOptions, StoreWrite};
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio_util::task::AbortOnDropHandle;

use crate::adapters::archive_file::ArchiveFile;
use crate::adapters::connection::{ChildEnvironment, Server};
use crate::adapters::pg_tools::{Tool, archive_script, list_archive, read_stderr};
use crate::error::{PgError, PgResult};
use crate::restore::newer_syntax;
use crate::run::Run;
use crate::stored::detail::ROLE_SCHEMA;

/// Name of the archive inside a dump's folder.
pub(crate) const SCHEMA_NAME: &str = "schema.pgdump";

/// Largest archive: it is held in memory to be read again here and at restore. Ten thousand tables need some megabytes.
const ARCHIVE_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// How long `pg_dump` waits for a lock. The leader has them all: whoever is in the way waits for us, and longer than this
/// would only stop everybody else.
const LOCK_WAIT: Duration = Duration::from_secs(1);

/// What is needed to dump a schema.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The `pg_dump` to run.
    pub(crate) tool: Tool,
    /// A `pg_restore`, which must be able to read the archive before anything is published.
    pub(crate) reader: Tool,
    pub(crate) server: Server,
    pub(crate) database: String,
    /// Quoted names of the tables left out.
    pub(crate) excluded: Vec<String>,
    /// Quoted names of the only tables that are wanted; everything if there are none.
    pub(crate) only: Vec<String>,
}

/// Which moment's schema is dumped.
#[derive(Clone, Debug)]
pub(crate) enum Moment {
    /// That of an exported snapshot.
    Snapshot(String),
    /// Now; it must be the same as this one, of a moment before the rows'.
    SameAs(Script),
}

/// A schema as SQL: equal for equal schemas, however `pg_dump` numbered what it found.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Script(String);

impl Script {
    fn of(printed: &str) -> Self {
        // Newer programs bracket a script with a word that is another each time.
        let lines =
            printed.lines().filter(|line| !line.starts_with("\\restrict ") && !line.starts_with("\\unrestrict "));
        Self(lines.collect::<Vec<_>>().join("\n"))
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Script({} bytes)", self.0.len())
    }
}

/// What becomes of the schema of a source that is being locked.
pub(crate) trait SchemaDump: Sized {
    /// The schema as it is now, before a snapshot that no other session will see.
    async fn before(request: &Request, run: &Run) -> PgResult<Script>;

    /// Goes on once the snapshot is taken.
    fn start(request: Request, moment: Moment, run: &Run) -> Self;
}

/// No schema is dumped.
#[derive(Debug)]
pub(crate) struct NoSchema;

impl SchemaDump for NoSchema {
    async fn before(_: &Request, _: &Run) -> PgResult<Script> {
        Ok(Script::default())
    }

    fn start(_: Request, _: Moment, _: &Run) -> Self {
        Self
    }
}

/// A `pg_dump` at work; it is ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    archive: AbortOnDropHandle<PgResult<Vec<u8>>>,
    /// What writes it.
    tool: Tool,
}

impl SchemaDump for Running {
    async fn before(request: &Request, run: &Run) -> PgResult<Script> {
        run.step("dump.schema_before", &request.tool.version);
        request.script(&request.dump(None).await?).await
    }

    /// Starts `pg_dump`. It mostly waits for the catalogue's many small answers, so the earlier the better.
    fn start(request: Request, moment: Moment, run: &Run) -> Self {
        run.step("dump.schema", &request.tool.version);
        let tool = request.tool.clone();
        Self { archive: AbortOnDropHandle::new(tokio::spawn(async move { request.dump_of(&moment).await })), tool }
    }
}

impl Running {
    /// Stores the archive and returns its part. When it returns, nothing more of it appears in the store, whether it
    /// failed or was cancelled.
    pub(crate) async fn write(
        self,
        store: Arc<dyn StoreWrite>,
        dump: &Key,
        budget: UploadBudget,
        run: &Run,
    ) -> PgResult<Part> {
        let Self { archive, tool } = self;
        let archive = async {
            archive.await.map_err(|error| PgError::died("dumping the schema", &error, "nothing was published"))?
        };
        let archive = run.or_cancelled(archive).await?;
        if let Some(told) = too_new(&tool, &archive) {
            run.progress.warn(told);
        }
        let key = dump.join(SCHEMA_NAME)?;
        let mut writer = ObjectWriter::new(store, key.clone(), PutOptions::new(PutMode::Create), budget);
        // Not cancelled from here: it is a moment's work, and a request on its way cannot be called back.
        if let Err(error) = writer.write(archive.into()).await {
            // The first error is the one to tell.
            let _ = writer.abort().await;
            return Err(error.into());
        }
        let stored = writer.finish().await?;
        Ok(stored.whole(key, ROLE_SCHEMA))
    }
}

impl Request {
    async fn dump_of(&self, moment: &Moment) -> PgResult<Vec<u8>> {
        match moment {
            Moment::Snapshot(name) => self.dump(Some(name)).await,
            Moment::SameAs(before) => {
                let archive = self.dump(None).await?;
                if self.script(&archive).await? == *before { Ok(archive) } else { Err(PgError::SchemaRace) }
            }
        }
    }

    /// The schema as it is now.
    pub(crate) async fn dump_now(&self) -> PgResult<Vec<u8>> {
        self.dump(None).await
    }

    /// What an archive would do.
    async fn script(&self, archive: &[u8]) -> PgResult<Script> {
        let failed = |error| read_failed(&self.reader, &error);
        let file = ArchiveFile::new(archive).map_err(failed)?;
        let printed = archive_script(&self.reader, file.path()).await.map_err(failed)?;
        printed.map(|printed| Script::of(&printed)).map_err(|said| unreadable(&self.tool, &said))
    }

    /// Runs `pg_dump` and returns what it wrote, once that can be read again.
    async fn dump(&self, snapshot: Option<&str>) -> PgResult<Vec<u8>> {
        let tool = &self.tool;
        // Holds the file with the password for as long as the program runs.
        let environment = self.server.child_environment(&self.database)?;
        let mut child = tool.spawn(&mut self.command(&environment, snapshot))?;
        let stderr = tokio::spawn(read_stderr(child.stderr.take()));
        let mut archive = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            // One byte more than allowed, to know that there is more.
            let mut bounded = stdout.take(ARCHIVE_BYTES_MAX + 1);
            bounded.read_to_end(&mut archive).await.map_err(|error| read_failed(tool, &error))?;
        }
        if archive.len() as u64 > ARCHIVE_BYTES_MAX {
            return Err(too_large(&self.database));
        }
        let status = child.wait().await.map_err(|error| read_failed(tool, &error))?;
        let said = stderr.await.unwrap_or_default();
        if !status.success() {
            return Err(lock_race(&said).unwrap_or_else(|| tool.failed(status, &said)));
        }
        // Of one that we misread the reader says what is wrong.
        let archive = newer_syntax::for_anybody(&archive).ok().flatten().unwrap_or(archive);
        check(tool, &self.reader, &archive).await?;
        Ok(archive)
    }

    fn command(&self, environment: &ChildEnvironment, snapshot: Option<&str>) -> Command {
        let mut command = self.tool.command(environment);
        command.args(["--format=custom", "--compress=0", "--schema-only"]);
        if let Some(snapshot) = snapshot {
            command.arg(format!("--snapshot={snapshot}"));
        }
        command.arg(format!("--lock-wait-timeout={}", LOCK_WAIT.as_millis()));
        for table in &self.excluded {
            command.arg(format!("--exclude-table={table}"));
        }
        for table in &self.only {
            command.arg(format!("--table={table}"));
        }
        command
    }
}

/// A `pg_dump` that ends well has written a whole archive; one that a full pipe, a wrapper or a broken installation cut
/// off is found now, and not at the restore.
async fn check(tool: &Tool, reader: &Tool, archive: &[u8]) -> PgResult<()> {
    let file = ArchiveFile::new(archive).map_err(|error| read_failed(reader, &error))?;
    let listed = list_archive(reader, file.path()).await.map_err(|error| read_failed(reader, &error))?;
    listed.map(drop).map_err(|said| unreadable(tool, &said))
}

/// What to tell of statements that the server they are about cannot read itself.
fn too_new(tool: &Tool, archive: &[u8]) -> Option<String> {
    let Tool { major, server_major, .. } = tool;
    let labels = newer_syntax::unreadable_by(archive, *server_major).ok().filter(|labels| !labels.is_empty())?;
    Some(format!(
        "`pg_dump` {major} has written statements for {} that PostgreSQL {server_major} does not know: restores by lastgood \
         change them to what means the same there; for `pg_restore`, dump with the programs of version {server_major}",
        labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ")
    ))
}

fn unreadable(tool: &Tool, said: &str) -> PgError {
    PgError::Tool {
        program: tool.path.display().to_string(),
        how: "succeeded, but wrote no readable archive".to_owned(),
        help: remedy![
            "check that ",
            Setting::PgBin,
            format!(" contains PostgreSQL's own programs; nothing was published. pg_restore: {said}")
        ],
    }
}

/// What `pg_dump` says when it gives up waiting for a lock.
fn lock_race(said: &str) -> Option<PgError> {
    let (_, statement) = said.split_once("Query was: LOCK TABLE ")?;
    let gave_up = said.contains("statement timeout") || said.contains("lock timeout");
    let table = statement.lines().next()?.trim_end_matches(" IN ACCESS SHARE MODE");
    gave_up.then(|| PgError::LockRace { table: format!("`{table}`") })
}

fn too_large(database: &str) -> PgError {
    PgError::SchemaTooLarge { database: database.to_owned(), mib_max: ARCHIVE_BYTES_MAX >> 20 }
}

fn read_failed(tool: &Tool, error: &std::io::Error) -> PgError {
    PgError::Tool {
        program: tool.path.display().to_string(),
        how: format!("could not be read: {error}"),
        help: "nothing was published".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_differ_by_what_they_do_and_not_by_their_brackets() {
        let script = |word: &str, body: &str| Script::of(&format!("\\restrict {word}\n{body}\n\\unrestrict {word}\n"));
        let table = "CREATE TABLE public.t (a integer);";
        assert_eq!(script("x1", table), script("y2", table));
        assert_ne!(script("x1", table), script("x1", "CREATE TABLE public.t (a bigint);"));
    }

    #[test]
    fn a_lock_that_pg_dump_did_not_get_is_told_from_other_failures() {
        let said = "pg_dump: error: query failed: ERROR:  canceling statement due to statement timeout\n\
                    pg_dump: detail: Query was: LOCK TABLE public.part_0 IN ACCESS SHARE MODE\n";
        assert!(matches!(lock_race(said), Some(PgError::LockRace { table }) if table == "`public.part_0`"));
        let denied = "pg_dump: error: query failed: ERROR:  permission denied for table t\n\
                      pg_dump: detail: Query was: LOCK TABLE public.t IN ACCESS SHARE MODE\n";
        assert!(lock_race(denied).is_none());
        assert!(lock_race("pg_dump: error: out of memory").is_none());
    }
}
