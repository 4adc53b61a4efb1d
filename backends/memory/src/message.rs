//! Putting messages into inboxes.

use retell::vocabulary::{RunKey, Timestamp};
use retell::write::{Applied, NewMessage, Outcome, Outgoing, Refusal, Target};

use crate::run::Door;
use crate::state::State;

impl State {
    /// Puts a message into the inbox of the open run that the target means, if its door lets it.
    pub(crate) fn deliver(&mut self, target: &Target, message: &NewMessage, at: Timestamp) -> Outcome {
        let run = self.open_run(target)?;
        if matches!(self.runs[&run].inbox.door, Door::Shut { continues: false, .. }) {
            return Err(Refusal::RunClosed(run));
        }
        self.put(&run, message, at, false);
        Ok(Applied::Sent(run))
    }

    /// Puts a message into the inbox of an open run, whatever its door.
    pub(crate) fn put(&mut self, run: &RunKey, message: &NewMessage, at: Timestamp, of_activity: bool) {
        let run = self.runs.get_mut(run).expect("the caller found the run open");
        run.inbox.push(message.request_id, at, message.body.clone(), of_activity);
        run.wake_by(at);
        self.heard.work = true;
    }

    /// Delivers what a commit sends, each message once; the sender hears of those that are refused.
    pub(crate) fn send_all(&mut self, sender: &RunKey, messages: &[Outgoing], at: Timestamp) {
        for Outgoing { target, message, if_refused } in messages {
            let sent =
                self.once(&target.namespace, message.request_id, |state| state.deliver(target, message, at));
            if let (Err(_), Some(answer)) = (sent, if_refused)
                && self.open.contains(sender)
            {
                self.put(sender, answer, at, false);
            }
        }
    }
}
