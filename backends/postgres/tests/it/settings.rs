//! H7, H14. Settings on which a promise rests are read back; what is weaker is the user's named choice.

use futures::future::join_all;
use retell::backend::{Backend, StoreErrorKind};
use retell_postgres::{Postgres, Weaker};
use retell_servers::shared;

use crate::server::{apply, send, start};
use crate::subject::KIND;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_wait_for_its_disk_is_refused() {
    let database = shared(KIND).unwrap().fresh_database().unwrap();
    let url = format!("{}%20-c%20synchronous_commit%3Doff", database.url());
    let error = Postgres::connect(&url).await.unwrap_err();
    let StoreErrorKind::Setting { setting, found, .. } = &error.kind else { panic!("{error:?}") };
    assert_eq!((setting.as_str(), found.as_str()), ("synchronous_commit", "off"));
    Postgres::options().accept(Weaker::SynchronousCommitOff).connect(&url).await.unwrap();
}

/// A role or a database may have stricter transactions by default; the store's own meet each other all the same, wait and
/// go on, and nobody hears of a failed serialization.
#[tokio::test(flavor = "multi_thread")]
async fn a_stricter_isolation_by_default_is_not_the_stores_own() {
    const EACH: usize = 40;
    let database = shared(KIND).unwrap().fresh_database().unwrap();
    let url = format!("{}%20-c%20default_transaction_isolation%3Dserializable", database.url());
    let stores = [Postgres::connect(&url).await.unwrap(), Postgres::connect(&url).await.unwrap()];
    let run = start("a");
    apply(&stores[0], run.clone()).await.unwrap();
    let sends = stores.iter().flat_map(|store| (0..EACH).map(|_| apply(store, send(&run.run))));
    for sent in join_all(sends).await {
        sent.unwrap();
    }
    let found = stores[1].describe(&[run.run.into()]).await.unwrap();
    assert_eq!(found[0].as_ref().unwrap().inbox, 2 * EACH as u64);
}
