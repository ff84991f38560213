//! Restores single-file archives, which are read from a pipe, and tries again what the server refused of one.
//!
//! A single file holds definitions and rows. It is read once more for each attempt at rows, and only its table of contents for
//! one at anything else.

mod contents;

use std::collections::BTreeSet;
use std::process::{ExitStatus, Stdio};

use backup_core::key::Key;
use backup_core::store::StoreRead;
use bytes::Bytes;
use futures::TryStreamExt;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::adapters::archive_file::ArchiveFile;
use crate::adapters::connection::{Server, Session};
use crate::adapters::pg_tools::{Tool, last_lines, read_stderr, serverless};
use crate::adapters::sql::{empty_tables, session_settings, user_triggers};
use crate::error::{PgError, PgResult};
use crate::ident::QualifiedName;
use crate::options::RestoreOptions;
use crate::restore::archive_toc::{ROWS, VIEW_ROWS, Written};
use crate::restore::failed_entry::{FailedEntry, failed_entries, failed_statements};
use crate::restore::failed_rows::failed_rows;
use crate::restore::load_unit::connect;
use crate::restore::messages::{self, Classified};
use crate::restore::pg_restore::{common_arguments, expected, failure, memory, session_options, told};
pub(crate) use crate::restore::single_file::contents::Contents;
use crate::restore::unrestored::Unrestored;
use crate::run::Run;
use crate::stored::detail::RowText;

/// Attempts at what was refused: each takes something that the ones before did not, and may need the whole file.
const ATTEMPTS_MAX: usize = 100;

/// Reads a whole single-file archive without restoring it: a cut or damaged one fails here, before anything is created.
pub(crate) async fn check(tool: &Tool, store: &dyn StoreRead, key: &Key) -> PgResult<()> {
    let mut command = serverless(&tool.path);
    command.arg("--file=-");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let (status, said) = feed(tool, command, &Input::whole(store, key)).await?;
    if status.success() {
        return Ok(());
    }
    Err(PgError::Integrity { dump: key.to_string(), what: format!("pg_restore cannot read it: {}", last_lines(&said)) })
}

/// A single-file archive, and where it is restored.
#[derive(Clone, Copy)]
pub(super) struct SingleFile<'a> {
    pub(super) tool: &'a Tool,
    pub(super) store: &'a dyn StoreRead,
    pub(super) object: &'a Key,
    /// What was read of it, if we can read it.
    pub(super) contents: Option<&'a Contents>,
    pub(super) server: &'a Server,
    pub(super) database: &'a str,
    pub(super) options: &'a RestoreOptions,
}

/// What one run of `pg_restore` came to.
struct Ran {
    told: Vec<String>,
    status: ExitStatus,
    said: String,
    classified: Classified,
}

impl SingleFile<'_> {
    /// Restores the whole file; returns what is told, and what the server refuses in the end.
    pub(super) async fn restore(self, run: &Run) -> PgResult<(Vec<String>, Vec<Unrestored>)> {
        let ran = self.pg_restore(&[], &self.whole()).await?;
        if ran.classified.accepts(ran.status.code()) {
            return Ok((ran.told, Vec::new()));
        }
        if !ran.classified.only_refused(ran.status.code()) {
            return Err(self.failure(&ran));
        }
        let session = connect(self.server, self.database, RowText::default()).await?;
        let Some(contents) = self.contents else { return self.not_again(ran) };
        let Some(failed) = refused(&ran.classified, contents.written(), &session).await? else {
            return self.not_again(ran);
        };
        let mut told = ran.told;
        let missing = Box::pin(self.again(contents, failed, &session, run, &mut told)).await?;
        Ok((told, missing))
    }

    /// What is refused of an archive whose entries are not known.
    fn not_again(self, ran: Ran) -> PgResult<(Vec<String>, Vec<Unrestored>)> {
        match failed_statements(&ran.classified.fatal) {
            Some(refused) => Ok((ran.told, refused)),
            None => Err(self.failure(&ran)),
        }
    }

    /// Tries entries again, with the database's own search path and once the rest is there, until no more are taken.
    async fn again(
        self,
        contents: &Contents,
        mut failed: Vec<FailedEntry>,
        session: &Session,
        run: &Run,
        told: &mut Vec<String>,
    ) -> PgResult<Vec<Unrestored>> {
        let waiting = |entries: &[FailedEntry]| -> BTreeSet<u32> {
            entries.iter().filter(|entry| entry.again).map(|entry| entry.id).collect()
        };
        let search_path = session_settings::own_search_path(session).await?;
        let beginning = contents.with_search_path(&search_path, self.object)?;
        for _ in 0..ATTEMPTS_MAX {
            let ids = waiting(&failed);
            if ids.is_empty() {
                break;
            }
            run.step("restore.archive_again", &format!("{} entries", ids.len()));
            let holds_rows = |one: &Written| one.entry.kind == ROWS && ids.contains(&one.entry.id);
            let has_rows = contents.written().iter().any(holds_rows);
            // What was computed of tables that had no rows yet is computed again.
            let is_tried = |one: &&Written| ids.contains(&one.entry.id) || (has_rows && one.entry.kind == VIEW_ROWS);
            let tried: Vec<Written> = contents.written().iter().filter(is_tried).cloned().collect();
            let input = Input {
                store: self.store,
                key: self.object,
                beginning: Some(beginning.clone()),
                skipped: contents.bytes(),
                rest: has_rows,
            };
            let ran = self.without_triggers(&tried, &input, session).await?;
            let mut again = Vec::new();
            if !ran.classified.accepts(ran.status.code()) {
                let only_refused = ran.classified.only_refused(ran.status.code());
                let known = match only_refused {
                    true => refused(&ran.classified, &tried, session).await?,
                    false => None,
                };
                again = known.ok_or_else(|| self.failure(&ran))?;
            }
            told.extend(ran.told);
            // Whose owner could not be set is told again with the rest of what is made again.
            again.extend(failed.into_iter().filter(|one| !one.again && !ids.contains(&one.id)));
            failed = again;
            if ids.is_subset(&waiting(&failed)) {
                break;
            }
        }
        Ok(failed.into_iter().map(|entry| entry.object).collect())
    }

    /// Runs `pg_restore` for these entries, of which rows fire no triggers: they are there by now.
    async fn without_triggers(self, entries: &[Written], input: &Input<'_>, session: &Session) -> PgResult<Ran> {
        let mut enabled = Vec::new();
        for rows in entries.iter().filter(|one| one.entry.kind == ROWS) {
            let table = QualifiedName::new(rows.entry.schema.clone().unwrap_or_default(), &rows.entry.name);
            match user_triggers::switch_off(session, &table).await {
                Ok(statements) => enabled.extend(statements),
                // A table that is not there has no triggers.
                Err(error) if error.is_refusal() => {}
                Err(error) => return Err(error),
            }
        }
        let ran = self.pg_restore(entries, input).await?;
        user_triggers::switch_on(session, &enabled).await?;
        Ok(ran)
    }

    /// Runs `pg_restore` for these entries, or for all.
    async fn pg_restore(self, entries: &[Written], input: &Input<'_>) -> PgResult<Ran> {
        let Self { tool, server, database, options, .. } = self;
        let environment = server.child_environment(database)?;
        let mut command = tool.command(&environment);
        let list: String = entries.iter().map(|one| format!("{};\n", one.entry.id)).collect();
        let list = ArchiveFile::new(list.as_bytes()).map_err(memory)?;
        if !entries.is_empty() {
            command.arg("--use-list").arg(list.path());
        }
        common_arguments(&mut command, options);
        command.env("PGOPTIONS", session_options(server, tool, 1));
        command.arg(format!("--dbname={database}"));
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let (status, said) = feed(tool, command, input).await?;
        let classified = messages::classify(&said, &expected(tool, options));
        let told = told(classified.clone()).filter_map(|harmless| harmless.told()).collect();
        Ok(Ran { told, status, said, classified })
    }

    fn failure(self, ran: &Ran) -> PgError {
        failure(self.tool, ran.status, &ran.said, &ran.classified)
    }

    /// All of the file, with the beginning that was read.
    fn whole(&self) -> Input<'_> {
        let whole = Input::whole(self.store, self.object);
        match self.contents {
            Some(contents) => Input { beginning: Some(contents.beginning()), skipped: contents.bytes(), ..whole },
            None => whole,
        }
    }
}

/// The entries that a run failed for, of those that it was to make; none if a message is about something else.
async fn refused(classified: &Classified, made: &[Written], session: &Session) -> PgResult<Option<Vec<FailedEntry>>> {
    let (rows, rest): (Vec<_>, Vec<_>) =
        classified.fatal.iter().cloned().partition(|message| message.refused_table().is_some());
    let Some(mut failed) = failed_entries(&rest, made) else { return Ok(None) };
    let Some(candidates) = failed_rows(&rows, made) else { return Ok(None) };
    for candidate in candidates {
        let certain = candidate.is_certain || is_empty(session, &candidate.table).await?;
        failed.extend(certain.then_some(candidate.entry));
    }
    Ok(Some(failed))
}

/// A table that is not there has no rows either.
async fn is_empty(session: &Session, table: &QualifiedName) -> PgResult<bool> {
    match empty_tables::is_empty(session, table).await {
        Err(error) if error.is_refusal() => Ok(true),
        other => other,
    }
}

/// What a `pg_restore` reads from its pipe.
struct Input<'a> {
    store: &'a dyn StoreRead,
    key: &'a Key,
    /// In place of the first bytes of the object.
    beginning: Option<Bytes>,
    /// How many those are.
    skipped: usize,
    /// Whether the object follows.
    rest: bool,
}

impl<'a> Input<'a> {
    fn whole(store: &'a dyn StoreRead, key: &'a Key) -> Self {
        Self { store, key, beginning: None, skipped: 0, rest: true }
    }
}

async fn feed(tool: &Tool, mut command: Command, input: &Input<'_>) -> PgResult<(ExitStatus, String)> {
    let mut child = tool.spawn(&mut command)?;
    let stdin = child.stdin.take();
    let write = async {
        let Some(mut stdin) = stdin else { return Ok(()) };
        let mut is_open = true;
        if let Some(beginning) = &input.beginning {
            is_open = stdin.write_all(beginning).await.is_ok();
        }
        if input.rest && is_open {
            let mut body = input.store.get(input.key, None).await?;
            let mut skipped = input.skipped;
            while let Some(chunk) = body.try_next().await? {
                let chunk: Bytes = chunk;
                let from = skipped.min(chunk.len());
                skipped -= from;
                if stdin.write_all(&chunk[from..]).await.is_err() {
                    break; // it ended early: its exit code and messages say why
                }
            }
        }
        let _ = stdin.shutdown().await;
        Ok::<(), PgError>(())
    };
    let stderr = child.stderr.take();
    let (written, said) = tokio::join!(write, read_stderr(stderr));
    written?;
    let status = child.wait().await.map_err(memory)?;
    Ok((status, said))
}
