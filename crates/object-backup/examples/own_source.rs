//! An application that keeps its records in a database of its own: `own_source LOCATION`.

#![allow(clippy::print_stdout, reason = "an example's result")]

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use object_backup::backup_core::source::{self, Identity};
use object_backup::source::{Available, Take};
use object_backup::{Application, BackupReport, ObjectError, ObjectResult, Source, Storable, TypeKey, View};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

#[derive(Clone, Debug, Serialize, Storable)]
#[storable(table = "notes")]
struct Note {
    id: String,
    text: String,
}

type Notes = BTreeMap<String, Arc<Note>>;

/// The application's database.
#[derive(Debug, Default)]
struct Database(RwLock<Notes>);

/// How it is backed up.
#[derive(Debug)]
struct DatabaseSource(Arc<Database>);

impl Source for DatabaseSource {
    fn kind(&self) -> &str {
        "notes"
    }

    fn open(&self, _cancel: &CancellationToken) -> ObjectResult<Box<dyn View>> {
        // One moment: what is written from here on belongs to the next backup.
        let notes = self.0.0.read().map_err(|_| failed("a writer panicked"))?.clone();
        Ok(Box::new(Moment(notes)))
    }
}

struct Moment(Notes);

impl View for Moment {
    fn identity(&mut self) -> ObjectResult<Option<Identity>> {
        // There is one such database, whichever machine the application runs on.
        Ok(Some(Identity { id: "notes:main".to_owned(), host: source::host() }))
    }

    fn types(&mut self) -> ObjectResult<Option<Vec<Available>>> {
        Ok(Some(vec![Available { type_name: Some(Note::TYPE.to_owned()), table: Note::TABLE.to_owned() }]))
    }

    fn read(&mut self, _key: &TypeKey, take: &mut Take<'_>) -> ObjectResult<()> {
        for note in self.0.values() {
            let text = serde_json::to_vec(&**note).map_err(failed)?;
            take(Some(&note.id), &text)?;
        }
        Ok(())
    }
}

fn failed(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ObjectError {
    ObjectError::Source { action: "read", what: "the notes".to_owned(), source: why.into() }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let location = std::env::args().nth(1).ok_or("usage: own_source LOCATION")?;
    let database = Arc::new(Database::default());
    for number in 1..=3 {
        let note = Note { id: number.to_string(), text: format!("note {number}") };
        database.0.write().map_err(|_| "a writer panicked")?.insert(note.id.clone(), Arc::new(note));
    }
    let mut application = Application::builder("notes").location(location).init().build()?;
    application.add::<Note>()?;
    if let BackupReport::Written(written) = application.run(Arc::new(DatabaseSource(database))).await? {
        println!("{} records in `{}`", written.records, written.key);
    }
    Ok(())
}
