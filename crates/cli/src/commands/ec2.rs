//! `lastgood ec2`: which command it is.

mod apply;
mod asked;
mod clean_broken;
mod direct;
mod export;
mod hosts;
mod image;
mod import;
mod ls;
mod replicate;
mod report;
mod show;
mod snapshot;
mod sync_mount;
mod thaw;
mod trim;
mod verify;

use crate::args::ec2::Ec2;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;

/// Runs `command`. The futures hold whole listings, so that each is boxed.
pub(super) async fn run(command: Ec2, context: &Context) -> CliResult<Exit> {
    match command {
        Ec2::Snapshot(arguments) => Box::pin(snapshot::run(&arguments, context)).await,
        Ec2::Ls(arguments) => Box::pin(ls::run(&arguments, context)).await,
        Ec2::Show(arguments) => Box::pin(show::run(&arguments, context)).await,
        Ec2::Trim(arguments) => Box::pin(trim::run(&arguments, context)).await,
        Ec2::Apply(arguments) => Box::pin(apply::run(&arguments, context)).await,
        Ec2::CleanBroken(arguments) => Box::pin(clean_broken::run(&arguments, context)).await,
        Ec2::Image(arguments) => Box::pin(image::run(&arguments, context)).await,
        Ec2::Report(arguments) => Box::pin(report::run(&arguments, context)).await,
        Ec2::Verify(arguments) => Box::pin(verify::run(&arguments, context)).await,
        Ec2::Export(arguments) => Box::pin(export::run(&arguments, context)).await,
        Ec2::Import(arguments) => Box::pin(import::run(&arguments, context)).await,
        Ec2::Replicate(arguments) => Box::pin(replicate::run(&arguments, context)).await,
        Ec2::SyncMount(arguments) => Box::pin(sync_mount::run(&arguments, context)).await,
        Ec2::Thaw(arguments) => Box::pin(thaw::run(&arguments, context)).await,
    }
}
