//! `lastgood pg drop-local`.

use pg_clone::local::{self, DropPlan, LocalSource};

use crate::args::pg::DropLocal;
use crate::confirm;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::pg::{drop_plan, drop_report};
use crate::render::units::counted;

pub(super) async fn run(arguments: &DropLocal, context: &Context) -> CliResult<Exit> {
    let (server, _) = context.server_of(&arguments.server, None)?;
    let name = LocalSource::name(&arguments.name)?;
    let plan = Box::pin(local::prepare_drop(&server, &name, &context.run)).await?;
    let now = context.run.clock.now();
    if arguments.dry_run.dry_run {
        let words = |plan: &DropPlan| format!("{}\nNothing was changed (dry run)", drop_plan(plan, now));
        context.printer.result(&plan, words)?;
        return Ok(Exit::Ok);
    }
    let confirmed = arguments.confirm_database.as_deref();
    // Somebody may have put a copy to use.
    if plan.database.sessions > 0 && confirmed != Some(&name) && !context.global.yes {
        let sessions = counted(plan.database.sessions, "session is", "sessions are");
        confirm::go_on(&format!("{sessions} in `{name}`, which is to be dropped"), &context.run.cancel).await?;
    }
    let report = Box::pin(local::drop_local(&server, &plan, confirmed, &context.run)).await?;
    context.printer.result(&report, drop_report)?;
    Ok(Exit::Ok)
}
