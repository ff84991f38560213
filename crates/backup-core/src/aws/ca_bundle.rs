//! Certificates that are trusted instead of the system's: `AWS_CA_BUNDLE`, and `ca_bundle` in a profile.

use std::path::Path;

use aws_config::SdkConfig;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::endpoint;

const VARIABLE: &str = "AWS_CA_BUNDLE";
const IN_PROFILES: &str = "ca_bundle";

/// A client that trusts what is configured; nothing if nothing is.
///
/// # Errors
/// In words, if the file cannot be read or has no certificate.
pub(super) fn configured(sdk: &SdkConfig) -> Option<Result<SharedHttpClient, String>> {
    // No service has a bundle of its own.
    let path = endpoint::configured(sdk, "", VARIABLE, IN_PROFILES)?;
    Some(client(&path))
}

/// Sends nothing, and says why: what was to be trusted cannot be read, and nothing else takes its place.
#[derive(Clone, Debug)]
struct Refusing(String);

impl HttpConnector for Refusing {
    fn call(&self, _request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(Err(ConnectorError::user(self.0.clone().into())))
    }
}

/// A client of whatever service that says `fault` instead of sending anything.
pub(super) fn refusing(fault: &str) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Refusing(fault.to_owned()));
    http_client_fn(move |_settings, _components| connector.clone())
}

fn client(path: &str) -> Result<SharedHttpClient, String> {
    let trusted = trusted(path).map_err(|why| {
        format!("the certificates in `{path}`, which AWS_CA_BUNDLE or `ca_bundle` of the profile names, cannot be used: {why}")
    })?;
    Ok(of(trusted))
}

/// As the SDK makes its own client (`default_https_client` of aws-smithy-runtime), proxies of the environment included.
fn of(trusted: TrustStore) -> SharedHttpClient {
    // Making it cannot fail: certificates are read when a connection is made.
    let context = TlsContext::builder().with_trust_store(trusted).build().unwrap_or_default();
    Builder::new().build_with_connector_fn(move |settings, components| {
        let provider = Provider::Rustls(CryptoMode::AwsLc);
        let mut connector = ConnectorBuilder::default().tls_provider(provider).tls_context(context.clone());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        connector.build()
    })
}

/// The certificates of a file. Those that are none are passed over, as the system's own are: the client would panic.
fn trusted(path: &str) -> Result<TrustStore, String> {
    let found = rustls_native_certs::load_certs_from_paths(Some(Path::new(path)), None);
    let usable = found.certs.iter().filter(|certificate| webpki::anchor_from_trusted_cert(certificate).is_ok());
    let pem: String = usable
        .map(|certificate| {
            let encoded = STANDARD.encode(certificate);
            format!("-----BEGIN CERTIFICATE-----\n{encoded}\n-----END CERTIFICATE-----\n")
        })
        .collect();
    match found.errors.first() {
        _ if !pem.is_empty() => Ok(TrustStore::empty().with_pem_certificate(pem)),
        Some(error) => Err(error.to_string()),
        None => Err("it has no certificate".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_that_cannot_be_used_is_told_and_no_panic() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let at = path.to_str().unwrap();
        assert!(client(at).unwrap_err().contains(at), "a missing file");
        for text in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            std::fs::write(&path, text).unwrap();
            assert!(client(at).unwrap_err().contains("cannot be used"), "{text}");
        }
    }
}
