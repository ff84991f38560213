//! Who calls, and which region is meant: read from the request's signature.

use http::HeaderMap;
use http::header::AUTHORIZATION;

/// The account of access keys that do not say which one they are of.
pub const DEFAULT_ACCOUNT: &str = "111111111111";

/// What the credential scope of a signature (version 4) says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The access key's id.
    pub access_key_id: String,
    /// The account: the access key's first twelve characters where they are digits, otherwise `111111111111`.
    pub account: String,
    /// The region that the request was signed for.
    pub region: String,
    /// The service that it was signed for, such as `ec2`.
    pub service: String,
}

impl Caller {
    /// The caller of a signed request; `None` if it is not signed.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let rest = header.strip_prefix("AWS4-HMAC-SHA256 ")?;
        let scope = rest.split(',').find_map(|part| part.trim().strip_prefix("Credential="))?;
        let mut parts = scope.split('/');
        let (id, _day, region, service) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if parts.next() != Some("aws4_request") {
            return None;
        }
        Some(Self {
            access_key_id: id.to_owned(),
            account: account(id).to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
        })
    }
}

fn account(access_key_id: &str) -> &str {
    match access_key_id.get(..12) {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits,
        _ => DEFAULT_ACCOUNT,
    }
}

/// The environment in which an AWS client finds a fake of `services`, such as `EC2` and `EBS`, at `endpoint`, and nothing
/// of the machine's own configuration.
#[must_use]
pub fn environment(endpoint: &str, services: &[&str], account: &str, region: &str) -> Vec<(String, String)> {
    let fixed = [
        ("AWS_ACCESS_KEY_ID", account),
        ("AWS_SECRET_ACCESS_KEY", "testkit"),
        ("AWS_REGION", region),
        ("AWS_DEFAULT_REGION", region),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ];
    let endpoints = services.iter().map(|service| (format!("AWS_ENDPOINT_URL_{service}"), endpoint.to_owned()));
    endpoints.chain(fixed.map(|(name, value)| (name.to_owned(), value.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(header: &str) -> Option<Caller> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, header.parse().unwrap());
        Caller::of(&headers)
    }

    #[test]
    fn region_service_and_account_come_from_the_scope() {
        let rest = "SignedHeaders=host, Signature=0";
        let found =
            caller(&format!("AWS4-HMAC-SHA256 Credential=222222222222/20261130/eu-west-1/ec2/aws4_request, {rest}"));
        let found = found.unwrap();
        assert_eq!((&*found.account, &*found.region, &*found.service), ("222222222222", "eu-west-1", "ec2"));
        let other =
            caller(&format!("AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20261130/us-east-1/ebs/aws4_request,{rest}"));
        assert_eq!(other.unwrap().account, DEFAULT_ACCOUNT);
        assert_eq!(caller("Bearer x"), None);
        assert_eq!(caller("AWS4-HMAC-SHA256 Credential=a/b/c/d/e, x"), None);
        assert_eq!(Caller::of(&HeaderMap::new()), None);
    }
}
