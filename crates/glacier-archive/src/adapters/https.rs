//! Gets certificates and confirms subscriptions: without redirects, and with limits.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::sns::{Fetch, FetchError};

/// Bytes of an answer at most: a chain of certificates has about ten thousand.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// A request takes no longer: SNS itself waits 15 seconds for our answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A client that trusts what the machine trusts.
#[derive(Clone, Debug)]
pub struct HttpsFetch {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

impl HttpsFetch {
    /// A client; no request is made.
    ///
    /// # Errors
    /// If the machine has no root certificates.
    pub fn new() -> Result<Self, FetchError> {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let builder = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider);
        // What is fetched without TLS are issuers of certificates, which prove themselves.
        let connector = builder.map_err(|error| FetchError(error.to_string()))?.https_or_http().enable_http1().build();
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector) })
    }

    async fn get(&self, url: &str) -> Result<Bytes, FetchError> {
        let url: http::Uri = url.parse().map_err(|_| FetchError("it is no address".to_owned()))?;
        let answer = self.client.get(url).await.map_err(|error| FetchError(error.to_string()))?;
        let status = answer.status().as_u16();
        if status != 200 {
            return Err(FetchError(format!("the answer is {status}")));
        }
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        body.map(http_body_util::Collected::to_bytes).map_err(|error| FetchError(error.to_string()))
    }
}

#[async_trait]
impl Fetch for HttpsFetch {
    async fn fetch(&self, url: &str) -> Result<Bytes, FetchError> {
        match tokio::time::timeout(TIMEOUT, self.get(url)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(FetchError(format!("no answer within {} s", TIMEOUT.as_secs()))),
        }
    }
}
