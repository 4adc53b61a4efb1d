//! What changes: told to waiters of this process at once, and to other processes by a channel.

use std::sync::Arc;
use std::time::Duration;

use redis::{PushInfo, PushKind, Value};
use retell::backend::{Changes, Interest, StoreError};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::Store;
use crate::link::Subscription;
use crate::signs::Signs;

/// How often a subscription shows that it is still there, in a process that has no workers.
const PING_EVERY: Duration = Duration::from_secs(5);
/// The first and the longest wait before a lost subscription is made again.
const AGAIN_AFTER: Duration = Duration::from_millis(50);
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(2);

/// What waiters of this process wait for.
#[derive(Default)]
pub(crate) struct Notices {
    pub(crate) changes: Changes,
}

impl Notices {
    /// Tells of changes by their letters, as scripts name them.
    pub(crate) fn announce(&self, letters: &[u8]) {
        for letter in letters {
            match letter {
                b'w' => self.changes.announce(Interest::Work),
                b'c' => self.changes.announce(Interest::Closings),
                b'a' => self.changes.announce(Interest::Answers),
                _ => {}
            }
        }
    }
}

/// Hears what other processes change until it is aborted. Everything that changes after this returns is heard.
pub(crate) async fn listen(store: &Arc<Store>) -> Result<AbortHandle, StoreError> {
    let first = store.link.subscribe().await?;
    let store = Arc::clone(store);
    let listening = tokio::spawn(async move {
        let mut subscription = Some(first);
        let mut signs = Signs::default();
        let mut wait = AGAIN_AFTER;
        loop {
            match subscription.take() {
                Some(subscription) => {
                    wait = AGAIN_AFTER;
                    hear(&store, subscription, &mut signs).await;
                    signs.lost();
                }
                None => {
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(AGAIN_AFTER_MAX);
                }
            }
            subscription = store.link.subscribe().await.ok();
            if subscription.is_some() {
                // Nobody knows what was missed.
                store.notices.announce(b"wca");
            }
        }
    });
    Ok(listening.abort_handle())
}

/// Hears until the connection is lost, and looks for signs of life meanwhile.
async fn hear(store: &Store, mut subscription: Subscription, signs: &mut Signs) {
    let mut look_at = Instant::now();
    loop {
        tokio::select! {
            biased;
            told = subscription.messages.recv() => match told {
                Some(push) if push.kind == PushKind::Message => take(store, &push),
                Some(push) if push.kind == PushKind::Disconnection => return,
                Some(_) => {}
                None => return,
            },
            () = store.shown.changed() => look_at = Instant::now(),
            () = tokio::time::sleep_until(look_at) => {
                match signs.look(store, &mut subscription).await {
                    Ok(Some(wait)) => look_at = Instant::now() + wait,
                    Ok(None) => {
                        let ping = redis::cmd("PING");
                        if subscription.connection.send_packed_command(&ping).await.is_err() {
                            return;
                        }
                        look_at = Instant::now() + PING_EVERY;
                    }
                    Err(_) => return,
                }
            }
        }
    }
}

/// Tells waiters of what another process has changed.
fn take(store: &Store, push: &PushInfo) {
    if let Some(Value::BulkString(told)) = push.data.get(1)
        && let Some((handle, letters)) = told.split_at_checked(store.link.handle.len())
        && handle != store.link.handle.as_bytes()
    {
        store.notices.announce(letters);
    }
}
