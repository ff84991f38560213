//! `lastgood glacier audit`.

use glacier_archive::GlacierError;
use glacier_archive::audit::{audit, plan_audit};

use crate::args::glacier::Audit;
use crate::commands::glacier::shared::{Sides, limits, price_book};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::archives::audited;
use crate::render::glacier::{archives, retrieval_plan, within};

pub(super) async fn run(arguments: &Audit, context: &Context) -> CliResult<Exit> {
    let hot = context.open().await?;
    let is_dry = arguments.dry_run.dry_run;
    let Sides { store, cold, state, .. } = Sides::of(&arguments.of, hot, !is_dry, context).await?;
    let (name, share) = (&arguments.of.name, arguments.sample);
    let (allowed, prices) = (limits(&arguments.limits, context), price_book(&arguments.limits.prices, context)?);
    if is_dry {
        let plan = plan_audit(&*cold, &state, name, share, &allowed, &prices, &context.run).await?;
        context.printer.result(&plan, |plan| format!("{}\nNothing was requested (dry run)", retrieval_plan(plan)))?;
        return Ok(Exit::Ok);
    }
    let sides = (&store, &*cold);
    let found = Box::pin(audit(sides, &state, name, share, &allowed, &prices, &context.run)).await?;
    for failed in &found.failed {
        context.printer.warn(&format!("`{}` failed: {}", failed.key, failed.what));
    }
    let now = context.run.clock.now();
    let is_well = found.failed.is_empty() && found.waiting == 0;
    context.printer.done(&found, is_well, |found| audited(found, now))?;
    let failed = archives(found.failed.len() as u64);
    if let Some(first) = found.failed.iter().find(|failed| failed.damaged) {
        let why = format!("it is not what was archived; {failed} of the sample failed");
        return Err(GlacierError::Damaged { what: first.key.to_string(), why }.into());
    }
    if !found.failed.is_empty() {
        return Err(CliError::Partial {
            what: format!("{failed} of the sample could not be read"),
            help: "run the same command again: the sample stays the same until it was read".to_owned(),
        });
    }
    if found.waiting == 0 {
        return Ok(Exit::Ok);
    }
    let expected = found.expected.map_or_else(String::new, |at| format!(", expected {}", within(at, now)));
    Err(GlacierError::NotReady {
        what: format!("{} of the sample cannot be read yet{expected}", archives(found.waiting)),
        help: "run the same command again then: the sample stays the same until it was read".to_owned(),
    }
    .into())
}
