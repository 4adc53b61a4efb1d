//! Connections by TLS, with certificates of an authority of our own. The same for each store on a SQL server: `subject` says
//! which.

use std::path::Path;
use std::sync::Arc;

use retell::backend::{Backend, StoreErrorKind};
use retell::worker::WorkerOptions;
use retell_conformance::load;
use retell_servers::Server;

use crate::subject::{KIND, open, verified};

async fn server() -> Server {
    tokio::task::spawn_blocking(|| Server::start_with_tls(KIND).unwrap()).await.unwrap()
}

/// A database of a server, by TLS with whom this authority vouches for.
fn by_tls(server: &Server, authority: &Path) -> String {
    let database = server.fresh_database().unwrap();
    verified(database.url(), &authority.display().to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_works_by_tls_with_a_server_that_it_trusts() {
    let server = server().await;
    let url = by_tls(&server, server.authority().unwrap());
    let store: Arc<dyn Backend> = Arc::new(open(&url).await.unwrap());
    let engine = load::engine(store, WorkerOptions::default()).await;
    load::survives(&[engine.client().clone()], 0, |_| async {}).await;
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_nobody_vouches_for_is_refused() {
    let (server, other) = (server().await, server().await);
    let error = open(&by_tls(&server, other.authority().unwrap())).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error:?}");
}
