//! What notifications say of retrievals: the jobs of vaults, and the events of S3. Pure, and nothing of it is believed here.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::lifecycle::Event;

/// How long the output of a job stays at least (AWS, "GetJobOutput").
const OUTPUT_STAYS: SignedDuration = SignedDuration::from_hours(24);

/// What happened to the retrieval of one archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Which archive it is about.
    pub about: About,
    /// What happened.
    pub event: Event,
}

/// An archive as a service names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// An object of S3.
    Object {
        /// The bucket.
        bucket: String,
        /// The key as the bucket has it.
        key: String,
    },
    /// An archive of a vault.
    Job {
        /// The ARN of the vault.
        vault: String,
        /// What the service calls the job.
        job: String,
        /// What the job was called when it was requested.
        description: Option<String>,
    },
}

/// A text that is no notification of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is neither a job of a vault nor an event of S3: {0}")]
pub struct NoNotice(pub String);

#[derive(Deserialize)]
#[serde(untagged)]
enum Document {
    Events(Events),
    Test(Test),
    Job(Box<Job>),
}

#[derive(Deserialize)]
struct Events {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

/// What S3 sends when notifications are set up.
#[derive(Deserialize)]
struct Test {
    #[serde(rename = "Event")]
    _event: IsTest,
}

#[derive(Deserialize)]
enum IsTest {
    #[serde(rename = "s3:TestEvent")]
    Test,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_name: String,
    #[serde(default)]
    event_source: String,
    #[serde(default)]
    s3: Option<Subject>,
    #[serde(default)]
    glacier_event_data: Option<GlacierData>,
}

#[derive(Deserialize)]
struct Subject {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
struct Object {
    key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GlacierData {
    restore_event_data: RestoreData,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RestoreData {
    lifecycle_restoration_expiry_time: Timestamp,
}

/// A job as "DescribeJob" tells it, which is what vaults send.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Job {
    action: String,
    job_id: String,
    #[serde(rename = "VaultARN")]
    vault_arn: String,
    status_code: String,
    #[serde(default)]
    status_message: Option<String>,
    #[serde(default)]
    job_description: Option<String>,
    #[serde(default)]
    completion_date: Option<Timestamp>,
}

/// What a text says of retrievals; nothing if it is about something else that S3 or a vault tells.
///
/// # Errors
/// [`NoNotice`] for any other text.
pub fn notices(text: &str) -> Result<Vec<Notice>, NoNotice> {
    // A failure to read one of several forms tells nothing that helps.
    let document: Document = serde_json::from_str(text).map_err(|_| NoNotice(start(text)))?;
    Ok(match document {
        Document::Test(_) => Vec::new(),
        Document::Events(events) => events.records.into_iter().filter_map(of_record).collect(),
        Document::Job(job) => of_job(*job).into_iter().collect(),
    })
}

/// Of the many events of S3 two: a retrieval was requested, and a copy can be read. Without the time until which it can, an
/// event says nothing that a poll would not say better. A copy that expired is known by the clock.
fn of_record(record: Record) -> Option<Notice> {
    let Subject { bucket, object } = record.s3.filter(|_| record.event_source == "aws:s3")?;
    let event = match record.event_name.strip_prefix("s3:").unwrap_or(&record.event_name) {
        "ObjectRestore:Post" => Event::Running { job: None },
        "ObjectRestore:Completed" => {
            let until = record.glacier_event_data?.restore_event_data.lifecycle_restoration_expiry_time;
            Event::Finished { job: None, until: Some(until) }
        }
        _ => return None,
    };
    Some(Notice { about: About::Object { bucket: bucket.name, key: of_form(&object.key)? }, event })
}

/// A job that failed is not ready, although it is as complete as one that succeeded.
fn of_job(job: Job) -> Option<Notice> {
    if job.action != "ArchiveRetrieval" {
        return None;
    }
    let id = Some(job.job_id.clone());
    let event = match job.status_code.as_str() {
        "Succeeded" => {
            let until = job.completion_date?.checked_add(OUTPUT_STAYS).ok()?;
            Event::Finished { job: id, until: Some(until) }
        }
        "Failed" => {
            let reason = job.status_message.unwrap_or_else(|| "the service does not say why".to_owned());
            Event::Failed { job: id, reason }
        }
        _ => return None,
    };
    let about = About::Job { vault: job.vault_arn, job: job.job_id, description: job.job_description };
    Some(Notice { about, event })
}

/// A key as S3's events have it: encoded as a form is.
fn of_form(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok())?;
                bytes.push(u8::from_str_radix(hex, 16).ok()?);
                rest = &after[2..];
            }
            other => bytes.push(*other),
        }
    }
    String::from_utf8(bytes).ok()
}

fn start(text: &str) -> String {
    let shown: String = text.chars().take(60).collect();
    format!("`{}`", shown.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(action: &str, status: &str) -> String {
        format!(
            r#"{{"Action":"{action}","ArchiveId":"-abc","Completed":true,"CompletionDate":"2013-11-01T22:57:23.968Z",
            "JobDescription":"lastgood x","JobId":"nx-Op","StatusCode":"{status}","StatusMessage":"why",
            "VaultARN":"arn:aws:glacier:eu-west-1:112345678901:vaults/xyz","Tier":"Standard"}}"#
        )
    }

    fn event(name: &str, key: &str) -> String {
        format!(
            r#"{{"Records":[{{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"{name}",
            "s3":{{"bucket":{{"name":"b"}},"object":{{"key":"{key}","size":3}}}},
            "glacierEventData":{{"restoreEventData":{{"lifecycleRestorationExpiryTime":"2026-11-30T00:00:00.000Z",
            "lifecycleRestoreStorageClass":"GLACIER"}}}}}}]}}"#
        )
    }

    #[test]
    fn a_failed_job_is_not_ready() {
        let told = |status| notices(&job("ArchiveRetrieval", status)).unwrap().remove(0).event;
        let until = Some("2013-11-02T22:57:23.968Z".parse().unwrap());
        assert_eq!(told("Succeeded"), Event::Finished { job: Some("nx-Op".to_owned()), until });
        assert_eq!(told("Failed"), Event::Failed { job: Some("nx-Op".to_owned()), reason: "why".to_owned() });
        assert!(notices(&job("ArchiveRetrieval", "InProgress")).unwrap().is_empty());
        assert!(notices(&job("InventoryRetrieval", "Succeeded")).unwrap().is_empty());
        let undated = job("ArchiveRetrieval", "Succeeded").replace("\"2013-11-01T22:57:23.968Z\"", "null");
        assert!(notices(&undated).unwrap().is_empty(), "without an end it would be ready for ever");
    }

    #[test]
    fn events_of_s3_name_their_object() {
        let notice = notices(&event("ObjectRestore:Completed", "team/a+b%2B%C3%A9.pdf")).unwrap().remove(0);
        assert_eq!(notice.about, About::Object { bucket: "b".to_owned(), key: "team/a b+é.pdf".to_owned() });
        let until = Some("2026-11-30T00:00:00Z".parse().unwrap());
        assert_eq!(notice.event, Event::Finished { job: None, until });
        assert_eq!(notices(&event("ObjectRestore:Post", "k")).unwrap()[0].event, Event::Running { job: None });
        for other in ["ObjectCreated:Put", "ObjectRestore:Delete", "ReducedRedundancyLostObject"] {
            assert!(notices(&event(other, "k")).unwrap().is_empty(), "{other}");
        }
        let elsewhere = event("ObjectRestore:Completed", "k").replace("aws:s3", "aws:other");
        assert!(notices(&elsewhere).unwrap().is_empty());
        let test = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2014-10-13T15:57:02.089Z","Bucket":"b"}"#;
        assert!(notices(test).unwrap().is_empty());
    }

    #[test]
    fn anything_else_is_no_notification() {
        for text in ["", "Hello world", "{}", "[]", r#"{"Event":"other"}"#, r#"{"Records":{}}"#] {
            assert!(notices(text).is_err(), "{text}");
        }
    }
}
