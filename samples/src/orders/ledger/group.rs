//! Many that append at once, one sync for all of them.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::{Appended, Entry, LedgerError, LedgerFile};

/// The most entries that one sync covers.
const GROUP_MAX: usize = 1_024;

type Outcome = Result<Appended, Arc<LedgerError>>;

/// A ledger that many tasks append to. While one group is being synced, the next one gathers.
#[derive(Debug)]
pub struct Ledger {
    requests: Option<mpsc::Sender<Request>>,
    writer: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Request {
    entry: Entry,
    answer: oneshot::Sender<Outcome>,
}

impl Ledger {
    /// Opens or creates a ledger.
    ///
    /// # Errors
    /// As [`LedgerFile::open`].
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let file = LedgerFile::open(path)?;
        let (requests, queue) = mpsc::channel(GROUP_MAX);
        let writer = std::thread::Builder::new().name("ledger".to_owned());
        let writer =
            writer.spawn(move || write_groups(file, queue)).map_err(super::io_error("open", path))?;
        Ok(Self { requests: Some(requests), writer: Some(writer) })
    }

    /// Appends an entry unless its key is there, and answers when it is on disk.
    ///
    /// Dropping the future may leave it appended; appending it again is safe.
    ///
    /// # Errors
    /// [`LedgerError`], shared with the group that failed together.
    pub async fn append(&self, entry: Entry) -> Outcome {
        let (answer, answered) = oneshot::channel();
        let requests = self.requests.as_ref().ok_or_else(|| Arc::new(LedgerError::Closed))?;
        requests.send(Request { entry, answer }).await.map_err(|_| Arc::new(LedgerError::Closed))?;
        answered.await.map_err(|_| Arc::new(LedgerError::Closed))?
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has said so already.
            let _ = writer.join();
        }
    }
}

fn write_groups(mut file: LedgerFile, mut queue: mpsc::Receiver<Request>) {
    let mut group = Vec::new();
    while let Some(first) = queue.blocking_recv() {
        group.push(first);
        while group.len() < GROUP_MAX
            && let Ok(next) = queue.try_recv()
        {
            group.push(next);
        }
        let (entries, answers): (Vec<_>, Vec<_>) =
            group.drain(..).map(|request| (request.entry, request.answer)).unzip();
        match file.append(&entries) {
            Ok(outcomes) => {
                for (answer, outcome) in answers.into_iter().zip(outcomes) {
                    // Who no longer listens will append again and be told that it is known.
                    let _ = answer.send(Ok(outcome));
                }
            }
            Err(error) => {
                let unsynced = matches!(error, LedgerError::Io { operation: "sync", .. });
                let error = Arc::new(error);
                for answer in answers {
                    let _ = answer.send(Err(error.clone()));
                }
                if unsynced {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::ledger::entries;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_tasks_append_each_key_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        let ledger = Arc::new(Ledger::open(&path).unwrap());
        let tasks: Vec<_> = (0..300)
            .map(|number| {
                let ledger = ledger.clone();
                let entry = Entry::new(&format!("order-{}", number % 100), "charge", 1).unwrap();
                tokio::spawn(async move { ledger.append(entry).await.unwrap() })
            })
            .collect();
        let mut new = 0;
        for task in tasks {
            new += usize::from(task.await.unwrap() == Appended::New);
        }
        assert_eq!(new, 100);
        assert_eq!(entries(&path).unwrap().len(), 100);
    }

    #[tokio::test]
    async fn a_failure_reaches_everyone_who_waits() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        let ledger = Ledger::open(&path).unwrap();
        ledger.append(Entry::new("a", "charge", 1).unwrap()).await.unwrap();
        std::fs::write(&path, "").unwrap();
        let error = ledger.append(Entry::new("b", "charge", 1).unwrap()).await.unwrap_err();
        assert!(matches!(*error, LedgerError::Damaged { .. }));
    }
}
