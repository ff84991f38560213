//! `lastgood init`.

use backup_core::probe;
use serde::Serialize;

use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;

#[derive(Debug, Serialize)]
struct Initialized {
    location: String,
    layout_format: u64,
    created_at: jiff::Timestamp,
    atomic: bool,
}

pub(super) async fn run(context: &Context) -> CliResult<Exit> {
    let store = context.open_or_create().await?;
    let existed = context.or_cancelled(async { Ok(probe::check(&*store).await?) }).await?.is_some();
    let marker = context.or_cancelled(async { Ok(probe::ensure(&*store, &*context.run.clock).await?) }).await?;
    let result = Initialized {
        location: store.describe(),
        layout_format: marker.format,
        created_at: marker.created_at,
        atomic: marker.atomic,
    };
    context.printer.result(&result, |result| {
        let what = if existed { "There is a repository" } else { "Created repository" };
        format!("{what} at `{}` (format {}); it publishes atomically", result.location, result.layout_format)
    })?;
    context.printer.note("Next: `lastgood doctor`, then `lastgood pg dump DATABASE`");
    Ok(Exit::Ok)
}
