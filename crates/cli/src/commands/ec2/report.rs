//! `lastgood ec2 report`.

use ec2_snapshots::regions;
use ec2_snapshots::report::{self, Request};

use crate::args::ec2::{Format, Report};
use crate::commands::ec2::asked::{cloud, end, places, shows, tag};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::ec2::prometheus::metrics;
use crate::render::ec2::report::reported;

pub(super) async fn run(arguments: &Report, context: &Context) -> CliResult<Exit> {
    let form = match arguments.format {
        Format::Text => reported,
        Format::Prometheus if context.printer.is_json() => {
            return Err(CliError::usage("a report is either JSON or metrics", "leave out `--json` or `--format`"));
        }
        Format::Prometheus => metrics,
    };
    let cloud = cloud(context).await?;
    let (known, chosen) = places(&*cloud, &arguments.regions, context).await?;
    let copies_in =
        if arguments.copies_in.is_empty() { Vec::new() } else { regions::resolve_all(&arguments.copies_in, &known)? };
    let request = Request { tag: tag(&arguments.tagged, context)?, rpo: arguments.rpo, copies_in, regions: chosen };
    let preparing = report::prepare(&*cloud, &known, &request, &context.run);
    let prepared = context.run.or_cancelled(preparing).await?;
    let made = report::report(prepared, &request, context.run.clock.now());
    if shows(&made.failures, made.volumes.len()) {
        context.printer.result(&made, form)?;
    }
    // What could not be looked at may be as stale as the rest: staleness is told first.
    if let Some(stale) = made.staleness() {
        return Err(stale.into());
    }
    let volumes = made.volumes.len();
    end(made.failures, volumes, context)
}
