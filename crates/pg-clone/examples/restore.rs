//! Restores a dump beside the live database: `cargo run -p pg-clone --example restore -- KEY LOCATION NEW_DATABASE`.
//!
//! KEY is a dump's key, or a database's name for its latest good dump. To replace a live database, leave `into` out and
//! set `confirm` to its name.

use std::error::Error;

use pg_clone::backup_core::location::Location;
use pg_clone::restore::{Restore, RestoreOptions};
use pg_clone::{Environment, Origin, Run, Server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(wanted), Some(location), Some(into)) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err("usage: restore KEY LOCATION NEW_DATABASE".into());
    };
    let server = Server::resolve(None, Origin::Environment, &Environment::current())?.server;
    let store = location.parse::<Location>()?.open().await?;
    let run = Run::silent();

    let options = RestoreOptions::new(wanted).into_database(into);
    let report = Restore::prepare(&server, &store, options, &run).await?.run().await?;
    #[allow(clippy::print_stdout)] // the counts are this program's result
    {
        println!("{}: {} tables, {} rows", report.database, report.tables, report.rows);
    }
    Ok(())
}
