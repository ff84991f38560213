//! `lastgood ec2 sync-mount`.

use std::sync::Arc;

use ec2_snapshots::host::adapters::Process;
use ec2_snapshots::host::{Host, Shell};
use ec2_snapshots::model::{Instance, Region};
use ec2_snapshots::ports::{Cloud, Filter};
use ec2_snapshots::sync::{End, Options, sync};
use ec2_snapshots::{Ec2Error, listing};

use crate::args::ec2::sync_mount::{End as Typed, SyncMount};
use crate::commands::ec2::asked::cloud;
use crate::commands::ec2::hosts::{shell, ssh};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::ec2::hosts::synced;

/// The name of this machine, as [`Host`] reads it.
const LOCAL: &str = "local";

/// One end as it was found.
struct Found {
    shell: Arc<dyn Shell>,
    /// The host as `ssh` takes it, without the user.
    name: String,
    instance: Option<Instance>,
}

pub(super) async fn run(arguments: &SyncMount, context: &Context) -> CliResult<Exit> {
    let from = found(&arguments.from, arguments, context).await?;
    let to = found(&arguments.to, arguments, context).await?;
    let address = match &arguments.address {
        Some(address) => address.clone(),
        None => address(&from, &to)?,
    };
    let end = |found: Found, typed: &Typed| End {
        shell: found.shell,
        address: address.clone(),
        port: arguments.port,
        volume: typed.volume.clone(),
        mount: typed.mount.clone(),
    };
    let options =
        Options { encrypted: arguments.encrypted, delete: !arguments.update, exclude: arguments.exclude.clone() };
    let (from, to) = (end(from, &arguments.from), end(to, &arguments.to));
    let done = sync(&from, &to, &options, &context.run).await.map_err(Ec2Error::from)?;
    if done.files_vanished {
        context.printer.warn("files vanished while they were copied; what was there at the end is copied");
    }
    context.printer.done(&done, true, synced)?;
    Ok(Exit::Ok)
}

async fn found(typed: &Typed, arguments: &SyncMount, context: &Context) -> CliResult<Found> {
    let host: Host = typed.instance.parse().map_err(Ec2Error::from)?;
    let Host::Instance(id) = &host else {
        let shell = shell(&host, None, &arguments.reaching, context).await?;
        let name = typed.instance.rsplit_once('@').map_or(typed.instance.as_str(), |(_, name)| name);
        return Ok(Found { shell, name: name.to_owned(), instance: None });
    };
    let instance = instance(id, context).await?;
    let known = instance.public_address.as_ref().or(instance.private_address.as_ref());
    let Some(name) = known.cloned() else {
        let what = format!("instance `{id}` has no address");
        return Err(CliError::usage(what, "start it, or name it as `user@host`"));
    };
    let shell = Arc::new(Process::ssh(format!("{}@{name}", arguments.ssh_user), ssh(&arguments.reaching)?));
    Ok(Found { shell, name, instance: Some(instance) })
}

/// The instance, in whichever region it is.
async fn instance(id: &str, context: &Context) -> CliResult<Instance> {
    let cloud = cloud(context).await?;
    let regions = context.run.or_cancelled(listing::regions(&*cloud, &context.run)).await?;
    for region in &regions {
        if let Some(instance) = in_region(id, region, &*cloud, context).await? {
            return Ok(instance);
        }
    }
    let what = format!("instance `{id}` in any of {} regions", regions.len());
    Err(CliError::usage(format!("there is no {what}"), "`aws ec2 describe-instances` lists them"))
}

async fn in_region(id: &str, region: &Region, cloud: &dyn Cloud, context: &Context) -> CliResult<Option<Instance>> {
    let filter = Filter::literal("instance-id", [id]);
    let ec2 = cloud.region(region);
    let found = context.run.or_cancelled(listing::instances(&*ec2, vec![filter], &context.run)).await?;
    Ok(found.into_iter().next())
}

/// How the source reaches the destination.
fn address(from: &Found, to: &Found) -> CliResult<String> {
    match (&from.instance, &to.instance) {
        (Some(here), Some(there)) if here.region == there.region => {
            Ok(there.private_address.clone().unwrap_or_else(|| to.name.clone()))
        }
        // `local` is a name for us alone.
        _ if to.name == LOCAL && from.name == LOCAL => Ok("localhost".to_owned()),
        _ if to.name == LOCAL => {
            let help = "give an address of this machine with `--address`";
            Err(CliError::usage("how the source reaches this machine is not known", help))
        }
        _ => Ok(to.name.clone()),
    }
}
