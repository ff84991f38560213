//! Which addresses may be asked for something: pure decisions about text, without a parser whose leniency would decide.

use std::fmt;

use super::rejected::Rejected;

/// Longest address that is looked at: SNS's have less than 600 characters.
const URL_BYTES_MAX: usize = 2048;

/// Shortest name of a region in an address of SNS.
const REGION_CHARS_MIN: usize = 3;

/// Where SNS keeps a certificate: `https://sns.REGION.amazonaws.com/….pem`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CertificateUrl {
    url: String,
    host: String,
}

impl CertificateUrl {
    /// Reads the address.
    ///
    /// # Errors
    /// [`Rejected::Forged`] for any other.
    pub fn parse(url: &str) -> Result<Self, Rejected> {
        let (host, path) = at_sns(url)?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
        if !path.ends_with(".pem") || !path.bytes().all(is_plain) || path.contains("..") {
            return Err(refused(url, "it names no `.pem` file"));
        }
        Ok(Self { url: url.to_owned(), host: host.to_owned() })
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// Its host.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl fmt::Display for CertificateUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

/// The link that confirms the subscription to one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribeUrl(String);

impl SubscribeUrl {
    /// Reads the link, which must confirm the subscription to `topic` by `token`.
    ///
    /// # Errors
    /// [`Rejected::Forged`] for any other.
    pub fn parse(url: &str, topic: &str, token: &str) -> Result<Self, Rejected> {
        let (_, path) = at_sns(url)?;
        let query = path.strip_prefix("/?").ok_or_else(|| refused(url, "it confirms nothing"))?;
        let mut wanted =
            [("Action", "ConfirmSubscription", false), ("TopicArn", topic, false), ("Token", token, false)];
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let known = wanted.iter_mut().find(|(known, ..)| *known == name);
            match known {
                Some((_, expected, seen)) if decoded(value).as_deref() == Some(*expected) && !*seen => *seen = true,
                _ => return Err(refused(url, "it does not confirm what the message is about")),
            }
        }
        if wanted.iter().all(|(_, _, seen)| *seen) {
            return Ok(Self(url.to_owned()));
        }
        Err(refused(url, "it does not confirm what the message is about"))
    }

    /// The link.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Host and path of an address at SNS, by HTTPS and without anything else.
fn at_sns(url: &str) -> Result<(&str, &str), Rejected> {
    if url.len() > URL_BYTES_MAX || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(refused("…", "it has other characters than an address of SNS"));
    }
    let rest = url.strip_prefix("https://").ok_or_else(|| refused(url, "it must be https"))?;
    let at = rest.find('/').ok_or_else(|| refused(url, "it has no path"))?;
    let (host, path) = rest.split_at(at);
    if !is_sns(host) {
        return Err(refused(url, "it is not hosted by SNS"));
    }
    Ok((host, path))
}

/// `^sns\.[a-zA-Z0-9-]{3,}\.amazonaws\.com(\.cn)?$`, of one line.
fn is_sns(host: &str) -> bool {
    let host = host.strip_suffix(".cn").unwrap_or(host);
    let region = host.strip_prefix("sns.").and_then(|rest| rest.strip_suffix(".amazonaws.com"));
    region.is_some_and(|region| {
        region.len() >= REGION_CHARS_MIN && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

/// Where a certificate says that its issuer's is: at Amazon's own authority, or at the one that signs for China.
///
/// It is fetched without TLS, as such addresses are: what makes an issuer one is its signature.
#[must_use]
pub fn is_issuer_url(url: &str) -> bool {
    let Some((host, path)) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')) else { return false };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    let is_known = host.strip_suffix(".amazontrust.com").is_some_and(|below| below.starts_with("crt."))
        || host == "cacerts.digicert.com";
    is_known
        && url.len() <= URL_BYTES_MAX
        && host.bytes().all(is_name)
        && path.bytes().all(|byte| is_name(byte) || b"_/%".contains(&byte))
}

fn refused(url: &str, why: &str) -> Rejected {
    Rejected::Forged(format!("`{}` cannot be used: {why}", url.escape_debug()))
}

/// Percent signs with what they stand for.
fn decoded(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok())?;
        bytes.push(u8::from_str_radix(hex, 16).ok()?);
        rest = &after[2..];
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "https://sns.us-east-2.amazonaws.com";

    #[test]
    fn certificates_come_from_sns_and_from_nowhere_else() {
        for url in [
            "https://sns.us-east-2.amazonaws.com/SimpleNotificationService-7ff5318490ec183fbaddaa2a969abfda.pem",
            "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-1.pem",
        ] {
            assert_eq!(CertificateUrl::parse(url).unwrap().as_str(), url);
        }
        for url in [
            "http://sns.us-east-2.amazonaws.com/a.pem",
            "HTTPS://sns.us-east-2.amazonaws.com/a.pem",
            "https://internetbadguys.com/cert.pem",
            "https://evil.example/?amazonaws.com/",
            "https://evil.example/?sns.us-east-2.amazonaws.com/a.pem",
            "https://evil.example/sns.us-east-2.amazonaws.com/a.pem",
            "https://sns.us-east-2.amazonaws.com.evil.example/a.pem",
            "https://sns.us-east-2.amazonaws.com@evil.example/a.pem",
            "https://evil.example#sns.us-east-2.amazonaws.com/a.pem",
            "https://evil.example\\sns.us-east-2.amazonaws.com/a.pem",
            "https://user@sns.us-east-2.amazonaws.com/a.pem",
            "https://sns.us-east-2.amazonaws.com:8443/a.pem",
            "https://sns.x.amazonaws.com/a.pem",
            "https://sns.a.b.amazonaws.com/a.pem",
            "https://sns..amazonaws.com/a.pem",
            "https://xsns.us-east-2.amazonaws.com/a.pem",
            "https://s3.us-east-2.amazonaws.com/a.pem",
            "https://sns.us-east-2.amazonaws.com\n.evil.example/a.pem",
            "https://sns.us-east-2.amazonaws.com/a.key",
            "https://sns.us-east-2.amazonaws.com/a.key?x=.pem",
            "https://sns.us-east-2.amazonaws.com/../a.pem",
            "https://sns.us-east-2.amazonaws.com",
            "",
        ] {
            assert!(matches!(CertificateUrl::parse(url), Err(Rejected::Forged(_))), "{url}");
        }
    }

    #[test]
    fn a_subscription_is_confirmed_only_for_the_topic_of_the_message() {
        let topic = "arn:aws:sns:us-east-2:123456789012:retrieve_archive";
        let link = |rest: &str| SubscribeUrl::parse(&format!("{HOST}{rest}"), topic, "2336412f");
        let encoded = topic.replace(':', "%3A");
        for fitting in [topic, encoded.as_str()] {
            assert!(link(&format!("/?Action=ConfirmSubscription&TopicArn={fitting}&Token=2336412f")).is_ok());
        }
        for rest in [
            format!("/?Action=ConfirmSubscription&TopicArn={topic}x&Token=2336412f"),
            format!("/?Action=ConfirmSubscription&TopicArn={topic}&Token=other"),
            format!("/?Action=DeleteTopic&TopicArn={topic}&Token=2336412f"),
            format!("/?Action=ConfirmSubscription&TopicArn={topic}&Token=2336412f&Action=DeleteTopic"),
            format!("/?Action=ConfirmSubscription&TopicArn={topic}&Token=2336412f&AuthenticateOnUnsubscribe=true"),
            format!("/?TopicArn={topic}&Token=2336412f"),
            "/".to_owned(),
        ] {
            assert!(link(&rest).is_err(), "{rest}");
        }
        assert!(SubscribeUrl::parse("https://evil.example/?amazonaws.com/", topic, "2336412f").is_err());
    }

    #[test]
    fn issuers_come_from_two_authorities() {
        for url in [
            "http://crt.sca1b.amazontrust.com/sca1b.crt",
            "http://cacerts.digicert.com/DigiCertTLSRSASHA2562020CA1-1.crt",
        ] {
            assert!(is_issuer_url(url), "{url}");
        }
        for url in [
            "http://evil.example/crt.sca1b.amazontrust.com/sca1b.crt",
            "http://crt.x@evil.example/.amazontrust.com/a.crt",
            "http://crt.evil.example:80.amazontrust.com/a.crt",
            "http://169.254.169.254/latest/meta-data",
            "https://crt.sca1b.amazontrust.com/sca1b.crt",
            "file:///etc/passwd",
        ] {
            assert!(!is_issuer_url(url), "{url}");
        }
    }
}
