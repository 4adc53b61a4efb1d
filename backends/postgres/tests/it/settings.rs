//! H7, H14. Settings on which a promise rests are read back; what is weaker is the user's named choice.

use retell::backend::StoreErrorKind;
use retell_postgres::{Postgres, Weaker};
use retell_servers::shared;

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
