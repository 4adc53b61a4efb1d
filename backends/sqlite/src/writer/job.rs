//! What the writer is asked for, and the gathering of what waits.

use std::sync::mpsc::{Receiver, TryRecvError};

use futures::channel::oneshot;
use retell::backend::{Claim, Claimed, Renewal, Renewed, StoreError};
use retell::write::{Batch, Errand, Next, Outcome, Start, Write};

/// The most writes in one transaction, about: gathering ends with the job that reaches it.
const WRITES_MAX: usize = 4_096;
/// The most bytes in one transaction, about.
const BYTES_MAX: usize = 32 * 1024 * 1024;

/// What the writer is sent.
pub(crate) enum Message {
    Job(Job),
    /// Somebody waits for changes: look for those of other processes.
    Look,
}

/// Something to do in a write transaction, and where its answer goes.
pub(crate) enum Job {
    Apply(Batch, oneshot::Sender<Result<Vec<Outcome>, StoreError>>),
    Claim(Box<Claim>, oneshot::Sender<Result<Claimed, StoreError>>),
    Renew(Renewal, oneshot::Sender<Result<Renewed, StoreError>>),
}

/// The answer to a [`Job`] of the same name.
pub(crate) enum Answer {
    Apply(Vec<Outcome>),
    Claim(Result<Claimed, StoreError>),
    Renew(Result<Renewed, StoreError>),
}

impl Job {
    pub(crate) fn answer(self, answer: Answer) {
        // A caller that is gone no longer wants to know.
        match (self, answer) {
            (Self::Apply(_, reply), Answer::Apply(outcomes)) => drop(reply.send(Ok(outcomes))),
            (Self::Claim(_, reply), Answer::Claim(claimed)) => drop(reply.send(claimed)),
            (Self::Renew(_, reply), Answer::Renew(renewed)) => drop(reply.send(renewed)),
            _ => unreachable!("answers stand in the order of their jobs"),
        }
    }

    pub(crate) fn fail(self, error: &StoreError) {
        match self {
            Self::Apply(_, reply) => drop(reply.send(Err(error.clone()))),
            Self::Claim(_, reply) => drop(reply.send(Err(error.clone()))),
            Self::Renew(_, reply) => drop(reply.send(Err(error.clone()))),
        }
    }

    fn writes(&self) -> usize {
        if let Self::Apply(batch, _) = self { batch.len() } else { 1 }
    }

    fn bytes(&self) -> usize {
        if let Self::Apply(batch, _) = self { batch.iter().map(bytes).sum() } else { 0 }
    }
}

/// Takes what waits, up to about the limits.
pub(crate) fn gather(first: Job, jobs: &Receiver<Message>) -> Vec<Job> {
    let (mut writes, mut size) = (first.writes(), first.bytes());
    let mut gathered = vec![first];
    while writes < WRITES_MAX && size < BYTES_MAX {
        match jobs.try_recv() {
            Ok(Message::Look) => {}
            Ok(Message::Job(job)) => {
                writes += job.writes();
                size += job.bytes();
                gathered.push(job);
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
        }
    }
    gathered
}

/// What a write weighs, its small parts aside.
fn bytes(write: &Write) -> usize {
    match write {
        Write::Start(start) => started(start),
        Write::Send(send) => send.message.body.len(),
        Write::Terminate(_) | Write::Remove(_) => 0,
        Write::Commit(commit) => {
            let record = commit.record.as_ref().map_or(0, |record| record.bytes.len());
            let closing = if let Next::Closed { outcome, .. } = &commit.next { outcome.len() } else { 0 };
            let tasks: usize = commit.schedule.iter().map(|task| task.call.len()).sum();
            let sent: usize = commit.outgoing.iter().map(|outgoing| errand(&outgoing.errand)).sum();
            record + closing + tasks + sent
        }
        Write::Activity(_) => 0,
    }
}

fn started(start: &Start) -> usize {
    start.record.bytes.len() + start.copied.iter().map(|record| record.bytes.len()).sum::<usize>()
}

fn errand(errand: &Errand) -> usize {
    match errand {
        Errand::Send(send) => send.message.body.len(),
        Errand::Start(start) => started(start),
        Errand::Terminate(_) => 0,
    }
}
