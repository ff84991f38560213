//! Why a filter takes no dump although there are some.

use backup_core::source::{Miss, UNKNOWN};
use backup_core::store::StoreRead;

use super::{Filter, Listed, database_names, folder_of, list};
use crate::error::PgResult;

/// What `filter` asks for that no dump in the location has; `None` if there are dumps that it takes, or none at all. Its tags are not
/// looked at.
///
/// # Errors
/// What the store says.
pub async fn miss(store: &dyn StoreRead, filter: &Filter) -> PgResult<Option<Miss>> {
    if let Some(database) = &filter.database {
        let names = database_names(store).await?;
        if !names.contains(database) {
            // What an interrupted run left there is that database's all the same.
            if !store.list_children(&folder_of(Some(database))?).await?.is_empty() {
                return Ok(None);
            }
            return Ok(Miss::instead(format!("no dump of `{database}` in {}", store.describe()), "dumps of", names));
        }
    }
    if filter.config.is_none() && filter.cluster.is_none() {
        return Ok(None);
    }
    let all = Filter { database: filter.database.clone(), ..Filter::default() };
    Ok(missed(filter, &list(store, &all).await?))
}

fn missed(filter: &Filter, dumps: &[Listed]) -> Option<Miss> {
    let of = filter.database.as_ref().map_or(String::new(), |database| format!(" of `{database}`"));
    let takes = |dump: &&Listed| filter.takes(&dump.database, &dump.config, dump.cluster.as_ref());
    let of_config = || dumps.iter().filter(|dump| filter.config.as_ref().is_none_or(|wanted| *wanted == dump.config));
    match (&filter.config, &filter.cluster) {
        _ if dumps.iter().any(|dump| takes(&dump)) => None,
        (Some(config), _) if of_config().next().is_none() => {
            let what = format!("no dump{of} was made with the configuration `{config}`");
            Miss::instead(what, "dumps with", dumps.iter().map(|dump| dump.config.clone()))
        }
        // Which cluster a damaged one is of, nobody knows.
        (_, Some(cluster)) if of_config().all(|dump| dump.fault.is_none()) => {
            let what = format!("no dump{of} comes from the cluster `{cluster}`");
            let clusters =
                of_config().map(|dump| dump.cluster.as_ref().map_or(UNKNOWN, |cluster| cluster.host.as_str()));
            Miss::instead(what, "dumps of", clusters)
        }
        _ => None,
    }
}
