//! Connections by TLS, with certificates of an authority of our own.

use std::sync::Arc;

use retell::backend::{Backend, Interest, Mark, StoreErrorKind};
use retell::worker::WorkerOptions;
use retell_conformance::load;
use retell_redis::Redis;
use retell_servers::{Kind, Server};

use crate::kit::{apply, block_on, blocking, start};

#[test]
fn a_store_works_by_tls_with_a_server_that_it_trusts() {
    block_on(async {
        let server = blocking(|| Server::start_with_tls(Kind::Redis).unwrap()).await;
        let url = server.tls_url().unwrap();
        let authority = std::fs::read(server.authority().unwrap()).unwrap();
        let trusting = Redis::options(&url).trust(authority);
        let (here, there) = (trusting.clone().open().await.unwrap(), trusting.clone().open().await.unwrap());
        // What one commits the other hears, on a connection of its own.
        apply(&there, start("a", None)).await;
        let seen = here.changed(Interest::Work, Mark::default()).await;
        apply(&there, start("b", None)).await;
        assert!(here.changed(Interest::Work, seen).await > seen);
        drop((here, there));
        let store = Arc::new(trusting.prefix("load").open().await.unwrap());
        let engine = load::engine(store, WorkerOptions::default()).await;
        load::survives(&[engine.client().clone()], 0, |_| async {}).await;
        engine.shutdown().await;
    });
}

#[test]
fn a_server_that_nobody_vouches_for_is_refused() {
    block_on(async {
        let [server, other] =
            blocking(|| [(); 2].map(|()| Server::start_with_tls(Kind::Redis).unwrap())).await;
        let url = server.tls_url().unwrap();
        let unknown = Redis::open(&url).await.unwrap_err();
        assert_eq!(unknown.kind, StoreErrorKind::Unavailable, "{unknown:?}");
        let authority = std::fs::read(other.authority().unwrap()).unwrap();
        let anothers = Redis::options(&url).trust(authority).open().await.unwrap_err();
        assert_eq!(anothers.kind, StoreErrorKind::Unavailable, "{anothers:?}");
    });
}
