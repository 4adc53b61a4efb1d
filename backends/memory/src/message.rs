//! Putting messages into inboxes.

use retell::vocabulary::{RunKey, Timestamp};
use retell::write::{Applied, Errand, NewMessage, Outcome, Outgoing, Refusal, Send};

use crate::run::Door;
use crate::state::State;

impl State {
    /// Puts a message into the inbox of the open run that the target means, if its door lets it.
    pub(crate) fn send_once(&mut self, send: &Send) -> Outcome {
        let Send { target, message, at } = send;
        self.once(&target.namespace, message.request_id, |state| {
            let run = state.open_run(target)?;
            if matches!(state.runs[&run].inbox.door, Door::Shut { continues: false, .. }) {
                return Err(Refusal::RunClosed(run));
            }
            state.put(&run, message, *at, false);
            Ok((Applied::Sent(run.clone()), run))
        })
    }

    /// Puts a message into the inbox of an open run, whatever its door.
    pub(crate) fn put(&mut self, run: &RunKey, message: &NewMessage, at: Timestamp, of_activity: bool) {
        let run = self.runs.get_mut(run).expect("the caller found the run open");
        run.inbox.push(message.request_id, at, message.body.clone(), of_activity);
        run.wake_by(at);
        self.heard.work = true;
    }

    /// Does what a commit asks of other runs, each thing once; the sender hears of it as it wishes.
    pub(crate) fn run_errands(&mut self, sender: &RunKey, outgoing: &[Outgoing], at: Timestamp) {
        for Outgoing { errand, if_done, if_refused } in outgoing {
            let done = match errand {
                Errand::Send(send) => self.send_once(send),
                Errand::Start(start) => self.start_once(start),
                Errand::Terminate(terminate) => self.terminate_once(terminate),
            };
            let answer = if done.is_ok() { if_done } else { if_refused };
            if let Some(answer) = answer.as_ref().filter(|_| self.open.contains(sender)) {
                self.put(sender, answer, at, false);
            }
        }
    }
}
