//! `lastgood pg drop-local`.

use pg_clone::ident;
use pg_clone::live::local::{DropPlan, LocalDrop, LocalSource, Role};

use crate::args::pg::DropLocal;
use crate::confirm;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::pg::{drop_plan, drop_report, needs_confirmation};
use crate::render::units::counted;

pub(super) async fn run(arguments: &DropLocal, context: &Context) -> CliResult<Exit> {
    let (server, _) = context.server_of(&arguments.server, None)?;
    let name = LocalSource::name(&arguments.name)?;
    ident::refuse_long(&name)?;
    let confirmed = arguments.confirm_database.clone();
    let local_drop = LocalDrop::prepare(&server, &name, confirmed, &context.run).await?;
    let plan = local_drop.plan();
    let now = context.run.clock.now();
    let confirmed = arguments.confirm_database.as_deref();
    if arguments.dry_run.dry_run {
        let needed = needs_confirmation(plan.database.role == Role::Live, &name, confirmed);
        let words = |plan: &DropPlan| format!("{}{needed}\nNothing was changed (dry run)", drop_plan(plan, now));
        context.printer.result(plan, words)?;
        local_drop.check().await?;
        return Ok(Exit::Ok);
    }
    // Somebody may have put a copy to use.
    if plan.database.sessions > 0 && confirmed != Some(&name) && !context.global.yes {
        let sessions = counted(plan.database.sessions, "session uses", "sessions use");
        confirm::require_yes(&format!("{sessions} `{name}`, which will be dropped"), &context.run.cancel).await?;
    }
    let report = local_drop.run().await?;
    context.printer.done(&report, true, drop_report)?;
    Ok(Exit::Ok)
}
