//! An application's nightly backup, and its records back: `application DATABASE LOCATION FOLDER`.
//!
//! `DATABASE` is a SQLite file in gludb's form, `LOCATION` a folder or `s3://bucket/prefix`. The records of the types below
//! are backed up, and then restored into `FOLDER` as files with one JSON object a line.

#![allow(clippy::print_stdout, reason = "an example's result")]

use std::sync::Arc;

use object_backup::list::{self, Sought};
use object_backup::{Application, BackupReport, NdjsonTarget, Recurse, Restore, RestoreOptions, Run, SqliteSource};

mod model {
    use object_backup::Storable;

    #[derive(Storable)]
    #[storable(table = "people")]
    pub(crate) struct Person;

    #[derive(Storable)]
    #[storable(table = "customers", bases(Person))]
    pub(crate) struct Customer;

    pub(crate) mod shop {
        use object_backup::Storable;

        #[derive(Storable)]
        #[storable(table = "orders")]
        pub(crate) struct Order;
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [database, location, folder] = &arguments[..] else {
        return Err("usage: application DATABASE LOCATION FOLDER".into());
    };

    let mut application = Application::builder("nightly").location(location).init().build()?;
    let customers = application.add::<model::Customer>()?;
    let others = application.add_module("application::model", Recurse::Yes)?;
    println!("{customers} types with the base of `Customer`, {others} more in its module");

    let source = Arc::new(SqliteSource::new(database));
    match application.run(source).await? {
        BackupReport::Written(written) => written.log().iter().for_each(|line| println!("{line}")),
        BackupReport::Skipped { newest, .. } => println!("`{newest}` is young enough"),
    }

    let store = application.open().await?;
    let latest = list::find(&*store, Sought::latest("nightly")).await?;
    let target = Arc::new(NdjsonTarget::new(folder));
    let restore = Restore::prepare(&store, &latest, target, RestoreOptions::default(), &Run::silent()).await?;
    let done = restore.run().await?;
    for found in done.loaded {
        println!("{}: {} records restored", found.key, found.loaded.inserted);
    }
    Ok(())
}
