//! Large objects as rows, read through the snapshot without superuser rights.

/// Objects copied by one statement.
pub(crate) const BATCH: usize = 1_000;

/// Bytes of a large object in one row.
const SLICE_BYTES: u32 = 256 * 1024;

/// One row an object: oid, owner, privileges, comment.
pub(crate) const METADATA_STATEMENT: &str = "COPY (SELECT l.oid, pg_catalog.pg_get_userbyid(l.lomowner), \
    l.lomacl::text, pg_catalog.obj_description(l.oid, 'pg_largeobject') \
    FROM pg_catalog.pg_largeobject_metadata l ORDER BY l.oid) TO STDOUT";

/// One row a slice: oid, offset, bytes. The size is found by seeking to the end (`262144` is INV_READ of `lo_open`,
/// PostgreSQL manual, "Server-Side Functions" of large objects); an empty object has no slice.
pub(crate) fn slices_statement(oids: &[u32]) -> String {
    let oids: Vec<String> = oids.iter().map(ToString::to_string).collect();
    format!(
        "COPY (WITH opened AS MATERIALIZED (SELECT oid, pg_catalog.lo_open(oid, 262144) AS fd \
           FROM unnest('{{{}}}'::oid[]) AS o(oid)), \
         sized AS MATERIALIZED (SELECT oid, fd, pg_catalog.lo_lseek64(fd, 0, 2) AS size FROM opened), \
         closed AS MATERIALIZED (SELECT oid, size, pg_catalog.lo_close(fd) FROM sized) \
         SELECT oid, at, pg_catalog.lo_get(oid, at, {SLICE_BYTES}) \
         FROM closed, generate_series(0, size - 1, {SLICE_BYTES}) AS at) TO STDOUT",
        oids.join(",")
    )
}
