//! Serves an endpoint as an application would.

use std::net::SocketAddr;
use std::sync::Arc;

use glacier_archive::endpoint::{Endpoint, router};

pub(crate) async fn serve(endpoint: Endpoint) -> SocketAddr {
    let router = router(Arc::new(endpoint));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let router = router.clone();
            let service = hyper::service::service_fn(move |request| {
                let mut router = router.clone();
                async move { tower_service::Service::call(&mut router, request).await }
            });
            let stream = hyper_util::rt::TokioIo::new(stream);
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(stream, service));
        }
    });
    address
}
