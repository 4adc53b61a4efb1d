//! What a run that is live here is asked: answered between two commits, so that no answer is ever taken back.

use super::{Phase, Run};
use crate::worker::queries::Question;

impl Run {
    /// Answers from the live code, at once or when the commit under way is acknowledged, or that of what is held: it may
    /// yet be refused. Drops the question if the run is not in memory.
    pub(in crate::worker) fn ask(&mut self, question: Question) {
        let Phase::Live(machine) = &self.phase else { return };
        if self.in_flight.is_some() || self.held.is_some() {
            self.close_group();
            self.questions.push(question);
        } else if self.begin_at.is_none() && self.closing.is_none() {
            question.ask(machine);
        }
    }

    /// The commit under way is acknowledged: answers what has waited for that.
    pub(super) fn ask_again(&mut self) {
        for question in std::mem::take(&mut self.questions) {
            self.ask(question);
        }
    }
}
