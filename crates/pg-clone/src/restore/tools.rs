//! Schema and post-data through `pg_restore`, every message classified.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};

use backup_core::failure::{Remedy, Setting};
use backup_core::key::Key;
use backup_core::remedy;
use backup_core::store::StoreRead;
use bytes::Bytes;
use futures::TryStreamExt;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::adapters::archive_file::ArchiveFile;
use crate::adapters::connection::Server;
use crate::adapters::pg_tools::{Tool, last_lines, list_archive, read_stderr, serverless, what_helps};
use crate::error::{PgError, PgResult};
use crate::options::RestoreOptions;
use crate::restore::index_conflict;
use crate::restore::messages::{self, Expectations, Harmless, Reason};
use crate::stored::detail::ForeignKey;

/// Memory for index builds when the server allows no more by itself, shared by the jobs; in kilobytes.
const MAINTENANCE_WORK_MEM_KB: usize = 256 * 1024;

/// PostgreSQL's own default, below which we never go; in kilobytes.
const MAINTENANCE_WORK_MEM_KB_MIN: usize = 64 * 1024;

/// How entries begin that come last, one after the other. Event triggers fire on what a restore does after post-data, and
/// `pg_restore` itself has them last. Default privileges may fail harmlessly, and with `--jobs` an error of a worker is
/// counted again with each of its later entries: the count would no longer tell whether a message was overlooked.
const LAST: [&str; 4] =
    ["EVENT TRIGGER - ", "COMMENT - EVENT TRIGGER ", "SECURITY LABEL - EVENT TRIGGER ", "DEFAULT ACL "];

/// How an index begins there. An index of a partitioned table that joins its parent is `INDEX ATTACH`.
const INDEX: &str = "INDEX ";

/// The schema archive with its table of contents, ready for several runs.
#[derive(Debug)]
pub(crate) struct SchemaArchive {
    tool: Tool,
    archive: ArchiveFile,
    /// Lines of `pg_restore --list`, without comments.
    contents: Vec<String>,
    unwanted: BTreeSet<String>,
    /// Numbers of indexes that are not built beside others.
    apart: BTreeSet<u32>,
    /// What could not be owned when it was made, to be tried again.
    postponed: Mutex<Vec<Harmless>>,
}

/// Which entries a run restores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    PreData,
    /// Before the rest of post-data, one at a time: see [`index_conflict`].
    IndexesApart,
    PostData,
    EventTriggers,
}

impl SchemaArchive {
    /// Takes the archive's bytes and reads its table of contents, before anything is created.
    pub(crate) async fn open(tool: Tool, bytes: &[u8], dump: &str, unwanted: &[ForeignKey]) -> PgResult<Self> {
        let archive = ArchiveFile::new(bytes).map_err(memory)?;
        let listed = list_archive(&tool, archive.path()).await.map_err(memory)?;
        let listed = listed.map_err(|said| PgError::Integrity {
            dump: dump.to_owned(),
            what: format!("the schema archive cannot be read: {said}"),
        })?;
        let contents: Vec<String> = listed
            .lines()
            .filter(|line| !line.starts_with(';') && !line.trim().is_empty())
            .map(ToOwned::to_owned)
            .collect();
        let apart = indexes_apart(&tool, &archive, &contents).await.map_err(memory)?;
        let unwanted =
            unwanted.iter().map(|key| format!("FK CONSTRAINT {} {} {} ", key.schema, key.table, key.name)).collect();
        Ok(Self { tool, archive, contents, unwanted, apart, postponed: Mutex::default() })
    }

    /// Without the entries of these numbers.
    pub(crate) fn without(mut self, left_out: &BTreeSet<u32>, dump: &str) -> PgResult<Self> {
        let listed: BTreeSet<u32> = self.contents.iter().filter_map(|line| number(line)).collect();
        // Both we and `pg_restore` read the same table of contents: an entry it does not know we have misread.
        if let Some(unknown) = left_out.difference(&listed).next() {
            return Err(PgError::Integrity {
                dump: dump.to_owned(),
                what: format!("pg_restore lists no entry {unknown} of the schema archive"),
            });
        }
        self.contents.retain(|line| number(line).is_none_or(|number| !left_out.contains(&number)));
        Ok(self)
    }

    /// Restores one section into `database`; any message outside the allow-list is an error. Returns the harmless ones.
    pub(crate) async fn restore(
        &self,
        section: Section,
        server: &Server,
        database: &str,
        options: &RestoreOptions,
    ) -> PgResult<Vec<String>> {
        let chosen = self.chosen(section);
        if chosen.is_empty() {
            return Ok(Vec::new());
        }
        let list = ArchiveFile::new(chosen.join("\n").as_bytes()).map_err(memory)?;
        let environment = server.child_environment(database)?;
        let mut command = self.tool.command(&environment);
        command.arg("--use-list").arg(list.path());
        match section {
            Section::PreData => command.arg("--section=pre-data"),
            // Its own count of errors tells whether one was overlooked, and with --jobs those of setting up a worker are not
            // in it.
            Section::PostData if self.tool.sends_unknown_setting() => command.arg("--section=post-data"),
            Section::PostData => command.args(["--section=post-data".to_owned(), format!("--jobs={}", options.jobs)]),
            Section::IndexesApart | Section::EventTriggers => command.arg("--section=post-data"),
        };
        command.env("PGOPTIONS", session_options(server, options.jobs));
        common_arguments(&mut command, options);
        // The temporary database's name is ours and plain: it cannot be taken for a connection string.
        command.arg(format!("--dbname={database}")).arg(self.archive.path());
        let output = async {
            let mut child = self.tool.spawn(&mut command)?;
            let said = read_stderr(child.stderr.take()).await;
            let status = child.wait().await.map_err(memory)?;
            Ok::<_, PgError>((status, said))
        };
        let (status, said) = output.await?;
        let harmless = judge(&self.tool, status, &said, options)?;
        let (postponed, harmless): (Vec<_>, Vec<_>) =
            harmless.into_iter().partition(|harmless| harmless.reason == Reason::OthersOwner);
        self.postponed.lock().unwrap_or_else(PoisonError::into_inner).extend(postponed);
        Ok(harmless.iter().map(|harmless| harmless.message.to_string()).collect())
    }

    /// What could not be owned when it was made.
    pub(crate) fn take_postponed(&self) -> Vec<Harmless> {
        std::mem::take(&mut *self.postponed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn chosen(&self, section: Section) -> Vec<&str> {
        self.contents
            .iter()
            .map(String::as_str)
            .filter(|line| match section {
                Section::PreData => !comes_last(line),
                Section::IndexesApart => self.is_apart(line),
                Section::PostData => !self.is_apart(line) && !comes_last(line),
                Section::EventTriggers => comes_last(line),
            })
            .filter(|line| !self.unwanted.iter().any(|unwanted| entry(line).starts_with(unwanted.as_str())))
            .collect()
    }

    fn is_apart(&self, line: &str) -> bool {
        number(line).is_some_and(|number| self.apart.contains(&number))
    }
}

async fn indexes_apart(tool: &Tool, archive: &ArchiveFile, contents: &[String]) -> std::io::Result<BTreeSet<u32>> {
    let indexes: Vec<&str> =
        contents.iter().map(String::as_str).filter(|line| entry(line).starts_with(INDEX)).collect();
    if indexes.len() < 2 {
        return Ok(BTreeSet::new());
    }
    let list = ArchiveFile::new(indexes.join("\n").as_bytes())?;
    let mut command = serverless(&tool.path);
    command.args(["--verbose", "--file=-", "--use-list"]).arg(list.path()).arg(archive.path());
    let script = command.output().await?.stdout;
    Ok(index_conflict::to_build_apart(&String::from_utf8_lossy(&script)))
}

fn number(line: &str) -> Option<u32> {
    line.split(';').next()?.parse().ok()
}

/// What a line of the table of contents says after its three numbers: `123; 3466 16500 EVENT TRIGGER - name owner`.
/// Only its beginning can be trusted: names may hold anything, words of other entries too.
fn entry(line: &str) -> &str {
    line.splitn(4, ' ').nth(3).unwrap_or_default()
}

fn comes_last(line: &str) -> bool {
    LAST.iter().any(|beginning| entry(line).starts_with(beginning))
}

fn common_arguments(command: &mut Command, options: &RestoreOptions) {
    if options.no_owner {
        command.arg("--no-owner");
    }
    if options.no_acl {
        command.arg("--no-acl");
    }
    if options.managed {
        command.arg("--no-tablespaces");
    }
}

fn session_options(server: &Server, jobs: usize) -> String {
    let work_mem = (MAINTENANCE_WORK_MEM_KB / jobs.max(1)).max(MAINTENANCE_WORK_MEM_KB_MIN);
    format!(
        "-c maintenance_work_mem={work_mem} -c synchronous_commit=off -c statement_timeout={} \
        -c lock_timeout=0 -c default_transaction_read_only=off -c array_nulls=on -c client_min_messages=warning",
        server.statement_timeout_ms()
    )
}

/// A run is good when every message is on the allow-list: `pg_restore` goes on after an error and says so only by its
/// exit code, which it also uses for errors that do not matter.
fn judge(
    tool: &Tool,
    status: std::process::ExitStatus,
    said: &str,
    options: &RestoreOptions,
) -> PgResult<Vec<Harmless>> {
    let expectations = Expectations {
        managed: options.managed,
        unknown_setting: tool.sends_unknown_setting(),
        ..Expectations::default()
    };
    let mut classified = messages::classify(said, &expectations);
    if classified.accepts(status.code()) {
        // Told once, before anything was made.
        classified.harmless.retain(|harmless| harmless.reason != Reason::UnknownSetting);
        return Ok(classified.harmless);
    }
    if classified.fatal.is_empty() {
        return Err(tool.failed(status, said));
    }
    let told: Vec<String> = classified.fatal.iter().take(3).map(ToString::to_string).collect();
    let mut help = Remedy::from(told.join("; "));
    if let Some(helps) = what_helps(said) {
        help = help.and("; ").and(helps);
    }
    let help = help
        .and("; the live database was not touched; ")
        .and(remedy![Setting::KeepFailed, " keeps the temporary database for inspection"]);
    Err(PgError::Tool {
        program: tool.path.display().to_string(),
        how: format!("reported {} errors", classified.fatal_count),
        help,
    })
}

/// Reads a whole single-file archive without restoring it: a cut or damaged one fails here, before anything is created.
pub(crate) async fn check_stream(tool: &Tool, store: &dyn StoreRead, key: &Key) -> PgResult<()> {
    let mut command = serverless(&tool.path);
    command.arg("--file=-");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let (status, said) = feed(tool, command, store, key).await?;
    if status.success() {
        return Ok(());
    }
    Err(PgError::Integrity { dump: key.to_string(), what: format!("pg_restore cannot read it: {}", last_lines(&said)) })
}

/// Restores a whole single-file archive from a pipe.
pub(crate) async fn restore_stream(
    tool: &Tool,
    store: &dyn StoreRead,
    key: &Key,
    server: &Server,
    database: &str,
    options: &RestoreOptions,
) -> PgResult<Vec<String>> {
    let environment = server.child_environment(database)?;
    let mut command = tool.command(&environment);
    common_arguments(&mut command, options);
    command.env("PGOPTIONS", session_options(server, 1));
    command.arg(format!("--dbname={database}"));
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let (status, said) = feed(tool, command, store, key).await?;
    let harmless = judge(tool, status, &said, options)?;
    Ok(harmless.iter().map(|harmless| harmless.message.to_string()).collect())
}

async fn feed(
    tool: &Tool,
    mut command: Command,
    store: &dyn StoreRead,
    key: &Key,
) -> PgResult<(std::process::ExitStatus, String)> {
    let mut child = tool.spawn(&mut command)?;
    let stdin = child.stdin.take();
    let write = async {
        let Some(mut stdin) = stdin else { return Ok(()) };
        let mut body = store.get(key, None).await?;
        while let Some(chunk) = body.try_next().await? {
            let chunk: Bytes = chunk;
            if stdin.write_all(&chunk).await.is_err() {
                break; // it ended early: its exit code and messages say why
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

fn memory(source: std::io::Error) -> PgError {
    PgError::Machine { what: "pg_restore cannot be run", safe: "the live database was not touched", source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_triggers_are_told_by_what_they_are_and_not_by_names() {
        for line in
            ["3466; 3466 17000 EVENT TRIGGER - log_ddl postgres", "3999; 0 0 COMMENT - EVENT TRIGGER log_ddl postgres"]
        {
            assert!(comes_last(line), "{line}");
        }
        for line in [
            "217; 1259 16387 TABLE public a EVENT TRIGGER b postgres",
            "218; 1259 16388 INDEX public an EVENT TRIGGER - index postgres",
            "219; 1255 16389 FUNCTION public on_event() postgres",
        ] {
            assert!(!comes_last(line), "{line}");
        }
    }
}
