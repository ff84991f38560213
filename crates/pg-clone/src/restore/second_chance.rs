//! What the server refused, tried again: with the search path that the database has in use, and once the rest is there.
//!
//! A restore makes everything without a search path, as `pg_dump` wrote it. What is computed meanwhile, such as the
//! expression of an index or the rows of a materialized view, may come upon a function whose body names another one without
//! its schema. Nothing here costs anything where nothing is refused.

use crate::adapters::connection::{Server, Session};
use crate::adapters::sql::{matviews, sequences, session_settings};
use crate::error::{PgError, PgResult};
use crate::options::RestoreOptions;
use crate::restore::failed_entry::FailedEntry;
use crate::restore::tools::{Restored, SchemaArchive, Section};
use crate::restore::unrestored::Unrestored;
use crate::stored::detail::{MatviewState, SequenceState};

/// What a restore attempts, and what of it was refused.
pub(super) struct Attempts<'a> {
    pub(super) archive: &'a SchemaArchive,
    pub(super) server: &'a Server,
    pub(super) database: &'a str,
    pub(super) options: &'a RestoreOptions,
    /// In that database, without a search path.
    pub(super) session: &'a Session,
    refused: Refused,
}

/// What was refused so far.
#[derive(Debug, Default)]
struct Refused {
    entries: Vec<FailedEntry>,
    views: Vec<(MatviewState, PgError)>,
    others: Vec<Unrestored>,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(
        archive: &'a SchemaArchive,
        server: &'a Server,
        database: &'a str,
        options: &'a RestoreOptions,
        session: &'a Session,
    ) -> Self {
        Self { archive, server, database, options, session, refused: Refused::default() }
    }

    /// Restores a section of the archive; returns what is told of it.
    pub(super) async fn section(&mut self, section: Section) -> PgResult<Vec<String>> {
        let Restored { told, failed } = self.archive.restore(section, self.server, self.database, self.options).await?;
        self.refused.entries.extend(failed);
        Ok(told)
    }

    /// Tries entries of the archive again until no more of them are taken.
    pub(super) async fn entries_again(&mut self) -> PgResult<Vec<String>> {
        let mut told = Vec::new();
        while self.try_entries(&mut told).await? {}
        Ok(told)
    }

    /// Fills the materialized views that held rows, each after those it reads, as far as the server lets them.
    pub(super) async fn refresh(&mut self, views: &[MatviewState]) -> PgResult<()> {
        for view in views.iter().filter(|view| view.populated) {
            self.try_view(view.clone()).await?;
        }
        Ok(())
    }

    /// Sets the sequences, as far as they are there.
    pub(super) async fn sequences(&mut self, states: &[SequenceState]) -> PgResult<()> {
        match sequences::set(self.session, states).await {
            Err(error) if error.is_refusal() => {}
            other => return other,
        }
        for state in states {
            match sequences::set(self.session, std::slice::from_ref(state)).await {
                Ok(()) => {}
                Err(error) if error.is_refusal() => {
                    let said = error.servers_words();
                    // One of an extension that was left out on request; which one it is of, a dump does not say.
                    let is_left_out = !self.options.selection.exclude_extensions.is_empty();
                    if !(is_left_out && said.ends_with("does not exist")) {
                        self.lacks(format!("value of sequence {}.{}", state.schema, state.name), said);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Tries everything again, in turn, until no more is taken: an index may need a view that has rows, and a view an index.
    pub(super) async fn all_again(&mut self) -> PgResult<Vec<String>> {
        let mut told = Vec::new();
        loop {
            let entries = self.try_entries(&mut told).await?;
            let views = self.try_views().await?;
            if !entries && !views {
                return Ok(told);
            }
        }
    }

    /// Something else that is not there.
    pub(super) fn lacks(&mut self, object: String, said: String) {
        self.refused.others.push(Unrestored::new(object, said));
    }

    /// What is not there now.
    pub(super) fn missing(&self) -> Vec<Unrestored> {
        let entries = self.refused.entries.iter().map(|entry| entry.object.clone());
        let views = self.refused.views.iter().map(|(view, error)| {
            Unrestored::new(format!("rows of materialized view {}.{}", view.schema, view.name), error.servers_words())
        });
        entries.chain(self.refused.others.iter().cloned()).chain(views).collect()
    }

    /// One more attempt at each entry; whether it got any further.
    async fn try_entries(&mut self, told: &mut Vec<String>) -> PgResult<bool> {
        let waiting = |entries: &[FailedEntry]| entries.iter().filter(|entry| entry.again).count();
        let before = waiting(&self.refused.entries);
        if before == 0 {
            return Ok(false);
        }
        let search_path = session_settings::own_search_path(self.session).await?;
        let entries = std::mem::take(&mut self.refused.entries);
        let again = self.archive.again(entries, &search_path, self.server, self.database, self.options);
        let restored = again.await?;
        told.extend(restored.told);
        self.refused.entries = restored.failed;
        Ok(waiting(&self.refused.entries) < before)
    }

    /// One more attempt at each view; whether it got any further.
    async fn try_views(&mut self) -> PgResult<bool> {
        let views = std::mem::take(&mut self.refused.views);
        let before = views.len();
        if before == 0 {
            return Ok(false);
        }
        session_settings::reset_search_path(self.session).await?;
        for (view, _) in views {
            self.try_view(view).await?;
        }
        session_settings::empty_search_path(self.session).await?;
        Ok(self.refused.views.len() < before)
    }

    async fn try_view(&mut self, view: MatviewState) -> PgResult<()> {
        match matviews::refresh(self.session, &view).await {
            Ok(()) => Ok(()),
            Err(error) if error.is_refusal() => {
                self.refused.views.push((view, error));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
