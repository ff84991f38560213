//! C17: random secrets, driven through every way to fail; none of them may be seen anywhere.

use std::fs;
use std::path::PathBuf;

use backup_testkit::s3_server::SECRET_ACCESS_KEY;
use futures::future::try_join_all;
use rand::Rng as _;

use super::craft::place_of;
use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World, stub};
use crate::{ensure, ensure_eq};

/// A secret: what is used, and the piece by which it is recognised however it is quoted, cut or encoded.
struct Secret {
    value: String,
    core: String,
}

impl Secret {
    fn random() -> Self {
        let core: String = format!("{:024x}", rand::rng().random::<u128>() >> 32);
        Self { value: format!("p/{core}@:%'x\\"), core }
    }

    /// As it stands in a URL.
    fn in_url(&self) -> String {
        self.value.bytes().map(|byte| format!("%{byte:02X}")).collect()
    }

    /// In a URL, with only that encoded which has to be.
    fn in_short_url(&self) -> String {
        format!("p%2F{}%40%3A%25'x%5C", self.core)
    }
}

/// Every secret of a run of the row, and everything it must not be in.
struct Watch<'w> {
    world: &'w World,
    secrets: Vec<String>,
    temporary: PathBuf,
}

impl Watch<'_> {
    /// Runs, in words, as JSON and with every detail at once, and searches what is said.
    async fn run(&self, arguments: &[&str], env: &[(&str, &str)], expected: i32) -> RowResult {
        let runs = [&[][..], &["--json"], &["-vvv"]].map(|more| {
            let mut command = self.world.lastgood(arguments.iter().chain(more).copied());
            for (name, value) in env {
                command = command.env(*name, *value);
            }
            command.env("TMPDIR", self.temporary.display().to_string()).run()
        });
        for output in try_join_all(runs).await? {
            let said = format!("{}{}", output.stdout, output.stderr);
            let found = self.secrets.iter().any(|core| said.contains(core));
            ensure!(!found, "a secret is in what `{}` says", output.line);
            output.expect_code(expected).within(&format!("{arguments:?}"))?;
        }
        Ok(())
    }

    /// Searches what is stored, and what is left in the temporary folder.
    async fn stored(&self) -> RowResult {
        for object in self.world.place().objects().await? {
            let bytes = self.world.place().read(&object.key).await?;
            ensure!(!self.is_in(&bytes), "a secret is in the object `{}`", object.key);
        }
        ensure_eq!(fs::read_dir(&self.temporary)?.count(), 0, "temporary files left behind");
        Ok(())
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        self.secrets.iter().any(|core| bytes.windows(core.len()).any(|window| window == core.as_bytes()))
    }
}

/// C17.
pub(super) async fn nowhere(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let role = world.name("leaky");
    let (right, wrong, aws) = (Secret::random(), Secret::random(), Secret::random());
    let quoted = right.value.replace('\'', "''");
    world.psql(
        "postgres",
        &format!("SET standard_conforming_strings = on; CREATE ROLE {role} LOGIN SUPERUSER PASSWORD '{quoted}'"),
    )?;
    let result = scan(world, &shop, &role, [&right, &wrong, &aws]).await;
    world.psql("postgres", &format!("DROP ROLE {role}"))?;
    result
}

async fn scan(world: &World, shop: &str, role: &str, [right, wrong, aws]: [&Secret; 3]) -> RowResult {
    let temporary = world.folder().join("tmp");
    fs::create_dir(&temporary)?;
    let secrets = [right, wrong, aws].map(|secret| secret.core.clone()).to_vec();
    let mut watch = Watch { world, secrets, temporary };
    watch.secrets.push(SECRET_ACCESS_KEY.to_owned());
    let (host, port) = (world.cluster().host(), world.cluster().port());
    let nobody = ("PGPASSFILE", "/nonexistent");
    let good = [("PGUSER", role), ("PGPASSWORD", right.value.as_str()), ("AWS_SESSION_TOKEN", ""), nobody];
    let token = format!("token/{}", aws.core);

    watch.run(&["pg", "dump", shop], &good, 0).await?;
    let url = format!("postgres://{role}:{}@{host}:{port}/{shop}", right.in_url());
    for url in [&url, &format!("postgres://{role}:{}@{host}:{port}/{shop}", right.in_short_url())] {
        watch.run(&["pg", "dump"], &[nobody, ("LASTGOOD_PG_URL", url), ("LASTGOOD_LOG", "trace")], 0).await?;
    }
    // A server that does not let us in, one that is not there, a database that is not there.
    watch.run(&["pg", "dump", shop], &[("PGUSER", role), ("PGPASSWORD", &wrong.value), nobody], 21).await?;
    let nowhere = format!("postgres://{role}:{}@{host}:1/{shop}", right.in_url());
    watch.run(&["pg", "dump"], &[nobody, ("LASTGOOD_PG_URL", &nowhere)], 21).await?;
    let mut missing = good.to_vec();
    missing.push(("PGCONNECT_TIMEOUT", "5"));
    watch.run(&["pg", "dump", "no_such_database"], &missing, 1).await?;
    watch.run(&["doctor", shop], &[("PGUSER", role), ("PGPASSWORD", &wrong.value), nobody], 1).await?;
    mistyped(&watch, right, role, &format!("{host}:{port}")).await?;
    if world.place().peer().is_some() {
        let refused = [("AWS_SECRET_ACCESS_KEY", aws.value.as_str()), ("AWS_SESSION_TOKEN", &token)];
        watch.run(&["pg", "ls"], &refused, 12).await?;
        watch.run(&["pg", "ls"], &[refused[0], refused[1], ("LASTGOOD_LOG", "trace")], 12).await?;
    }
    children(&watch, shop, &good).await?;
    tools(&watch, shop, &good).await?;
    damaged(&watch, shop, &good).await?;
    watch.stored().await
}

/// URLs with a mistake in them, where it is tempting to show the whole text.
async fn mistyped(watch: &Watch<'_>, right: &Secret, role: &str, server: &str) -> RowResult {
    let core = &right.core;
    for url in [
        format!("postgres://{role}:p/{core}@{server}/shop"),
        format!("postgres://{role}:p@{core}@{server}/shop"),
        format!("postgres://{role}:{core}%zz@{server}/shop"),
        format!("postgres://{role}:{core}@{server}x/shop"),
        format!("postgres://{role}:{core}@{server}/shop?nonsense=1"),
        format!("mysql://{role}:{core}@{server}/shop"),
        format!("host=x password='{core} user={role}"),
        format!("host=x passwrod={core}"),
    ] {
        // Whether it can be read at all is not what this row is about.
        for (arguments, env) in
            [(vec!["pg", "dump"], vec![("LASTGOOD_PG_URL", url.as_str())]), (vec!["pg", "dump", &url], vec![])]
        {
            let mut command =
                watch.world.lastgood(arguments).env("PGPASSFILE", "/nonexistent").env("PGHOST", "127.0.0.1");
            for (name, value) in env {
                command = command.env(name, value);
            }
            let output = command.env("PGPORT", "1").run().await?;
            ensure!(output.code() != Some(0), "a dump of a mistyped URL succeeded");
            let said = format!("{}{}", output.stdout, output.stderr).replace(&url, "");
            let place = url.replace(core, "SECRET");
            ensure!(!said.contains(core), "the secret of `{place}` is in: {}", said.replace(core, "SECRET"));
        }
    }
    let location = format!("s3://AKIDEXAMPLE:{core}@backups/x");
    watch.run(&["pg", "ls", "-r", &location], &[], 2).await?;
    Ok(())
}

/// What children are told: seen by a program that notes its arguments and environment and goes on as the real one.
async fn children(watch: &Watch<'_>, shop: &str, good: &[(&str, &str)]) -> RowResult {
    let world = watch.world;
    let notes = world.folder().join("notes");
    let note = format!(
        "{{ tr '\\0' '\\n' </proc/$$/cmdline; echo; tr '\\0' '\\n' </proc/$$/environ; }} >>'{}'; exec \"$real\" \"$@\"",
        notes.display()
    );
    let key = world.dump(shop).await?;
    let copy = world.name("copy");
    let dump = noting(world, "pg_dump", &note)?;
    watch.run(&["pg", "dump", shop, "--pg-bin", &dump], good, 0).await?;
    let noted = fs::read(&notes)?;
    ensure!(!watch.is_in(&noted), "a secret is among the arguments or the environment of pg_dump");
    let restore = noting(world, "pg_restore", &note)?;
    let mut command = world.lastgood(["pg", "restore", &key, "--into", &copy, "--pg-bin", &restore]);
    for (name, value) in good {
        command = command.env(*name, *value);
    }
    command.env("TMPDIR", watch.temporary.display().to_string()).ok().await?;
    let both = fs::read(&notes)?;
    ensure!(both.len() > noted.len(), "pg_restore noted nothing");
    ensure!(!watch.is_in(&both), "a secret is among the arguments or the environment of pg_restore");
    fs::remove_file(&notes)?;
    Ok(())
}

/// A folder for `--pg-bin` whose `program` notes every one of its runs, those that ask for its version too.
fn noting(world: &World, program: &str, note: &str) -> RowResult<String> {
    let folder = stub::pg_bin(world, program, "")?;
    let real = world.cluster().bin_dir().join(program);
    fs::write(folder.join(program), format!("#!/bin/sh\nPATH=/usr/bin:/bin\nreal='{}'\n{note}\n", real.display()))?;
    Ok(folder.display().to_string())
}

/// Programs that print everything they know when they fail.
async fn tools(watch: &Watch<'_>, shop: &str, good: &[(&str, &str)]) -> RowResult {
    let tell = "env >&2; cat \"$PGPASSFILE\" >&2; echo \"pg_dump: error: $PGPASSWORD\" >&2; exit 1";
    let talkative = stub::pg_bin(watch.world, "pg_dump", tell)?.display().to_string();
    watch.run(&["pg", "dump", shop, "--pg-bin", &talkative], good, 22).await?;
    Ok(())
}

async fn damaged(watch: &Watch<'_>, shop: &str, good: &[(&str, &str)]) -> RowResult {
    let world = watch.world;
    let key = world.keys(shop).await?.pop().unwrap_or_default();
    let manifest = world.place().read(&place_of(&key)).await?;
    world.place().write(&place_of(&key), &manifest[..manifest.len() / 2]).await?;
    watch.run(&["pg", "restore", &key, "--into", "copy"], good, 13).await?;
    watch.run(&["pg", "verify", &key], good, 13).await?;
    watch.run(&["pg", "prune"], good, 14).await?;
    watch.run(&["pg", "show", "../x"], good, 2).await?;
    watch.run(&["pg", "restore", shop], good, 15).await?;
    world.place().write(&place_of(&key), &manifest).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_stays_whole_where_only_what_must_be_is_encoded() {
        let secret = Secret::random();
        assert!(secret.core.len() == 24 && secret.in_short_url().contains(&secret.core));
        assert!(secret.value.contains(&secret.core) && !secret.in_url().contains(&secret.core));
    }
}
