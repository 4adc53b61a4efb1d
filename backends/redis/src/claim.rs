//! Claims: of one partition in one call; of several by a look at all and a call to those that have something.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::try_join_all;
use redis::Value;
use retell::backend::{Claim, Claimed, ClaimedActivity, ClaimedRun, StoreError, StoreErrorKind, UnreadInbox};
use retell::vocabulary::{ActivityName, Attempt, EventId, FencingToken, Namespace, Position, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::fault::unreadable;
use crate::key::{hex, of_namespace, read_ref, read_tail};
use crate::pack::{packed, queue};
use crate::reply::{Reply, text_id};
use crate::row::{messages, read_kind, unpacked};
use crate::script::CLAIM;
use crate::{Store, outbox};

const OPERATION: &str = "claim";

#[derive(Clone, Serialize)]
struct Asked {
    worker: String,
    number: Option<u64>,
    ns: String,
    queue: String,
    workflows: Vec<String>,
    semantics: u64,
    runs: usize,
    groups: Vec<Group>,
    /// Only looks at what there is.
    peek: bool,
}

#[derive(Clone, Serialize)]
struct Group {
    names: Vec<String>,
    max: usize,
}

/// What a partition has for a worker.
struct Peeked {
    partition: u16,
    /// Something that is told whatever the most.
    has_unread: bool,
    runs: Vec<f64>,
    groups: Vec<Vec<f64>>,
    now: Option<Timestamp>,
    next_due: Option<Timestamp>,
}

/// What a partition gave, each with the time since which it is due.
struct Taken {
    now: Timestamp,
    next_due: Option<Timestamp>,
    unread: Vec<UnreadInbox>,
    runs: Vec<(f64, ClaimedRun)>,
    groups: Vec<Vec<(f64, ClaimedActivity)>>,
}

pub(crate) async fn claim(store: &Arc<Store>, claim: &Claim) -> Result<Claimed, StoreError> {
    let asked = Asked {
        worker: hex(claim.worker.0),
        number: Some(claim.number).filter(|number| *number > 0),
        ns: of_namespace(&claim.namespace),
        queue: queue(&claim.task_queue),
        workflows: claim.workflows.iter().map(|kind| format!("{}/{}", kind.version.0, kind.name)).collect(),
        semantics: claim.semantics.0.into(),
        runs: claim.runs_max,
        groups: claim
            .activities
            .iter()
            .map(|group| Group {
                names: group.names.iter().map(|name| name.as_str().to_owned()).collect(),
                max: group.max,
            })
            .collect(),
        peek: false,
    };
    if store.link.keys.partitions == 1 {
        let taken = take(store, &claim.namespace, 0, &asked).await?;
        return Ok(merge(vec![taken], asked.groups.len()));
    }
    let mut peeked = peek(store, &asked).await?;
    let quotas = quotas(&asked, &mut peeked);
    let namespace = &claim.namespace;
    let calls = quotas.iter().map(|(partition, asked)| take(store, namespace, *partition, asked));
    let taken = try_join_all(calls).await?;
    let mut claimed = merge(taken, asked.groups.len());
    for peeked in peeked {
        claimed.now = claimed.now.max(peeked.now.unwrap_or(claimed.now));
        claimed.next_due = [claimed.next_due, peeked.next_due].into_iter().flatten().min();
    }
    Ok(claimed)
}

async fn peek(store: &Arc<Store>, asked: &Asked) -> Result<Vec<Peeked>, StoreError> {
    let asked = packed(&Asked { peek: true, ..asked.clone() });
    let replies = store.link.call_all(OPERATION, CLAIM, asked).await?;
    let mut peeked = Vec::with_capacity(replies.len());
    for (partition, reply) in store.link.keys.all().zip(replies) {
        let mut fields = alive(reply)?.into_iter();
        let mut field = || fields.next().unwrap_or_default();
        let scores = |list: Value| {
            list.list(OPERATION)?.into_iter().map(|score| score.parsed(OPERATION)).collect::<Result<_, _>>()
        };
        let (has_unread, runs) = (field() == Value::Int(1), scores(field())?);
        let groups = field().list(OPERATION)?.into_iter().map(scores).collect::<Result<_, _>>()?;
        let now = field().optional(|now| now.time(OPERATION))?;
        let next_due = field().optional(|due| due.time(OPERATION))?;
        field().optional(|stale| outbox::move_later(store, stale))?;
        peeked.push(Peeked { partition, has_unread, runs, groups, now, next_due });
    }
    Ok(peeked)
}

/// What to ask of each partition that has something, so that together it is the oldest and no more than asked for.
fn quotas(asked: &Asked, peeked: &mut [Peeked]) -> Vec<(u16, Asked)> {
    let oldest = |max: usize, due: &dyn Fn(&Peeked) -> &[f64]| {
        let mut all: Vec<(f64, u16)> =
            peeked.iter().flat_map(|peeked| due(peeked).iter().map(|due| (*due, peeked.partition))).collect();
        all.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        all.truncate(max);
        let mut counts: HashMap<u16, usize> = HashMap::new();
        all.into_iter().for_each(|(_, partition)| *counts.entry(partition).or_default() += 1);
        counts
    };
    let runs = oldest(asked.runs, &|peeked| &peeked.runs);
    let groups: Vec<_> = (0..asked.groups.len())
        .map(|group| {
            oldest(asked.groups[group].max, &move |peeked| {
                peeked.groups.get(group).map_or(&[], Vec::as_slice)
            })
        })
        .collect();
    let share = |counts: &HashMap<u16, usize>, partition| counts.get(&partition).copied().unwrap_or(0);
    let quota = |peeked: &Peeked| {
        let mut part = asked.clone();
        part.runs = share(&runs, peeked.partition);
        for (group, counts) in part.groups.iter_mut().zip(&groups) {
            group.max = share(counts, peeked.partition);
        }
        let is_empty = part.runs == 0 && part.groups.iter().all(|group| group.max == 0);
        (peeked.has_unread || !is_empty).then_some((peeked.partition, part))
    };
    peeked.iter().filter_map(quota).collect()
}

/// The fields of an answer to a worker that is alive, without their name.
fn alive(reply: Value) -> Result<Vec<Value>, StoreError> {
    let mut fields = reply.list(OPERATION)?;
    if fields.first().is_some_and(|name| name.is_text(b"lost")) {
        return Err(StoreError::new(StoreErrorKind::LeaseLost, OPERATION));
    }
    if fields.is_empty() {
        return Err(unreadable(OPERATION, "an empty answer"));
    }
    fields.remove(0);
    Ok(fields)
}

async fn take(
    store: &Arc<Store>,
    namespace: &Namespace,
    partition: u16,
    asked: &Asked,
) -> Result<Taken, StoreError> {
    let args = [packed(asked)];
    // A claim without an identity takes what it takes once.
    let reply = match asked.number {
        Some(_) => store.link.call(OPERATION, partition, CLAIM, &args).await?,
        None => store.link.call_once(OPERATION, partition, CLAIM, &args).await?,
    };
    let fields = Value::Array(alive(reply)?);
    let [now, next_due, unread, runs, groups, stale] = fields.fields(OPERATION)?;
    outbox::move_later(store, stale)?;
    let list = |list: Value| list.list(OPERATION);
    let runs = list(runs)?.into_iter().map(|run| claimed_run(namespace, run));
    let mut taken_groups = Vec::new();
    for group in list(groups)? {
        let group = list(group)?.into_iter().map(|activity| claimed_activity(namespace, activity));
        taken_groups.push(group.collect::<Result<_, _>>()?);
    }
    Ok(Taken {
        now: now.time(OPERATION)?,
        next_due: next_due.optional(|due| due.time(OPERATION))?,
        unread: list(unread)?.into_iter().map(unread_inbox).collect::<Result<_, _>>()?,
        runs: runs.collect::<Result<_, _>>()?,
        groups: taken_groups,
    })
}

fn unread_inbox(unread: Value) -> Result<UnreadInbox, StoreError> {
    let [run, token, after, found] = unread.fields(OPERATION)?;
    let after = Position(after.parsed(OPERATION)?);
    Ok(UnreadInbox {
        run: read_ref(&run.text(OPERATION)?, OPERATION)?,
        token: FencingToken(token.parsed(OPERATION)?),
        messages: messages(after.next(), found)?,
    })
}

fn claimed_run(namespace: &Namespace, run: Value) -> Result<(f64, ClaimedRun), StoreError> {
    let [due, tail, token, kind, head, taken, rowless, failure, unsettled, inbox] = run.fields(OPERATION)?;
    let taken_in = Position(taken.parsed(OPERATION)?);
    let claimed = ClaimedRun {
        run: read_tail(namespace, &tail.text(OPERATION)?, OPERATION)?,
        token: FencingToken(token.parsed(OPERATION)?),
        workflow: read_kind(&kind.text(OPERATION)?)?,
        head: EventId(head.parsed(OPERATION)?),
        taken_in,
        inbox: messages(taken_in.next(), inbox)?,
        rowless: rowless.is_there(),
        failure: shown(failure)?,
        unsettled: unsettled.is_there(),
    };
    Ok((due.parsed(OPERATION)?, claimed))
}

fn claimed_activity(namespace: &Namespace, found: Value) -> Result<(f64, ClaimedActivity), StoreError> {
    let fields = found.fields(OPERATION)?;
    let [
        due,
        tail,
        scheduled,
        attempt,
        taken_over,
        activity,
        call,
        close_by,
        failure,
        details,
        cancel,
        deferred,
    ] = fields;
    let claimed = ClaimedActivity {
        run: read_tail(namespace, &tail.text(OPERATION)?, OPERATION)?,
        scheduled: EventId(scheduled.parsed(OPERATION)?),
        activity: text_id(ActivityName::new(activity.text(OPERATION)?), OPERATION)?,
        call: call.bytes(OPERATION)?,
        attempt: Attempt(attempt.parsed(OPERATION)?),
        taken_over: taken_over == Value::Int(1),
        close_by: close_by.optional(|at| at.time(OPERATION))?,
        last_failure: shown(failure)?,
        details: shown(details)?,
        cancel_requested: cancel.is_there(),
        deferred: deferred.is_there(),
    };
    Ok((due.parsed(OPERATION)?, claimed))
}

/// A value that is only shown: one that cannot be read is none, and stops nobody.
fn shown<T: DeserializeOwned>(value: Value) -> Result<Option<T>, StoreError> {
    Ok(value.optional(|value| value.bytes(OPERATION))?.and_then(|bytes| unpacked(&bytes, OPERATION).ok()))
}

/// What all partitions gave, the oldest first.
fn merge(taken: Vec<Taken>, groups: usize) -> Claimed {
    fn by_age<T>(mut all: Vec<(f64, T)>) -> impl Iterator<Item = T> {
        all.sort_by(|one, other| one.0.total_cmp(&other.0));
        all.into_iter().map(|(_, one)| one)
    }
    let mut claimed = Claimed { now: Timestamp::from_micros(i64::MIN), ..Claimed::default() };
    let (mut runs, mut activities) = (Vec::new(), Vec::new());
    activities.resize_with(groups, Vec::new);
    for mut taken in taken {
        claimed.now = claimed.now.max(taken.now);
        claimed.next_due = [claimed.next_due, taken.next_due].into_iter().flatten().min();
        claimed.unread.append(&mut taken.unread);
        runs.append(&mut taken.runs);
        for (all, mut group) in activities.iter_mut().zip(taken.groups) {
            all.append(&mut group);
        }
    }
    claimed.runs = by_age(runs).collect();
    claimed.activities = activities.into_iter().flat_map(by_age).collect();
    claimed
}
