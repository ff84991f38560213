//! Messages that SNS really signed, and everything that must not pass for one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, TrustAnchor};

use super::*;

const V1: &str = include_str!("../../tests/fixtures/sns/notification-v1.json");
const V2: &str = include_str!("../../tests/fixtures/sns/notification-v2.json");
const CERTIFICATE: &str =
    include_str!("../../tests/fixtures/sns/SimpleNotificationService-7ff5318490ec183fbaddaa2a969abfda.pem");
const ISSUER: &str = include_str!("../../tests/fixtures/sns/sca1b.pem");
const ROOT: &str = include_str!("../../tests/fixtures/sns/AmazonRootCA1.pem");
const URL: &str = "https://sns.us-east-2.amazonaws.com/SimpleNotificationService-7ff5318490ec183fbaddaa2a969abfda.pem";
const ISSUER_URL: &str = "http://crt.sca1b.amazontrust.com/sca1b.crt";
const TOPIC_V1: &str = "arn:aws:sns:us-east-2:295079676684:publish-and-verify-892f85fe-4836-424d-8188-ab85bef0f362";
const TOPIC_V2: &str = "arn:aws:sns:us-east-2:295079676684:publish-and-verify-62674b1d-4295-426b-88e7-5fb75652a04e";

/// Has some pages, and remembers what was asked for.
#[derive(Debug, Default)]
struct Pages {
    pages: BTreeMap<String, Bytes>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Fetch for Pages {
    async fn fetch(&self, url: &str) -> Result<Bytes, FetchError> {
        self.asked.lock().unwrap().push(url.to_owned());
        self.pages.get(url).cloned().ok_or_else(|| FetchError("404".to_owned()))
    }
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

fn amazon() -> Vec<TrustAnchor<'static>> {
    vec![webpki::anchor_from_trusted_cert(&der(ROOT)).unwrap().to_owned()]
}

fn pages(certificate: &str) -> Arc<Pages> {
    let issuer = Bytes::from(der(ISSUER).to_vec());
    let pages = [(URL.to_owned(), Bytes::from(certificate.to_owned())), (ISSUER_URL.to_owned(), issuer)];
    Arc::new(Pages { pages: pages.into(), ..Pages::default() })
}

fn verifier(topic: &str, pages: &Arc<Pages>) -> Verifier {
    Verifier::new(topic, amazon(), pages.clone())
}

/// The certificate was valid until 17 August 2022.
fn then() -> Timestamp {
    "2022-07-28T21:30:00Z".parse().unwrap()
}

async fn refused(topic: &str, text: &str) -> (Rejected, Vec<String>) {
    let pages = pages(CERTIFICATE);
    let rejected = verifier(topic, &pages).verify(text, then()).await.unwrap_err();
    let asked = pages.asked.lock().unwrap().clone();
    (rejected, asked)
}

#[tokio::test]
async fn what_sns_really_signed_is_believed_by_both_versions_and_in_the_form_of_lambda() {
    let of_lambda = V1.replace("SigningCertURL", "SigningCertUrl").replace("UnsubscribeURL", "UnsubscribeUrl");
    for (topic, text) in [(TOPIC_V1, V1), (TOPIC_V2, V2), (TOPIC_V1, of_lambda.as_str())] {
        let pages = pages(CERTIFICATE);
        let verifier = verifier(topic, &pages);
        for _ in 0..2 {
            let message = verifier.verify(text, then()).await.unwrap();
            assert_eq!((message.message.as_str(), message.kind), ("Hello world", MessageKind::Notification));
        }
        assert_eq!(*pages.asked.lock().unwrap(), [URL, ISSUER_URL], "once each");
    }
}

#[tokio::test]
async fn a_message_that_anything_was_changed_in_is_refused() {
    let mut changed: Vec<String> = [
        ("Hello world", "Hello World"),
        ("792cda85-518f", "792cda86-518f"),
        ("21:23:58.317Z", "21:23:58.318Z"),
        ("\"Signature\" : \"ghtf", "\"Signature\" : \"ghtg"),
        ("\"SignatureVersion\" : \"1\"", "\"SignatureVersion\" : \"2\""),
        ("\"SignatureVersion\" : \"1\"", "\"SignatureVersion\" : \"3\""),
        ("\"MessageId\"", "\"Subject\" : \"x\",\n  \"MessageId\""),
    ]
    .into_iter()
    .map(|(from, to)| {
        assert!(V1.contains(from), "{from}");
        V1.replacen(from, to, 1)
    })
    .collect();
    // As aws-sdk-ruby has it.
    changed.push(V1.replace(&Message::parse(V1).unwrap().signature, "bad"));
    for text in changed {
        let (rejected, _) = refused(TOPIC_V1, &text).await;
        assert!(matches!(rejected, Rejected::Forged(_)), "{rejected}");
    }
}

#[tokio::test]
async fn nothing_is_fetched_for_messages_of_other_topics_or_addresses() {
    let (rejected, asked) = refused("arn:aws:sns:us-east-2:1:other", V1).await;
    assert!(matches!(&rejected, Rejected::Forged(why) if why.contains("topic")), "{rejected}");
    assert!(asked.is_empty());
    for (url, expected) in [
        (URL.replace("https", "http"), "must be https"),
        ("https://internetbadguys.com/cert.pem".to_owned(), "not hosted by SNS"),
        ("https://evil.example/?amazonaws.com/".to_owned(), "not hosted by SNS"),
        (URL.replace(".pem", ".key"), "`.pem`"),
    ] {
        let (rejected, asked) = refused(TOPIC_V1, &V1.replace(URL, &url)).await;
        assert!(rejected.to_string().contains(expected), "{rejected}");
        assert!(asked.is_empty(), "{asked:?}");
    }
    for text in ["", "{}", "[]", &V1.replace("\"Notification\"", "\"Other\""), &"x".repeat(MESSAGE_BYTES_MAX + 1)] {
        let (rejected, asked) = refused(TOPIC_V1, text).await;
        assert!(matches!(rejected, Rejected::Malformed(_)) && asked.is_empty());
    }
}

#[tokio::test]
async fn a_link_to_confirm_by_is_looked_at_before_anything_is_fetched() {
    let link = |url: &str| {
        let fields = format!("\"Token\" : \"2336412f\",\n  \"SubscribeURL\" : \"{url}\",\n  \"Message\" :");
        V1.replace("\"Notification\"", "\"SubscriptionConfirmation\"").replacen("\"Message\" :", &fields, 1)
    };
    let unencrypted = "http://sns.us-east-2.amazonaws.com/?Action=ConfirmSubscription";
    for url in ["https://evil.example/?amazonaws.com/", unencrypted] {
        let (rejected, asked) = refused(TOPIC_V1, &link(url)).await;
        assert!(matches!(rejected, Rejected::Forged(_)) && asked.is_empty(), "{rejected}");
    }
    // The right link in a message that SNS did not sign: the certificate is asked for, the link is not.
    let sns = "https://sns.us-east-2.amazonaws.com";
    let right = format!("{sns}/?Action=ConfirmSubscription&TopicArn={TOPIC_V1}&Token=2336412f");
    let (rejected, asked) = refused(TOPIC_V1, &link(&right)).await;
    assert!(matches!(&rejected, Rejected::Forged(why) if why.contains("signature")), "{rejected}");
    assert_eq!(asked, [URL, ISSUER_URL]);
}

#[tokio::test]
async fn certificates_count_by_our_clock_and_only_with_their_chain() {
    for now in ["2021-09-06T00:00:00Z", "2022-08-18T00:00:00Z", "2026-01-01T00:00:00Z"] {
        let rejected = verifier(TOPIC_V1, &pages(CERTIFICATE)).verify(V1, now.parse().unwrap()).await.unwrap_err();
        assert!(matches!(rejected, Rejected::Forged(_)), "{rejected}");
    }
    let elsewhere = Verifier::new(TOPIC_V1, Vec::new(), pages(CERTIFICATE));
    elsewhere.verify(V1, then()).await.unwrap_err();
    // Amazon signed this one too, for something else than SNS.
    let rejected = verifier(TOPIC_V1, &pages(ISSUER)).verify(V1, then()).await.unwrap_err();
    assert!(matches!(rejected, Rejected::Forged(_)), "{rejected}");
}

#[tokio::test]
async fn what_is_around_a_certificate_makes_it_none_and_a_missing_one_decides_nothing() {
    let wrapped = format!("<xml><value>\n{CERTIFICATE}\n<value></xml>");
    let rejected = verifier(TOPIC_V1, &pages(&wrapped)).verify(V1, then()).await.unwrap_err();
    assert!(matches!(&rejected, Rejected::Forged(why) if why.contains("PEM")), "{rejected}");
    let nowhere = Verifier::new(TOPIC_V1, amazon(), Arc::new(Pages::default()));
    let rejected = nowhere.verify(V1, then()).await.unwrap_err();
    assert!(matches!(rejected, Rejected::Undecided(_)), "{rejected}");
}
