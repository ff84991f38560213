//! What a kind of torture is made of.

use std::sync::Arc;

use backup_testkit::dice::Dice;
use backup_testkit::postgres::Cluster;
use futures::future::BoxFuture;

use crate::harness::{Failure, RowResult, Where, World};

/// What all kinds of a lane have in common.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) cluster: Arc<Cluster>,
    pub(super) seed: u64,
    pub(super) keep_inputs: bool,
}

/// What a round has done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done {
    pub(super) rounds: u64,
    /// How many of them met a run under way, or an input that was taken: the others show less.
    pub(super) midway: u64,
}

impl Done {
    pub(super) fn one(midway: bool) -> Self {
        Self { rounds: 1, midway: u64::from(midway) }
    }
}

/// What a kind has set up; rounds go on with it.
pub(super) trait Scene: Send {
    /// One round with these random numbers.
    fn round<'s>(&'s mut self, dice: &'s mut Dice) -> BoxFuture<'s, RowResult<Done>>;

    /// The last command, for whoever reads of a failure.
    fn last_command(&self) -> Option<String>;
}

/// Sets a scene up.
type Set = for<'l> fn(&'l Lane, &'static str) -> BoxFuture<'l, RowResult<Box<dyn Scene>>>;

/// One kind of torture.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) set: Set,
}

/// What a scene has in one location.
pub(super) trait Part: Sized + Send + 'static {
    /// Sets it up in a world whose location is not made yet.
    fn set(world: World, lane: &Lane) -> impl Future<Output = RowResult<Self>> + Send;

    /// One round; whether it met a run under way.
    fn round(&mut self, dice: &mut Dice) -> impl Future<Output = RowResult<bool>> + Send;

    /// Its surroundings.
    fn world(&self) -> &World;
}

/// One or two locations.
struct Parts<P: Part> {
    parts: Vec<P>,
    /// The one of the last round.
    at: usize,
}

impl<P: Part> Scene for Parts<P> {
    fn round<'s>(&'s mut self, dice: &'s mut Dice) -> BoxFuture<'s, RowResult<Done>> {
        self.at = dice.below(self.parts.len());
        let part = &mut self.parts[self.at];
        Box::pin(async move {
            let place = part.world().location().name();
            let midway = part.round(dice).await.map_err(|failure| failure.within(place))?;
            Ok(Done::one(midway))
        })
    }

    fn last_command(&self) -> Option<String> {
        self.parts.get(self.at)?.world().last_command()
    }
}

impl<P: Part> Drop for Parts<P> {
    fn drop(&mut self) {
        for part in &self.parts {
            // Whoever comes next would only find more databases than there should be, and say so.
            let _dropped = without_databases(part.world());
        }
    }
}

/// Drops the databases of a world, and what lastgood left on the server: nothing else of this lane is at work.
fn without_databases(world: &World) -> RowResult {
    let own = world.name("");
    for name in world.databases()?.into_iter().filter(|name| name.contains(&own) || name.starts_with("lastgood_")) {
        let quoted = backup_testkit::postgres::quote_identifier(&name);
        world.psql("postgres", &format!("ALTER DATABASE {quoted} ALLOW_CONNECTIONS true"))?;
        world.drop_database(&name)?;
    }
    Ok(())
}

async fn parts<P: Part>(lane: &Lane, name: &'static str, places: &'static [Where]) -> RowResult<Box<dyn Scene>> {
    let mut parts = Vec::new();
    for place in places {
        let world = World::new(name, Arc::clone(&lane.cluster), *place)?;
        // What an earlier scene could not clear away.
        without_databases(&world)?;
        parts.push(P::set(world, lane).await?);
    }
    Ok(Box::new(Parts { parts, at: 0 }))
}

/// A scene in a folder and in S3.
pub(super) fn both<'l, P: Part>(lane: &'l Lane, name: &'static str) -> BoxFuture<'l, RowResult<Box<dyn Scene>>> {
    Box::pin(parts::<P>(lane, name, &[Where::Folder, Where::S3]))
}

/// A scene in a folder.
pub(super) fn folder<'l, P: Part>(lane: &'l Lane, name: &'static str) -> BoxFuture<'l, RowResult<Box<dyn Scene>>> {
    Box::pin(parts::<P>(lane, name, &[Where::Folder]))
}

/// A scene in S3.
pub(super) fn s3<'l, P: Part>(lane: &'l Lane, name: &'static str) -> BoxFuture<'l, RowResult<Box<dyn Scene>>> {
    Box::pin(parts::<P>(lane, name, &[Where::S3]))
}

/// A program that is built beside this one.
pub(super) fn beside_us(name: &str) -> RowResult<std::path::PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    match path.is_file() {
        true => Ok(path),
        false => {
            Err(Failure::new(format!("there is no `{}`: `cargo build --workspace --bins` makes it", path.display())))
        }
    }
}
