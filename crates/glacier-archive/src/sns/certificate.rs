//! Who signs: a certificate for SNS that leads to a trusted root, by the time that is passed in.

use std::time::Duration;

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use jiff::Timestamp;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage};
use x509_cert::der::Decode as _;
use x509_cert::der::oid::AssociatedOid as _;
use x509_cert::ext::pkix::AuthorityInfoAccessSyntax;
use x509_cert::ext::pkix::name::GeneralName;

use super::{CertificateUrl, Rejected, SignatureVersion, is_issuer_url};

/// Most certificates of one file: a chain has three or four.
const CERTIFICATES_MAX: usize = 8;

/// The name in certificates of regions that had SNS first; others have the host's.
const LEGACY_NAME: &str = "sns.amazonaws.com";

/// What stands in an access description for the address of the issuer's certificate (RFC 5280, 4.2.2.1).
const CA_ISSUERS: &str = "1.3.6.1.5.5.7.48.2";

/// The roots that this machine trusts.
///
/// # Errors
/// [`Rejected::Undecided`] if there are none.
pub fn system_roots() -> Result<Vec<TrustAnchor<'static>>, Rejected> {
    let found = rustls_native_certs::load_native_certs();
    let anchors = found.certs.iter().filter_map(|root| webpki::anchor_from_trusted_cert(root).ok());
    let anchors: Vec<_> = anchors.map(|anchor| anchor.to_owned()).collect();
    if anchors.is_empty() {
        return Err(Rejected::Undecided("this machine has no root certificates".to_owned()));
    }
    Ok(anchors)
}

/// The certificate of a signer with those that lead to its root, as far as they are there.
#[derive(Clone, Debug)]
pub struct Signer {
    chain: Vec<CertificateDer<'static>>,
    host: String,
}

/// Why a chain does not hold, or not yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ChainFault {
    /// The issuer of the last certificate is missing; it is said to be at this address.
    NeedsIssuer(String),
    /// It leads nowhere.
    Broken(String),
}

impl Signer {
    /// Reads what SNS has at `url`: certificates and nothing else.
    ///
    /// # Errors
    /// [`Rejected::Forged`] for anything else.
    pub fn read(url: &CertificateUrl, pem: &[u8]) -> Result<Self, Rejected> {
        let forged = |why: &str| Rejected::Forged(format!("what is at `{url}` is no certificate in PEM: {why}"));
        let text = std::str::from_utf8(pem).map_err(|_| forged("it is no text"))?.trim();
        // A parser of PEM passes over whatever is around it.
        if !text.starts_with("-----BEGIN CERTIFICATE-----") || !text.ends_with("-----END CERTIFICATE-----") {
            return Err(forged("it has other characters around it"));
        }
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).take(CERTIFICATES_MAX).collect();
        let chain = chain.map_err(|error| forged(&error.to_string()))?;
        if chain.is_empty() {
            return Err(forged("it is empty"));
        }
        Ok(Self { chain, host: url.host().to_owned() })
    }

    /// Whether the certificate is valid at `now`, for SNS, and leads to one of `roots`.
    pub(super) fn check(&self, roots: &[TrustAnchor<'_>], now: Timestamp) -> Result<(), ChainFault> {
        let broken = |error: webpki::Error| ChainFault::Broken(error.to_string());
        let leaf = EndEntityCert::try_from(&self.chain[0]).map_err(broken)?;
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let algorithms = webpki::ALL_VERIFICATION_ALGS;
        let usage = KeyUsage::server_auth();
        let path = leaf.verify_for_usage(algorithms, roots, &self.chain[1..], time, usage, None, None);
        match path {
            Ok(_) => {}
            Err(webpki::Error::UnknownIssuer) => {
                let last = self.chain.last().and_then(issuer_url);
                let unknown = || broken(webpki::Error::UnknownIssuer);
                return Err(last.map_or_else(unknown, ChainFault::NeedsIssuer));
            }
            Err(error) => return Err(broken(error)),
        }
        let is_for = |name: &str| {
            ServerName::try_from(name).is_ok_and(|name| leaf.verify_is_valid_for_subject_name(&name).is_ok())
        };
        if is_for(LEGACY_NAME) || is_for(&self.host) {
            return Ok(());
        }
        Err(ChainFault::Broken(format!("it is neither for {LEGACY_NAME} nor for {}", self.host)))
    }

    /// Adds the issuer of the last certificate.
    pub(super) fn add_issuer(&mut self, der: &[u8]) {
        if self.chain.len() < CERTIFICATES_MAX {
            self.chain.push(CertificateDer::from(der.to_vec()));
        }
    }

    /// Whether no more can be added.
    pub(super) fn is_full(&self) -> bool {
        self.chain.len() >= CERTIFICATES_MAX
    }

    /// Whether the key of the certificate signed `text`.
    pub(super) fn signed(&self, version: SignatureVersion, text: &[u8], signature: &[u8]) -> bool {
        let Ok(leaf) = x509_cert::Certificate::from_der(&self.chain[0]) else { return false };
        let key = leaf.tbs_certificate.subject_public_key_info.subject_public_key;
        let algorithm = match version {
            SignatureVersion::One => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            SignatureVersion::Two => &RSA_PKCS1_2048_8192_SHA256,
        };
        UnparsedPublicKey::new(algorithm, key.raw_bytes()).verify(text, signature).is_ok()
    }
}

/// Where the issuer of a certificate is, if that is an address that may be asked.
fn issuer_url(certificate: &CertificateDer<'_>) -> Option<String> {
    let certificate = x509_cert::Certificate::from_der(certificate).ok()?;
    let extensions = certificate.tbs_certificate.extensions?;
    let access = extensions.iter().find(|extension| extension.extn_id == AuthorityInfoAccessSyntax::OID)?;
    let access = AuthorityInfoAccessSyntax::from_der(access.extn_value.as_bytes()).ok()?;
    access.0.into_iter().filter(|one| one.access_method.to_string() == CA_ISSUERS).find_map(|one| {
        match one.access_location {
            GeneralName::UniformResourceIdentifier(url) if is_issuer_url(url.as_str()) => Some(url.as_str().to_owned()),
            _ => None,
        }
    })
}
