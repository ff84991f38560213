//! The schema archive, restored in sections by `pg_restore`, every message classified.

use std::collections::BTreeSet;
use std::process::ExitStatus;
use std::sync::{Mutex, OnceLock, PoisonError};

use backup_core::units;

use crate::adapters::archive_file::ArchiveFile;
use crate::adapters::connection::Server;
use crate::adapters::pg_tools::{Tool, list_archive, read_stderr, serverless};
use crate::error::{PgError, PgResult};
use crate::ident::quote_literal;
use crate::options::RestoreOptions;
use crate::restore::clash;
use crate::restore::failed_entry::{FailedEntry, failed_entries};
use crate::restore::messages::{self, Classified, Expectations, Harmless, Reason};
use crate::restore::pg_restore::{common_arguments, expected, failure, memory, session_options, told};
use crate::restore::{archive_toc, index_conflict, newer_syntax};
use crate::stored::detail::ForeignKey;

/// How entries begin that come last, one after the other. Event triggers fire on what a restore does after post-data, and
/// `pg_restore` itself has them last. Default privileges may fail harmlessly, and with `--jobs` an error of a worker is
/// counted again with each of its later entries: the count would no longer tell whether a message was overlooked. What the
/// server warns of are publications and subscriptions: see [`QUIET`].
const LAST: [&str; 6] = [
    "EVENT TRIGGER - ",
    "COMMENT - EVENT TRIGGER ",
    "SECURITY LABEL - EVENT TRIGGER ",
    "DEFAULT ACL ",
    "PUBLICATION ",
    "SUBSCRIPTION ",
];

/// Up to version 14 `pg_restore` hands on what the server warns of, in several writes: two workers that do so at once mix
/// their words, and nobody could tell an error in them.
const QUIET: &str = "-c client_min_messages=error";

/// Its first version that keeps such warnings to itself.
const WARNINGS_KEPT_MAJOR: u32 = 15;

/// How an extension begins there.
const EXTENSION: &str = "EXTENSION - ";

/// How an index begins there. An index of a partitioned table that joins its parent is `INDEX ATTACH`.
const INDEX: &str = "INDEX ";

/// How a constraint begins that has an index: a primary key, a unique one or an exclusion. Others have a word before it.
const INDEX_CONSTRAINT: &str = "CONSTRAINT ";

/// How an index begins that joins that of the table which its table is a partition of.
const INDEX_ATTACH: &str = "INDEX ATTACH ";

/// How a foreign key begins.
const FOREIGN_KEY: &str = "FK CONSTRAINT ";

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
    /// Whether indexes join some that join others themselves: see [`index_conflict::joins_nested`].
    nested: bool,
    /// Numbers of foreign keys that rows left out of the dump may break.
    doubtful: BTreeSet<u32>,
    /// What could not be owned when it was made, to be tried again.
    postponed: Mutex<Vec<Harmless>>,
    /// An option of its sessions that keeps event triggers from firing.
    quiet: OnceLock<String>,
}

/// What came of a run.
#[derive(Debug, Default)]
pub(crate) struct Restored {
    /// What is told and stops nothing.
    pub(crate) told: Vec<String>,
    /// What the server refused.
    pub(crate) failed: Vec<FailedEntry>,
}

impl Restored {
    /// What the server said of workers that stood in each other's way, if it did of one.
    fn clash(&self) -> Option<&'static str> {
        self.failed.iter().filter(|one| one.again).find_map(|one| clash::in_words(&one.object.said))
    }
}

/// Which entries a run restores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    /// What comes before the last extension, and that, without privileges; nothing where there is no extension.
    Extensions,
    /// What [`Section::Extensions`] has not made.
    PreData,
    /// Before the rest of post-data, one at a time: see [`index_conflict`].
    IndexesApart,
    PostData,
    /// Indexes that join others, one at a time, if some join such.
    IndexAttaches,
    /// Foreign keys, which then wait for them.
    ForeignKeys,
    /// Foreign keys to tables whose rows are not in the dump, one at a time: those that hold are made.
    DoubtfulKeys,
    EventTriggers,
}

impl SchemaArchive {
    /// Takes the archive's bytes and reads its table of contents, before anything is created.
    pub(crate) async fn open(tool: Tool, bytes: &[u8], dump: &str, unwanted: &[ForeignKey]) -> PgResult<Self> {
        // Of one that we misread `pg_restore` says what is wrong.
        let readable = newer_syntax::for_server(bytes, tool.server_major).ok().flatten();
        let archive = ArchiveFile::new(readable.as_deref().unwrap_or(bytes)).map_err(memory)?;
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
        let (apart, nested) = index_conflicts(&tool, &archive, &contents).await.map_err(memory)?;
        let unwanted =
            unwanted.iter().map(|key| format!("{FOREIGN_KEY}{} {} {} ", key.schema, key.table, key.name)).collect();
        let (doubtful, postponed, quiet) = (BTreeSet::new(), Mutex::default(), OnceLock::new());
        Ok(Self { tool, archive, contents, unwanted, apart, nested, doubtful, postponed, quiet })
    }

    /// With the entries of these numbers made by [`Section::DoubtfulKeys`].
    pub(crate) fn doubting(self, doubtful: BTreeSet<u32>) -> Self {
        Self { doubtful, ..self }
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

    /// With nothing but the entries of these numbers.
    pub(crate) fn only(mut self, ids: &BTreeSet<u32>) -> Self {
        self.contents.retain(|line| is_among(line, ids));
        self
    }

    /// How many indexes post-data makes, those of constraints too.
    pub(crate) fn indexes(&self) -> u64 {
        let sections = [Section::IndexesApart, Section::PostData].into_iter().flat_map(|section| self.of(section));
        sections.filter(|line| makes_index(line)).count() as u64
    }

    /// As before the first run, for another database.
    pub(crate) fn begin_again(&mut self) {
        (self.postponed, self.quiet) = (Mutex::default(), OnceLock::new());
    }

    /// Has `option` set in every later session, which keeps event triggers from firing.
    pub(crate) fn quieten(&self, option: String) {
        // Asked for once a restore: whoever is second wants the same.
        let _ = self.quiet.set(option);
    }

    /// Restores one section into `database`. A message outside the allow-list is an error, unless it says of one entry that
    /// the server refuses it.
    pub(crate) async fn restore(
        &self,
        section: Section,
        server: &Server,
        database: &str,
        options: &RestoreOptions,
    ) -> PgResult<Restored> {
        let chosen = self.chosen(section);
        // Its own count of errors tells whether one was overlooked, and with --jobs those of setting up a worker are not
        // in it.
        let in_parallel =
            matches!(section, Section::PostData | Section::ForeignKeys) && !self.tool.sends_unknown_setting();
        let jobs = if in_parallel { options.jobs } else { 1 };
        let doubtful_foreign_keys = section == Section::DoubtfulKeys;
        let part = match section {
            Section::Extensions | Section::PreData => "--section=pre-data",
            _ => "--section=post-data",
        };
        let work = Work { entries: &chosen, archive: &self.archive, part: Some(part), jobs, doubtful_foreign_keys };
        let mut restored = self.carry_out(work, server, database, options).await?;
        if let Some(said) = restored.clash().filter(|_| jobs > 1) {
            let failed = std::mem::take(&mut restored.failed);
            restored.told.push(told_of_clash(&failed, jobs, said));
            let again = self.one_by_one(failed, &self.archive, server, database, options).await?;
            restored.told.extend(again.told);
            restored.failed = again.failed;
        }
        if section == Section::PreData {
            // By themselves, for what they are on is made already: see [`has_no_section`].
            let entries = self.early_privileges();
            let work = Work { entries: &entries, archive: &self.archive, part: None, jobs: 1, doubtful_foreign_keys };
            let privileges = self.carry_out(work, server, database, options).await?;
            restored.told.extend(privileges.told);
            restored.failed.extend(privileges.failed);
        }
        Ok(restored)
    }

    /// Tries entries again that failed, in the archive's order, one at a time and with `search_path`, which is the
    /// database's own. What failed for good is among what failed again.
    pub(crate) async fn again(
        &self,
        failed: Vec<FailedEntry>,
        search_path: &str,
        server: &Server,
        database: &str,
        options: &RestoreOptions,
    ) -> PgResult<Restored> {
        let archive = std::fs::read(self.archive.path()).map_err(memory)?;
        let statement =
            format!("SELECT pg_catalog.set_config('search_path', {}, false);\n", quote_literal(search_path));
        let changed = archive_toc::with_search_path(&archive, &statement).map_err(|what| self.misread(what))?;
        let archive = ArchiveFile::new(&changed.unwrap_or(archive)).map_err(memory)?;
        self.one_by_one(failed, &archive, server, database, options).await
    }

    /// Makes entries that failed once more, from this form of the archive and in its order.
    async fn one_by_one(
        &self,
        failed: Vec<FailedEntry>,
        archive: &ArchiveFile,
        server: &Server,
        database: &str,
        options: &RestoreOptions,
    ) -> PgResult<Restored> {
        let ids: BTreeSet<u32> = failed.iter().filter(|one| one.again).map(|one| one.id).collect();
        let entries: Vec<&str> = self.contents.iter().map(String::as_str).filter(|line| is_among(line, &ids)).collect();
        let work = Work { entries: &entries, archive, part: None, jobs: 1, doubtful_foreign_keys: false };
        let mut restored = self.carry_out(work, server, database, options).await?;
        // Whose owner could not be set is told again with the rest of what is made again.
        restored.failed.extend(failed.into_iter().filter(|one| !one.again && !ids.contains(&one.id)));
        Ok(restored)
    }

    async fn carry_out(
        &self,
        work: Work<'_>,
        server: &Server,
        database: &str,
        options: &RestoreOptions,
    ) -> PgResult<Restored> {
        if work.entries.is_empty() {
            return Ok(Restored::default());
        }
        let list = ArchiveFile::new(work.entries.join("\n").as_bytes()).map_err(memory)?;
        let environment = server.child_environment(database)?;
        let mut command = self.tool.command(&environment);
        command.arg("--use-list").arg(list.path()).args(work.part);
        if work.jobs > 1 {
            command.arg(format!("--jobs={}", work.jobs));
        }
        let quiet = self.quiet.get().map(String::as_str).unwrap_or_default();
        let mixed = work.jobs > 1 && self.tool.major < WARNINGS_KEPT_MAJOR;
        let silent = if mixed { QUIET } else { "" };
        command.env("PGOPTIONS", format!("{} {silent} {quiet}", session_options(server, &self.tool, options.jobs)));
        common_arguments(&mut command, options);
        // The temporary database's name is ours and plain: it cannot be taken for a connection string.
        command.arg(format!("--dbname={database}")).arg(work.archive.path());
        let output = async {
            let mut child = self.tool.spawn(&mut command)?;
            let said = read_stderr(child.stderr.take()).await;
            let status = child.wait().await.map_err(memory)?;
            Ok::<_, PgError>((status, said))
        };
        let (status, said) = output.await?;
        let expectations = Expectations {
            parallel: work.jobs > 1,
            doubtful_foreign_keys: work.doubtful_foreign_keys,
            ..expected(&self.tool, options)
        };
        let classified = messages::classify(&said, &expectations);
        let mut failed = Vec::new();
        if !classified.accepts(status.code()) {
            failed = self.failed(status, &said, &classified)?;
        }
        let (postponed, harmless): (Vec<_>, Vec<_>) =
            told(classified).partition(|harmless| harmless.reason == Reason::OthersOwner);
        self.postponed.lock().unwrap_or_else(PoisonError::into_inner).extend(postponed);
        Ok(Restored { told: harmless.iter().filter_map(Harmless::told).collect(), failed })
    }

    /// The entries that a run failed for, if it says so of each and did the rest.
    fn failed(&self, status: ExitStatus, said: &str, classified: &Classified) -> PgResult<Vec<FailedEntry>> {
        if classified.only_refused(status.code()) {
            let archive = std::fs::read(self.archive.path()).map_err(memory)?;
            let written = archive_toc::parse_written(&archive).map_err(|what| self.misread(what))?;
            if let Some(failed) = failed_entries(&classified.fatal, &written) {
                return Ok(failed);
            }
        }
        Err(failure(&self.tool, status, said, classified))
    }

    fn misread(&self, what: String) -> PgError {
        PgError::internal(
            format!("the archive that {} read cannot be read: {what}", self.tool.version),
            "the live database was not touched",
        )
    }

    /// What could not be owned when it was made.
    pub(crate) fn take_postponed(&self) -> Vec<Harmless> {
        std::mem::take(&mut *self.postponed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn chosen(&self, section: Section) -> Vec<&str> {
        let all = self.of(section).into_iter();
        all.filter(|line| section != Section::Extensions || !is_privilege(line)).collect()
    }

    /// The privileges that [`Section::Extensions`] leaves for later.
    fn early_privileges(&self) -> Vec<&str> {
        self.of(Section::Extensions).into_iter().filter(|line| is_privilege(line)).collect()
    }

    /// A section's entries, each with the comments, labels and privileges behind it.
    fn of(&self, section: Section) -> Vec<&str> {
        let extensions = self.contents.iter().rposition(|line| entry(line).starts_with(EXTENSION));
        let extensions = extensions.map_or(0, |at| at + 1);
        // What a selection leaves at the head without what it is about.
        let first = if extensions > 0 { Section::Extensions } else { Section::PreData };
        let mut is_of = section == first;
        let mut chosen = Vec::new();
        for (at, line) in self.contents.iter().map(String::as_str).enumerate() {
            if !has_no_section(line) {
                let wanted = match section {
                    Section::Extensions => at < extensions && !comes_last(line),
                    Section::PreData => at >= extensions && !comes_last(line),
                    Section::IndexesApart => self.is_apart(line),
                    Section::PostData => {
                        let waits = self.nested && (is_attach(line) || is_foreign_key(line));
                        !waits && !self.is_apart(line) && !comes_last(line) && !self.is_doubtful(line)
                    }
                    Section::IndexAttaches => self.nested && is_attach(line),
                    Section::ForeignKeys => self.nested && is_foreign_key(line) && !self.is_doubtful(line),
                    Section::DoubtfulKeys => self.is_doubtful(line),
                    Section::EventTriggers => comes_last(line),
                };
                is_of = wanted && !self.unwanted.iter().any(|key| entry(line).starts_with(key.as_str()));
            }
            if is_of {
                chosen.push(line);
            }
        }
        chosen
    }

    fn is_apart(&self, line: &str) -> bool {
        is_among(line, &self.apart)
    }

    fn is_doubtful(&self, line: &str) -> bool {
        is_among(line, &self.doubtful)
    }
}

/// Entries to restore, and how.
struct Work<'a> {
    entries: &'a [&'a str],
    archive: &'a ArchiveFile,
    /// The only section that is restored of them, as `pg_restore` takes it.
    part: Option<&'static str>,
    jobs: usize,
    /// Whether these are all foreign keys that rows may break.
    doubtful_foreign_keys: bool,
}

fn told_of_clash(failed: &[FailedEntry], jobs: usize, said: &str) -> String {
    let count = failed.iter().filter(|one| one.again).count() as u64;
    format!(
        "{} made again one at a time: with {jobs} jobs they stood in each other's way ({said})",
        units::counted(count, "object was", "objects were")
    )
}

/// Which indexes are not built beside others, and whether some join such as join others.
async fn index_conflicts(
    tool: &Tool,
    archive: &ArchiveFile,
    contents: &[String],
) -> std::io::Result<(BTreeSet<u32>, bool)> {
    let indexes: Vec<&str> =
        contents.iter().map(String::as_str).filter(|line| entry(line).starts_with(INDEX)).collect();
    if indexes.len() < 2 {
        return Ok((BTreeSet::new(), false));
    }
    let list = ArchiveFile::new(indexes.join("\n").as_bytes())?;
    let mut command = serverless(&tool.path);
    command.args(["--verbose", "--file=-", "--use-list"]).arg(list.path()).arg(archive.path());
    let script = command.output().await?.stdout;
    let script = String::from_utf8_lossy(&script);
    Ok((index_conflict::to_build_apart(&script), index_conflict::joins_nested(&script)))
}

fn number(line: &str) -> Option<u32> {
    line.split(';').next()?.parse().ok()
}

fn is_among(line: &str, numbers: &BTreeSet<u32>) -> bool {
    number(line).is_some_and(|number| numbers.contains(&number))
}

/// What a line of the table of contents says after its three numbers: `123; 3466 16500 EVENT TRIGGER - name owner`.
/// Only its beginning can be trusted: names may hold anything, words of other entries too.
fn entry(line: &str) -> &str {
    line.splitn(4, ' ').nth(3).unwrap_or_default()
}

fn is_attach(line: &str) -> bool {
    entry(line).starts_with(INDEX_ATTACH)
}

fn makes_index(line: &str) -> bool {
    let entry = entry(line);
    entry.starts_with(INDEX_CONSTRAINT) || (entry.starts_with(INDEX) && !is_attach(line))
}

fn is_foreign_key(line: &str) -> bool {
    entry(line).starts_with(FOREIGN_KEY)
}

fn comes_last(line: &str) -> bool {
    LAST.iter().any(|beginning| entry(line).starts_with(beginning))
}

/// Whether `pg_restore` counts it to the section of the entry before it, which is the one that it is about. At the head of a
/// list that is whatever the list leaves out, and so `--section` would drop it.
fn has_no_section(line: &str) -> bool {
    ["COMMENT ", "SECURITY LABEL ", "ACL "].iter().any(|beginning| entry(line).starts_with(beginning))
}

/// Privileges, which come after what they are on: without the right to create in its schema nothing more could be made.
fn is_privilege(line: &str) -> bool {
    entry(line).starts_with("ACL ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_told_from_what_is_called_like_them() {
        for line in ["3; 2606 16390 CONSTRAINT public t t_pkey postgres", "4; 1259 16391 INDEX public t_name postgres"]
        {
            assert!(makes_index(line), "{line}");
        }
        for line in [
            "5; 2606 16392 FK CONSTRAINT public t t_fkey postgres",
            "6; 2606 16393 CHECK CONSTRAINT public t positive postgres",
            "7; 0 0 INDEX ATTACH public t1_name postgres",
            "8; 0 0 COMMENT public INDEX t_name postgres",
            "9; 1259 16394 TABLE public INDEX postgres",
        ] {
            assert!(!makes_index(line), "{line}");
        }
    }

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
