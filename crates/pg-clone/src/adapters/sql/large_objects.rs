//! Large objects as rows, read through the snapshot without superuser rights, and made of such rows again.

use crate::adapters::connection::Session;
use crate::adapters::sql::copy_in::CopyIn;
use crate::adapters::sql::copy_out::CopyOut;
use crate::error::{PgError, PgResult};
use crate::options::RestoreOptions;

/// Objects copied by one statement.
pub(crate) const BATCH: usize = 1_000;

/// Objects given owners, privileges and comments in one transaction. Each takes a lock until its end, and all sessions of a
/// server share the room for some 6,400 by default: what fills it fails, and so do the clients of other databases meanwhile.
const ATTRIBUTES_BATCH: u32 = 1_000;

/// Bytes of a large object in one row.
const SLICE_BYTES: u32 = 256 * 1024;

/// Where what is known of large objects is put before they are made.
const STAGED: &str = "pg_temp.lastgood_lo";

/// Where slices are put before they are written into large objects.
const SLICES: &str = "pg_temp.lastgood_lo_slice";

/// Large objects of the database whose numbers are those of staged ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) count: u64,
    /// The lowest number.
    pub(crate) first: u32,
}

/// One row an object: oid, owner, privileges, comment.
pub(crate) fn metadata() -> CopyOut {
    CopyOut::of_query(
        "SELECT l.oid, pg_catalog.pg_get_userbyid(l.lomowner), \
           l.lomacl::text, pg_catalog.obj_description(l.oid, 'pg_largeobject') \
         FROM pg_catalog.pg_largeobject_metadata l ORDER BY l.oid",
    )
}

/// One row a slice: oid, offset, bytes. The size is found by seeking to the end (`262144` is INV_READ of `lo_open`,
/// PostgreSQL manual, "Server-Side Functions" of large objects); an empty object has no slice.
pub(crate) fn slices(oids: &[u32]) -> CopyOut {
    let oids: Vec<String> = oids.iter().map(ToString::to_string).collect();
    CopyOut::of_query(&format!(
        "WITH opened AS MATERIALIZED (SELECT oid, pg_catalog.lo_open(oid, 262144) AS fd \
           FROM unnest('{{{}}}'::oid[]) AS o(oid)), \
         sized AS MATERIALIZED (SELECT oid, fd, pg_catalog.lo_lseek64(fd, 0, 2) AS size FROM opened), \
         closed AS MATERIALIZED (SELECT oid, size, pg_catalog.lo_close(fd) FROM sized) \
         SELECT oid, at, pg_catalog.lo_get(oid, at, {SLICE_BYTES}) \
         FROM closed, generate_series(0, size - 1, {SLICE_BYTES}) AS at",
        oids.join(",")
    ))
}

/// Makes room for rows of both kinds, which [`staging`] and [`slicing`] take.
pub(crate) async fn prepare(session: &Session) -> PgResult<()> {
    // By number, so that a batch of them is found.
    let make = "CREATE TEMP TABLE lastgood_lo (oid oid PRIMARY KEY, owner text, acl text, comment text); \
        CREATE TEMP TABLE lastgood_lo_slice (oid oid, at bigint, bytes bytea) ON COMMIT DELETE ROWS";
    session.batch_execute(make).await.map_err(restoring)
}

/// Takes rows of [`metadata`].
pub(crate) fn staging() -> CopyIn {
    CopyIn::into(STAGED, &[], "")
}

/// Takes rows of [`slices`].
pub(crate) fn slicing() -> CopyIn {
    CopyIn::into(SLICES, &[], "")
}

/// The numbers of the staged objects.
pub(crate) async fn staged(session: &Session) -> PgResult<Vec<u32>> {
    let rows = session.query(&format!("SELECT oid FROM {STAGED}"), &[]).await;
    let rows = rows.map_err(|error| PgError::sql("reading the large objects back", error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Large objects that have numbers of staged ones.
pub(crate) async fn taken(session: &Session) -> PgResult<Taken> {
    let statement = format!("SELECT count(*), min(l.oid) {}", of_same_numbers());
    let row = session.query_one(&statement, &[]).await.map_err(making_room)?;
    let count = row.get::<_, i64>(0).unsigned_abs();
    Ok(Taken { count, first: row.get::<_, Option<u32>>(1).unwrap_or_default() })
}

/// Removes the large objects that have numbers of staged ones.
pub(crate) async fn remove_taken(session: &Session) -> PgResult<()> {
    let unlink = format!("SELECT count(pg_catalog.lo_unlink(l.oid)) {}", of_same_numbers());
    session.batch_execute(&unlink).await.map_err(making_room)
}

fn of_same_numbers() -> String {
    format!("FROM {STAGED} l WHERE EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata m WHERE m.oid = l.oid)")
}

/// Makes the staged objects, empty; returns how many.
pub(crate) async fn create_staged(session: &Session) -> PgResult<u64> {
    let create = format!("SELECT count(pg_catalog.lo_create(oid)) FROM {STAGED}");
    let row = session.query_one(&create, &[]).await.map_err(restoring)?;
    Ok(row.get::<_, i64>(0).unsigned_abs())
}

/// Writes the slices into their objects, and commits, which forgets the slices.
pub(crate) async fn put_slices_and_commit(session: &Session) -> PgResult<()> {
    put_slices(session, "COMMIT").await
}

/// Writes the slices into their objects, and forgets them within the transaction.
pub(crate) async fn put_slices_within(session: &Session) -> PgResult<()> {
    put_slices(session, &format!("TRUNCATE {SLICES}")).await
}

async fn put_slices(session: &Session, end: &str) -> PgResult<()> {
    let put = format!("SELECT count(pg_catalog.lo_put(oid, at, bytes)) FROM {SLICES}; {end}");
    session.batch_execute(&put).await.map_err(restoring)
}

/// Gives the staged objects the owners and privileges that `options` ask for, and their comments, some at a time: outside a
/// transaction each time in one of its own. Nothing stays staged.
pub(crate) async fn give_attributes(session: &Session, options: &RestoreOptions) -> PgResult<()> {
    let mut after = 0;
    for last in batch_ends(session, options).await? {
        session.batch_execute(&attributes(options, after, last)).await.map_err(restoring)?;
        after = last;
    }
    session.batch_execute(&format!("DROP TABLE {STAGED}, {SLICES}")).await.map_err(restoring)
}

/// The last number of each batch of staged objects that get attributes, in order.
async fn batch_ends(session: &Session, options: &RestoreOptions) -> PgResult<Vec<u32>> {
    let statement = format!(
        "SELECT max(oid) FROM (SELECT oid, (row_number() OVER (ORDER BY oid) - 1) / {ATTRIBUTES_BATCH} AS batch \
         FROM {STAGED} WHERE {}) AS numbered GROUP BY batch ORDER BY 1",
        with_attributes(options)
    );
    let rows = session.query(&statement, &[]).await.map_err(restoring)?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Whether a staged object gets an owner, privileges or a comment.
fn with_attributes(options: &RestoreOptions) -> String {
    let mut which = vec!["comment IS NOT NULL".to_owned()];
    if !options.no_owner {
        which.push(of_others(options).to_owned());
    }
    if !options.no_acl {
        which.push("acl IS NOT NULL".to_owned());
    }
    which.join(" OR ")
}

/// Which staged objects get another owner than us.
fn of_others(options: &RestoreOptions) -> &'static str {
    // On a managed server others' objects stay ours, as their tables do.
    if options.managed {
        "(owner <> current_user AND EXISTS (SELECT FROM pg_catalog.pg_roles r \
         WHERE r.rolname = owner AND pg_has_role(r.oid, 'MEMBER')))"
    } else {
        "owner <> current_user"
    }
}

fn restoring(error: tokio_postgres::Error) -> PgError {
    PgError::sql("restoring the large objects", error)
}

fn making_room(error: tokio_postgres::Error) -> PgError {
    PgError::sql("looking for large objects of the same numbers", error)
}

/// What gives attributes to the staged objects of numbers in `(after, last]`. Owners first: they are the grantors of what
/// follows, and what they may do by themselves can be less than everything.
fn attributes(options: &RestoreOptions, after: u32, last: u32) -> String {
    let mut body = String::new();
    let staged = format!("(SELECT * FROM {STAGED} WHERE oid > '{after}'::oid AND oid <= '{last}'::oid)");
    if !options.no_owner {
        let which = of_others(options);
        body.push_str(&format!(
            "FOR o IN SELECT * FROM {staged} AS l WHERE {which} LOOP \
               EXECUTE format('ALTER LARGE OBJECT %s OWNER TO %I', o.oid, o.owner); END LOOP; "
        ));
    }
    if !options.no_acl {
        // `{}`: even the owner has nothing. As an array it has no dimension, which aclexplode refuses.
        body.push_str(&format!(
            "FOR o IN SELECT l.oid, pg_catalog.pg_get_userbyid(m.lomowner) AS owner FROM {staged} AS l \
               JOIN pg_catalog.pg_largeobject_metadata m ON m.oid = l.oid WHERE l.acl IS NOT NULL \
             LOOP EXECUTE format('REVOKE ALL ON LARGE OBJECT %s FROM PUBLIC, %I', o.oid, o.owner); END LOOP; \
             FOR o IN SELECT l.oid, a.grantee, a.privilege_type, a.is_grantable \
               FROM (SELECT * FROM {staged} AS s WHERE acl IS NOT NULL AND acl <> '{{}}') l, \
                 LATERAL pg_catalog.aclexplode(l.acl::aclitem[]) a \
             LOOP EXECUTE format('GRANT %s ON LARGE OBJECT %s TO %s%s', o.privilege_type, o.oid, \
               CASE WHEN o.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_catalog.pg_get_userbyid(o.grantee)) END, \
               CASE WHEN o.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END); END LOOP; "
        ));
    }
    body.push_str(&format!(
        "FOR o IN SELECT * FROM {staged} AS l WHERE comment IS NOT NULL LOOP \
           EXECUTE format('COMMENT ON LARGE OBJECT %s IS %L', o.oid, o.comment); END LOOP; "
    ));
    format!("DO $lastgood$ DECLARE o record; BEGIN {body} END $lastgood$")
}
