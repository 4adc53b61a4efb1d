//! H7, H14. Settings on which a promise rests are read back; what is weaker is the user's named choice.

use retell::backend::StoreErrorKind;
use retell_mysql::{MySql, Weaker};
use retell_servers::Server;

use crate::subject::KIND;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_wait_for_its_disk_is_refused() {
    let server = tokio::task::spawn_blocking(|| Server::start(KIND).unwrap()).await.unwrap();
    let database = server.fresh_database().unwrap();
    database.query("set global innodb_flush_log_at_trx_commit = 2").unwrap();
    let error = MySql::connect(database.url()).await.unwrap_err();
    let StoreErrorKind::Setting { setting, found, .. } = &error.kind else { panic!("{error:?}") };
    assert_eq!((setting.as_str(), found.as_str()), ("innodb_flush_log_at_trx_commit", "2"));
    MySql::options().accept(Weaker::FlushLogLater).connect(database.url()).await.unwrap();
}
