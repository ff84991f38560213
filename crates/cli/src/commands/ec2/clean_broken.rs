//! `lastgood ec2 clean-broken`.

use ec2_snapshots::clean;

use crate::args::ec2::CleanBroken;
use crate::commands::ec2::asked::{cloud, end, places};
use crate::confirm;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::ec2::trim::{broken, cleaned};
use crate::render::units::counted;

pub(super) async fn run(arguments: &CleanBroken, context: &Context) -> CliResult<Exit> {
    let cloud = cloud(context).await?;
    let (_, regions) = places(&*cloud, &arguments.regions, context).await?;
    let planning = clean::plan(&*cloud, &regions, arguments.any.any, &context.run);
    let plan = context.run.or_cancelled(planning).await?;
    if arguments.dry_run.dry_run {
        context.printer.dry_run(&plan, broken)?;
        let count = plan.len();
        return end(plan.failures, count, context);
    }
    if !plan.is_empty() && !context.global.yes {
        if confirm::is_interactive() {
            context.printer.stderr(&broken(&plan));
        }
        let snapshots = (plan.broken.len() + plan.doubled.len()) as u64;
        let mut what = format!("this deletes {}", counted(snapshots, "snapshot", "snapshots"));
        if !plan.temporary.is_empty() {
            let things = counted(plan.temporary.len() as u64, "thing", "things");
            what.push_str(&format!(" and removes {things} that replications left"));
        }
        confirm::require_yes(&what, &context.run.cancel).await?;
    }
    let report = clean::run(&*cloud, plan, &context.run).await?;
    context.printer.done(&report, report.snapshots.failures.is_empty(), cleaned)?;
    let done = report.snapshots.deleted.len() + report.removed.len();
    end(report.snapshots.failures, done, context)
}
