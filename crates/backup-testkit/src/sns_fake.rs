//! A fake of one topic of Amazon SNS: its messages have the form of SNS's, are signed by an authority of its own, and go to the
//! queues and addresses that are subscribed.
//!
//! A message is signed by signature version 2, as "Verifying the signatures of Amazon SNS messages" says. Its certificate is for
//! `sns.amazonaws.com`, which no fake can be reached by: whoever verifies is given what is there ([`SnsFake::pages`]) and the
//! root that it leads to ([`SnsFake::root`]). Nothing is sent again: what an address does not take is lost.

mod post;
mod signer;

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use backup_core::clock::{Clock, Timestamp};
use bytes::Bytes;
use serde_json::{Value, json};

use self::post::post;
use self::signer::Signer;
use crate::sqs_fake::Inbox;

/// Where SNS has its certificates and its links, by its own addresses.
const HOST: &str = "https://sns.us-east-1.amazonaws.com";

/// By what a subscription is confirmed.
const TOKEN: &str = "2336412f37";

/// Who gets the messages of a topic.
#[derive(Clone, Debug)]
pub enum Subscriber {
    /// A queue, which gets signed messages, or with raw message delivery what was published and nothing else.
    Queue {
        /// The queue.
        inbox: Inbox,
        /// Whether raw message delivery is enabled.
        raw: bool,
    },
    /// An address, `http://127.0.0.1:PORT/…`, that messages are posted to.
    Address(String),
}

/// A topic.
#[derive(Debug)]
pub struct SnsFake {
    topic: String,
    clock: Arc<dyn Clock>,
    signer: Signer,
    subscribers: Mutex<Vec<Subscriber>>,
    messages: AtomicU64,
}

impl SnsFake {
    /// The topic with this ARN, whose messages bear the time of `clock`.
    ///
    /// # Errors
    /// If no key can be made.
    pub fn new(topic: &str, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let (signer, subscribers, messages) = (Signer::new()?, Mutex::default(), AtomicU64::new(0));
        Ok(Self { topic: topic.to_owned(), clock, signer, subscribers, messages })
    }

    /// Its ARN.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The root of its certificate, in DER.
    #[must_use]
    pub fn root(&self) -> &[u8] {
        self.signer.root()
    }

    /// Where its certificate is.
    #[must_use]
    pub fn certificate_url(&self) -> String {
        format!("{HOST}/SimpleNotificationService-test.pem")
    }

    /// The link that confirms a subscription.
    #[must_use]
    pub fn link(&self) -> String {
        format!("{HOST}/?Action=ConfirmSubscription&TopicArn={}&Token={TOKEN}", self.topic)
    }

    /// What is at SNS's addresses.
    #[must_use]
    pub fn pages(&self) -> BTreeMap<String, Bytes> {
        let confirmed = Bytes::from_static(b"<ConfirmSubscriptionResponse/>");
        let certificate = Bytes::from(self.signer.certificate().to_owned());
        [(self.certificate_url(), certificate), (self.link(), confirmed)].into()
    }

    /// Subscribes: an address is sent a link to confirm by, as SNS does, and gets messages whether it does or not.
    ///
    /// # Errors
    /// If nobody listens at the address.
    pub fn subscribe(&self, subscriber: Subscriber) -> io::Result<()> {
        if let Subscriber::Address(url) = &subscriber {
            post(url, "SubscriptionConfirmation", &self.confirmation(&self.link())?)?;
        }
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner).push(subscriber);
        Ok(())
    }

    /// Somebody publishes `text`. Returns how many of the subscribers took it.
    ///
    /// # Errors
    /// If it cannot be signed.
    pub fn publish(&self, text: &str) -> io::Result<usize> {
        let signed = self.notification(&self.topic, text)?;
        let subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let taken = subscribers.iter().filter(|subscriber| match subscriber {
            Subscriber::Queue { inbox, raw } => {
                inbox.send(if *raw { text } else { signed.as_str() });
                true
            }
            Subscriber::Address(url) => post(url, "Notification", &signed).is_ok_and(|status| status < 300),
        });
        Ok(taken.count())
    }

    /// A signed message of `topic`, which a forger would choose.
    ///
    /// # Errors
    /// If it cannot be signed.
    pub fn notification(&self, topic: &str, text: &str) -> io::Result<String> {
        let leave = format!("{HOST}/?Action=Unsubscribe&SubscriptionArn={topic}:fake");
        let fields = json!({ "Type": "Notification", "TopicArn": topic, "Message": text, "UnsubscribeURL": leave });
        self.signed(fields, &["Message", "MessageId", "Timestamp", "TopicArn", "Type"])
    }

    /// A signed message that offers a subscription by `link`.
    ///
    /// # Errors
    /// If it cannot be signed.
    pub fn confirmation(&self, link: &str) -> io::Result<String> {
        let text = format!(
            "You have chosen to subscribe to the topic {}.\nTo confirm the subscription, visit the SubscribeURL included in this message.",
            self.topic
        );
        let fields = json!({
            "Type": "SubscriptionConfirmation", "TopicArn": self.topic, "Message": text, "Token": TOKEN,
            "SubscribeURL": link,
        });
        self.signed(fields, &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"])
    }

    /// With everything else that a message has. `names` are the fields that are signed, in their order.
    fn signed(&self, mut message: Value, names: &[&str]) -> io::Result<String> {
        let number = self.messages.fetch_add(1, Ordering::Relaxed);
        message["MessageId"] = format!("{number:08}-0000-4000-8000-000000000000").into();
        message["Timestamp"] = millis(self.clock.now()).into();
        message["SignatureVersion"] = "2".into();
        message["SigningCertURL"] = self.certificate_url().into();
        let text = |name: &&str| format!("{name}\n{}\n", message[*name].as_str().unwrap_or_default());
        let signed: String = names.iter().map(text).collect();
        message["Signature"] = self.signer.sign(signed.as_bytes())?.into();
        Ok(message.to_string())
    }
}

/// A time as SNS writes it.
fn millis(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use backup_core::clock::FixedClock;

    use super::*;
    use crate::aws_fake::FakeOptions;
    use crate::sqs_fake::SqsFake;

    #[test]
    fn a_queue_gets_what_was_published_or_a_message_around_it() {
        let now = "2026-11-21T03:00:00.1234Z".parse().unwrap();
        let topic = SnsFake::new("arn:aws:sns:us-east-1:111111111111:t", Arc::new(FixedClock(now))).unwrap();
        let queue = SqsFake::start(&FakeOptions::default()).unwrap();
        for raw in [true, false] {
            topic.subscribe(Subscriber::Queue { inbox: queue.inbox(), raw }).unwrap();
        }
        assert_eq!(topic.publish("text").unwrap(), 2);
        let bodies = queue.bodies();
        assert_eq!(bodies[0], "text");
        let signed: Value = serde_json::from_str(&bodies[1]).unwrap();
        assert_eq!((&signed["Message"], &signed["Timestamp"]), (&json!("text"), &json!("2026-11-21T03:00:00.123Z")));
        assert_eq!(signed["TopicArn"], topic.topic());
        assert!(topic.pages().contains_key(signed["SigningCertURL"].as_str().unwrap()));
    }

    #[test]
    fn an_address_that_nobody_listens_at_is_told() {
        let topic = SnsFake::new("arn:aws:sns:us-east-1:111111111111:t", Arc::new(backup_core::clock::SystemClock));
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        topic.unwrap().subscribe(Subscriber::Address(format!("http://{nobody}/"))).unwrap_err();
    }
}
