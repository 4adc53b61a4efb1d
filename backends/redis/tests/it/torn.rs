//! A transaction that a crash has torn is gone, and stays gone.

use std::fs::{OpenOptions, read_dir};
use std::path::PathBuf;

use retell::backend::Backend;
use retell::vocabulary::EventId;
use retell::write::Write;
use retell_redis::Redis;
use retell_servers::{Endpoint, Kind, Server};

use crate::kit::{apply, block_on, blocking, start};

/// What an operator would cut off to get the same: a few bytes short of the end of the last transaction.
const TORN_BYTES: u64 = 40;

/// The part of the append-only file that is being written.
fn last_part(server: &Endpoint) -> PathBuf {
    let told = server.query("config get dir").unwrap();
    let folder = PathBuf::from(told.lines().last().unwrap().trim()).join("appendonlydir");
    let parts = read_dir(folder).unwrap().map(|part| part.unwrap().path());
    parts.filter(|path| path.to_string_lossy().ends_with(".incr.aof")).max().unwrap()
}

#[test]
fn half_a_transaction_does_not_come_back_with_the_start_after_the_next() {
    block_on(async {
        let server = blocking(|| Server::start(Kind::Redis).unwrap()).await;
        let order = start("order", None);
        let store = Redis::open(server.url()).await.unwrap();
        apply(&store, Write::Start(Box::new(start("before", None)))).await;
        // Nothing is written behind it.
        apply(&store, Write::Start(Box::new(order.clone()))).await;
        drop(store);
        let server = blocking(move || {
            let part = last_part(server.endpoint());
            server.kill();
            let file = OpenOptions::new().write(true).open(part).unwrap();
            file.set_len(file.metadata().unwrap().len() - TORN_BYTES).unwrap();
            server.restart().unwrap();
            server
        })
        .await;
        let store = Redis::open(server.url()).await.unwrap();
        assert!(store.history(&order.run, EventId(0), 1 << 20).await.unwrap().is_empty(), "it was not torn");
        apply(&store, Write::Start(Box::new(order.clone()))).await;
        drop(store);
        let server = blocking(move || {
            server.kill();
            server.restart().unwrap();
            server
        })
        .await;
        let store = Redis::open(server.url()).await.unwrap();
        assert_eq!(store.history(&order.run, EventId(0), 1 << 20).await.unwrap().len(), 1);
    });
}
