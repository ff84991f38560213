//! A queue of SQS.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::DeleteMessageBatchRequestEntry;
use backup_core::StoreError;
use backup_core::aws::{Answer, Meaning, RequestError, Settings};
use backup_core::retry::{self, RetryPolicy};
use backup_core::run::Run;

use crate::error::{GlacierError, GlacierResult};
use crate::queue::{MessageQueue, Received, WAIT_MAX};

/// Messages of one request at most (AWS, "ReceiveMessage" and "DeleteMessageBatch").
const BATCH: i32 = 10;

/// What SQS calls a queue that is not there, in its two protocols.
const NO_QUEUE: [&str; 2] = ["AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"];

/// A queue.
#[derive(Clone, Debug)]
pub struct SqsQueue {
    client: Client,
    url: String,
    run: Run,
}

impl SqsQueue {
    /// The queue at `url`. No request is made. Requests that failed for now are tried again until `run` is cancelled.
    #[must_use]
    pub fn new(settings: &Settings, url: &str, run: &Run) -> Self {
        Self { client: Client::new(settings.sdk()), url: url.to_owned(), run: run.clone() }
    }

    /// Both requests can be repeated: a message that was received twice is the same message, and one that was deleted is
    /// gone.
    async fn retried<T, F>(&self, action: &'static str, request: impl FnMut() -> F) -> GlacierResult<T>
    where
        F: Future<Output = Result<T, RequestError>>,
    {
        let cancelled = self.run.cancel.cancelled();
        let told = |failed: &retry::FailedAttempt<'_, RequestError>| {
            tracing::debug!(error = %failed.error, attempt = failed.failed, "trying again");
        };
        let done = retry::run(RetryPolicy::default(), request, RequestError::is_permanent, cancelled, told).await;
        done.map_err(|error| failed(error, action, &self.url))
    }
}

#[async_trait]
impl MessageQueue for SqsQueue {
    async fn receive(&self, wait: Duration) -> GlacierResult<Vec<Received>> {
        // No more than 20.
        let seconds = i32::try_from(wait.min(WAIT_MAX).as_secs()).unwrap_or(0);
        let answer = self
            .retried("sqs:ReceiveMessage", || async {
                let request = self.client.receive_message().queue_url(&self.url).wait_time_seconds(seconds);
                request.max_number_of_messages(BATCH).send().await.map_err(|error| of(&error))
            })
            .await?;
        let received = answer.messages().iter().filter_map(|message| {
            let text = |text: Option<&str>| text.map(str::to_owned);
            let (id, receipt) = (text(message.message_id())?, text(message.receipt_handle())?);
            Some(Received { id, receipt, body: message.body().unwrap_or_default().to_owned() })
        });
        Ok(received.collect())
    }

    async fn delete(&self, messages: &[Received]) -> GlacierResult<()> {
        for batch in messages.chunks(BATCH as usize) {
            let entry = |(at, message): (usize, &Received)| {
                let entry = DeleteMessageBatchRequestEntry::builder().id(at.to_string());
                entry.receipt_handle(&message.receipt).build()
            };
            let entries: Result<Vec<_>, _> = batch.iter().enumerate().map(entry).collect();
            let entries = entries.map_err(GlacierError::internal)?;
            let answer = self
                .retried("sqs:DeleteMessage", || async {
                    let request = self.client.delete_message_batch().queue_url(&self.url);
                    request.set_entries(Some(entries.clone())).send().await.map_err(|error| of(&error))
                })
                .await?;
            for failed in answer.failed() {
                // It comes again, and changes nothing then.
                tracing::warn!(code = failed.code(), "a message could not be deleted");
            }
        }
        Ok(())
    }
}

fn of<E>(error: &SdkError<E, HttpResponse>) -> RequestError
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    RequestError::of(error)
}

fn failed(error: RequestError, action: &'static str, url: &str) -> GlacierError {
    let (key, action) = (url.to_owned(), action.to_owned());
    let error = match error {
        RequestError::Answer(answer) => answered(answer, key, action),
        RequestError::NoAnswer(text) => StoreError::Unreachable { key, action, source: text.into() },
        RequestError::NoCredentials(text) => StoreError::NoCredentials { source: text.into() },
        RequestError::Untrusted(text) => StoreError::Untrusted { server: key, source: text.into() },
        RequestError::Unmade(what) => StoreError::Invalid { what },
    };
    error.into()
}

fn answered(answer: Answer, key: String, action: String) -> StoreError {
    let help = format!("allow `{action}` on the queue `{key}` for these credentials");
    match answer.meaning() {
        _ if NO_QUEUE.contains(&answer.code.as_str()) => StoreError::NotFound { key },
        Meaning::Unauthenticated => StoreError::Unauthenticated { source: answer.into() },
        Meaning::Throttled | Meaning::Failing => StoreError::Busy { key, action, source: answer.into() },
        Meaning::Denied => StoreError::PermissionDenied { key, action, help: help.into(), source: answer.into() },
        Meaning::Missing => StoreError::NotFound { key },
        _ => StoreError::Other { key, action, source: answer.into() },
    }
}
