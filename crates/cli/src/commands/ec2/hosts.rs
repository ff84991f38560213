//! How commands reach hosts.

use std::sync::Arc;

use ec2_snapshots::freeze::{Freezer, Hooks, Reach};
use ec2_snapshots::host::adapters::{Process, SshOptions};
use ec2_snapshots::host::{Host, Shell};
use jiff::SignedDuration;

use crate::args::ec2::freeze::{Consistent, Via};
use crate::args::ec2::reach::Reaching;
use crate::commands::ec2::asked;
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// How `ssh` is called.
pub(super) fn ssh(reaching: &Reaching) -> CliResult<SshOptions> {
    Ok(SshOptions::of(&reaching.ssh_command, reaching.sudo).map_err(ec2_snapshots::Ec2Error::from)?)
}

/// The shell of a host by its name.
pub(super) async fn shell(
    host: &Host,
    region: Option<&str>,
    reaching: &Reaching,
    context: &Context,
) -> CliResult<Arc<dyn Shell>> {
    match host {
        Host::Local => Ok(Arc::new(Process::local(outputs()))),
        Host::Ssh(destination) => Ok(Arc::new(Process::ssh(destination, ssh(reaching)?))),
        Host::Instance(id) => systems_manager(id, region, context).await,
    }
}

/// What freezes instances as the options say.
pub(super) async fn freezer(consistent: &Consistent, context: &Context) -> CliResult<Freezer> {
    let reach = match &consistent.via {
        Via::Local => Reach::Local(outputs()),
        Via::Ssh { user, host } => {
            Reach::Ssh { user: user.clone(), address: host.clone(), options: ssh(&consistent.reaching)? }
        }
        Via::Ssm => every_instance(context).await?,
    };
    let whole = |time: SignedDuration| std::time::Duration::from_secs(time.unsigned_abs().as_secs());
    let hooks = Hooks {
        before: consistent.hook_before.clone(),
        after: consistent.hook_after.clone(),
        limit: whole(consistent.hook_timeout),
    };
    Ok(Freezer {
        reach,
        mounts: consistent.freeze.clone(),
        deadline: whole(consistent.freeze_deadline),
        hooks,
        by: format!("lastgood, process {}", std::process::id()),
        progress: Arc::clone(&context.run.progress),
    })
}

/// Files that our output goes to: a log on a frozen file system would stop whoever has to thaw it.
fn outputs() -> Vec<String> {
    let targets = ["/proc/self/fd/1", "/proc/self/fd/2"].map(std::fs::read_link);
    targets.into_iter().flatten().filter(|path| path.is_file()).map(|path| path.display().to_string()).collect()
}

async fn systems_manager(id: &str, region: Option<&str>, context: &Context) -> CliResult<Arc<dyn Shell>> {
    let settings = asked::settings(context).await?;
    let settings = match region {
        Some(region) => settings.in_region(region),
        None if settings.region().is_some() => settings,
        None => {
            let what = format!("the region of `{id}` is not known");
            return Err(CliError::usage(what, "name it with `--region`"));
        }
    };
    Ok(Arc::new(ec2_snapshots::host::adapters::Ssm::new(&settings, id)))
}

async fn every_instance(context: &Context) -> CliResult<Reach> {
    use ec2_snapshots::host::adapters::Ssm;
    use ec2_snapshots::model::Instance;

    let settings = asked::settings(context).await?;
    let make = move |instance: &Instance| -> Arc<dyn Shell> {
        Arc::new(Ssm::new(&settings.in_region(instance.region.as_str()), instance.id.as_str()))
    };
    Ok(Reach::SystemsManager(Arc::new(make)))
}
