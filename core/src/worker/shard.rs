//! A shard: the runs that one thread drives, as a plain state machine. Inputs in, effects out; no clock, no I/O.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

use super::activities::EndedActivity;
use super::committer::{Order, Ticket};
use super::context::{Context, Life};
use super::exchange::{Effects, Input, Load, Look};
use super::first_task::{FirstTask, PendingStart};
use super::run::{Leave, Loaded, Run, Submission, Trouble, Verdict};
use super::running::Stop;
use super::thread::Alarms;
use crate::backend::{ClaimedRun, UnreadInbox};
use crate::history::encode_kind;
use crate::replay::{Machine, MachineOptions};
use crate::vocabulary::{FencingToken, RequestId, RunId, SpreadIds, Timestamp, WorkerId};
use crate::write::{ActivityReport, ActivityVerdict, NewMessage, Outcome, Write};

/// The token of a run whose start named its owner.
const FIRST_TOKEN: FencingToken = FencingToken(1);
/// How many timers without a purpose are borne before they are looked for.
const IDLE_TIMERS_MIN: usize = 1_024;
/// How many touched runs there is room for between bursts.
const TOUCHED_KEPT: usize = 1_024;
/// The most inboxes that wait for the beginning of their runs; far more than can be under way. Those of runs that were
/// ended from outside, which never begin, fall out at the end.
const EARLY_MAX: usize = 10_000;

/// The runs that one thread drives.
pub(super) struct Shard {
    cx: Arc<Context>,
    life: Arc<Life>,
    alarms: Alarms,
    runs: HashMap<RunId, Run, SpreadIds>,
    touched: Vec<RunId>,
    timers: BinaryHeap<Reverse<(Timestamp, RunId)>>,
    /// Idle runs in memory, the longest idle first: those that wait for the world, and those whose activities run here.
    idle: [BTreeMap<u64, RunId>; 2],
    idle_count: u64,
    live_bytes: usize,
    parked_count: usize,
    /// Messages for runs that the store says begin here, but whose beginning has not come yet.
    early: VecDeque<UnreadInbox>,
    draining: bool,
    effects: Effects,
}

impl Shard {
    pub(super) fn new(cx: Arc<Context>, alarms: Alarms) -> Self {
        Self {
            life: cx.life(),
            cx,
            alarms,
            runs: HashMap::default(),
            touched: Vec::new(),
            timers: BinaryHeap::new(),
            idle: Default::default(),
            idle_count: 0,
            live_bytes: 0,
            parked_count: 0,
            early: VecDeque::new(),
            draining: false,
            effects: Effects::default(),
        }
    }

    /// The worker's life, as far as the shard has heard.
    pub(super) fn life(&self) -> &Arc<Life> {
        &self.life
    }

    /// How many runs it holds.
    pub(super) fn held(&self) -> usize {
        self.runs.len()
    }

    /// How many of them are not parked.
    pub(super) fn busy(&self) -> usize {
        self.runs.len() - self.parked_count
    }

    /// When the next timer is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.timers.peek().map(|Reverse((due, _))| *due)
    }

    /// Takes an input; what follows from it is done by [`advance`](Self::advance).
    pub(super) fn handle(&mut self, input: Input, now: Timestamp) {
        match input {
            Input::Start(pending) => self.start(&pending, now),
            Input::Begin(first_task) => self.begin(*first_task),
            Input::Claimed(claimed) => self.claimed(*claimed),
            Input::Unread(unread) => self.unread(unread),
            Input::Loaded(run_id, load, loaded) => self.loaded(run_id, load, loaded, now),
            Input::Activity(ended) => self.activity_ended(ended, now),
            Input::NeedsRow(run_id, token, request) => {
                self.with(run_id, token, |run| run.offer_row_request(request));
            }
            Input::Looked(run_id, token, standing) => {
                let cx = self.cx.clone();
                self.with(run_id, token, |run| run.looked(&cx, standing));
            }
            Input::Waits(run_id, token) => self.with(run_id, token, Run::close_group),
            Input::SideEffect(ended) => {
                self.with(ended.run_id, ended.token, |run| run.offer_side_effect(ended));
            }
            // A run that was started for an earlier life, too late, may be claimed by this one under the very same token.
            Input::Outcomes(worker, _) if worker != self.life.worker => {}
            Input::Outcomes(_, outcomes) => {
                outcomes
                    .into_iter()
                    .for_each(|(run_id, token, outcome)| self.outcome(run_id, token, &outcome, now));
            }
            Input::Alarm(run_id, token) => self.check(run_id, token, now),
            Input::Terminated(run_id) => {
                self.forget(run_id);
                self.effects.stops.push(Stop::Run(run_id));
            }
            Input::Question(question) => {
                let run_id = question.run_id;
                if let Some(run) = self.runs.get_mut(&run_id) {
                    run.ask(question);
                    self.touch(run_id);
                }
            }
            Input::Tick => self.tick(now),
            Input::NewLife(life) => self.new_life(life),
            Input::Drain => {
                self.draining = true;
                self.runs.values_mut().for_each(Run::close_group);
                // In the order of their start, so that a shutdown takes the same course each time.
                let mut all: Vec<RunId> = self.runs.keys().copied().collect();
                all.sort_unstable();
                self.touched.extend(all);
            }
            Input::Stop => {}
        }
    }

    /// Does what the inputs made possible, and returns what that asks of the world.
    pub(super) fn advance(&mut self, now: Timestamp) -> Effects {
        let mut touched = std::mem::take(&mut self.touched);
        self.effects.orders.reserve(touched.len());
        touched.drain(..).for_each(|run_id| self.advance_run(run_id, now));
        // The room of a burst serves the next one.
        touched.shrink_to(TOUCHED_KEPT);
        touched.append(&mut self.touched);
        self.touched = touched;
        self.make_room();
        self.drop_idle_timers();
        std::mem::take(&mut self.effects)
    }

    fn advance_run(&mut self, run_id: RunId, now: Timestamp) {
        let Some(run) = self.runs.get_mut(&run_id) else { return };
        if run.needs_loading(now) && self.cx.polls.is_blocked(run_id) {
            let submission = run.park(&self.cx, self.life.worker, &Trouble::Blocked, now);
            self.effects.orders.push(submission.into());
        } else if run.needs_loading(now)
            && let Err(trouble) = run.is_too_long(&self.cx)
        {
            let submission = run.park(&self.cx, self.life.worker, &trouble, now);
            self.effects.orders.push(submission.into());
        } else if run.needs_loading(now) {
            let options = self.alarms.options(&self.cx, run_id, run.token);
            let find_queued = run.loading(options);
            let number = run.loads;
            let (token, head) = (run.token, run.head);
            self.effects.loads.push(Load { run: run.key.clone(), token, number, head, find_queued });
        }
        match run.finish_loading(&self.cx, now) {
            Ok(jobs) => self.effects.jobs.extend(jobs),
            Err(trouble) => {
                let submission = run.park(&self.cx, self.life.worker, &trouble, now);
                self.effects.orders.push(submission.into());
            }
        }
        let stepped = run.step(&self.cx, self.life.worker, now);
        self.effects.jobs.extend(stepped.jobs);
        if run.begins_look() {
            self.effects.looks.push(Look { run: run.key.clone(), token: run.token });
        }
        let submission = stepped.submission.or_else(|| {
            let leaves = self.draining && run.can_leave();
            leaves.then(|| run.release(self.life.worker)).flatten()
        });
        self.effects.orders.extend(submission.map(Order::from));
        self.note(run_id);
    }

    fn start(&mut self, pending: &Arc<PendingStart>, now: Timestamp) {
        let run_id = pending.first_task.run.run_id;
        let Some(mut run) = self.first_run(pending.first_task.clone()) else { return };
        match run.finish_loading(&self.cx, now) {
            Ok(jobs) => self.effects.jobs.extend(jobs),
            Err(trouble) => {
                let submission = run.park(&self.cx, self.life.worker, &trouble, now);
                self.effects.orders.push(submission.into());
            }
        }
        // A first task holds nothing: nothing begins before the start is stored.
        let submission = run.step(&self.cx, self.life.worker, now).submission;
        // A client that found this too slow has sent the start itself, and will say when the run may begin.
        let Some((start, started)) = pending.take() else { return };
        let ticket = Ticket { started: Some(started), of_commit: false, ..Ticket::new(run_id, run.token) };
        self.effects.orders.push(Order { write: Write::Start(Box::new(start)), ticket });
        self.effects.orders.extend(submission.map(Order::from));
        self.runs.insert(run_id, run);
        self.note(run_id);
    }

    fn begin(&mut self, first_task: FirstTask) {
        let run_id = first_task.run.run_id;
        let Some(mut run) = self.first_run(first_task) else { return };
        if !self.early.is_empty() {
            let (early, others) =
                std::mem::take(&mut self.early).into_iter().partition(|unread| unread.run == run.key);
            self.early = others;
            let early: VecDeque<UnreadInbox> = early;
            early.into_iter().for_each(|unread| run.offer_messages(unread.messages));
        }
        self.runs.insert(run_id, run);
        self.touch(run_id);
    }

    /// New messages. The store may show those of a run that continues another before the commit that opened it has
    /// been acknowledged here; each is shown once, so they wait.
    fn unread(&mut self, unread: UnreadInbox) {
        if !self.runs.contains_key(&unread.run.run_id) && unread.token == FIRST_TOKEN {
            self.early.push_back(unread);
            if self.early.len() > EARLY_MAX {
                self.early.pop_front();
            }
            return;
        }
        self.with(unread.run.run_id, unread.token, |run| run.offer_messages(unread.messages));
    }

    fn first_run(&self, first_task: FirstTask) -> Option<Run> {
        let FirstTask { run: key, started, at, inbox } = first_task;
        let definition = self.cx.registry.workflows.get(&started.workflow)?.clone();
        let options = self.alarms.options(&self.cx, key.run_id, FIRST_TOKEN);
        let machine = Machine::new(definition.clone(), key.clone(), options);
        let mut run = Run::begun(key, FIRST_TOKEN, definition, started, at, machine);
        run.offer_messages(inbox);
        Some(run)
    }

    fn claimed(&mut self, claimed: ClaimedRun) {
        let run_id = claimed.run.run_id;
        let Some(definition) = self.cx.registry.workflows.get(&claimed.workflow).cloned() else { return };
        if self.forget(run_id).is_some() {
            self.effects.stops.push(Stop::Rowless(run_id));
        }
        self.runs.insert(run_id, Run::claimed(claimed, definition));
        self.touch(run_id);
    }

    fn loaded(
        &mut self,
        run_id: RunId,
        load: (FencingToken, u32),
        loaded: Result<Loaded, Trouble>,
        now: Timestamp,
    ) {
        let Some(run) = self.runs.get_mut(&run_id).filter(|run| (run.token, run.loads) == load) else {
            return;
        };
        match loaded.and_then(|loaded| run.loaded(&self.cx, now, loaded)) {
            Ok(jobs) => self.effects.jobs.extend(jobs),
            Err(trouble) => self.park(run_id, &trouble, now),
        }
        self.touch(run_id);
    }

    fn check(&mut self, run_id: RunId, token: FencingToken, now: Timestamp) {
        let Some(run) = self.runs.get_mut(&run_id).filter(|run| run.token == token) else { return };
        if run.is_committing() {
            // The next task finds it.
            return;
        }
        if let Err(trouble) = run.check() {
            self.park(run_id, &trouble, now);
            self.touch(run_id);
        }
    }

    fn park(&mut self, run_id: RunId, trouble: &Trouble, now: Timestamp) {
        if let Some(run) = self.runs.get_mut(&run_id) {
            let submission = run.park(&self.cx, self.life.worker, trouble, now);
            self.effects.orders.push(submission.into());
        }
    }

    fn activity_ended(&mut self, mut ended: Box<EndedActivity>, now: Timestamp) {
        let run_id = ended.info.run.run_id;
        let run = self.runs.get_mut(&run_id);
        if ended.queued.is_none() {
            match run.filter(|run| run.token == ended.token) {
                Some(run) if !run.has_row(ended.info.scheduled) => {
                    run.offer_activity(ended);
                    self.touch(run_id);
                    return;
                }
                // It got a row while it ran; or it may have got one, if its run has gone.
                Some(_) | None => ended.queued = Some(self.life.worker),
            }
        }
        let run = self.runs.get_mut(&run_id);
        let Some(worker) = ended.queued else { return };
        if let Some(visible_at) = ended.deferred {
            return self.report(*ended, worker, Some(ActivityVerdict::Deferred { visible_at }));
        }
        let retry = ended.result.as_ref().err().and_then(|failure| {
            let delay = ended.retry_delay()?;
            let (attempt, visible_at) = (ended.info.attempt.next(), now + delay);
            Some(ActivityVerdict::Retry { attempt, visible_at, failure: failure.clone() })
        });
        if let Some(run) = run.filter(|run| retry.is_none() && !run.is_parked() && !run.is_leaving()) {
            if run.wants(ended.info.scheduled) {
                run.offer_activity(ended);
                self.touch(run_id);
            }
            return;
        }
        self.report(*ended, worker, retry);
    }

    /// Tells the store how an attempt ended, when its run is not here to take it in.
    fn report(&mut self, ended: EndedActivity, worker: WorkerId, retry: Option<ActivityVerdict>) {
        let request_id = RequestId(self.cx.home.fresh_id());
        let verdict = retry.map_or_else(
            || {
                let body = encode_kind(ended.outcome(), self.cx.codec.as_ref())?;
                Ok(ActivityVerdict::Ended(NewMessage { request_id, body }))
            },
            |retry| match retry {
                ActivityVerdict::Retry { attempt, visible_at, failure } => {
                    let failure = self.cx.outward(failure)?;
                    Ok(ActivityVerdict::Retry { attempt, visible_at, failure })
                }
                other => Ok(other),
            },
        );
        let EndedActivity { info, at, token, .. } = ended;
        let (run, scheduled, attempt) = (info.run.clone(), info.scheduled, info.attempt);
        let verdict = verdict.unwrap_or_else(|error: crate::history::HistoryError| {
            tracing::error!(%run, %scheduled, %error, "an activity's outcome does not encode; its attempt is given back");
            ActivityVerdict::Released
        });
        let ticket = Ticket { of_commit: false, ..Ticket::new(run.run_id, token) };
        let worker = Some(worker);
        let report = ActivityReport { run, scheduled, attempt, worker, request_id, at, verdict };
        self.effects.orders.push(Order { write: Write::Activity(Box::new(report)), ticket });
    }

    fn outcome(&mut self, run_id: RunId, token: FencingToken, outcome: &Outcome, now: Timestamp) {
        let Some(run) = self.runs.get_mut(&run_id).filter(|run| run.token == token) else { return };
        let Verdict { aborts, asks, leaves, unreported, trouble } = match outcome {
            Ok(_) => run.committed(),
            Err(refusal) => {
                tracing::debug!(run = %run.key, %refusal, "the store refused a commit");
                run.refused(refusal)
            }
        };
        self.effects.stops.extend(aborts.into_iter().map(|scheduled| Stop::Call(run_id, scheduled)));
        self.effects.stops.extend(asks.into_iter().map(|scheduled| Stop::Ask(run_id, scheduled)));
        for ended in unreported {
            if let Some(worker) = ended.queued {
                self.report(ended, worker, None);
            }
        }
        // What woke the code while the commit was under way was not looked at.
        self.check(run_id, token, now);
        if let Some(reason) = trouble {
            self.park(run_id, &Trouble::Refused(reason), now);
        }
        if let Some(leave) = leaves {
            self.effects.stops.extend(match leave {
                Leave::Ended => Some(Stop::Run(run_id)),
                Leave::Lost => Some(Stop::Rowless(run_id)),
                Leave::Closed | Leave::Released => None,
            });
            for ended in self.forget(run_id).into_iter().flat_map(Run::into_unreported) {
                if let Some(worker) = ended.queued {
                    self.report(ended, worker, None);
                }
            }
        } else {
            self.touch(run_id);
        }
    }

    fn tick(&mut self, now: Timestamp) {
        while let Some(Reverse((due, run_id))) =
            self.timers.peek().copied().filter(|Reverse((due, _))| *due <= now)
        {
            self.timers.pop();
            if let Some(run) = self.runs.get_mut(&run_id).filter(|run| run.notes.timer == Some(due)) {
                run.notes.timer = None;
                self.touch(run_id);
            }
        }
    }

    fn new_life(&mut self, life: Arc<Life>) {
        *self = Self { draining: self.draining, ..Self::new(self.cx.clone(), self.alarms.clone()) };
        self.life = life;
    }

    fn with(&mut self, run_id: RunId, token: FencingToken, change: impl FnOnce(&mut Run)) {
        if let Some(run) = self.runs.get_mut(&run_id).filter(|run| run.token == token) {
            change(run);
            self.touch(run_id);
        }
    }

    /// What comes to a run is acted on once the burst is taken in; much of one often comes in a row.
    fn touch(&mut self, run_id: RunId) {
        if self.touched.last() != Some(&run_id) {
            self.touched.push(run_id);
        }
    }

    /// Brings what the shard notes of a run up to date.
    fn note(&mut self, run_id: RunId) {
        let Some(run) = self.runs.get_mut(&run_id) else { return };
        let (due, counted, idle, parked) = (run.next_due(), run.live_bytes(), run.is_idle(), run.is_parked());
        let pinned = run.is_rowless();
        let strays = run.take_strays();
        self.effects.stops.extend(strays.into_iter().map(|scheduled| Stop::Call(run_id, scheduled)));
        let notes = &mut run.notes;
        self.parked_count = self.parked_count + usize::from(parked) - usize::from(notes.parked);
        notes.parked = parked;
        if let Some(due) = due.filter(|due| notes.timer.is_none_or(|timer| *due < timer)) {
            notes.timer = Some(due);
            self.timers.push(Reverse((due, run_id)));
        }
        self.live_bytes = self.live_bytes + counted - notes.counted;
        notes.counted = counted;
        if let Some((pinned, place)) = notes.idle.take() {
            self.idle[usize::from(pinned)].remove(&place);
        }
        if idle {
            self.idle_count += 1;
            notes.idle = Some((pinned, self.idle_count));
            self.idle[usize::from(pinned)].insert(self.idle_count, run_id);
        }
    }

    /// Timers of runs that have closed, or that no longer wait for them, go once they are most of all.
    fn drop_idle_timers(&mut self) {
        if self.timers.len() > 2 * self.runs.len() + IDLE_TIMERS_MIN {
            let runs = &self.runs;
            self.timers.retain(|Reverse((due, run_id))| {
                runs.get(run_id).is_some_and(|run| run.notes.timer == Some(*due))
            });
        }
    }

    fn forget(&mut self, run_id: RunId) -> Option<Run> {
        let run = self.runs.remove(&run_id)?;
        self.parked_count -= usize::from(run.notes.parked);
        self.live_bytes -= run.notes.counted;
        if let Some((pinned, place)) = run.notes.idle {
            self.idle[usize::from(pinned)].remove(&place);
        }
        Some(run)
    }

    /// Lets the longest idle runs go until the rest fits. Those that wait for the world are released; those whose
    /// activities run here come next, and keep their owner. These are as many as there are slots, and so do not count
    /// against the number of runs, only against their bytes.
    fn make_room(&mut self) {
        let cx = self.cx.clone();
        let options = &cx.options;
        let threads = options.workflow_threads.max(1);
        let (count_max, bytes_max) = (options.cached_runs_max / threads, options.cached_bytes_max / threads);
        loop {
            let [waiting, working] = &mut self.idle;
            let over = self.live_bytes > bytes_max || options.cached_runs_max == 0;
            let run_id = if over || waiting.len() > count_max {
                waiting.pop_first().or_else(|| working.pop_first().filter(|_| over))
            } else {
                None
            };
            let Some((_, run_id)) = run_id else { return };
            let Some(run) = self.runs.get_mut(&run_id) else { continue };
            run.notes.idle = None;
            let released = run.release(self.life.worker);
            run.evict();
            self.effects.orders.extend(released.map(Order::from));
            self.note(run_id);
        }
    }
}

impl From<Submission> for Order {
    fn from(submission: Submission) -> Self {
        Self { write: Write::Commit(submission.commit), ticket: submission.ticket }
    }
}

/// How a machine is told about its surroundings.
impl Alarms {
    fn options(&self, cx: &Context, run_id: RunId, token: FencingToken) -> MachineOptions {
        MachineOptions { panics: cx.options.panics, alarm: Some(self.of(run_id, token)) }
    }
}
