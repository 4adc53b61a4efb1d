//! H10: rows that somebody else's hand was at stop their own run only.

use retell::backend::{Backend, ListRequest, StatusFilter, StoreErrorKind};
use retell::vocabulary::Namespace;
use retell_redis::Redis;
use retell_servers::{Kind, shared};

use crate::kit::{apply, block_on, blocking, claimed, commit, send, start, try_apply, worker};

#[test]
fn a_damaged_row_stops_its_own_run_only() {
    block_on(async {
        let database = blocking(|| shared(Kind::Redis).unwrap().fresh_database().unwrap()).await;
        let store = Redis::open(database.url()).await.unwrap();
        let [garbled, gone, torn, sound] = ["garbled", "gone", "torn", "sound"].map(|id| start(id, None));
        for start in [&garbled, &gone, &torn, &sound] {
            apply(&store, start.clone()).await;
        }
        let key = |what: &str, start: &retell::write::Start| {
            format!("{{retell.0}}7/default/{what}/{}{}", start.run.run_id.0.simple(), start.run.workflow_id)
        };
        let commands = [
            format!("hset {} info garbage attributes garbage failure garbage", key("run", &garbled)),
            format!("del {}", key("run", &gone)),
            format!("hset {} state 0/1/1/0///////garbage/0/0/////", key("run", &torn)),
        ];
        blocking(move || commands.iter().for_each(|command| drop(database.query(command).unwrap()))).await;
        let torn = try_apply(&store, send(torn.run, "hello")).await.unwrap_err();
        assert!(matches!(torn.kind, StoreErrorKind::Damaged(_)), "{torn:?}");
        apply(&store, send(sound.run.clone(), "hello")).await;
        let request = ListRequest {
            namespace: Namespace::default(),
            workflow_id: None,
            workflow: None,
            status: StatusFilter::Open,
            attributes: Vec::new(),
            page_size: 10,
            after: None,
        };
        let listed = store.list(&request).await.unwrap().runs;
        assert_eq!(listed.len(), 3, "what is gone is not listed");
        let shown = listed.iter().find(|info| info.run == garbled.run).unwrap();
        assert!(shown.failure.as_ref().unwrap().message.contains("damaged"), "{shown:?}");
        let worker = worker(&store).await;
        let runs = claimed(&store, worker).await.runs;
        let ids: Vec<_> = runs.iter().map(|run| run.run.workflow_id.as_str()).collect();
        assert!(ids.contains(&"sound") && ids.contains(&"garbled") && ids.len() == 2, "{ids:?}");
        apply(&store, commit(&sound.run, worker, 1, 1)).await;
    });
}
