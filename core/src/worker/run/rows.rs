//! Rows for calls that run here without one: written with the run's next commit, and held by this worker from the start.
//!
//! A call needs one when it says how far it is, or gives its token away: from then on run, event and attempt fence it,
//! and it outlives this worker's hold on the run. An attempt that has ended by then needs none.

use std::collections::HashSet;

use super::places::Place;
use super::settle::{Row, Settled};
use super::{Incoming, Phase, Run, Trouble};
use crate::vocabulary::{Attempt, EventId, Payload, Timestamp, WorkerId};
use crate::worker::context::Context;
use crate::worker::heartbeats::RowRequest;

impl Run {
    pub(in crate::worker) fn offer_row_request(&mut self, request: RowRequest) {
        self.incoming.push_back(Incoming::NeedsRow(Box::new(request)));
    }

    /// Whether a call stands in the queue.
    pub(in crate::worker) fn has_row(&self, scheduled: EventId) -> bool {
        self.places.as_ref().and_then(|places| places.place(scheduled)) == Some(Place::Queued)
    }

    /// Gives a call that runs here its row.
    pub(super) fn keep_row(
        &mut self,
        cx: &Context,
        now: Timestamp,
        (scheduled, attempt, details): (EventId, Attempt, Option<Payload>),
        settled: &mut Settled,
    ) -> Result<(), Trouble> {
        match self.places().place(scheduled) {
            Some(Place::Rowless) => {}
            Some(Place::Queued) => {
                settled.rows.insert(scheduled);
                return Ok(());
            }
            Some(Place::Local) | None => return Ok(()),
        }
        let Phase::Live(machine) = &self.phase else { return Err(Trouble::not_live()) };
        let Some(call) = machine.open_activity(scheduled) else { return Ok(()) };
        let close_by = call.schedule_to_close.zip(machine.scheduled_at(scheduled));
        let close_by = close_by.map(|(length, at)| at + length);
        let row = Row::of(scheduled, &call, close_by, now);
        let row = self.row(cx, Row { attempt, details, running: true, ..row })?;
        settled.progress.schedule.push(row);
        settled.rows.insert(scheduled);
        self.places().set(scheduled, Place::Queued);
        Ok(())
    }

    /// The first `taken` of what waited are stored: tells those who asked for rows, and corrects what ended meanwhile.
    pub(super) fn rows_stored(&mut self, taken: usize, rows: Option<(WorkerId, HashSet<EventId>)>) {
        let Some((worker, rows)) = rows else { return };
        for (index, incoming) in self.incoming.iter_mut().enumerate() {
            match incoming {
                Incoming::NeedsRow(request) if index < taken && rows.contains(&request.scheduled) => {
                    // An attempt that has ended no longer wants to know.
                    request.told.take().into_iter().for_each(|told| _ = told.send(worker));
                }
                Incoming::Activity(ended) if rows.contains(&ended.info.scheduled) => {
                    ended.queued = Some(worker)
                }
                _ => {}
            }
        }
    }
}
