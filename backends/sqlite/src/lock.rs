//! Locks on files beside the database: writers queue on two of them, and each worker holds one while it lives.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use retell::vocabulary::WorkerId;

/// The right to write, passed from process to process in turn.
///
/// Whoever wants it takes the turn first and keeps the turn until it has the right: a process that has just written
/// queues behind the one that waits already.
#[derive(Debug)]
pub(crate) struct WriteLock {
    turn: File,
    right: File,
}

/// The right to write, until it is dropped.
#[derive(Debug)]
pub(crate) struct Writing<'a>(&'a File);

impl WriteLock {
    pub(crate) fn open(database: &Path) -> io::Result<Self> {
        Ok(Self { turn: open(&beside(database, "turn"))?, right: open(&beside(database, "write"))? })
    }

    /// Waits for the right to write.
    pub(crate) fn take(&self) -> io::Result<Writing<'_>> {
        self.turn.lock()?;
        let taken = self.right.lock();
        self.turn.unlock()?;
        taken.map(|()| Writing(&self.right))
    }
}

/// The right to write, held until the files are closed with it: for a transaction that outlives a call.
#[derive(Debug)]
pub(crate) struct Held(#[expect(dead_code, reason = "it is held, and given back when it is closed")] File);

impl WriteLock {
    /// Waits for the right to write, and keeps it.
    pub(crate) fn hold(self) -> io::Result<Held> {
        self.turn.lock()?;
        let taken = self.right.lock();
        self.turn.unlock()?;
        taken.map(|()| Held(self.right))
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        // It cannot fail on an open file; if it did, closing the file at exit would free the lock.
        let _ = self.0.unlock();
    }
}

/// The life signs of workers: a file for each, locked by its process while that lives.
///
/// Dropping it leaves the files behind, unlocked: that is how others see at once that these workers are gone.
#[derive(Debug)]
pub(crate) struct LifeSigns {
    database: PathBuf,
    ours: HashMap<WorkerId, File>,
}

impl LifeSigns {
    pub(crate) fn new(database: &Path) -> Self {
        Self { database: database.to_owned(), ours: HashMap::new() }
    }

    /// Locks the file of a worker of this process.
    pub(crate) fn show(&mut self, worker: WorkerId) -> io::Result<()> {
        if self.ours.contains_key(&worker) {
            return Ok(());
        }
        let file = open(&self.path(worker))?;
        file.lock()?;
        self.ours.insert(worker, file);
        Ok(())
    }

    /// Removes the file of a worker that is no more.
    pub(crate) fn remove(&mut self, worker: WorkerId) {
        self.ours.remove(&worker);
        // A file that stays behind is locked by nobody and costs a directory entry.
        let _ = std::fs::remove_file(self.path(worker));
    }

    /// Whether the process of a worker is known to be gone. A file that is missing or unreadable says nothing.
    pub(crate) fn is_gone(&self, worker: WorkerId) -> bool {
        !self.ours.contains_key(&worker) && is_free(&self.path(worker))
    }

    fn path(&self, worker: WorkerId) -> PathBuf {
        beside(&self.database, &format!("worker-{worker}"))
    }
}

fn is_free(path: &Path) -> bool {
    match File::open(path).map(|file| file.try_lock()) {
        Ok(Ok(())) => true,
        Ok(Err(TryLockError::WouldBlock | TryLockError::Error(_))) | Err(_) => false,
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)
}

/// `orders.db` and `turn` make `orders.db-turn`.
fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push("-");
    path.push(suffix);
    path.into()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn whoever_waits_comes_before_whoever_has_just_written() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("retell.db");
        let (mine, other) = (WriteLock::open(&database).unwrap(), WriteLock::open(&database).unwrap());
        let looker = WriteLock::open(&database).unwrap();
        let order = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            let writing = mine.take().unwrap();
            scope.spawn(|| {
                let _writing = other.take().unwrap();
                order.lock().unwrap().push("who waited");
            });
            // The other waits for the right once it has the turn.
            while looker.turn.try_lock().is_ok() {
                looker.turn.unlock().unwrap();
                std::thread::yield_now();
            }
            drop(writing);
            let _writing = mine.take().unwrap();
            order.lock().unwrap().push("who had just written");
        });
        assert_eq!(order.into_inner().unwrap(), ["who waited", "who had just written"]);
    }

    #[test]
    fn a_worker_is_gone_when_its_file_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("retell.db");
        let (mut here, there) = (LifeSigns::new(&database), LifeSigns::new(&database));
        let worker = WorkerId::fresh();
        assert!(!there.is_gone(worker), "no file says nothing");
        here.show(worker).unwrap();
        assert!(!there.is_gone(worker) && !here.is_gone(worker));
        drop(here);
        assert!(there.is_gone(worker));
    }
}
