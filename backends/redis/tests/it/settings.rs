//! H7, H14: what a server must be set to, and what it does at its limits.

use std::time::Duration;

use retell::backend::{StoreError, StoreErrorKind};
use retell_redis::{Durability, Redis};
use retell_servers::{Endpoint, Kind, Proxy, Server};

use crate::kit::{apply, block_on, blocking, start, try_apply};

async fn set(server: &Endpoint, setting: &str) {
    let (server, command) = (server.clone(), format!("config set {setting}"));
    blocking(move || server.query(&command).unwrap()).await;
}

fn refused(opened: Result<Redis, StoreError>) -> (String, String) {
    match opened.map(drop).map_err(|error| error.kind) {
        Err(StoreErrorKind::Setting { setting, found, .. }) => (setting, found),
        other => panic!("the server was not refused for a setting: {other:?}"),
    }
}

#[test]
fn a_server_that_syncs_too_seldom_is_refused_unless_that_is_chosen() {
    block_on(async {
        let server = blocking(|| Server::start(Kind::Redis).unwrap()).await;
        let open = |durability| Redis::options(server.url()).durability(durability).open();
        Redis::open(server.url()).await.unwrap();
        set(server.endpoint(), "appendfsync everysec").await;
        let found = refused(Redis::open(server.url()).await);
        assert_eq!(found, ("appendfsync".to_owned(), "everysec".to_owned()));
        open(Durability::EverySecond).await.unwrap();
        set(server.endpoint(), "appendonly no").await;
        let without_file = ("appendonly".to_owned(), "no".to_owned());
        assert_eq!(refused(Redis::open(server.url()).await), without_file);
        assert_eq!(refused(open(Durability::EverySecond).await), without_file);
        open(Durability::None).await.unwrap();
    });
}

#[test]
fn a_server_that_throws_keys_away_is_refused() {
    block_on(async {
        let server = blocking(|| Server::start(Kind::Redis).unwrap()).await;
        set(server.endpoint(), "maxmemory 1gb").await;
        Redis::open(server.url()).await.unwrap();
        set(server.endpoint(), "maxmemory-policy allkeys-lru").await;
        assert_eq!(refused(Redis::open(server.url()).await).0, "maxmemory-policy");
    });
}

#[test]
fn what_a_server_hides_is_declared_by_name() {
    block_on(async {
        let server = blocking(|| {
            let server = Server::start(Kind::Redis).unwrap();
            server.endpoint().query("acl setuser app on >secret ~* &* +@all -config").unwrap();
            server
        })
        .await;
        let url = server.url().replace("redis://", "redis://app:secret@");
        assert_eq!(refused(Redis::open(&url).await).1, "hidden by the server");
        let store = Redis::options(&url).declare_durability().open().await.unwrap();
        apply(&store, start("a", None)).await;
    });
}

/// H14: what a crash has torn would come back with the start after the next, for nothing may be done about it.
#[test]
fn a_server_that_passes_over_torn_ends_is_refused_to_who_may_not_leave_them_behind() {
    block_on(async {
        let server = blocking(|| {
            let server = Server::start(Kind::Redis).unwrap();
            server.endpoint().query("acl setuser app on >secret ~* &* +@all -bgrewriteaof").unwrap();
            server
        })
        .await;
        set(server.endpoint(), "aof-load-truncated yes").await;
        let url = server.url().replace("redis://", "redis://app:secret@");
        assert_eq!(refused(Redis::open(&url).await), ("aof-load-truncated".to_owned(), "yes".to_owned()));
        set(server.endpoint(), "aof-load-truncated no").await;
        apply(&Redis::open(&url).await.unwrap(), start("a", None)).await;
    });
}

#[test]
fn settings_are_read_back_on_every_connection() {
    block_on(async {
        let server = blocking(|| Server::start(Kind::Redis).unwrap()).await;
        let proxy = Proxy::before(server.address()).unwrap();
        let store = Redis::open(server.endpoint().at(proxy.address()).url()).await.unwrap();
        set(server.endpoint(), "appendfsync no").await;
        proxy.cut_all();
        let refused = loop {
            match try_apply(&store, start("a", None)).await.map_err(|error| error.kind) {
                Err(StoreErrorKind::Unavailable) => tokio::time::sleep(Duration::from_millis(1)).await,
                other => break other,
            }
        };
        assert!(matches!(refused, Err(StoreErrorKind::Setting { .. })), "{refused:?}");
    });
}

#[test]
fn a_full_server_loses_nothing_and_goes_on_when_there_is_room() {
    block_on(async {
        let server = blocking(|| Server::start(Kind::Redis).unwrap()).await;
        let store = Redis::open(server.url()).await.unwrap();
        set(server.endpoint(), "maxmemory 1").await;
        let start = start("a", None);
        let full = try_apply(&store, start.clone()).await.unwrap_err();
        assert_eq!(full.kind, StoreErrorKind::Full, "{full:?}");
        set(server.endpoint(), "maxmemory 0").await;
        apply(&store, start).await;
    });
}
