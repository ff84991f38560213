//! Takes messages, from a queue or by HTTP, and lets what they say happen: through the same door as a poll.

use std::collections::BTreeSet;
use std::fmt;

use backup_core::key::Key;
use backup_core::run::Run;
use serde::Serialize;

use crate::error::GlacierResult;
use crate::notice::{self, About, Notice};
use crate::poll;
use crate::sns::{Message, MessageKind, Rejected, SubscribeUrl, Verifier};
use crate::state::State;
use crate::vaulted::job_key;

/// Where the archives are of which notifications are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A bucket, and the folder in it: without `/` at either end, or empty.
    Bucket {
        /// The bucket.
        bucket: String,
        /// The folder.
        prefix: String,
    },
    /// A vault.
    Vault {
        /// Its name.
        name: String,
    },
}

/// Who may say something.
#[derive(Debug)]
pub enum Trust {
    /// SNS, for one topic: each message is verified.
    Topic(Verifier),
    /// Whoever may send to the queue: its policy decides, and S3 can sign nothing that it sends there itself.
    Sender,
}

/// Takes messages about the archives of one place.
#[derive(Debug)]
pub struct Listener {
    trust: Trust,
    place: Place,
    run: Run,
}

/// What a message says, once it is believed.
#[derive(Debug)]
pub enum Said {
    /// Something about retrievals; or nothing, as far as they are concerned.
    Notices(Vec<Notice>),
    /// A subscription is offered, by this link.
    Subscribe(SubscribeUrl),
}

/// What became of what a message says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Heard {
    /// Retrievals that are elsewhere now.
    pub kept: u64,
    /// Retrievals of which it was known, or that are past it.
    pub unchanged: u64,
    /// Archives that this catalogue does not know.
    pub foreign: u64,
}

impl Listener {
    /// Listens to `trust` about the archives in `place`.
    #[must_use]
    pub fn new(trust: Trust, place: Place, run: Run) -> Self {
        Self { trust, place, run }
    }

    /// What `text` says, if it may be believed. Changes nothing.
    ///
    /// # Errors
    /// [`Rejected`].
    pub async fn understand(&self, text: &str) -> Result<Said, Rejected> {
        let malformed = |error: notice::NoNotice| Rejected::Malformed(error.to_string());
        let verifier = match &self.trust {
            Trust::Topic(verifier) => verifier,
            Trust::Sender if Message::parse(text).is_ok() => {
                return Err(Rejected::Forged("messages of SNS are believed only if their topic is named".to_owned()));
            }
            Trust::Sender => return Ok(Said::Notices(notice::notices(text).map_err(malformed)?)),
        };
        let message = verifier.verify(text, self.run.clock.now()).await?;
        match message.kind {
            // Whoever may publish to our topic may also say what is none of our business.
            MessageKind::Notification => Ok(Said::Notices(notice::notices(&message.message).unwrap_or_default())),
            MessageKind::SubscriptionConfirmation => Ok(Said::Subscribe(message.subscribe_url()?)),
            MessageKind::UnsubscribeConfirmation => {
                tracing::warn!(topic = message.topic_arn, "the topic sends no more messages");
                Ok(Said::Notices(Vec::new()))
            }
        }
    }

    /// Confirms a subscription that was offered.
    ///
    /// # Errors
    /// [`Rejected::Undecided`] if SNS does not answer.
    pub async fn confirm(&self, link: &SubscribeUrl) -> Result<(), Rejected> {
        match &self.trust {
            Trust::Topic(verifier) => verifier.confirm(link).await,
            Trust::Sender => Ok(()),
        }
    }

    /// Lets it happen. Once or twice makes no difference. Needs the lock.
    ///
    /// # Errors
    /// As of the catalogue.
    pub fn hear(&self, state: &State, notices: &[Notice]) -> GlacierResult<Heard> {
        let mut heard = Heard::default();
        if notices.is_empty() {
            return Ok(heard);
        }
        let archives: BTreeSet<Key> = state.catalogue().archives()?.into_iter().map(|archive| archive.key).collect();
        let mut retrievals = state.catalogue().retrievals()?;
        for notice in notices {
            let by_job = |job: &str| {
                let mut all = retrievals.iter();
                all.find(|(_, known)| known.job.as_deref() == Some(job)).map(|(key, _)| key.clone())
            };
            let Some(key) = self.place.key_of(&notice.about, by_job).filter(|key| archives.contains(key)) else {
                heard.foreign += 1;
                continue;
            };
            let known = retrievals.get(&key).cloned().unwrap_or_default();
            let after = poll::observe(state, &key, &known, &notice.event, self.run.clock.now())?;
            if after == known {
                heard.unchanged += 1;
            } else {
                heard.kept += 1;
                retrievals.insert(key, after);
            }
        }
        Ok(heard)
    }
}

impl Place {
    /// The archive that is meant, if it is here. A job is known by its id, and one whose answer was lost by its description.
    fn key_of(&self, about: &About, by_job: impl FnOnce(&str) -> Option<Key>) -> Option<Key> {
        match (self, about) {
            (Self::Bucket { bucket, prefix }, About::Object { bucket: other, key }) if bucket == other => {
                let below = match prefix.as_str() {
                    "" => key.as_str(),
                    prefix => key.strip_prefix(prefix)?.strip_prefix('/')?,
                };
                Key::new(below).ok()
            }
            (Self::Vault { name }, About::Job { vault, job, description })
                if vault.rsplit_once(":vaults/").is_some_and(|(_, other)| other == name) =>
            {
                by_job(job).or_else(|| job_key(description.as_deref()?))
            }
            _ => None,
        }
    }
}

impl Heard {
    /// Both together.
    pub fn add(&mut self, other: Self) {
        self.kept += other.kept;
        self.unchanged += other.unchanged;
        self.foreign += other.foreign;
    }
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} news, {} known, {} about other archives", self.kept, self.unchanged, self.foreign)
    }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;
    use crate::catalogue::Archive;
    use crate::class::{Class, Tier};
    use crate::lifecycle::{Event, Phase, Retrieval};

    fn finished(bucket: &str, key: &str, until: &str) -> String {
        format!(
            r#"{{"Records":[{{"eventSource":"aws:s3","eventName":"ObjectRestore:Completed",
            "s3":{{"bucket":{{"name":"{bucket}"}},"object":{{"key":"{key}"}}}},
            "glacierEventData":{{"restoreEventData":{{"lifecycleRestorationExpiryTime":"{until}"}}}}}}]}}"#
        )
    }

    struct World {
        state: State,
        key: Key,
        _folder: tempfile::TempDir,
    }

    impl World {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let state = State::open(&folder.path().join("state"), "x", "mem:").unwrap().locked().unwrap();
            let key = Key::new("glacier/x/bundles/1").unwrap();
            let archive = Archive {
                key: key.clone(),
                role: "bundle".to_owned(),
                bytes: 3,
                sha256: backup_core::digest::Sha256Digest::of(b"abc"),
                class: Some(Class::Glacier),
                stored: Some(Run::silent().clock.now()),
            };
            state.catalogue().add(Some(&archive), &[]).unwrap();
            Self { state, key, _folder: folder }
        }

        fn pending(&self, job: Option<&str>) {
            let now = Run::silent().clock.now();
            let mut known = Retrieval::default();
            let job = job.map(str::to_owned);
            for event in [Event::Intended { tier: Tier::Bulk, expected: now }, Event::Accepted { job }] {
                known = poll::observe(&self.state, &self.key, &known, &event, now).unwrap();
            }
        }

        fn phase(&self) -> Phase {
            self.state.catalogue().retrievals().unwrap()[&self.key].phase
        }

        async fn says(&self, listener: &Listener, text: &str) -> Heard {
            let Ok(Said::Notices(notices)) = listener.understand(text).await else { panic!("{text}") };
            listener.hear(&self.state, &notices).unwrap()
        }
    }

    fn of_bucket() -> Listener {
        let place = Place::Bucket { bucket: "b".to_owned(), prefix: "team".to_owned() };
        Listener::new(Trust::Sender, place, Run::silent())
    }

    #[tokio::test]
    async fn an_event_makes_a_retrieval_ready_once_and_replayed_has_no_effect() {
        let world = World::new();
        world.pending(None);
        let text = finished("b", "team/glacier/x/bundles/1", "2999-01-01T00:00:00Z");
        let first = world.says(&of_bucket(), &text).await;
        assert_eq!((first, world.phase()), (Heard { kept: 1, ..Heard::default() }, Phase::Ready));
        let again = world.says(&of_bucket(), &text).await;
        assert_eq!((again, world.phase()), (Heard { unchanged: 1, ..Heard::default() }, Phase::Ready));
    }

    #[tokio::test]
    async fn what_is_elsewhere_or_past_changes_nothing() {
        let world = World::new();
        world.pending(None);
        for (bucket, key) in [
            ("other", "team/glacier/x/bundles/1"),
            ("b", "glacier/x/bundles/1"),
            ("b", "teams/glacier/x/bundles/1"),
            ("b", "team/glacier/x/bundles/2"),
            ("b", "team/../team/glacier/x/bundles/1"),
        ] {
            let heard = world.says(&of_bucket(), &finished(bucket, key, "2999-01-01T00:00:00Z")).await;
            assert_eq!((heard.foreign, world.phase()), (1, Phase::Pending), "{bucket} {key}");
        }
        let expired = finished("b", "team/glacier/x/bundles/1", "2020-01-01T00:00:00Z");
        assert_eq!((world.says(&of_bucket(), &expired).await.unchanged, world.phase()), (1, Phase::Pending));
    }

    #[tokio::test]
    async fn a_job_is_known_by_its_id_and_an_earlier_one_does_not_count() {
        let world = World::new();
        world.pending(Some("mine"));
        let place = Place::Vault { name: "shop".to_owned() };
        let listener = Listener::new(Trust::Sender, place, Run::silent());
        let job = |job: &str, vault: &str, status: &str| {
            format!(
                r#"{{"Action":"ArchiveRetrieval","JobId":"{job}","VaultARN":"arn:aws:glacier:us-east-1:1:vaults/{vault}",
                "StatusCode":"{status}","StatusMessage":"no","CompletionDate":"2998-12-31T00:00:00Z"}}"#
            )
        };
        for text in [job("other", "shop", "Succeeded"), job("mine", "other", "Succeeded")] {
            assert_eq!((world.says(&listener, &text).await.foreign, world.phase()), (1, Phase::Pending));
        }
        // An earlier job of the same archive has another id.
        let described = crate::vaulted::job_description(&world.key);
        let described = format!(r#""JobDescription":"{described}","JobId":"other""#);
        let earlier = job("other", "shop", "Succeeded").replace(r#""JobId":"other""#, &described);
        assert_eq!((world.says(&listener, &earlier).await.unchanged, world.phase()), (1, Phase::Pending));
        assert_eq!(world.says(&listener, &job("mine", "shop", "Failed")).await.kept, 1);
        assert_eq!(world.phase(), Phase::Available, "failed is not ready");
    }

    #[tokio::test]
    async fn a_job_whose_id_was_lost_is_known_by_its_description() {
        let world = World::new();
        world.pending(None);
        let listener = Listener::new(Trust::Sender, Place::Vault { name: "shop".to_owned() }, Run::silent());
        let description = crate::vaulted::job_description(&world.key);
        let text = serde_json::json!({
            "Action": "ArchiveRetrieval", "JobId": "lost", "VaultARN": "arn:aws:glacier:us-east-1:1:vaults/shop",
            "StatusCode": "Succeeded", "CompletionDate": "2998-12-31T00:00:00Z", "JobDescription": description,
        });
        assert_eq!(world.says(&listener, &text.to_string()).await.kept, 1);
        let known = world.state.catalogue().retrievals().unwrap().remove(&world.key).unwrap();
        assert_eq!((known.phase, known.job.as_deref()), (Phase::Ready, Some("lost")));
    }

    #[tokio::test]
    async fn messages_of_sns_are_not_believed_without_their_topic() {
        let text = include_str!("../tests/fixtures/sns/notification-v1.json");
        assert!(matches!(of_bucket().understand(text).await, Err(Rejected::Forged(_))));
        assert!(matches!(of_bucket().understand("Hello world").await, Err(Rejected::Malformed(_))));
    }
}
