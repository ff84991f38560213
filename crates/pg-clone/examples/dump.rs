//! Dumps one database: `cargo run -p pg-clone --example dump -- DATABASE LOCATION`.
//!
//! The server comes from PGHOST, PGPORT, PGUSER and PGPASSFILE; LOCATION is a folder or `s3://bucket/prefix`.

use std::error::Error;

use pg_clone::backup_core::location::{Init, Location};
use pg_clone::dump::{Dump, DumpOptions};
use pg_clone::stored::key::LAYOUTS;
use pg_clone::{Environment, Origin, Run, Server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(database), Some(location)) = (arguments.next(), arguments.next()) else {
        return Err("usage: dump DATABASE LOCATION".into());
    };
    let server = Server::resolve(None, Origin::Environment, &Environment::current())?.server;
    let store = location.parse::<Location>()?.init(&Init::new(&LAYOUTS)).await?.store;

    let report = Dump::prepare(&server, &store, DumpOptions::new(database), &Run::silent())?.run().await?;
    #[allow(clippy::print_stdout)] // the key is this program's result
    {
        println!("{}", report.key);
    }
    Ok(())
}
