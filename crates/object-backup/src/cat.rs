//! Prints the records of one type.

use std::collections::BTreeSet;

use backup_core::store::SharedStore;
use tracing::{Instrument as _, info_span};

use crate::error::ObjectResult;
use crate::list::Entry;
use crate::plan::Wanted;
use crate::read::read_into;
use crate::restore::restoring;
use crate::run::Run;
use crate::tar::read::{Nowhere, Sink};
use crate::type_key::TypeKey;

/// Takes the text of one record, on a thread that may block.
pub type Print = Box<dyn FnMut(&[u8]) -> ObjectResult<()> + Send>;

/// Gives the lines of one type to `take`, after all of the backup was read and checked.
///
/// # Errors
/// As [`crate::Restore::prepare`]; what `take` says.
pub async fn cat(store: &SharedStore, entry: &Entry, wanted: &Wanted, take: Print, run: &Run) -> ObjectResult<u64> {
    let (summary, _) = Box::pin(read_into(store, entry, Nowhere, &run.cancel)).await?;
    let types = restoring(entry, &summary, std::slice::from_ref(wanted))?;
    let chosen = types.iter().map(|restoring| restoring.key.clone()).collect();
    let read = read_into(store, entry, Printing { take, chosen }, &run.cancel);
    Box::pin(read.instrument(info_span!("app.cat"))).await?;
    Ok(types.iter().map(|restoring| restoring.records).sum())
}

struct Printing {
    take: Print,
    chosen: BTreeSet<TypeKey>,
}

impl Sink for Printing {
    fn begin(&mut self, _key: &TypeKey) -> ObjectResult<()> {
        Ok(())
    }

    fn record(&mut self, key: &TypeKey, _id: &str, text: &[u8]) -> ObjectResult<()> {
        if self.chosen.contains(key) { (self.take)(text) } else { Ok(()) }
    }

    fn end(&mut self, _key: &TypeKey) -> ObjectResult<()> {
        Ok(())
    }
}
