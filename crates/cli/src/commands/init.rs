//! `lastgood init`.

use backup_core::location::Location;
use backup_core::probe::{self, LAYOUT_FORMAT};
use backup_core::store::ListingOrder;
use serde::Serialize;

use crate::args::DryRun;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::doctor::lists;

#[derive(Debug, Serialize)]
struct Initialized {
    location: String,
    layout_format: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<jiff::Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    atomic: Option<bool>,
    /// In which order its store lists, where it is a bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    listing: Option<ListingOrder>,
    created: bool,
}

pub(super) async fn run(arguments: DryRun, context: &Context) -> CliResult<Exit> {
    if arguments.dry_run {
        return plan(context).await;
    }
    let made = context.init().await?;
    let is_bucket = matches!(context.location()?, Location::S3 { .. });
    let result = Initialized {
        location: made.store.describe(),
        layout_format: made.marker.format,
        created_at: Some(made.marker.created_at),
        atomic: Some(made.marker.atomic),
        listing: made.marker.listing.filter(|_| is_bucket),
        created: made.created,
    };
    context.printer.done(&result, true, |result| {
        let what = if result.created { "Created a location at" } else { "Found an existing location at" };
        let lists = result.listing.map(|order| format!(" and {}", lists(order))).unwrap_or_default();
        let (location, format) = (&result.location, result.layout_format);
        format!("{what} `{location}` (format {format}); its store supports conditional writes{lists}")
    })?;
    context.printer.note("Next: `lastgood doctor`, then `lastgood pg dump DATABASE`");
    Ok(Exit::Ok)
}

async fn plan(context: &Context) -> CliResult<Exit> {
    let location = context.location()?.to_string();
    let found = match context.before_init().await? {
        Some(store) => context.or_cancelled(async { Ok(probe::check(&*store).await?) }).await?,
        None => None,
    };
    let result = Initialized {
        location,
        layout_format: found.as_ref().map_or(LAYOUT_FORMAT, |marker| marker.format),
        created_at: found.as_ref().map(|marker| marker.created_at),
        atomic: found.as_ref().map(|marker| marker.atomic),
        listing: None,
        created: found.is_none(),
    };
    context.printer.result(&result, |result| {
        let what = if result.created { "Would create a location at" } else { "Found an existing location at" };
        format!("{what} `{}`\nNothing was changed (dry run)", result.location)
    })?;
    Ok(Exit::Ok)
}
