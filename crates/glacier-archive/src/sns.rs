//! Messages of SNS, and whether SNS really signed them: nothing here is believed before that, and nothing is fetched from elsewhere.
//!
//! Whoever can forge a message that a retrieval has finished makes us read what cannot be read, forget the retrieval and pay
//! for another. So a message counts only if it is of our topic, its certificate is from SNS's own address and leads to a
//! root that the machine trusts, by our clock, and the signature fits. Decisions are pure; what has to be fetched comes
//! through [`Fetch`].

mod address;
mod certificate;
mod rejected;
#[cfg(test)]
mod tests;
mod verify;

use serde::Deserialize;

pub use self::address::{CertificateUrl, SubscribeUrl, is_issuer_url};
pub use self::certificate::{Signer, system_roots};
pub use self::rejected::Rejected;
pub use self::verify::{Fetch, FetchError, Verifier};

/// Most bytes of a message (AWS, "Amazon SNS endpoints and quotas": 256 KiB), and as many for what is around it.
pub const MESSAGE_BYTES_MAX: usize = 512 * 1024;

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum MessageKind {
    /// Something happened.
    Notification,
    /// Somebody wants us to get the messages of a topic.
    SubscriptionConfirmation,
    /// We get no more messages of a topic.
    UnsubscribeConfirmation,
}

/// How a message is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureVersion {
    /// RSA with SHA-1, which SNS uses unless told otherwise.
    One,
    /// RSA with SHA-256.
    Two,
}

/// A message as it was received: nothing of it is to be believed yet.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Message {
    /// What it is for.
    #[serde(rename = "Type")]
    pub kind: MessageKind,
    /// Its id.
    pub message_id: String,
    /// The topic.
    pub topic_arn: String,
    /// What it says.
    pub message: String,
    /// When it was sent, as it was written.
    pub timestamp: String,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    token: Option<String>,
    #[serde(default, rename = "SubscribeURL")]
    subscribe_url: Option<String>,
    signature_version: String,
    signature: String,
    // As functions of Lambda get it, too.
    #[serde(rename = "SigningCertURL", alias = "SigningCertUrl")]
    signing_cert_url: String,
}

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    /// [`Rejected::Malformed`].
    pub fn parse(text: &str) -> Result<Self, Rejected> {
        if text.len() > MESSAGE_BYTES_MAX {
            return Err(Rejected::Malformed(format!("it has {} bytes", text.len())));
        }
        serde_json::from_str(text).map_err(|error| Rejected::Malformed(error.to_string()))
    }

    /// How it says that it is signed.
    ///
    /// # Errors
    /// [`Rejected::Forged`] for a version there is not.
    pub fn version(&self) -> Result<SignatureVersion, Rejected> {
        match self.signature_version.as_str() {
            "1" => Ok(SignatureVersion::One),
            "2" => Ok(SignatureVersion::Two),
            other => Err(Rejected::Forged(format!("there is no signature version `{}`", other.escape_debug()))),
        }
    }

    /// What SNS signs: names and values in turn, each on a line of its own (AWS, "Verifying the signatures of Amazon SNS
    /// messages"). Which those are depends on the kind; a notification has no link that could be signed.
    #[must_use]
    pub fn signed_text(&self) -> String {
        let always = |value: &str| Some(value.to_owned());
        let kind = match self.kind {
            MessageKind::Notification => "Notification",
            MessageKind::SubscriptionConfirmation => "SubscriptionConfirmation",
            MessageKind::UnsubscribeConfirmation => "UnsubscribeConfirmation",
        };
        let is_notification = self.kind == MessageKind::Notification;
        // An empty subject is none.
        let subject = self.subject.clone().filter(|subject| is_notification && !subject.is_empty());
        let of_link = |value: &Option<String>| value.clone().filter(|_| !is_notification);
        [
            ("Message", always(&self.message)),
            ("MessageId", always(&self.message_id)),
            ("Subject", subject),
            ("SubscribeURL", of_link(&self.subscribe_url)),
            ("Timestamp", always(&self.timestamp)),
            ("Token", of_link(&self.token)),
            ("TopicArn", always(&self.topic_arn)),
            ("Type", always(kind)),
        ]
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| format!("{name}\n{value}\n")))
        .collect()
    }

    /// Where its certificate is.
    ///
    /// # Errors
    /// [`Rejected::Forged`] if that is not at SNS.
    pub fn certificate_url(&self) -> Result<CertificateUrl, Rejected> {
        CertificateUrl::parse(&self.signing_cert_url)
    }

    /// The link by which a subscription is confirmed.
    ///
    /// # Errors
    /// [`Rejected::Forged`] if it is not at SNS, or confirms something else than this message is about.
    pub fn subscribe_url(&self) -> Result<SubscribeUrl, Rejected> {
        let (Some(url), Some(token)) = (&self.subscribe_url, &self.token) else {
            return Err(Rejected::Malformed("it has no link to confirm a subscription by".to_owned()));
        };
        SubscribeUrl::parse(url, &self.topic_arn, token)
    }

    fn signature(&self) -> Result<Vec<u8>, Rejected> {
        use base64::Engine as _;
        let decoded = base64::engine::general_purpose::STANDARD.decode(&self.signature);
        decoded.map_err(|_| Rejected::Forged("its signature is not base64".to_owned()))
    }
}
