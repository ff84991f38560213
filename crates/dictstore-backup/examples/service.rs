//! A service with tables in memory: restored at the start if there is anything, backed up while it runs.
//!
//! `cargo run -p dictstore-backup --example service -- FOLDER`

use std::time::Duration;

use dictstore_backup::backup_core::{CoreError, StoreError};
use dictstore_backup::{Backups, DictError, DictStore, Record, RestoreTo, TableOptions, restore};

fn main() -> Result<(), DictError> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "./data/backups".to_owned());
    let store = match restore(&folder, RestoreTo::Latest) {
        Ok(store) => store,
        // The first run: anything else that fails should stop the service, not start it empty.
        Err(DictError::NoBackup { .. }) => DictStore::new(),
        Err(DictError::Core(CoreError::Store(StoreError::NoLocation { .. }))) => DictStore::new(),
        Err(error) => return Err(error),
    };
    if store.len("events").is_err() {
        store.create_table("events", TableOptions::new().primary_key("event_id"))?;
    }
    let backups = Backups::builder(store.clone(), folder.as_str())
        .init()
        .interval(Duration::from_secs(60))
        .min_interval(Duration::from_secs(10))
        .incremental(true)
        .max_deltas_before_full(20)
        .on_failure(|error, consecutive| {
            #[expect(clippy::print_stderr, reason = "an example's log")]
            {
                eprintln!("backup failed ({consecutive} in a row): {error}");
            }
        })
        .start()?;

    for _ in 0..100 {
        store.insert("events", Record::new().with("type", "click"))?;
    }
    backups.notify_change();

    let last = backups.stop()?;
    #[expect(clippy::print_stdout, reason = "an example's result")]
    {
        let written = last.map_or_else(|| "nothing new".to_owned(), |written| written.file);
        println!("{} events; at the end: {written}", store.len("events")?);
    }
    Ok(())
}
