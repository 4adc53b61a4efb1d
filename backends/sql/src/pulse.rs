//! Seeing what other processes change: each connection that writes beats on a row of its own, and who waits looks.
//!
//! Looking backs off while nothing happens, with jitter, and nobody looks while nobody waits. A wake-up from outside,
//! where the server has notifications, cuts the pause short.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::dialect::Query;
use crate::fault::Fault;
use crate::plan::Heard;
use crate::session::{Driver, Session};
use crate::signs::{Seen, Shown, Signs};
use crate::store::Shared;

/// The pause after something was seen.
const PAUSE_MIN: Duration = Duration::from_millis(4);
/// The longest pause while somebody may be dead.
const PAUSE_IN_DOUBT: Duration = Duration::from_millis(30);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_millis(100);

/// Who waits for changes, and who wakes the one that looks for them.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    waiters: AtomicUsize,
    look: Notify,
    is_closed: AtomicBool,
    /// The workers of this process, which the one that looks keeps visible to others.
    pub(crate) shown: Shown,
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

    /// Ends the one that looks, and with it the signs that this process's workers live.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.look.notify_one();
    }

    fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
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
    seen: Pulses,
) {
    let mut pause = PAUSE_MIN;
    let mut looker = Looker { session: None, signs: Signs::default(), own, seen };
    while !watch.is_closed() {
        if !watch.is_waited_for() {
            watch.look.notified().await;
            pause = PAUSE_MIN;
        }
        let Some(shared) = shared.upgrade().filter(|_| !watch.is_closed()) else { return };
        let was_there = looker.session.is_some();
        match looker.look(&shared, &watch).await {
            Ok(Look { heard, seen }) => {
                if heard.is_something() {
                    shared.announce(heard);
                    pause = PAUSE_MIN;
                } else {
                    let longest = if seen == Seen::Doubt { PAUSE_IN_DOUBT } else { PAUSE_MAX };
                    pause = (pause * 3 / 2).min(longest);
                }
            }
            Err(error) => {
                tracing::debug!(error = %error.source, "the changes of other processes cannot be seen for now");
                // Our own signs are gone with the session: at first it is tried again at once.
                pause = if was_there { PAUSE_MIN } else { (pause * 3 / 2).min(PAUSE_MAX) };
            }
        }
        drop(shared);
        let pausing = tokio::time::timeout(jittered(pause), watch.look.notified());
        // Either it is time, or there is a reason to look sooner.
        let _ = pausing.await;
    }
}

/// The one that looks.
struct Looker<S> {
    session: Option<S>,
    signs: Signs,
    own: Vec<i64>,
    seen: Pulses,
}

/// What a look came to.
struct Look {
    heard: Heard,
    seen: Seen,
}

impl<S: Session> Looker<S> {
    async fn look<D: Driver<Session = S>>(
        &mut self,
        shared: &Shared<D>,
        watch: &Watch,
    ) -> Result<Look, Fault> {
        // Gone until all went well, and so it is if this is given up.
        let mut session = match self.session.take() {
            Some(session) => session,
            None => shared.driver.watcher().await?,
        };
        let looked = self.look_at(&mut session, shared, watch).await;
        match &looked {
            Ok(_) => self.session = Some(session),
            Err(_) => self.signs.lost(),
        }
        looked
    }

    async fn look_at<D: Driver<Session = S>>(
        &mut self,
        session: &mut S,
        shared: &Shared<D>,
        watch: &Watch,
    ) -> Result<Look, Fault> {
        let now = read(session, shared).await?;
        let mut heard = changed(&self.seen, &now, &self.own);
        self.seen = now;
        let seen = self.signs.look(session, shared.context(None), &watch.shown).await?;
        heard.work |= seen == Seen::Death;
        Ok(Look { heard, seen })
    }
}

impl Watch {
    /// Ends the pause, for who knows that there is something to see.
    pub(crate) fn nudge(&self) {
        self.look.notify_one();
    }
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
