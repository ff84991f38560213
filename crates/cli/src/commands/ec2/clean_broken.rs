//! `lastgood ec2 clean-broken`.

use ec2_snapshots::clean;

use crate::args::ec2::CleanBroken;
use crate::commands::ec2::asked::{cloud, end, places};
use crate::confirm;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::ec2::trim::{broken, deleted};
use crate::render::units::counted;

pub(super) async fn run(arguments: &CleanBroken, context: &Context) -> CliResult<Exit> {
    let cloud = cloud(context).await?;
    let (_, regions) = places(&*cloud, &arguments.regions, context).await?;
    let plan = clean::plan(&*cloud, &regions, arguments.any.any, &context.run).await?;
    if arguments.dry_run.dry_run {
        context.printer.dry_run(&plan, broken)?;
        return end(plan.failures, plan.broken.len(), context);
    }
    if !plan.broken.is_empty() && !context.global.yes {
        if confirm::is_interactive() {
            context.printer.stderr(&broken(&plan));
        }
        let what = format!("this deletes {}", counted(plan.broken.len() as u64, "failed snapshot", "failed snapshots"));
        confirm::require_yes(&what, &context.run.cancel).await?;
    }
    let report = clean::run(&*cloud, plan, &context.run).await?;
    context.printer.result(&report, deleted)?;
    let done = report.deleted.len();
    end(report.failures, done, context)
}
