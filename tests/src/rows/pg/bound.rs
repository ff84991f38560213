//! `pg_cron`, which a server makes only in the database that its configuration names.

use backup_testkit::postgres::Shutdown;

use crate::harness::{Failure, RowResult, World};
use crate::{ensure, ensure_eq};

/// Jobs, one of another role's; a privilege on its table; a view and a table that need it.
const JOBS: &str = "
CREATE EXTENSION pg_cron;
SELECT cron.schedule('nightly', '0 3 * * *', 'SELECT 1');
SELECT cron.schedule('hourly', '7 * * * *', 'SELECT 2');
SELECT cron.alter_job(2, active := false);
GRANT USAGE ON SCHEMA cron TO alice; GRANT SELECT ON cron.job TO alice;
CREATE VIEW jobs AS SELECT jobname FROM cron.job;
CREATE TABLE of_jobs (job bigint REFERENCES cron.job, note text);
INSERT INTO of_jobs VALUES (1, 'a note')";

/// What is there of it.
const LOOK: &str = "
SELECT jobid, jobname, schedule, command, database, active FROM cron.job ORDER BY jobid;
SELECT last_value, is_called FROM cron.jobid_seq; SELECT count(*) FROM jobs; SELECT * FROM of_jobs;
SELECT has_table_privilege('alice', 'cron.job', 'SELECT'), count(*) FROM pg_constraint WHERE conrelid = 'of_jobs'::regclass";

pub(super) async fn to_its_name(world: &World) -> RowResult {
    let offered = "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_cron'";
    if world.psql("postgres", offered)? == "0" {
        return Err(Failure::Skipped("the server does not offer pg_cron (Debian: postgresql-15-cron)".to_owned()));
    }
    let shop = world.sample("shop")?;
    let configured = |name: &str| -> RowResult {
        world.psql("postgres", "ALTER SYSTEM SET shared_preload_libraries = 'pg_cron'")?;
        world.cluster().restart(Shutdown::Fast)?;
        world.psql("postgres", &format!("ALTER SYSTEM SET cron.database_name = '{name}'"))?;
        Ok(world.cluster().restart(Shutdown::Fast)?)
    };
    configured(&shop)?;
    world.psql("postgres", "CREATE ROLE alice")?;
    world.psql(&shop, JOBS)?;
    let (jobs, rest) = (world.psql(&shop, LOOK)?, world.checksum(&shop)?);
    ensure!(jobs.contains("1|nightly|0 3 * * *|SELECT 1"), "what the row set up: {jobs}");
    let key = world.dump(&shop).await?;

    // Over the live database, whose worker is connected to it.
    world.psql(&shop, "SELECT cron.unschedule('nightly')")?;
    world.set_version(&shop, 2)?;
    let over_live = ["pg", "restore", &key, "--confirm-database", &shop];
    world.lastgood(over_live).ok().await?.says("0 errors")?;
    ensure_eq!(world.psql(&shop, LOOK)?, jobs, "the jobs after a restore over the live database");
    ensure_eq!(world.checksum(&shop)?, rest, "the rest");
    // Where there is none.
    world.psql("postgres", &format!("DROP DATABASE \"{shop}\" WITH (FORCE)"))?;
    world.lastgood(["pg", "restore", &key]).ok().await?;
    ensure_eq!(world.psql(&shop, LOOK)?, jobs, "the jobs in a new database of the right name");

    // Under another name nothing can be done, which is known before anything is.
    let copy = world.name("copy");
    let elsewhere = ["pg", "restore", &key, "--into", &copy];
    let plan = world.lastgood(elsewhere).arg("-n").fails(1).await?;
    plan.says(&format!("only in the database `{shop}`"))?.says("--exclude-extension pg_cron")?;
    world.lastgood(elsewhere).fails(1).await?.says("cron.database_name")?;
    ensure!(!world.databases()?.contains(&copy), "something was made");
    let without = world.lastgood(elsewhere).args(["--exclude-extension", "pg_cron"]).ok().await?;
    without.says("0 errors")?;
    // Without the indexes and keys of what was left out, which it counts.
    let contents = |checksum: &str| checksum.split('|').take(5).map(str::to_owned).collect::<Vec<_>>();
    ensure_eq!(contents(&world.checksum(&copy)?), contents(&rest), "the rest in a copy");
    let gone = "SELECT count(*) FROM pg_extension WHERE extname = 'pg_cron'; SELECT to_regclass('jobs')";
    ensure_eq!(world.psql(&copy, gone)?, "0\n", "what was left out");
    world
        .lastgood(elsewhere)
        .args(["--exclude-extension", "no_such"])
        .fails(2)
        .await?
        .says("no extension `no_such`")?;
    Ok(())
}
