//! Deadlocks between transactions of users and the store's own. The same for each store on a SQL server: `subject` says
//! which.

use std::sync::Arc;

use retell::backend::Backend;
use retell::write::Write;
use retell_servers::shared;
use tokio::sync::Barrier;

use crate::server::{apply, send, start};
use crate::subject::{KIND, Store, begin, open_pool};

const ROUNDS: usize = 10;

/// Two users lock two runs in opposite order, each while the other waits, and the store writes to both runs meanwhile: one
/// user hears of it and rolls back, the store tries again, and each message that was acknowledged is there once.
#[tokio::test(flavor = "multi_thread")]
async fn deadlocks_lose_and_double_nothing() {
    let database = shared(KIND).unwrap().fresh_database().unwrap();
    let pool = open_pool(database.url()).await;
    let store = Arc::new(Store::with_pool(pool.clone()).await.unwrap());
    let (one, other) = (start("a"), start("b"));
    for start in [&one, &other] {
        apply(&store, start.clone()).await.unwrap();
    }
    let (mut acknowledged, mut undone) = (0, 0);
    for _ in 0..ROUNDS {
        let both_locked = Arc::new(Barrier::new(3));
        let user = |first, second| {
            let (pool, store, both_locked) = (pool.clone(), store.clone(), both_locked.clone());
            tokio::spawn(async move {
                let mut transaction = begin(&pool).await;
                store.apply_in(&mut transaction, &[send(&first).into()]).await.unwrap();
                both_locked.wait().await;
                match store.apply_in(&mut transaction, &[send(&second).into()]).await {
                    Ok(outcomes) => outcomes[0].clone().map(|_| transaction.commit()).unwrap().await.is_ok(),
                    Err(_) => transaction.rollback().await.is_err(),
                }
            })
        };
        let users = [user(one.run.clone(), other.run.clone()), user(other.run.clone(), one.run.clone())];
        let batch: Arc<[Write]> = Arc::new([send(&one.run).into(), send(&other.run).into()]);
        // A store that came between them would wait for one user, and the other for it.
        both_locked.wait().await;
        let outcomes = store.apply(batch).await.unwrap();
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        acknowledged += 1;
        for user in users {
            if user.await.unwrap() { acknowledged += 1 } else { undone += 1 }
        }
    }
    assert!(undone >= ROUNDS, "each round has a deadlock: {undone}");
    for start in [one, other] {
        let found = store.describe(&[start.run.into()]).await.unwrap();
        assert_eq!(found[0].as_ref().unwrap().inbox, acknowledged);
    }
}
