//! What is said when nobody can tell whose backups are meant.

use backup_core::failure::Setting;
use backup_core::remedy;
use backup_core::store::StoreRead;

use crate::error::DictError;
use crate::origin::Unclear;

/// Why it cannot be told whose backups are meant, and what to say.
pub(crate) fn unclear_error(store: &dyn StoreRead, unclear: Unclear, source: Option<&str>) -> DictError {
    let location = store.describe();
    match unclear {
        Unclear::Several(stores) => {
            let each: Vec<String> =
                stores.iter().map(|(called, newest)| format!("{called} (newest `{newest}`)")).collect();
            DictError::Source {
                what: format!("`{location}` has backups of {} stores: {}", each.len(), each.join(", ")),
                help: remedy![
                    "nothing was changed. Choose one with ",
                    Setting::Source.with("HOST|ID"),
                    ", or a backup with ",
                    Setting::UpTo.with("FILE"),
                    ". Give each service a folder of its own"
                ],
            }
        }
        Unclear::NoSuch(stores) => DictError::Source {
            what: format!("`{location}` has no backup of the store `{}`", source.unwrap_or_default()),
            help: format!("nothing was changed. There are backups of {}", stores.join(", ")).into(),
        },
    }
}
