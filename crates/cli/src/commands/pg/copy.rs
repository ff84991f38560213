//! `lastgood pg copy`.

use pg_clone::ident;
use pg_clone::live::local::{LocalSource, Purpose};
use pg_clone::restore::RestoreOptions;

use crate::args::pg::Copy;
use crate::commands::pg::local_restore;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;

pub(super) async fn run(arguments: &Copy, context: &Context) -> CliResult<Exit> {
    let (server, _) = context.server_of(&arguments.server, None)?;
    let source = LocalSource::name(&arguments.source)?;
    let target = LocalSource::name(&arguments.target)?;
    ident::refuse_long(&source)?;
    ident::refuse_long(&target)?;
    let mut options = RestoreOptions::new(source.clone());
    options.into = Some(target.clone());
    options.confirm.clone_from(&arguments.confirm_database);
    options.force = arguments.force;
    let source = LocalSource::Named(source);
    let dry_run = arguments.dry_run.dry_run;
    local_restore::execute(&server, &source, &target, Purpose::Copy, options, dry_run, context).await
}
