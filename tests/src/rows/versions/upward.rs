//! From each server to every newer one, compared with what PostgreSQL's own programs make of it there.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use backup_testkit::postgres::Install;

use super::{Client, clients, content, page, start};
use crate::ensure_eq;
use crate::harness::compare::{Picture, without_note};
use crate::harness::failure::Within as _;
use crate::harness::{Failure, RowResult, World};

/// Exit code of what is refused.
const REFUSED: i32 = 1;

/// Dumps once with each client, and restores each dump on every newer server with that server's own clients.
pub(super) async fn to_every_newer(world: &World, server: &Install, installs: &[Install]) -> RowResult {
    let newer = installs.iter().filter(|install| install.has_server && install.major > server.major);
    // The newest minor of each: the last of those in order.
    let newer: BTreeMap<u32, &Install> = newer.map(|install| (install.major, install)).collect();
    let dumpers = clients(server, installs);
    let Some((_, reader)) = dumpers.last() else { return Err(Failure::new("no clients")) };
    let source = start(world, server, reader)?;
    content::roles(&source)?;
    let shop = content::create(&source, "shop", server.major)?;
    let before = Picture::of(source.cluster(), &shop)?;
    let mut dumps = Vec::new();
    for (_, dumper) in &dumpers {
        let key = dumped(&source, &shop, dumper).await.within(&format!("pg_dump {dumper}"))?;
        dumps.push((dumper, key, archive(&source, &shop, dumper)?));
    }
    for target in newer.into_values() {
        let Some((_, own)) = clients(target, installs).into_iter().next() else { continue };
        let there = start(&source, target, &own)?;
        content::roles(&there)?;
        for (dumper, key, archive) in &dumps {
            let restorer = if own.major >= dumper.major { &own } else { *dumper };
            let arrival = Arrival { there: &there, shop: &shop, reader, restorer };
            let what = format!("dumped by {dumper}, restored on {} by {restorer}", target.name);
            let stock = arrival.compared(&before, key, archive).await.within(&what)?;
            if dumper.bin_dir == dumpers[0].1.bin_dir {
                arrival.single_file(&stock, archive).await.within(&what).within("a single-file dump")?;
                arrival.rows_alone(&stock, key).await.within(&what).within("--data-only")?;
            }
            there.drop_database(&shop)?;
        }
        refused_on_older(&there, &source, &shop, &own, reader).await.within(&format!("from {} down", target.name))?;
        page::upward(server, target, dumpers.iter().map(|(_, client)| client));
    }
    Ok(())
}

/// The way back is refused, and nothing is made.
async fn refused_on_older(newer: &World, older: &World, shop: &str, dumper: &Client, reader: &Client) -> RowResult {
    let small = newer.sample("small")?;
    let key = dumped(newer, &small, dumper).await?;
    newer.drop_database(&small)?;
    let databases = older.databases()?;
    let down = ["pg", "restore", &key, "--confirm-database", shop, "--into", shop, "--pg-bin", &reader.bin_dir];
    older.lastgood(down).fails(REFUSED).await?.says("but the server has PostgreSQL")?;
    ensure_eq!(older.databases()?, databases, "databases after a dump of a newer server was refused");
    Ok(())
}

/// Dumps with these clients, and returns the key.
async fn dumped(world: &World, database: &str, client: &Client) -> RowResult<String> {
    let dump = world.lastgood(["pg", "dump", database, "--json", "--pg-bin", &client.bin_dir]).ok().await?;
    let document = dump.json_lines()?.pop().unwrap_or_default();
    Ok(document["key"].as_str().ok_or_else(|| dump.fault("it names no key"))?.to_owned())
}

/// A newer server, where a database arrives.
struct Arrival<'w> {
    there: &'w World,
    shop: &'w str,
    /// Clients that can read both servers, for rows to be written in one way.
    reader: &'w Client,
    restorer: &'w Client,
}

impl Arrival<'_> {
    /// Everything is as `pg_restore` alone makes it here; rows, sequences and large objects are as they were there.
    async fn compared(&self, before: &Picture, key: &str, archive: &[u8]) -> RowResult<Picture> {
        let (there, shop) = (self.there, self.shop);
        self.by_stock(archive)?;
        let stock = Picture::of(there.cluster(), shop)?;
        let copy = there.name("copy");
        let into = ["pg", "restore", key, "--into", &copy, "--pg-bin", &self.restorer.bin_dir];
        there.lastgood(into).ok().await?;
        stock.expect(&Picture::of(there.cluster(), &copy)?, "the copy").within("beside what pg_restore made")?;
        there.psql(shop, "DROP SCHEMA app CASCADE")?;
        let over = ["pg", "restore", key, "--confirm-database", shop, "--pg-bin", &self.restorer.bin_dir];
        there.lastgood(over).ok().await?;
        stock
            .expect(&Picture::of(there.cluster(), shop)?, "the live database")
            .within("beside what pg_restore made")?;
        let arrived = Picture::with_clients(there.cluster(), shop, self.reader.bin_dir.as_ref())?;
        before.contents().expect(&arrived.contents(), "the contents")?;
        there.drop_database(&copy)?;
        Ok(stock)
    }

    /// What `pg_dump` alone wrote, as django-pgclone stored it.
    async fn single_file(&self, stock: &Picture, archive: &[u8]) -> RowResult {
        let (there, copy) = (self.there, self.there.name("old"));
        let key = format!("{}/2021-01-02-03-04-05-000002.default.dump", self.shop);
        there.place().write(&key, archive).await?;
        let restore = ["pg", "restore", &key, "--into", &copy, "--pg-bin", &self.restorer.bin_dir];
        there.lastgood(restore).ok().await?;
        let restored = Picture::of(there.cluster(), &copy)?.without_settings();
        stock.clone().without_settings().expect(&restored, "the copy")?;
        there.place().remove(&key).await?;
        there.drop_database(&copy)
    }

    /// The old server's rows into the schema that is here.
    async fn rows_alone(&self, stock: &Picture, key: &str) -> RowResult {
        let (there, shop) = (self.there, self.shop);
        there.psql(shop, content::CHANGE)?;
        let restore = ["pg", "restore", key, "--data-only", "--replace-rows", "--confirm-database", shop];
        there.lastgood(restore).env("LASTGOOD_PG_BIN", &self.restorer.bin_dir).ok().await?;
        stock.expect(&Picture::of(there.cluster(), shop)?, "the live database")
    }

    /// Fills the database by PostgreSQL's own program. It is created by hand: of servers before 15 newer clients say what
    /// those servers cannot read (`LOCALE_PROVIDER`).
    fn by_stock(&self, archive: &[u8]) -> RowResult {
        let (there, file) = (self.there, self.there.folder().join("stock.dump"));
        std::fs::write(&file, archive)?;
        there.cluster().create_database(self.shop)?;
        content::settings(there, self.shop)?;
        let program = format!("{}/pg_restore", self.restorer.bin_dir);
        let mut command = Command::new(&program);
        command.arg(format!("--dbname={}", self.shop)).arg(&file).env_clear().envs(there.cluster().env());
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if said.contains(UNKNOWN_NOTE) {
            there.drop_database(self.shop)?;
            return self.by_stock_without_notes(&program, &file);
        }
        // 17 and newer set what older servers do not know, and go on.
        let only_that =
            said.lines().filter(|line| line.contains("error:")).all(|line| line.contains("transaction_timeout"));
        if output.status.success() || (only_that && output.status.code() == Some(1)) {
            return Ok(());
        }
        Err(Failure::new(format!("`{program}` of PostgreSQL itself ended with {}: {said}", output.status)))
    }

    /// The same where the programs are of before November 2026 and the server that was dumped is of after it: PostgreSQL itself cannot
    /// restore that elsewhere, and people take the notes out by hand.
    fn by_stock_without_notes(&self, program: &str, archive: &Path) -> RowResult {
        let there = self.there;
        let output = Command::new(program).arg("--file=-").arg(archive).output()?;
        let script = String::from_utf8_lossy(&output.stdout).into_owned();
        let is_of_newer = |line: &&str| {
            line.starts_with("SET transaction_timeout")
                || line.starts_with("\\restrict")
                || line.starts_with("\\unrestrict")
        };
        let lines = script.lines().filter(|line| !is_of_newer(line)).filter_map(without_note);
        let file = there.folder().join("stock.sql");
        std::fs::write(&file, lines.map(|line| line + "\n").collect::<String>())?;
        there.cluster().create_database(self.shop)?;
        content::settings(there, self.shop)?;
        there.cluster().psql_file(self.shop, &file)?;
        Ok(())
    }
}

/// What a server says that does not make such notes.
const UNKNOWN_NOTE: &str = "unrecognized parameter \"pg_attver\"";

/// What `pg_dump` of this version writes.
fn archive(world: &World, database: &str, client: &Client) -> RowResult<Vec<u8>> {
    let mut command = Command::new(format!("{}/pg_dump", client.bin_dir));
    command.arg("-Fc").env_clear().envs(world.cluster().env()).env("PGDATABASE", database);
    let output = command.output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Failure::new(format!("pg_dump {client} ended with {}: {said}", output.status)));
    }
    Ok(output.stdout)
}
