//! `lastgood ec2 thaw`.

use ec2_snapshots::Ec2Error;
use ec2_snapshots::freeze::{FreezeError, Verdict, thaw};

use crate::args::ec2::freeze::Thaw;
use crate::commands::ec2::hosts::shell;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::ec2::hosts::thawed;

pub(super) async fn run(arguments: &Thaw, context: &Context) -> CliResult<Exit> {
    let host = arguments.host()?;
    let shell = shell(&host, arguments.region.as_deref(), &arguments.reaching, context).await?;
    // Not dropped by a signal: what was begun on the host is told.
    let found = thaw(&*shell).await.map_err(Ec2Error::from)?;
    let is_well = found.iter().all(|found| found.verdict != Verdict::Stuck);
    context.printer.done(&found, is_well, |found| thawed(found, shell.host()))?;
    match found.into_iter().find(|found| found.verdict == Verdict::Stuck) {
        None => Ok(Exit::Ok),
        Some(stuck) => {
            let (what, said) = stuck.what.rsplit_once(": ").unwrap_or((&stuck.what, "no reason was given"));
            let host = shell.host().to_owned();
            let error = FreezeError::Stuck { host, what: format!("`{what}`"), said: said.to_owned() };
            Err(Ec2Error::from(error).into())
        }
    }
}
