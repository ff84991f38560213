//! `lastgood pg drop-local`.

use std::time::Duration;

use pg_clone::ident;
use pg_clone::live::local::{DropPlan, LocalDrop, LocalSource, Role};

use crate::args::pg::DropLocal;
use crate::confirm;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::pg::{drop_plan, drop_report, needs_confirmation};
use crate::render::units::counted;

/// How long the server may still count the session of a client that has just gone.
const GONE_WITHIN: Duration = Duration::from_secs(1);

pub(super) async fn run(arguments: &DropLocal, context: &Context) -> CliResult<Exit> {
    let (server, _) = context.server_of(&arguments.server, None)?;
    let name = LocalSource::name(&arguments.name)?;
    ident::refuse_long(&name)?;
    let confirmed = arguments.confirm_database.clone();
    let mut local_drop = LocalDrop::prepare(&server, &name, confirmed.clone(), &context.run).await?;
    let plan = local_drop.plan();
    let now = context.run.clock.now();
    if arguments.dry_run.dry_run {
        let needed = needs_confirmation(plan.database.role == Role::Live, &name, confirmed.as_deref());
        let words = |plan: &DropPlan| format!("{}{needed}\nNothing was changed (dry run)", drop_plan(plan, now));
        context.printer.result(plan, words)?;
        local_drop.check().await?;
        return Ok(Exit::Ok);
    }
    // Somebody may have put a copy to use.
    if plan.database.sessions > 0 && confirmed.as_deref() != Some(&name) && !context.global.yes {
        tokio::time::sleep(GONE_WITHIN).await;
        local_drop = LocalDrop::prepare(&server, &name, confirmed, &context.run).await?;
        let sessions = local_drop.plan().database.sessions;
        if sessions > 0 {
            let sessions = counted(sessions, "session uses", "sessions use");
            confirm::require_yes(&format!("{sessions} `{name}`, which will be dropped"), &context.run.cancel).await?;
        }
    }
    let report = local_drop.run().await?;
    context.printer.done(&report, true, drop_report)?;
    Ok(Exit::Ok)
}
