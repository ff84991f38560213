//! A server's certificate that is itself among those to trust: self-signed, as `openssl req -x509` makes them.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};

/// How webpki calls a server's certificate that is marked as an authority's. It looks at that once the time is right, and
/// before it looks for an authority.
const AUTHORITY: &str = "CaUsedAsEndEntity";

/// Accepts what another verifier accepts, and a certificate that was named as one to trust although it is marked as an
/// authority's. libpq does so too: whoever named the file means that certificate.
#[derive(Debug)]
pub(super) struct Pinned {
    trusted: Vec<CertificateDer<'static>>,
    verifier: Arc<dyn ServerCertVerifier>,
}

impl Pinned {
    pub(super) fn new(trusted: Vec<CertificateDer<'static>>, verifier: Arc<dyn ServerCertVerifier>) -> Self {
        Self { trusted, verifier }
    }
}

/// Whether a certificate was refused because it is an authority's.
fn is_authority(error: &rustls::Error) -> bool {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(why)) => why.0.to_string() == AUTHORITY,
        _ => false,
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(error) if is_authority(&error) && self.trusted.iter().any(|trusted| trusted == end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};
    use rustls::RootCertStore;
    use rustls::client::WebPkiServerVerifier;

    use super::*;

    /// A certificate as `openssl req -x509` makes it, for `db1` and this year.
    fn self_signed() -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec!["db1".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params.not_before, params.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(2027, 1, 1));
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn pinned(trusted: &CertificateDer<'static>) -> Pinned {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        Pinned::new(vec![trusted.clone()], verifier)
    }

    /// Days since 1970 of 1 July 2026.
    const SUMMER: u64 = 20_635;

    fn verified(pinned: &Pinned, shown: &CertificateDer<'_>, name: &str, day: u64) -> Result<(), rustls::Error> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(day * 86_400));
        pinned.verify_server_cert(shown, &[], &name, &[], now).map(drop)
    }

    #[test]
    fn the_very_certificate_is_accepted_for_its_name_and_time_and_no_other_one_is() {
        let certificate = self_signed();
        let pinned = pinned(&certificate);
        verified(&pinned, &certificate, "db1", SUMMER).unwrap();
        let other_name = verified(&pinned, &certificate, "db2", SUMMER).unwrap_err();
        assert!(other_name.to_string().contains("not valid for name"), "{other_name}");
        let late = verified(&pinned, &certificate, "db1", SUMMER + 365).unwrap_err();
        assert!(late.to_string().contains("expired"), "{late}");
        let forged = verified(&pinned, &self_signed(), "db1", SUMMER).unwrap_err();
        assert!(is_authority(&forged), "{forged}");
    }
}
