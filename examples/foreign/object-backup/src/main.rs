//! Backs records up from files with one JSON object a line, and restores them: `foreign-object-backup FROM BACKUPS TO`.

use std::error::Error;
use std::sync::Arc;

use object_backup::list::{self, Sought};
use object_backup::{Application, BackupReport, NdjsonSource, NdjsonTarget, Restore, RestoreOptions, Run, Storable};

/// A record, whose fields are only read by those who use it.
#[derive(Storable)]
#[storable(table = "users")]
struct User;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, backups, to] = arguments.as_slice() else {
        return Err("usage: foreign-object-backup FROM BACKUPS TO".into());
    };
    let mut application = Application::builder("nightly").location(backups).init().build()?;
    application.add::<User>()?;
    match application.run(Arc::new(NdjsonSource::new(from))).await? {
        BackupReport::Written(written) => println!("{} records", written.records),
        other => println!("nothing to do: {other:?}"),
    }

    let store = application.open().await?;
    let latest = list::find(&*store, Sought::latest("nightly")).await?;
    let target = Arc::new(NdjsonTarget::new(to));
    Restore::prepare(&store, &latest, target, RestoreOptions::default(), &Run::silent()).await?.run().await?;
    Ok(())
}
