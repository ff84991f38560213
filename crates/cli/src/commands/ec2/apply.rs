//! `lastgood ec2 apply`.

use ec2_snapshots::plan_file::PlanFile;

use crate::args::ec2::Apply;
use crate::commands::ec2::asked::{cloud, end};
use crate::confirm;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::ec2::trim::{deleted, listed};
use crate::render::units::counted;

pub(super) async fn run(arguments: &Apply, context: &Context) -> CliResult<Exit> {
    let plan = PlanFile::read(&arguments.plan)?;
    let cloud = cloud(context).await?;
    if arguments.dry_run.dry_run {
        context.run.or_cancelled(plan.check(&*cloud, &context.run)).await?;
        context.printer.dry_run(&plan, listed)?;
        return Ok(Exit::Ok);
    }
    if !plan.delete.is_empty() && !context.global.yes {
        let what = format!("this deletes {}", counted(plan.delete.len() as u64, "snapshot", "snapshots"));
        confirm::require_yes(&what, &context.run.cancel).await?;
    }
    let report = plan.apply(&*cloud, &context.run).await?;
    context.printer.done(&report, report.failures.is_empty(), deleted)?;
    let done = report.deleted.len();
    end(report.failures, done, context)
}
