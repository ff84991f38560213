//! Why a filter takes no backup although there are some.

use backup_core::source::Miss;
use backup_core::store::StoreRead;

use super::{Entry, Filter, State, list, source_of};
use crate::error::ObjectResult;

/// What `filter` asks for that no backup in the location has; `None` if there are backups that it takes, or none at all. Its tags are
/// not looked at.
///
/// # Errors
/// What the store says.
pub async fn miss(store: &dyn StoreRead, filter: &Filter) -> ObjectResult<Option<Miss>> {
    let all = list(store, &Filter { name: filter.name.clone(), ..Filter::default() }).await?;
    let ours: Vec<&Entry> = all.iter().filter(|entry| entry.key.name.is_some()).collect();
    if let Some(name) = filter.name.as_ref().filter(|_| ours.is_empty()) {
        let what = format!("no backup named `{name}` in {}", store.describe());
        let others = list(store, &Filter::default()).await?.into_iter().filter_map(|entry| entry.key.name);
        return Ok(Miss::instead(what, "backups named", others));
    }
    Ok(filter.source.as_deref().and_then(|source| missed(filter, source, &ours)))
}

fn missed(filter: &Filter, source: &str, entries: &[&Entry]) -> Option<Miss> {
    // What cannot be read does not say which source it is of.
    let silent = |entry: &&&Entry| !matches!(entry.state, State::Good | State::Partial);
    if entries.iter().any(|entry| silent(&entry) || filter.takes(entry.source.as_ref())) {
        return None;
    }
    let named = filter.name.as_ref().map_or(String::new(), |name| format!(" named `{name}`"));
    let what = format!("no backup{named} comes from the source `{source}`");
    Miss::instead(what, "backups of", entries.iter().map(|entry| source_of(entry.source.as_ref())))
}
