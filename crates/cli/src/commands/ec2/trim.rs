//! `lastgood ec2 trim`: on EC2, on a file, or in a simulation.

use std::fs::File;
use std::io::{Read, Write as _};
use std::path::Path;

use backup_core::local_file;
use ec2_snapshots::delete::Doomed;
use ec2_snapshots::model::Region;
use ec2_snapshots::plan_file::PlanFile;
use ec2_snapshots::simulate::{Schedule, simulate};
use ec2_snapshots::trim::{self, Gathered, Request, Scope, Standing, TrimPlan};
use ec2_snapshots::{Ec2Error, offline};

use crate::args::ec2::trim::Trim;
use crate::commands::ec2::asked::{cloud, end, places, shows, tag};
use crate::confirm;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::ec2::chart::{chart, svg};
use crate::render::ec2::trim::{Planned, deleted, only_planned, planned};
use crate::render::units::counted;

/// What a file of descriptions is said to be the region of, if nothing names one: the documents do not.
const NO_REGION: &str = "file";

pub(super) async fn run(arguments: &Trim, context: &Context) -> CliResult<Exit> {
    if arguments.simulate {
        return simulated(arguments, context);
    }
    if let Some(file) = &arguments.from_json {
        return of_file(file, arguments, context);
    }
    let cloud = cloud(context).await?;
    let (known, regions) = places(&*cloud, &arguments.regions, context).await?;
    let (policy, name) = arguments.policy();
    let scope = Scope { tag: tag(&arguments.tagged, context)?, any: arguments.any.any, ..Scope::default() };
    let request = Request { regions, scope, policy };
    let now = arguments.now.unwrap_or_else(|| context.run.clock.now());
    let preparing = trim::prepare(&*cloud, &known, &request, &context.run);
    let mut prepared = context.run.or_cancelled(preparing).await?;
    let planning = trim::plan_of(&*cloud, &mut prepared, &request, now, &context.run);
    let plan = context.run.or_cancelled(planning).await?;
    warn(&plan, context);
    let failures = prepared.failures;
    let doomed = plan.deleted().count();
    if let Some(out) = &arguments.out {
        let listed = plan.deleted().map(|one| Doomed {
            region: one.region.clone(),
            id: one.id.clone(),
            volume: one.volume.to_string(),
        });
        let file = PlanFile::of(&*cloud, &request.regions, listed.collect(), now, &context.run).await?;
        write(out, &file.text()?)?;
        context.printer.large(&Planned::of(&plan, &name), planned)?;
        context.printer.note(&format!("wrote the plan to `{}`; nothing was changed", out.display()));
        return end(failures, plan.decisions.len(), context);
    }
    if arguments.dry_run.dry_run {
        if shows(&failures, plan.decisions.len()) {
            context.printer.large(&Planned::of(&plan, &name), only_planned)?;
        }
        return end(failures, plan.decisions.len(), context);
    }
    if doomed > 0 && !context.global.yes {
        if confirm::is_interactive() {
            context.printer.stderr(&planned(&Planned::of(&plan, &name)));
        }
        let what = format!("this deletes {}", counted(doomed as u64, "snapshot", "snapshots"));
        confirm::require_yes(&what, &context.run.cancel).await?;
    }
    let report = trim::run(&*cloud, &plan, failures, &context.run).await?;
    context.printer.done(&report, report.failures.is_empty(), deleted)?;
    let done = report.deleted.len();
    end(report.failures, done, context)
}

/// A plan for what a file says, without asking EC2.
fn of_file(file: &Path, arguments: &Trim, context: &Context) -> CliResult<Exit> {
    let (policy, name) = arguments.policy();
    let region: Region =
        arguments.regions.region.first().map_or(NO_REGION, String::as_str).parse().map_err(Ec2Error::from)?;
    let scope =
        Scope { tag: tag(&arguments.tagged, context)?, any: arguments.any.any, ..Scope::default() }.keeping(&policy);
    let shown = file.display().to_string();
    let opened: Box<dyn Read> = match shown.as_str() {
        "-" => Box::new(std::io::stdin()),
        _ => {
            Box::new(File::open(file).map_err(|source| Ec2Error::Io { action: "read", path: shown.clone(), source })?)
        }
    };
    let (mut gathered, standing) = (Gathered::new(), Standing::default());
    offline::read(opened, &shown, &region, &mut |snapshot| gathered.add(&snapshot, &scope, &standing))?;
    let now = arguments.now.unwrap_or_else(|| context.run.clock.now());
    let plan = trim::plan(&mut gathered, &policy, now)?;
    drop(gathered);
    warn(&plan, context);
    context.printer.large(&Planned::of(&plan, &name), only_planned)?;
    Ok(Exit::Ok)
}

fn simulated(arguments: &Trim, context: &Context) -> CliResult<Exit> {
    let (policy, name) = arguments.policy();
    let end = arguments.now.unwrap_or_else(|| context.run.clock.now());
    let schedule = Schedule { cadence: arguments.cadence, lasts: arguments.lasts, end };
    let simulation = simulate(&policy, schedule)?;
    if let Some(out) = &arguments.svg {
        write(out, &svg(&simulation, &name))?;
    }
    context.printer.result(&simulation, |simulation| chart(simulation, &name))?;
    Ok(Exit::Ok)
}

fn warn(plan: &TrimPlan, context: &Context) {
    for warning in &plan.warnings {
        context.printer.warn(warning);
    }
}

fn write(path: &Path, text: &str) -> CliResult<()> {
    let failed = |source| CliError::Output { action: format!("write `{}`", path.display()), source };
    local_file::open_empty(path).and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)
}
