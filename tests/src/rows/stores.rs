//! S3 servers that others wrote: the whole cycle on each, and words where one lacks something.

mod buckets;
mod left;
mod page;
mod race;
mod records;
mod rules;
mod tables;

use backup_core::store::s3::S3Store;

use crate::harness::failure::Within as _;
use crate::harness::others::{Maker, Other};
use crate::harness::{Area, Lastgood, Locations, Row, RowResult, World};
use crate::{ensure, ensure_eq};

pub(crate) use page::write_if_asked;

/// A row for each server.
#[must_use]
pub fn rows() -> Vec<Row> {
    let row = |maker: Maker| {
        let title = format!("init, cycle, race, kill, lifecycle, dict on {maker}, a server of others");
        Row::new(format!("S-{}", maker.package()), title, Area::Stores, Locations::Folder, move |world| {
            Box::pin(whole(world, maker))
        })
    };
    Maker::ALL.map(row).into()
}

/// What a server can do: a change of any of it fails the row, and is worth knowing.
#[derive(Clone, Copy, Debug)]
struct Kind {
    /// Whether it creates conditionally. One that does not is refused, and nothing else of it is looked at.
    conditional: bool,
    /// In which order it lists.
    listing: &'static str,
    /// Whether it lists unfinished uploads.
    uploads: bool,
    /// When one alone wins of several writers that create a key at once.
    one_wins: OneWins,
    /// Rules that it takes.
    rules: Rules,
    /// Whether its buckets keep versions.
    versions: bool,
    /// Whether its buckets lock what is written to them, if they are told to, and take what is written so.
    locks: bool,
}

/// When one alone wins of several writers that create a key at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OneWins {
    /// However they write.
    Always,
    /// If they write it whole, as what decides about backups is; in parts, several may.
    Whole,
    /// If they do not write in the same instant: the server looks whether it is there, and writes then.
    AfterAPause,
}

/// Rules by which a server itself would expire and move objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rules {
    /// All of ours.
    All,
    /// All of ours, and it forgets the sizes in them, as those have that move objects.
    ForgettingSizes,
    /// None that has a size in it.
    WithoutSizes,
    /// None.
    None,
}

impl Kind {
    fn of(maker: Maker) -> Self {
        let whole = Self {
            conditional: true,
            listing: "by_key",
            uploads: true,
            one_wins: OneWins::Always,
            rules: Rules::All,
            versions: true,
            locks: true,
        };
        match maker {
            Maker::Ministack => whole,
            // It wants another checksum than Amazon does.
            Maker::Moto => {
                Self { one_wins: OneWins::AfterAPause, rules: Rules::ForgettingSizes, locks: false, ..whole }
            }
            Maker::SeaweedFs => {
                Self { listing: "by_folder", one_wins: OneWins::Whole, rules: Rules::WithoutSizes, ..whole }
            }
            Maker::LocalBucket => Self { uploads: false, rules: Rules::None, versions: false, locks: false, ..whole },
            Maker::Pys3local => Self { conditional: false, ..whole },
        }
    }
}

/// A server with a location on it.
struct Scene<'w> {
    world: &'w World,
    server: &'w Other,
    store: S3Store,
    kind: Kind,
}

impl Scene<'_> {
    fn run(&self, args: &[&str]) -> Lastgood<'_> {
        self.server.lastgood(self.world, args)
    }

    async fn refused(&self) -> RowResult {
        for command in [&["init"][..], &["doctor"], &["init"]] {
            let refused = self.run(command).fails(1).await?;
            refused.says("does not support conditional writes")?.says("no backup was written")?;
        }
        Ok(())
    }

    async fn made(&self) -> RowResult {
        let made = self.run(&["init", "--json"]).ok().await?.json()?;
        ensure_eq!(made["listing"].as_str(), Some(self.kind.listing), "the order of its listings");
        let left = backup_core::store::list_all(&self.store, "").await?;
        let left: Vec<String> = left.into_iter().map(|object| object.key.to_string()).collect();
        ensure_eq!(left, vec!["lastgood.json".to_owned()], "what init leaves");
        let words =
            if self.kind.listing == "by_key" { "lists by key" } else { "lists folder by folder instead of by key" };
        let checked = self.run(&["doctor"]).ok().await?.says("supports conditional writes")?.says(words)?;
        if !self.kind.uploads {
            checked.says("unfinished uploads of interrupted runs cannot be found")?;
        }
        ensure!(!self.run(&["init", "--json"]).ok().await?.json()?["created"].as_bool().unwrap_or(true), "made twice");
        Ok(())
    }
}

async fn whole(world: &World, maker: Maker) -> RowResult {
    let server = &Other::start(world, maker).await?;
    let scene = Scene { world, server, store: server.store()?, kind: Kind::of(maker) };
    if scene.kind.conditional {
        scene.made().await.within("init")?;
        records::there_and_back(&scene).await.within("records")?;
        tables::there_and_back(&scene).await.within("a database and a dictionary store")?;
        race::between_writers(&scene).await.within("the race")?;
        left::by_killed_runs(&scene).await.within("kill and rerun")?;
        rules::of_the_bucket(&scene).await.within("lifecycle")?;
        buckets::that_keep(&scene).await.within("versions and locks")?;
    } else {
        scene.refused().await.within("init")?;
    }
    page::passed(maker, scene.kind)
}
