//! What several commands read from their arguments.

use backup_core::store::StoreRead;
use object_backup::Wanted;
use object_backup::list::{self, Found, Sought};

use crate::args::app::of_source::OfSource;
use crate::context::Context;
use crate::error::CliResult;

pub(super) fn wanted(types: &[String]) -> Vec<Wanted> {
    types.iter().map(|text| Wanted::parse(text)).collect()
}

/// The backup as it is asked for.
pub(super) fn sought<'a>(key: &'a str, name: Option<&'a str>, of: &'a OfSource) -> Sought<'a> {
    Sought::new(key).named(name).of_source(of.source.as_deref())
}

pub(super) async fn found(store: &dyn StoreRead, sought: Sought<'_>, context: &Context) -> CliResult<Found> {
    context.or_cancelled(async { Ok(list::find(store, sought).await?) }).await
}
