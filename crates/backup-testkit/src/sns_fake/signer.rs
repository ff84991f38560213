//! An authority, a certificate for SNS, and its key.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    PKCS_RSA_SHA256, RsaKeySize, SigningKey as _,
};

/// What signs.
#[derive(Debug)]
pub(super) struct Signer {
    root: Vec<u8>,
    certificate: String,
    key: KeyPair,
}

impl Signer {
    pub(super) fn new() -> io::Result<Self> {
        Self::made().map_err(io::Error::other)
    }

    fn made() -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "An authority of the fake's own");
        let own = KeyPair::generate()?;
        let root = params.self_signed(&own)?.der().to_vec();
        let authority = CertifiedIssuer::self_signed(params, own)?;
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        let mut leaf = CertificateParams::new(["sns.amazonaws.com".to_owned()])?;
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = leaf.signed_by(&key, &authority)?.pem();
        Ok(Self { root, certificate, key })
    }

    pub(super) fn root(&self) -> &[u8] {
        &self.root
    }

    /// In PEM.
    pub(super) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// In base64.
    pub(super) fn sign(&self, text: &[u8]) -> io::Result<String> {
        self.key.sign(text).map(|signature| STANDARD.encode(signature)).map_err(io::Error::other)
    }
}
