//! C17 of records: random secrets through every way to fail; none of them may be seen anywhere.

use backup_testkit::s3_server::SECRET_ACCESS_KEY;
use rand::Rng as _;

use super::{USERS, keys, records};
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// Runs in words, as JSON and with every detail at once, and searches what is said.
async fn run(world: &World, secret: &str, arguments: &[&str], env: &[(&str, &str)], expected: i32) -> RowResult {
    for more in [&[][..], &["--json"], &["-vvv"]] {
        let mut command = world.lastgood(arguments.iter().chain(more).copied());
        for (name, value) in env {
            command = command.env(*name, *value);
        }
        let output = command.run().await?;
        let said = format!("{}{}", output.stdout, output.stderr);
        ensure!(
            !said.contains(secret) && !said.contains(SECRET_ACCESS_KEY),
            "a secret is in what `{}` says",
            output.line
        );
        output.expect_code(expected).within(&format!("{arguments:?}"))?;
    }
    Ok(())
}

/// C17.
pub(super) async fn nowhere(world: &World) -> RowResult {
    let database = world.create("secrets")?;
    world.psql(
        &database,
        "CREATE TABLE users (id text, value json); INSERT INTO users VALUES ('1', '{\"id\": \"1\"}')",
    )?;
    records(world, "records", &[("users.json", USERS)])?;
    let secret = format!("{:024x}", rand::rng().random::<u128>() >> 32);
    let role = world.name("leaky");
    world.psql("postgres", &format!("CREATE ROLE {role} LOGIN SUPERUSER PASSWORD '{secret}'"))?;
    let result = scan(world, &secret, &role, &database).await;
    world.psql("postgres", &format!("DROP ROLE {role}"))?;
    result
}

async fn scan(world: &World, secret: &str, role: &str, database: &str) -> RowResult {
    let server = format!("{}:{}", world.cluster().host(), world.cluster().port());
    let right = format!("postgres://{role}:{secret}@{server}/{database}");
    let wrong = format!("postgres://{role}:no{secret}@{server}/{database}");
    let absent = format!("postgres://{role}:{secret}@{server}/nothing");
    let nobody = ("PGPASSFILE", "/nonexistent");
    let source = format!("postgres:{database}");
    let backup = ["app", "backup", "--source", &source];
    run(world, secret, &backup, &[nobody, ("LASTGOOD_PG_URL", &right)], 0).await?;
    run(world, secret, &backup, &[nobody, ("LASTGOOD_PG_URL", &wrong)], 21).await?;
    let any = ["app", "backup", "--source", "postgres:"];
    run(world, secret, &any, &[nobody, ("LASTGOOD_PG_URL", &absent)], 1).await?;
    run(world, secret, &["app", "backup", "--source", &right], &[nobody], 2).await?;
    let mistyped = right.replacen("postgres", "mysql", 1);
    run(world, secret, &["app", "backup", "--source", &mistyped], &[], 2).await?;
    run(world, secret, &["app", "restore", "--to", &mistyped], &[], 2).await?;
    run(world, secret, &["app", "restore", "--to", &source], &[nobody, ("LASTGOOD_PG_URL", &wrong)], 21).await?;
    run(world, secret, &["app", "restore", "--to", &source], &[nobody, ("LASTGOOD_PG_URL", &right)], 1).await?;
    // A program that tells all it knows: what is ours it was never told.
    let tells =
        ["app", "backup", "--source", "exec:sh -c 'env >&2; env | grep LASTGOOD_ >&2; exit 3' {type}", "--type", "t"];
    run(world, secret, &tells, &[("LASTGOOD_PG_URL", &right)], 22).await?;
    if world.place().peer().is_some() {
        let refused = [("AWS_SECRET_ACCESS_KEY", secret), ("AWS_SESSION_TOKEN", secret)];
        run(world, secret, &["app", "backup", "--source", "ndjson:records"], &refused, 12).await?;
        run(world, secret, &["app", "lifecycle", "daily", "--expire-after", "30d", "--apply"], &refused, 12).await?;
    }
    for object in world.place().objects().await? {
        let bytes = world.place().read(&object.key).await?;
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        ensure!(!found, "the secret is in the object `{}`", object.key);
    }
    ensure_eq!(keys(world).await?.len(), 3, "backups");
    Ok(())
}
