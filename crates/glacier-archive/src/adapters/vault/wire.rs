//! Between the SDK and the wire: what a request says of its part, and how many parts are on their way at once.

use std::sync::Arc;

use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_sdk_glacier::Client;
use aws_sdk_glacier::config::interceptors::{BeforeTransmitInterceptorContextMut, BeforeTransmitInterceptorContextRef};
use aws_sdk_glacier::config::{Builder, ConfigBag, Intercept, RuntimeComponents, SharedHttpClient};
use aws_sdk_glacier::error::BoxError;
use aws_sigv4::http_request::SignableBody;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, LoadedRequestBody};
use aws_smithy_runtime_api::client::result::ConnectorError;
use backup_core::digest::Sha256Digest;
use bytes::Bytes;
use tokio::sync::Semaphore;

/// Parts on their way at once.
pub const PARTS_IN_FLIGHT: usize = 8;

/// The headers in which a request says what its body is.
const TREE_HASH: &str = "x-amz-sha256-tree-hash";
const WHOLE: &str = "x-amz-content-sha256";

/// What a request says of its body. The SDK would hash it twice, one after the other and where it is sent from; here it was
/// hashed before, both at once.
#[derive(Clone, Debug)]
pub(super) struct Hashes {
    pub(super) tree: Sha256Digest,
    pub(super) whole: Sha256Digest,
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Hashes {
    fn name(&self) -> &'static str {
        "lastgood::PartHashes"
    }

    fn read_after_serialization(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // What the SDK is about to hash; the request keeps its body.
        config.interceptor_state().store_put(LoadedRequestBody::Loaded(Bytes::new()));
        Ok(())
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.request_mut().headers_mut();
        headers.insert(TREE_HASH, self.tree.to_string());
        headers.insert(WHOLE, self.whole.to_string());
        let signing = config.load::<SigV4OperationSigningConfig>().ok_or("a part is not to be signed")?;
        let mut signing = signing.clone();
        signing.signing_options.payload_override = Some(SignableBody::Precomputed(self.whole.to_string()));
        config.interceptor_state().store_put(signing);
        Ok(())
    }
}

/// Settings with which a request of `client` waits for its turn on the wire.
pub(super) fn on_the_wire(client: &Client, turns: &Arc<Semaphore>) -> Builder {
    let mut config = Builder::default();
    let inner = client.config().http_client();
    config.set_http_client(inner.map(|inner| SharedHttpClient::new(InTurn { inner, turns: turns.clone() })));
    config
}

#[derive(Debug)]
struct InTurn<T> {
    inner: T,
    turns: Arc<Semaphore>,
}

impl HttpClient for InTurn<SharedHttpClient> {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(InTurn { inner, turns: self.turns.clone() })
    }
}

impl HttpConnector for InTurn<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, turns) = (self.inner.clone(), self.turns.clone());
        HttpConnectorFuture::new(async move {
            let _turn = turns.acquire().await.map_err(|closed| ConnectorError::other(closed.into(), None))?;
            inner.call(request).await
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;

    /// Counts the requests on the wire, and answers none.
    #[derive(Clone, Debug, Default)]
    struct Wire {
        now: Arc<AtomicUsize>,
        most: Arc<AtomicUsize>,
    }

    impl HttpConnector for Wire {
        fn call(&self, _request: HttpRequest) -> HttpConnectorFuture {
            let Self { now, most } = self.clone();
            HttpConnectorFuture::new(async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                now.fetch_sub(1, Ordering::SeqCst);
                Err(ConnectorError::other("no answer".into(), None))
            })
        }
    }

    #[tokio::test]
    async fn no_more_requests_are_on_the_wire_than_there_are_turns() {
        let wire = Wire::default();
        let inner = SharedHttpConnector::new(wire.clone());
        let in_turn = InTurn { inner, turns: Arc::new(Semaphore::new(3)) };
        join_all((0..20).map(|_| in_turn.call(HttpRequest::empty()))).await;
        assert_eq!(wire.most.load(Ordering::SeqCst), 3);
    }
}
