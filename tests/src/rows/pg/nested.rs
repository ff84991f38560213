//! Indexes of partitions of partitions.

use crate::ensure_eq;
use crate::harness::{RowResult, World};

/// So many tables, for several jobs to join indexes of both levels at the same time.
const TABLES: usize = 12;

/// Two levels, so that an index is whole only once all of the lower level are.
const TABLE: &str = "CREATE TABLE t_N (id integer, day date, what text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day); \
    CREATE TABLE t_N_old PARTITION OF t_N FOR VALUES FROM (MINVALUE) TO ('2020-01-01') PARTITION BY LIST (id); \
    CREATE TABLE t_N_old_1 PARTITION OF t_N_old FOR VALUES IN (1); CREATE TABLE t_N_old_2 PARTITION OF t_N_old DEFAULT; \
    CREATE TABLE t_N_new PARTITION OF t_N DEFAULT; CREATE INDEX t_N_what ON t_N (what); CREATE INDEX t_N_day ON t_N (day, what); \
    CREATE TABLE r_N (id integer, day date, FOREIGN KEY (id, day) REFERENCES t_N); \
    INSERT INTO t_N VALUES (1, '2019-01-01', 'a'), (2, '2019-01-01', 'b'), (3, '2020-01-01', 'c'); INSERT INTO r_N VALUES (3, '2020-01-01');";

const INVALID: &str = "SELECT string_agg(indexrelid::regclass::text, ' ') FROM pg_index WHERE NOT indisvalid";

/// All are valid after a restore, and keys to them hold.
pub(super) async fn indexes(world: &World) -> RowResult {
    let shop = world.create("shop")?;
    for number in 1..=TABLES {
        world.psql(&shop, &TABLE.replace("_N", &format!("_{number}")))?;
    }
    let key = world.dump(&shop).await?;
    for round in 1..=3 {
        let copy = world.name(&format!("copy_{round}"));
        world.lastgood(["pg", "restore", &key, "--into", &copy, "--jobs", "8"]).ok().await?;
        ensure_eq!(world.psql(&copy, INVALID)?, "", "indexes that are not valid");
        let keys = world.psql(&copy, "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conparentid = 0")?;
        ensure_eq!(keys, TABLES.to_string(), "foreign keys");
    }
    Ok(())
}
