//! Dumps a database into a folder and restores it beside itself: `foreign-pg-clone DATABASE FOLDER COPY`.

use std::error::Error;

use pg_clone::backup_core::location::{Init, Location};
use pg_clone::backup_core::retention::{Policy, Rule};
use pg_clone::dump::{Dump, DumpOptions};
use pg_clone::restore::{Restore, RestoreOptions};
use pg_clone::stored::key::LAYOUTS;
use pg_clone::stored::list::{self, Filter};
use pg_clone::stored::prune::{Prune, PruneOptions};
use pg_clone::stored::tags::{self, Change};
use pg_clone::{Environment, Origin, Run, Server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [database, folder, copy] = arguments.as_slice() else {
        return Err("usage: foreign-pg-clone DATABASE FOLDER COPY".into());
    };
    // The server that PGHOST, PGPORT, PGUSER and the like name.
    let server = Server::resolve(None, Origin::Environment, &Environment::current())?.server;
    let store = folder.parse::<Location>()?.init(&Init::new(&LAYOUTS)).await?.store;
    let run = Run::silent();

    let dumped = Dump::prepare(&server, &store, DumpOptions::new(database), &run)?.run().await?;
    let keep = Change { add: vec!["keep".to_owned()], remove: Vec::new() };
    tags::prepare(&store, dumped.key.as_str(), keep, &run).await?.run().await?;
    for dump in list::list(&*store, &Filter::of(database)).await? {
        println!("{}  {}", dump.key, dump.tags.join(", "));
    }

    let options = RestoreOptions::new(dumped.key).into_database(copy);
    let restore = Restore::prepare(&server, &store, options, &run).await?;
    println!("{} rows", restore.plan().rows);
    restore.run().await?;

    let policy = Policy::new(vec![Rule::Last(7), Rule::Tag("keep".to_owned())]);
    let pruned = Prune::prepare(&store, &PruneOptions::new(policy), &run).await?.run().await?;
    println!("{} old dumps are gone", pruned.removed.len());
    Ok(())
}
