//! A few threads that read, each with a connection of its own.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use futures::channel::oneshot;
use retell::backend::{StoreError, StoreErrorKind};
use rusqlite::{Connection, TransactionBehavior};

use crate::fault::{fault, file_fault};

/// A read and where its answer goes.
type Read = Box<dyn FnOnce(&mut Connection) + Send>;

/// The reading threads. Dropping them waits for the reads under way.
#[derive(Debug)]
pub(crate) struct Readers {
    reads: Option<Sender<Read>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    /// Starts a thread for each connection.
    pub(crate) fn start(connections: Vec<Connection>) -> Result<Self, StoreError> {
        let (reads, waiting) = mpsc::channel::<Read>();
        let waiting = Arc::new(Mutex::new(waiting));
        let mut readers = Self { reads: Some(reads), threads: Vec::new() };
        for connection in connections {
            let waiting = waiting.clone();
            let thread = std::thread::Builder::new()
                .name("retell-sqlite-read".to_owned())
                .spawn(move || work(connection, &waiting))
                .map_err(|error| file_fault("start a reading thread", error))?;
            readers.threads.push(thread);
        }
        Ok(readers)
    }

    /// Reads on one of the threads, all of it from one state of the store.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let read: Read = Box::new(move |connection| {
            let snapshot = connection.transaction_with_behavior(TransactionBehavior::Deferred);
            let answer = snapshot.and_then(|snapshot| read(&snapshot));
            // A caller that is gone no longer wants to know.
            let _ = reply.send(answer.map_err(|error| fault(operation, error)));
        });
        let closed = || StoreError::new(StoreErrorKind::Closed, operation);
        let reads = self.reads.as_ref().ok_or_else(closed)?;
        reads.send(read).map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        drop(self.reads.take());
        self.threads.drain(..).for_each(crate::wait_for);
    }
}

fn work(mut connection: Connection, waiting: &Mutex<Receiver<Read>>) {
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(read) = next else {
            return;
        };
        read(&mut connection);
    }
}
