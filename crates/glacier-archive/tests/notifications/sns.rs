//! An SNS of the test's own: an authority, a certificate for `sns.amazonaws.com`, and messages signed with it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use backup_core::run::Run;
use base64::Engine as _;
use bytes::Bytes;
use glacier_archive::sns::{Fetch, FetchError, Message};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rcgen::{PKCS_RSA_SHA256, RsaKeySize, SigningKey as _};
use rustls::pki_types::TrustAnchor;
use serde_json::json;

pub(crate) const TOPIC: &str = "arn:aws:sns:us-east-1:111111111111:retrieve_archive";

const TOKEN: &str = "2336412f37";

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
    root: rcgen::Certificate,
    key: KeyPair,
}

impl SnsSigner {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "An authority of the test's own");
        let own = KeyPair::generate().unwrap();
        let root = params.self_signed(&own).unwrap();
        let authority = CertifiedIssuer::self_signed(params, own).unwrap();
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let mut leaf = CertificateParams::new(["sns.amazonaws.com".to_owned()]).unwrap();
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let leaf = leaf.signed_by(&key, &authority).unwrap();
        let url = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-test.pem".to_owned();
        let pages =
            [(url.clone(), Bytes::from(leaf.pem())), (link(), Bytes::from_static(b"<ConfirmSubscriptionResponse/>"))];
        Self { url, pages: Arc::new(Pages { pages: pages.into(), ..Pages::default() }), root, key }
    }

    pub(crate) fn roots(&self) -> Vec<TrustAnchor<'static>> {
        vec![webpki::anchor_from_trusted_cert(self.root.der()).unwrap().to_owned()]
    }

    pub(crate) fn link(&self) -> String {
        link()
    }

    pub(crate) fn notification(&self, topic: &str, text: &str) -> String {
        self.signed(json!({ "Type": "Notification", "TopicArn": topic, "Message": text }))
    }

    pub(crate) fn confirmation(&self, link: &str) -> String {
        let text = "You have chosen to subscribe to the topic";
        let kind = "SubscriptionConfirmation";
        self.signed(json!({ "Type": kind, "TopicArn": TOPIC, "Message": text, "Token": TOKEN, "SubscribeURL": link }))
    }

    fn signed(&self, mut message: serde_json::Value) -> String {
        message["MessageId"] = "b3f1a6d2-0000-4000-8000-000000000000".into();
        message["Timestamp"] = Run::silent().clock.now().to_string().into();
        message["SignatureVersion"] = "2".into();
        message["SigningCertURL"] = self.url.as_str().into();
        message["Signature"] = "".into();
        let text = Message::parse(&message.to_string()).unwrap().signed_text();
        let signature = self.key.sign(text.as_bytes()).unwrap();
        message["Signature"] = base64::engine::general_purpose::STANDARD.encode(signature).into();
        message.to_string()
    }
}

fn link() -> String {
    format!("https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token={TOKEN}")
}
