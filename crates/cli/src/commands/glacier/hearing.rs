//! The queue that `glacier watch` listens to, where one is named.

use std::sync::Arc;

use backup_core::aws::Settings;
use backup_core::location::Location;
use glacier_archive::adapters::https::HttpsFetch;
use glacier_archive::adapters::sqs::SqsQueue;
use glacier_archive::listener::{Listener, Place, Trust};
use glacier_archive::queue::{Drained, Ears};
use glacier_archive::sns::{Verifier, system_roots};

use crate::args::glacier::Told;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::render::units::counted;

/// What listens; nothing if no queue is named.
pub(super) async fn ears(told: &Told, vault: Option<&str>, context: &Context) -> CliResult<Option<Ears>> {
    let layer = context.settings.layer();
    let of = |given: &Option<String>, set: Option<&String>| given.clone().or_else(|| set.cloned());
    let queue = of(&told.queue, layer.glacier_queue.as_ref().map(|set| &set.value));
    let topic = of(&told.topic, layer.glacier_topic.as_ref().map(|set| &set.value));
    let Some(url) = queue else {
        if told.topic.is_some() {
            return Err(CliError::usage("a topic sends its messages to a queue", "name the queue with `--queue`"));
        }
        return Ok(None);
    };
    let place = match (vault, context.location()?) {
        (Some(vault), _) => Place::Vault { name: vault.to_owned() },
        (None, Location::S3 { bucket, prefix }) => Place::Bucket { bucket, prefix },
        // The queue of the configuration file is of other backups.
        (None, _) if told.queue.is_none() => return Ok(None),
        (None, _) => {
            let what = "nobody tells when files of a folder can be read: they always can";
            return Err(CliError::usage(what, "leave `--queue` out, or use a location in a bucket"));
        }
    };
    let trust = match topic {
        None => Trust::Sender,
        Some(topic) => Trust::Topic(verifier(topic)?),
    };
    let listener = Listener::new(trust, place, context.run.clone());
    let settings = Box::pin(Settings::load(None)).await;
    Ok(Some(Ears::new(Arc::new(SqsQueue::new(&settings, &url, &context.run)), listener)))
}

fn verifier(topic: String) -> CliResult<Verifier> {
    if !topic.starts_with("arn:") {
        let what = format!("`{topic}` is not the ARN of a topic");
        return Err(CliError::usage(what, "give it as `arn:aws:sns:REGION:ACCOUNT:NAME`"));
    }
    let no_roots = |error: String| CliError::usage(error, "install root certificates (`ca-certificates` on Debian)");
    let roots = system_roots().map_err(|error| no_roots(error.to_string()))?;
    let fetch = HttpsFetch::new().map_err(|error| no_roots(error.to_string()))?;
    Ok(Verifier::new(topic, roots, Arc::new(fetch)))
}

/// Says what was left in the queue.
pub(super) fn tell(drained: &Drained, context: &Context) {
    if drained.left > 0 {
        let left = counted(drained.left, "message was", "messages were");
        context.printer.warn(&format!("{left} left in the queue: {}", drained.reasons.join("; ")));
    }
}
