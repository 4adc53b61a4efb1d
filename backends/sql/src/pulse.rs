//! Seeing what other processes change: each connection that writes beats on a row of its own, and who waits looks.
//!
//! Looking backs off while nothing happens, with jitter, and nobody looks while nobody waits. A wake-up from outside,
//! where the server has notifications, cuts the pause short.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::dialect::Query;
use crate::fault::Fault;
use crate::plan::Heard;
use crate::session::{Driver, Session};
use crate::store::Shared;

/// The pause after something was seen.
const PAUSE_MIN: Duration = Duration::from_millis(4);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_millis(100);

/// Who waits for changes, and who wakes the one that looks for them.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    waiters: AtomicUsize,
    look: Notify,
}

/// Somebody waits for a change, until it is dropped.
pub(crate) struct Waiting<'a>(&'a Watch);

impl Watch {
    pub(crate) fn wait(&self) -> Waiting<'_> {
        if self.waiters.fetch_add(1, Ordering::SeqCst) == 0 {
            self.look.notify_one();
        }
        Waiting(self)
    }

    fn is_waited_for(&self) -> bool {
        self.waiters.load(Ordering::SeqCst) > 0
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiters.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The counts of all rows at one time.
pub(crate) type Pulses = HashMap<i64, [i64; 3]>;

/// Looks for as long as the store is there. `own` are rows of this store's own lanes, which announce by themselves.
pub(crate) async fn look_on<D: Driver>(
    shared: std::sync::Weak<Shared<D>>,
    watch: Arc<Watch>,
    own: Vec<i64>,
    mut seen: Pulses,
) {
    let mut pause = PAUSE_MIN;
    let mut session = None;
    loop {
        if !watch.is_waited_for() {
            watch.look.notified().await;
            pause = PAUSE_MIN;
        }
        let Some(shared) = shared.upgrade() else { return };
        match look(&shared, &mut session).await {
            Ok(now) => {
                let heard = changed(&seen, &now, &own);
                seen = now;
                if heard.is_something() {
                    shared.announce(heard);
                    pause = PAUSE_MIN;
                } else {
                    pause = (pause * 3 / 2).min(PAUSE_MAX);
                }
            }
            Err(error) => {
                tracing::debug!(error = %error.source, "the changes of other processes cannot be seen for now");
                session = None;
                pause = PAUSE_MAX;
            }
        }
        drop(shared);
        let pausing = tokio::time::timeout(jittered(pause), watch.look.notified());
        // Either it is time, or there is a reason to look sooner.
        let _ = pausing.await;
    }
}

impl Watch {
    /// Ends the pause, for who knows that there is something to see.
    pub(crate) fn nudge(&self) {
        self.look.notify_one();
    }
}

async fn look<D: Driver>(shared: &Shared<D>, kept: &mut Option<D::Session>) -> Result<Pulses, Fault> {
    let mut session = match kept.take() {
        Some(session) => session,
        None => shared.driver.reader().await?,
    };
    let pulses = read(&mut session, shared).await?;
    *kept = Some(session);
    Ok(pulses)
}

/// Reads all counts.
pub(crate) async fn read<D: Driver>(session: &mut D::Session, shared: &Shared<D>) -> Result<Pulses, Fault> {
    let query = Query::new(shared.driver.dialect(), "SELECT id, work, closings, answers FROM pulses").done();
    let rows = session.rows(query).await?;
    rows.iter().map(|row| Ok((row.int(0)?, [row.int(1)?, row.int(2)?, row.int(3)?]))).collect()
}

/// What has changed between two looks.
fn changed(seen: &Pulses, now: &Pulses, own: &[i64]) -> Heard {
    let mut heard = Heard::default();
    for (id, counts) in now.iter().filter(|(id, _)| !own.contains(id)) {
        let before = seen.get(id).copied().unwrap_or_default();
        heard.work |= counts[0] != before[0];
        heard.closings |= counts[1] != before[1];
        heard.answers |= counts[2] != before[2];
    }
    heard
}

/// A pause of three to five quarters of this, so that processes that started together do not look together.
fn jittered(pause: Duration) -> Duration {
    // The last bytes of a new ID are random.
    let random = u32::from(uuid::Uuid::now_v7().as_bytes()[15]);
    pause * 3 / 4 + pause * random / 512
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_change_is_heard_and_own_changes_are_not() {
        let seen = Pulses::from([(1, [1, 0, 0]), (2, [5, 5, 5])]);
        let now = Pulses::from([(1, [1, 1, 0]), (2, [6, 6, 6]), (3, [0, 0, 1])]);
        let closings_and_answers = Heard { work: false, closings: true, answers: true };
        assert_eq!(changed(&seen, &now, &[2]), closings_and_answers);
    }
}
