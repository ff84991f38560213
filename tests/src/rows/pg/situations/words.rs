//! What is said where somebody has to do something.

use crate::ensure_eq;
use crate::harness::{Lastgood, RowResult, World};

fn as_role<'w>(world: &'w World, role: &str, words: &[&str]) -> Lastgood<'w> {
    world.lastgood(words.iter().copied()).env("PGUSER", role).env("PGPASSWORD", "pw")
}

/// A limit of the role's own is told from one of the server's.
pub(super) async fn role_full(world: &World) -> RowResult {
    let shop = world.create("shop")?;
    world.psql(&shop, "CREATE TABLE t AS SELECT 1 AS i")?;
    let role = world.name("narrow");
    let create = format!("CREATE ROLE {role} LOGIN PASSWORD 'pw' CONNECTION LIMIT 1; GRANT SELECT ON t TO {role}");
    world.psql(&shop, &create)?;
    let refused = as_role(world, &role, &["pg", "dump", &shop, "--jobs", "4"]).run().await?;
    ensure_eq!(refused.code() == Some(0), false, "whether one connection is too few");
    refused.says("every connection of the role is taken")?.says("--jobs")?.says("CONNECTION LIMIT")?;
    Ok(())
}

/// Neither option leaves a policy out: a plan and its run say so.
pub(super) async fn missing_in_policy(world: &World) -> RowResult {
    let (tenant, reader) = (world.name("tenant"), world.name("reader"));
    let shop = world.sample("shop")?;
    world.psql(
        &shop,
        &format!(
            "CREATE ROLE {tenant}; CREATE ROLE {reader}; CREATE POLICY mine ON orders TO {tenant} USING (true); \
             GRANT SELECT ON orders TO {reader}"
        ),
    )?;
    let key = world.dump(&shop).await?;
    world.psql(&shop, &format!("DROP OWNED BY {tenant}, {reader}; DROP ROLE {tenant}, {reader}"))?;
    let copy = world.name("copy");
    let restore = ["pg", "restore", &key, "--into", &copy];
    let refused = world.lastgood(restore).fails(1).await?;
    refused
        .says(&tenant)?
        .says(&reader)?
        .says("--no-acl")?
        .says(&format!("but not policies, which name `{tenant}`"))?;
    for arguments in [vec!["--no-owner", "--no-acl"], vec!["--no-owner", "--no-acl", "-n"]] {
        let refused = world.lastgood(restore).args(arguments).fails(1).await?;
        refused.says(&format!("the roles `{tenant}` do not exist"))?.says("policies name them")?.never_says(&reader)?;
    }
    world.psql("postgres", &format!("CREATE ROLE {tenant}"))?;
    world.lastgood(restore).args(["--no-owner", "--no-acl"]).ok().await?;
    let policies = "SELECT polroles[1]::regrole::text FROM pg_policy";
    ensure_eq!(world.psql(&copy, policies)?, tenant, "the role of the policy");
    Ok(())
}

/// Nothing can be listed, created or renamed from inside the one database that lets the role in.
pub(super) async fn no_database_to_start_from(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.psql("postgres", "CREATE ROLE narrow LOGIN PASSWORD 'pw' CREATEDB")?;
    world.psql("postgres", "REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC")?;
    let refused = as_role(world, "narrow", &["pg", "ls", "--local"]).run().await?;
    ensure_eq!(refused.code(), Some(21), "the exit code");
    refused.says("neither of the databases `postgres` and `template1`")?.says("GRANT CONNECT")?;
    ensure_eq!(world.databases()?, [shop], "databases of the server");
    Ok(())
}
