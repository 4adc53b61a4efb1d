//! Reads that wait together are read together: who takes over what a dead process held asks for hundreds of histories at
//! once, and a program that is started again for as many results.
//!
//! Each kind of read has a few readers. One that is free takes all that waits, in one query; who asks alone waits for
//! nobody.

use std::fmt;
use std::sync::Arc;

use futures::channel::oneshot;
use futures::future::BoxFuture;
use retell::backend::StoreErrorKind;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::fault::{Fault, FaultKind};

/// How many of a kind are read together at most.
const TOGETHER_MAX: usize = 200;
/// How many queries of a kind are under way at once: while one waits for the server, another is decoded.
const READERS: usize = 2;

/// Reads of one kind: of these keys, with these answers.
pub(crate) struct Gathered<K, V>(UnboundedSender<Asked<K, V>>);

/// Somebody waits for an answer.
struct Asked<K, V> {
    key: K,
    reply: oneshot::Sender<Result<V, Fault>>,
}

impl<K: Clone + Send + Sync + 'static, V: Send + 'static> Gathered<K, V> {
    /// Opens the readers; `read` answers for each key, in order. They work for as long as this is there.
    pub(crate) fn open<R>(read: R) -> Self
    where
        R: Fn(Vec<K>) -> BoxFuture<'static, Result<Vec<V>, Fault>> + Clone + Send + Sync + 'static,
    {
        let (asked, waiting) = unbounded_channel();
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..READERS {
            tokio::spawn(drive(waiting.clone(), read.clone()));
        }
        Self(asked)
    }

    /// Reads with whatever waits beside it.
    pub(crate) async fn read(&self, key: K) -> Result<V, Fault> {
        let closed = || Fault::new(FaultKind::Store(StoreErrorKind::Closed), "the store is closed");
        let (reply, answer) = oneshot::channel();
        self.0.send(Asked { key, reply }).map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }
}

impl<K, V> fmt::Debug for Gathered<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gathered").finish_non_exhaustive()
    }
}

async fn drive<K: Clone, V>(
    waiting: Arc<Mutex<UnboundedReceiver<Asked<K, V>>>>,
    read: impl Fn(Vec<K>) -> BoxFuture<'static, Result<Vec<V>, Fault>>,
) {
    while let Some(asked) = next(&waiting).await {
        let keys = |asked: &[Asked<K, V>]| asked.iter().map(|asked| asked.key.clone()).collect();
        match read(keys(&asked)).await {
            Ok(values) => {
                for (asked, value) in asked.into_iter().zip(values) {
                    // Who is gone no longer wants to know.
                    let _ = asked.reply.send(Ok(value));
                }
            }
            // One that cannot be read keeps nobody from the others.
            Err(fault) if fault.is_of_the_data() && asked.len() > 1 => {
                for asked in asked {
                    let alone = read(vec![asked.key]).await;
                    let none = || Fault::damaged("there is no answer".to_owned());
                    let _ =
                        asked.reply.send(alone.and_then(|values| values.into_iter().next().ok_or_else(none)));
                }
            }
            Err(fault) => {
                for asked in asked {
                    let _ = asked.reply.send(Err(fault.clone()));
                }
            }
        }
    }
}

/// Waits for the next, and takes all that waits with it.
async fn next<K, V>(waiting: &Mutex<UnboundedReceiver<Asked<K, V>>>) -> Option<Vec<Asked<K, V>>> {
    let mut waiting = waiting.lock().await;
    let mut asked = vec![waiting.recv().await?];
    while asked.len() < TOGETHER_MAX
        && let Ok(more) = waiting.try_recv()
    {
        asked.push(more);
    }
    Some(asked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use futures::future::join_all;
    use std::sync::Mutex as Blocking;

    /// Answers a key with itself; -1 cannot be read.
    fn echo(batches: Arc<Blocking<Vec<usize>>>) -> Gathered<i64, i64> {
        Gathered::open(move |keys: Vec<i64>| {
            batches.lock().unwrap().push(keys.len());
            async move {
                tokio::task::yield_now().await;
                let damaged = keys.contains(&-1);
                if damaged { Err(Fault::damaged("it does not read".to_owned())) } else { Ok(keys) }
            }
            .boxed()
        })
    }

    #[tokio::test]
    async fn what_waits_is_read_together_and_each_gets_its_own() {
        let batches = Arc::default();
        let echo = echo(Arc::clone(&batches));
        let answers = join_all((0..500).map(|key| echo.read(key))).await;
        let answers: Vec<i64> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers, (0..500).collect::<Vec<_>>());
        assert!(batches.lock().unwrap().len() <= 500 / TOGETHER_MAX + READERS, "{batches:?}");
    }

    #[tokio::test]
    async fn one_that_cannot_be_read_keeps_nobody_from_the_others() {
        let echo = echo(Arc::default());
        let answers = join_all([1, -1, 2].map(|key| echo.read(key))).await;
        assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    }
}
