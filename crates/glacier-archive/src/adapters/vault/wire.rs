//! Between the SDK, which hashes a part when it is asked to send it, and the wire: as many parts as may be on their way at
//! once are, while others are being hashed.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_glacier::Client;
use aws_sdk_glacier::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_glacier::config::{Builder, ConfigBag, Intercept, RuntimeComponents, SharedHttpClient};
use aws_sdk_glacier::error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use backup_core::digest::Sha256Digest;
use tokio::sync::Semaphore;

/// Parts on their way at once.
pub const PARTS_IN_FLIGHT: usize = 8;

/// The header in which a request says the tree hash of its body.
const TREE_HASH: &str = "x-amz-sha256-tree-hash";

/// The tree hash that a request said of its body.
#[derive(Clone, Debug, Default)]
pub(super) struct Hashed(Arc<Mutex<Option<Sha256Digest>>>);

impl Hashed {
    /// It, once the request was sent.
    pub(super) fn tree_hash(&self) -> Option<Sha256Digest> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Hashed {
    fn name(&self) -> &'static str {
        "lastgood::TreeHashSent"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let said = context.request().headers().get(TREE_HASH).and_then(|said| said.parse().ok());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = said;
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
