//! Putting messages into inboxes, and what a commit asks of other runs.

use retell::vocabulary::Timestamp;
use retell::write::{Applied, Errand, NewMessage, Outcome, Outgoing, Refusal, Send};

use super::run::OPEN;
use super::world::World;

impl World<'_> {
    /// Puts a message into the inbox of the open run that the target means, if its door lets it.
    pub(crate) fn send_once(&mut self, send: &Send) -> Outcome {
        let Send { target, message, at } = send;
        self.once(&target.namespace, message.request_id, |world| {
            let row = world.open_run(target)?;
            let run = world.run(row);
            if run.is_shut() {
                return Err(Refusal::RunClosed(run.key.clone()));
            }
            let key = run.key.clone();
            world.put(row, message, *at, false);
            Ok((Applied::Sent(key), row))
        })
    }

    /// Puts a message into the inbox of an open run, whatever its door.
    pub(crate) fn put(&mut self, row: i64, message: &NewMessage, at: Timestamp, own: bool) {
        let run = self.run_mut(row);
        run.push(message.request_id, at, message.body.clone(), own);
        run.wake_by(at);
        self.heard.work = true;
    }

    /// Does what a commit asks of other runs, each thing once; the sender hears of it as it wishes.
    pub(crate) fn run_errands(&mut self, sender: i64, outgoing: &[Outgoing], at: Timestamp) {
        for Outgoing { errand, if_done, if_refused } in outgoing {
            let done = match errand {
                Errand::Send(send) => self.send_once(send),
                Errand::Start(start) => self.start_once(start),
                Errand::Terminate(terminate) => self.terminate_once(terminate),
            };
            let answer = if done.is_ok() { if_done } else { if_refused };
            if let Some(answer) = answer.as_ref().filter(|_| self.run(sender).status == OPEN) {
                self.put(sender, answer, at, false);
            }
        }
    }
}
