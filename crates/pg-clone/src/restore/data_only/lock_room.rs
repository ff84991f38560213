//! Whether the server has room for the locks of large objects, all of which one transaction changes.

use std::collections::BTreeSet;

use backup_core::failure::Setting;
use backup_core::manifest::Manifest;
use backup_core::remedy;
use backup_core::store::StoreRead;
use backup_core::units::{count, counted};

use crate::adapters::connection::Server;
use crate::adapters::sql::{catalog, server};
use crate::error::{Obstacle, PgError, PgResult, Problem};
use crate::options::RestoreOptions;
use crate::restore::frames::unpack;
use crate::restore::load_unit::connect;
use crate::restore::select;
use crate::stored::detail::{DumpDetail, RowText};

/// What part of the room one transaction may take, as its inverse: whoever takes all of it makes the clients of every
/// database of the server fail.
const SHARE: u64 = 2;

/// What stands against putting the dump's large objects into the live `database`.
pub(crate) async fn look(
    server: &Server,
    store: &dyn StoreRead,
    database: &str,
    key: &str,
    manifest: &Manifest<DumpDetail>,
    options: &RestoreOptions,
) -> PgResult<Option<Problem>> {
    let Some(objects) = &manifest.detail.large_objects else { return Ok(None) };
    let session = connect(server, database, RowText::default()).await?;
    let room = server::lock_room(&session).await? / SHARE;
    if objects.count <= room {
        return Ok(None);
    }
    // So many that it matters which of them are locked: creating and filling one takes no lock.
    let role = server::facts(&session).await?.role;
    let replaced = match options.replace_rows {
        true => catalog::large_objects(&session).await?.into_iter().collect(),
        false => BTreeSet::new(),
    };
    let mut locked = 0;
    for frame in &objects.metadata.frames {
        let part = manifest.parts.get(frame.part as usize);
        let part = part.ok_or_else(|| damaged(key, format!("the manifest lists no part {}", frame.part)))?;
        let range = frame.offset..frame.offset + frame.length;
        let stored = select::read_range(store, &part.key, range).await?;
        let rows =
            unpack(stored, frame.clone()).await.map_err(|what| damaged(key, format!("`{}`: {what}", part.key)))?;
        let rows = String::from_utf8_lossy(&rows).into_owned();
        locked += rows.lines().filter(|row| is_locked(row, &role, &replaced, options)).count() as u64;
    }
    Ok((locked > room).then(|| problem(locked, room)))
}

fn damaged(key: &str, what: String) -> PgError {
    PgError::Integrity { dump: key.to_owned(), what }
}

/// Whether the object of a row of [`metadata`](crate::adapters::sql::large_objects::metadata) is removed, or given an owner,
/// privileges or a comment.
fn is_locked(row: &str, role: &str, replaced: &BTreeSet<u32>, options: &RestoreOptions) -> bool {
    const NULL: &str = "\\N";
    let mut columns = row.split('\t');
    let mut next = || columns.next().unwrap_or(NULL);
    let (oid, owner, acl, comment) = (next(), next(), next(), next());
    oid.parse().is_ok_and(|oid| replaced.contains(&oid))
        || (!options.no_owner && owner != role)
        || (!options.no_acl && acl != NULL)
        || comment != NULL
}

fn problem(locked: u64, room: u64) -> Problem {
    let objects = counted(locked, "large object", "large objects");
    Problem::new(
        Obstacle::LockRoom,
        format!(
            "owners, privileges and comments of {objects} would be set, or objects of their numbers removed, in one \
             transaction, which locks each of them; half of the server's lock table has room for {}",
            count(room)
        ),
        remedy![
            "leave out large objects with ",
            Setting::Table,
            " or ",
            Setting::Schema,
            ", owners and privileges with ",
            Setting::NoOwner,
            " and ",
            Setting::NoAcl,
            ", or raise max_locks_per_transaction in postgresql.conf and restart the server; a restore into another \
             database (",
            Setting::Into.with("NAME"),
            ", without ",
            Setting::DataOnly,
            ") needs no such room"
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_of_ours_without_privileges_and_comment_takes_no_lock() {
        let options = RestoreOptions::new("shop");
        let replaced = BTreeSet::from([7]);
        let locked = |row: &str, options: &RestoreOptions| is_locked(row, "me", &replaced, options);
        assert!(!locked("6\tme\t\\N\t\\N", &options));
        for row in ["7\tme\t\\N\t\\N", "6\tother\t\\N\t\\N", "6\tme\t{me=rw/me}\t\\N", "6\tme\t\\N\tsaid"] {
            assert!(locked(row, &options), "{row}");
        }
        let plain = RestoreOptions::new("shop").no_owner().no_acl();
        assert!(!locked("6\tother\t{}\t\\N", &plain) && locked("6\tme\t\\N\tsaid", &plain));
        let said = problem(18_000, 3_200);
        assert!(said.what.contains("18,000 large objects") && said.what.contains("3,200"), "{}", said.what);
    }
}
