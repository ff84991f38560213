//! `lastgood app lifecycle`.

use backup_core::aws::Settings;
use backup_core::lifecycle::ColdClass;
use backup_core::location::Location;
use backup_core::store::s3::S3Store;
use object_backup::lifecycle::{LifecycleOptions, folder, rules, warnings};
use serde_json::json;

use crate::args::app::{Class, Lifecycle};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::render::app::{LifecycleReport, lifecycle};
use crate::render::remedy::words;

pub(super) async fn run(arguments: &Lifecycle, context: &Context) -> CliResult<Exit> {
    let options = options(arguments);
    let rules = rules(&options)?;
    let location = context.location()?;
    let Location::S3 { bucket, prefix } = &location else {
        return Err(CliError::usage(
            format!("`{location}` is not a bucket: only S3 supports lifecycle rules"),
            "choose a bucket with `-r s3://bucket/prefix`; elsewhere use `lastgood app prune`",
        ));
    };
    for warning in warnings(&options) {
        context.printer.warn(&words(&warning));
    }
    if arguments.what.print {
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let documents: Vec<_> = rules.iter().map(|rule| rule.document(&prefix)).collect();
        let document = json!({ "Rules": documents });
        context.printer.result(&document, |document| format!("{document:#}"))?;
        return Ok(Exit::Ok);
    }
    // Rules for a prefix that was mistyped would expire what somebody else keeps there.
    context.open_to_change().await?;
    let settings = Box::pin(Settings::load(None)).await;
    let (store, folder) = (S3Store::new(&settings, bucket, prefix)?, folder(&options.name)?);
    let change = if arguments.dry_run.dry_run {
        context.or_cancelled(async { Ok(store.plan_lifecycle(&folder, &rules).await?) }).await?
    } else {
        store.set_lifecycle(&folder, &rules).await?
    };
    let report = LifecycleReport { bucket: bucket.clone(), rules, change, dry_run: arguments.dry_run.dry_run };
    context.printer.done(&report, !report.dry_run, lifecycle)?;
    Ok(Exit::Ok)
}

fn options(arguments: &Lifecycle) -> LifecycleOptions {
    let class = match arguments.class {
        Class::Glacier => ColdClass::Glacier,
        Class::DeepArchive => ColdClass::DeepArchive,
    };
    LifecycleOptions::new(&arguments.name)
        .expire_after_days(arguments.expire_after)
        .freeze_after_days(arguments.glacier_after, class)
}
