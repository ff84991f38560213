//! Verifies messages: everything that can be decided without fetching first, then the certificate, then the signature.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::TrustAnchor;

use super::certificate::ChainFault;
use super::{CertificateUrl, Message, MessageKind, Rejected, Signer, SubscribeUrl};

/// How far the clock of SNS may be ahead of ours.
const SKEW: SignedDuration = SignedDuration::from_mins(15);

/// Certificates that are remembered: SNS has one for each region, and a new one each year.
const SIGNERS_MAX: usize = 64;

/// What could not be fetched, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FetchError(pub String);

/// Gets what is at an address. It follows no redirects, and gives up after some bytes and seconds: only what was checked
/// may be asked for.
#[async_trait]
pub trait Fetch: fmt::Debug + Send + Sync {
    /// The body that is at `url`.
    ///
    /// # Errors
    /// For any answer but 200.
    async fn fetch(&self, url: &str) -> Result<Bytes, FetchError>;
}

/// Tells messages of one topic from all others.
#[derive(Debug)]
pub struct Verifier {
    topic: String,
    roots: Vec<TrustAnchor<'static>>,
    fetch: Arc<dyn Fetch>,
    /// By address. Whether one is still valid is asked each time.
    signers: Mutex<BTreeMap<CertificateUrl, Signer>>,
}

impl Verifier {
    /// Takes messages of the topic with this ARN alone.
    #[must_use]
    pub fn new(topic: impl Into<String>, roots: Vec<TrustAnchor<'static>>, fetch: Arc<dyn Fetch>) -> Self {
        Self { topic: topic.into(), roots, fetch, signers: Mutex::default() }
    }

    /// The message, if SNS sent it for our topic.
    ///
    /// # Errors
    /// [`Rejected`]. Nothing was fetched for a message that is of another topic, names another address than SNS's, or cannot
    /// be read.
    pub async fn verify(&self, text: &str, now: Timestamp) -> Result<Message, Rejected> {
        let message = Message::parse(text)?;
        if message.topic_arn != self.topic {
            return Err(Rejected::Forged(format!("it is of the topic `{}`", message.topic_arn.escape_debug())));
        }
        let (version, signature, url) = (message.version()?, message.signature()?, message.certificate_url()?);
        let sent: Timestamp = message
            .timestamp
            .parse()
            .map_err(|_| Rejected::Forged("it has no time at which it was sent".to_owned()))?;
        if sent > now + SKEW {
            return Err(Rejected::Forged(format!("it says that it is from {sent}, which is in the future")));
        }
        if message.kind != MessageKind::Notification {
            message.subscribe_url()?;
        }
        let signer = self.signer(&url, now).await?;
        if signer.signed(version, message.signed_text().as_bytes(), &signature) {
            return Ok(message);
        }
        Err(Rejected::Forged("its signature does not fit".to_owned()))
    }

    /// Confirms the subscription that a verified message offers.
    ///
    /// # Errors
    /// [`Rejected::Undecided`] if SNS does not answer.
    pub async fn confirm(&self, link: &SubscribeUrl) -> Result<(), Rejected> {
        self.fetch.fetch(link.as_str()).await.map(drop).map_err(|error| Rejected::Undecided(error.to_string()))
    }

    async fn signer(&self, url: &CertificateUrl, now: Timestamp) -> Result<Signer, Rejected> {
        let known = self.lock().get(url).cloned();
        let is_known = known.is_some();
        let mut signer = match known {
            Some(signer) => signer,
            None => Signer::read(url, &self.get(url.as_str()).await?)?,
        };
        loop {
            match signer.check(&self.roots, now) {
                Ok(()) => break,
                Err(ChainFault::NeedsIssuer(issuer)) if !signer.is_full() => {
                    let issuer = self.get(&issuer).await?;
                    signer.add_issuer(&issuer);
                }
                Err(ChainFault::NeedsIssuer(_)) => {
                    return Err(Rejected::Forged("its certificate leads to no root".to_owned()));
                }
                Err(ChainFault::Broken(why)) => {
                    return Err(Rejected::Forged(format!("its certificate does not hold: {why}")));
                }
            }
        }
        if !is_known {
            let mut signers = self.lock();
            if signers.len() >= SIGNERS_MAX {
                signers.clear();
            }
            signers.insert(url.clone(), signer.clone());
        }
        Ok(signer)
    }

    async fn get(&self, url: &str) -> Result<Bytes, Rejected> {
        self.fetch.fetch(url).await.map_err(|error| Rejected::Undecided(format!("`{url}`: {error}")))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<CertificateUrl, Signer>> {
        self.signers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
