//! `lastgood doctor`: checks everything that a dump and a restore need.

use lastgood_operator::findings::{self, Finding, Found, Subject};

use crate::args::Doctor;
use crate::context::Context;
use crate::env;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::location::explained;
use crate::render::doctor::{Check, Checks};

pub(super) async fn run(arguments: &Doctor, context: &Context) -> CliResult<Exit> {
    let mut checks = Checks::default();
    let looking = async {
        checks.checks.extend(location(context).await);
        checks.checks.extend(server(arguments, context).await);
        Ok(())
    };
    context.or_cancelled(Box::pin(looking)).await?;
    // What servers and programs say is repeated here.
    context.printer.done(&checks, checks.is_well(), |checks| context.printer.redactor().redact(&checks.text()))?;
    match checks.failed() {
        0 => Ok(Exit::Ok),
        failed => Err(CliError::Unhealthy { failed, checks: checks.checks.len() }),
    }
}

async fn location(context: &Context) -> Vec<Check> {
    let location = match context.location() {
        Ok(location) => location,
        Err(error) => return vec![Check::failed(Subject::Location, &error)],
    };
    let mut checks = Vec::new();
    for finding in Box::pin(findings::location(&location, &context.access(), context.run.clock.now())).await {
        checks.push(match finding {
            // With the help that a wrong location gets everywhere.
            Finding { subject, found: Found::Failed(failure), .. } => {
                Check::failed(subject, &Box::pin(explained(failure.into(), context)).await)
            }
            finding => Check::of(&finding),
        });
    }
    checks
}

/// The server that is named anywhere, if one is.
async fn server(arguments: &Doctor, context: &Context) -> Vec<Check> {
    let said = arguments.database.is_some() || arguments.server.is_given();
    if !said && !env::names_a_server() && context.settings.layer().url.is_none() {
        let what = "no server checked: give a database, or set PGHOST or LASTGOOD_PG_URL";
        return vec![Check::skipped(Subject::Server, what)];
    }
    let (server, database) = match context.server_of(&arguments.server, arguments.database.as_deref()) {
        Ok(named) => named,
        Err(error) => return vec![Check::failed(Subject::Server, &error)],
    };
    let bin_dir = arguments.tools.pg_bin.clone().or_else(|| context.settings.bin_dir());
    let findings = Box::pin(findings::server(&server, database.as_deref(), bin_dir.as_deref())).await;
    let check = |finding| match finding {
        Finding { subject, found: Found::Failed(failure), .. } => Check::failed(subject, &failure.into()),
        finding => Check::of(&finding),
    };
    findings.into_iter().map(check).collect()
}
