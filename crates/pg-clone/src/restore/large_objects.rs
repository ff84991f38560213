//! The large objects of a dump: created, filled, and given their owners, privileges and comments.

use crate::adapters::connection::Session;
use crate::adapters::sql::{large_objects, transaction};
use crate::error::{Obstacle, PgError, PgResult, Problem};
use crate::options::RestoreOptions;
use crate::restore::load_unit::copy_in;
use crate::restore::loading::Load;
use crate::restore::read_back::check_large_objects;
use crate::stored::detail::LargeObjects;
use backup_core::failure::Setting;
use backup_core::remedy;

/// Frames of large objects written in one transaction: each holds about 4 MiB.
const SLICE_FRAMES: usize = 8;

/// What an error says was done.
const DOING: &str = "restoring the large objects";

/// Where large objects go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// A database that holds none yet, in transactions of their own.
    NewDatabase,
    /// A live database, within the session's transaction; the live ones of the same numbers go if they are `replaced`.
    Live {
        /// Whether they go.
        replaced: bool,
    },
}

/// Creates the large objects, fills them, and gives them their owners, privileges and comments.
pub(crate) async fn restore(
    load: &Load,
    session: &Session,
    objects: &LargeObjects,
    destination: Destination,
    options: &RestoreOptions,
) -> PgResult<()> {
    large_objects::prepare(session).await?;
    copy_in(load, session, &large_objects::staging(), &objects.metadata.frames, DOING).await?;
    if let Destination::Live { replaced } = destination {
        make_room(session, replaced).await?;
    }
    let created = large_objects::create_staged(session).await?;
    if created != objects.count {
        return Err(PgError::Mismatch { what: format!("{created} of {} large objects were created", objects.count) });
    }
    for frames in objects.slices.frames.chunk_by(|a, b| a.part == b.part && a.offset + a.length == b.offset) {
        for frames in frames.chunks(SLICE_FRAMES) {
            if destination == Destination::NewDatabase {
                transaction::begin(session, DOING).await?;
            }
            copy_in(load, session, &large_objects::slicing(), frames, DOING).await?;
            match destination {
                Destination::NewDatabase => large_objects::put_slices_and_commit(session).await?,
                Destination::Live { .. } => large_objects::put_slices_within(session).await?,
            }
        }
    }
    for (name, data) in [("large objects", &objects.metadata), ("large objects' bytes", &objects.slices)] {
        if let Some(what) = load.hashes.difference(name, data) {
            return Err(load.damaged(what));
        }
    }
    if let Destination::Live { .. } = destination {
        check_large_objects(session, &objects.slices).await?;
    }
    large_objects::give_attributes(session, options).await
}

/// Removes the live large objects whose numbers those of the dump have, or refuses.
async fn make_room(session: &Session, replaced: bool) -> PgResult<()> {
    if replaced {
        return large_objects::remove_taken(session).await;
    }
    let taken = large_objects::taken(session).await?;
    if taken.count == 0 {
        return Ok(());
    }
    Err(Problem::new(
        Obstacle::RowsInTheWay,
        format!(
            "{} of the dump's large objects have numbers that are already in use, the first is {}",
            taken.count, taken.first
        ),
        remedy![
            "replace them, and the rows of the selected tables, with ",
            Setting::ReplaceRows,
            ", or leave out large objects with ",
            Setting::Table,
            " or ",
            Setting::Schema
        ],
    )
    .refusal())
}
