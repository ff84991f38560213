//! The fake of SNS, whose messages a test forges too, and what is at its addresses.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use backup_core::clock::{Clock, SystemClock};
use backup_testkit::sns_fake::SnsFake;
use bytes::Bytes;
use glacier_archive::sns::{Fetch, FetchError};
use rustls::pki_types::{CertificateDer, TrustAnchor};

pub(crate) const TOPIC: &str = "arn:aws:sns:us-east-1:111111111111:retrieve_archive";

/// Has some pages, fails as told, and remembers what was asked for.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    pages: BTreeMap<String, Bytes>,
    asked: Mutex<Vec<String>>,
    fails: AtomicBool,
}

impl Pages {
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::Relaxed);
    }
}

#[async_trait]
impl Fetch for Pages {
    async fn fetch(&self, url: &str) -> Result<Bytes, FetchError> {
        self.asked.lock().unwrap().push(url.to_owned());
        let page = self.pages.get(url).filter(|_| !self.fails.load(Ordering::Relaxed));
        page.cloned().ok_or_else(|| FetchError("the answer is 404".to_owned()))
    }
}

pub(crate) struct SnsSigner {
    pub(crate) url: String,
    pub(crate) pages: Arc<Pages>,
    pub(crate) fake: Arc<SnsFake>,
}

impl SnsSigner {
    pub(crate) fn new() -> Self {
        Self::at(Arc::new(SystemClock))
    }

    /// One whose messages bear the time of this clock.
    pub(crate) fn at(clock: Arc<dyn Clock>) -> Self {
        let fake = Arc::new(SnsFake::new(TOPIC, clock).unwrap());
        let pages = Arc::new(Pages { pages: fake.pages(), ..Pages::default() });
        Self { url: fake.certificate_url(), pages, fake }
    }

    pub(crate) fn roots(&self) -> Vec<TrustAnchor<'static>> {
        let root = CertificateDer::from(self.fake.root().to_vec());
        vec![webpki::anchor_from_trusted_cert(&root).unwrap().to_owned()]
    }

    pub(crate) fn link(&self) -> String {
        self.fake.link()
    }

    pub(crate) fn notification(&self, topic: &str, text: &str) -> String {
        self.fake.notification(topic, text).unwrap()
    }

    pub(crate) fn confirmation(&self, link: &str) -> String {
        self.fake.confirmation(link).unwrap()
    }
}
