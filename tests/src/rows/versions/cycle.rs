//! Everything that lastgood does with a database, on one server with clients of one version.

use super::{Pair, content, locales, owner, page, start};
use crate::harness::compare::Picture;
use crate::harness::failure::Within as _;
use crate::harness::{Lastgood, RowResult, Standby, World};
use crate::rows::pg::damage::pg_dump;
use crate::{ensure, ensure_eq};

/// A server, and a database on it.
struct Scene<'w> {
    world: &'w World,
    pair: &'w Pair,
    shop: String,
    key: String,
    picture: Picture,
}

pub(super) async fn whole(world: &World, pair: &Pair) -> RowResult {
    let world = &start(world, &pair.server, &pair.client)?;
    content::roles(world)?;
    let shop = content::create(world, "shop", pair.server.major).within("the database to dump")?;
    let picture = Picture::of(world.cluster(), &shop)?;
    let command = world.lastgood(["pg", "dump", &shop, "--json", "--pg-bin", &pair.client.bin_dir]);
    let dumped = command.ok().await?.json_lines()?.pop().unwrap_or_default();
    let key = dumped["key"].as_str().unwrap_or_default().to_owned();
    let scene = Scene { world, pair, shop, key, picture };
    scene.verified().await.within("verify")?;
    scene.beside().await.within("restore --into")?;
    scene.over_and_back().await.within("the swap and :previous")?;
    scene.copied().await.within("copy")?;
    scene.rows_alone().await.within("--data-only")?;
    scene.selected().await.within("a part of it")?;
    scene.legacy().await.within("a single-file dump")?;
    scene.of_standby().await.within("a standby")?;
    owner::everything(world, pair).await.within("an owner that is no superuser")?;
    locales::kept(world, pair).await.within("a locale")?;
    ensure_eq!(world.leftovers()?, Vec::<String>::new(), "databases left behind");
    page::cycle(pair);
    Ok(())
}

impl Scene<'_> {
    /// `lastgood`, told which clients to use.
    fn lastgood<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Lastgood<'_> {
        self.world.lastgood(words).env("LASTGOOD_PG_BIN", &self.pair.client.bin_dir)
    }

    async fn verified(&self) -> RowResult {
        self.lastgood(["pg", "verify", &self.key, "--read", "all"]).ok().await?;
        self.lastgood(["pg", "show", &self.key]).ok().await?.says(&self.version()).map(drop)
    }

    fn version(&self) -> String {
        format!("{}.{}", self.pair.server.major, self.pair.server.minor)
    }

    /// Equal in everything, its own settings too.
    async fn beside(&self) -> RowResult {
        let copy = self.world.name("copy");
        self.lastgood(["pg", "restore", &self.key, "--into", &copy]).ok().await?;
        self.picture.expect(&Picture::of(self.world.cluster(), &copy)?, "the copy")?;
        self.world.drop_database(&copy)
    }

    async fn over_and_back(&self) -> RowResult {
        let (world, shop) = (self.world, &self.shop);
        world.set_version(shop, 2)?;
        let changed = Picture::of(world.cluster(), shop)?;
        let confirmed = ["--confirm-database", shop];
        let restore = ["pg", "restore", &self.key, "--reversible"];
        self.lastgood(restore.into_iter().chain(confirmed)).ok().await?;
        self.is(&self.picture, "the restored database")?;
        for (round, expected) in [&changed, &self.picture].into_iter().enumerate() {
            let undo = ["pg", "restore", ":previous", "--into", shop];
            self.lastgood(undo.into_iter().chain(confirmed)).ok().await?;
            self.is(expected, &format!("the database after {} times :previous", round + 1))?;
        }
        // Without the flag there is nothing to go back to.
        self.lastgood(["pg", "restore", &self.key].into_iter().chain(confirmed)).ok().await?;
        ensure_eq!(world.databases()?, vec![shop.clone()], "databases after a restore without --reversible");
        self.is(&self.picture, "the database restored last")
    }

    fn is(&self, expected: &Picture, what: &str) -> RowResult {
        expected.expect(&Picture::of(self.world.cluster(), &self.shop)?, what)
    }

    async fn copied(&self) -> RowResult {
        let kept = self.world.name("kept");
        self.lastgood(["pg", "copy", &self.shop, &kept]).ok().await?;
        let copy = Picture::of(self.world.cluster(), &kept)?.without_settings();
        self.picture.clone().without_settings().expect(&copy, "the copy on the server")?;
        self.lastgood(["pg", "drop-local", &kept]).ok().await?;
        ensure!(!self.world.databases()?.contains(&kept), "the copy is still there");
        Ok(())
    }

    async fn rows_alone(&self) -> RowResult {
        let before = self.world.checksum(&self.shop)?;
        self.world.set_version(&self.shop, 3)?;
        self.world.psql(&self.shop, content::CHANGE)?;
        ensure!(self.world.checksum(&self.shop)? != before, "the rows were not changed");
        let restore = ["pg", "restore", &self.key, "--data-only", "--replace-rows", "--confirm-database", &self.shop];
        self.lastgood(restore).ok().await?;
        self.is(&self.picture, "the database with the dump's rows")
    }

    async fn selected(&self) -> RowResult {
        let part = self.world.name("part");
        let restore =
            ["pg", "restore", &self.key, "--into", &part, "--table", "app.everything", "--table", "public.orders"];
        self.lastgood(restore).ok().await?;
        let counts = |name: &str| {
            self.world.psql(name, "SELECT (SELECT count(*) FROM app.everything), (SELECT count(*) FROM orders), (SELECT count(*) FROM app.events)")
        };
        let whole = counts(&self.shop)?;
        let expected = whole.rsplit_once('|').map(|(selected, _)| format!("{selected}|0")).unwrap_or_default();
        ensure_eq!(counts(&part)?, expected, "rows of the selected tables and of another");
        self.world.drop_database(&part)
    }

    /// What `pg_dump` alone wrote, as django-pgclone stored it. It holds nothing of the database's own settings.
    async fn legacy(&self) -> RowResult {
        let key = format!("{}/2021-01-02-03-04-05-000002.default.dump", self.shop);
        self.world.place().write(&key, &pg_dump(self.world, &self.shop)?).await?;
        let copy = self.world.name("old");
        self.lastgood(["pg", "restore", &key, "--into", &copy]).ok().await?;
        let restored = Picture::of(self.world.cluster(), &copy)?.without_settings();
        self.picture.clone().without_settings().expect(&restored, "the database of a single file")?;
        self.world.drop_database(&copy)?;
        self.world.place().remove(&key).await
    }

    /// Rows of unlogged tables are on no standby.
    async fn of_standby(&self) -> RowResult {
        let standby = Standby::start(self.world)?;
        standby.catch_up(self.world).await?;
        let dump = standby.lastgood(self.world, &["pg", "dump", &self.shop, "--json"]);
        let dumped = dump.env("LASTGOOD_PG_BIN", &self.pair.client.bin_dir).ok().await?.says("this is a standby")?;
        let key = dumped.json_lines()?.pop().unwrap_or_default()["key"].as_str().unwrap_or_default().to_owned();
        drop(standby);
        let copy = self.world.name("copy");
        self.lastgood(["pg", "restore", &key, "--into", &copy]).ok().await?;
        let logged = |mut picture: Picture| {
            picture.parts.remove("rows of app.cache");
            picture
        };
        let restored = Picture::of(self.world.cluster(), &copy)?;
        logged(self.picture.clone()).expect(&logged(restored), "the copy of the standby's dump")?;
        self.world.drop_database(&copy)
    }
}
