//! Keeps tables in memory, backs them up and reads them again: `foreign-dictstore-backup FOLDER`.

use std::error::Error;

use dictstore_backup::{Backups, DictStore, Record, RestoreTo, TableOptions, restore};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: foreign-dictstore-backup FOLDER")?;
    let store = DictStore::new();
    store.create_table("events", TableOptions::new().primary_key("event_id"))?;
    let backups = Backups::builder(store.clone(), folder.as_str()).init().incremental(true).start()?;

    store.insert("events", Record::new().with("event_id", 1).with("type", "click"))?;
    backups.backup_now()?;
    store.insert("events", Record::new().with("event_id", 2).with("type", "key"))?;
    backups.stop()?;

    println!("{} events", restore(&folder, RestoreTo::Latest)?.len("events")?);
    Ok(())
}
