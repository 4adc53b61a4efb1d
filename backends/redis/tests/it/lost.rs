//! Lost replies, lost requests and lost scripts: what is asked again is done once, and the caller hears of nothing.

use std::time::Duration;

use retell::backend::Backend;
use retell::write::{Applied, Write};
use retell_redis::Redis;
use retell_servers::{Kind, Proxy, shared};

use crate::kit::{apply, block_on, blocking, claim_all, commit, send, start, worker};

const SOON: Duration = Duration::from_secs(30);

#[test]
fn a_lost_reply_and_a_lost_request_are_the_same_to_the_caller() {
    block_on(async {
        let database = blocking(|| shared(Kind::Redis).unwrap().fresh_database().unwrap()).await;
        let proxy = Proxy::before(database.address().unwrap()).unwrap();
        let store = Redis::open(database.at(proxy.address()).url()).await.unwrap();
        let worker = worker(&store).await;
        for (number, is_reply) in [(1_u64, true), (2, false)] {
            let cut = |bytes: &[u8]| if is_reply { proxy.cut_after(bytes) } else { proxy.cut_before(bytes) };
            let id = format!("run-{number}");
            let start = start(&id, Some(worker));
            let lost = cut(start.request_id.0.simple().to_string().as_bytes());
            let started = Applied::Started { run: start.run.clone(), owned: true };
            assert_eq!(apply(&store, start.clone()).await, started);
            assert!(lost.wait(SOON));
            let message = send(start.run.clone(), "hello");
            let lost = cut(message.message.request_id.0.simple().to_string().as_bytes());
            assert_eq!(apply(&store, message).await, Applied::Sent(start.run.clone()));
            assert!(lost.wait(SOON));
            let lost = cut(b"semantics");
            let claimed = store.claim(&claim_all(worker, number)).await.unwrap();
            assert!(lost.wait(SOON));
            assert_eq!((claimed.unread.len(), claimed.unread[0].messages.len()), (1, 1));
            let lost = cut(b"expected events");
            let mut step = commit(&start.run, worker, 1, 1);
            step.record.as_mut().unwrap().bytes = bytes::Bytes::from_static(b"expected events");
            assert!(matches!(apply(&store, step).await, Applied::Committed { .. }));
            assert!(lost.wait(SOON));
            let history = store.history(&start.run, retell::vocabulary::EventId(0), 1 << 20).await.unwrap();
            assert_eq!(history.len(), 2);
        }
    });
}

#[test]
fn scripts_that_the_server_forgot_are_loaded_again() {
    block_on(async {
        let server = blocking(|| retell_servers::Server::start(Kind::Redis).unwrap()).await;
        let store = Redis::open(server.url()).await.unwrap();
        let endpoint = server.endpoint().clone();
        let forget = async || {
            let endpoint = endpoint.clone();
            blocking(move || endpoint.query("function flush").unwrap()).await;
        };
        forget().await;
        let worker = worker(&store).await;
        forget().await;
        let start = start("a", Some(worker));
        apply(&store, start.clone()).await;
        forget().await;
        let batch: Vec<Write> =
            (0..300).map(|number| send(start.run.clone(), &number.to_string()).into()).collect();
        let sent = store.apply(batch.into()).await.unwrap();
        assert!(sent.iter().all(Result::is_ok));
        forget().await;
        let claimed = store.claim(&claim_all(worker, 1)).await.unwrap();
        assert_eq!(claimed.unread[0].messages.len(), 300);
        forget().await;
        assert_eq!(store.stats(&start.run.namespace).await.unwrap().open, 1);
    });
}
