//! Reading what a round names, under locks that all transactions take in one order: workflow IDs, runs, activities.
//!
//! Every condition is read in a statement that begins after its lock was got.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use retell::backend::InboxMessage;
use retell::vocabulary::{
    Attempt, EventId, Namespace, Position, RequestId, RunId, RunKey, WorkerId, WorkflowId,
};

use super::named::Named;
use super::transaction::Context;
use crate::dialect::{How, Query, Rows};
use crate::fault::Fault;
use crate::plan::{Details, Door, IdRow, Kept, Place, Queued, Run, Task, Waiting, Worker, World};
use crate::session::Session;
use crate::table;
use crate::value::Type::{Bytes, Int, Text};
use crate::value::{Cell, Row, number};

/// What is read of a run, for [`read_run`].
const SELECT_RUN: &str = "SELECT id, status, closed_at, head, last_at, token, owner, wake_at, rowless, dependents, \
     unsettled, paused, parked, inbox_last, taken_in, shown, door_at, door_continues, run_id, namespace, workflow_id, kind, \
     started_at, nth FROM runs WHERE ";

/// Reads, inside a transaction, all that a round needs.
pub(crate) async fn load<'n>(
    session: &mut impl Session,
    cx: Context<'n>,
    named: &Named<'_>,
    fresh: Vec<i64>,
) -> Result<World<'n>, Fault> {
    let names = cx.names;
    let namespaces: HashMap<i64, &Namespace> = named
        .namespaces
        .iter()
        .filter_map(|namespace| Some((names.namespace(namespace)?, *namespace)))
        .collect();
    let ids = lock_ids(session, cx, named).await?;
    let keys: BTreeSet<&RunKey> = named.runs.iter().copied().chain(&named.targets).collect();
    let mut rows = find_runs(session, cx, keys.iter().chain(&named.peeked).copied()).await?;
    let latest = ids.values().filter_map(|id| id.latest);
    let locked: BTreeSet<i64> = keys.iter().filter_map(|key| rows.get(*key).copied()).chain(latest).collect();
    let mut runs = select_runs(session, cx, &namespaces, &locked, " ORDER BY id FOR UPDATE").await?;
    // A run that was removed and started anew has another row than the remembered one.
    let stale: Vec<&RunKey> = keys
        .iter()
        .filter(|key| rows.get(**key).is_some_and(|row| !runs.contains_key(row)))
        .copied()
        .collect();
    if !stale.is_empty() {
        stale.iter().for_each(|key| {
            names.forget_run(key);
            cx.remembered.forget(key);
        });
        let found = find_runs(session, cx, stale.iter().copied()).await?;
        let locked = found.values().copied().collect();
        runs.extend(select_runs(session, cx, &namespaces, &locked, " ORDER BY id FOR UPDATE").await?);
        stale.iter().for_each(|key| _ = rows.remove(*key));
        rows.extend(found);
    }
    let peeked: BTreeSet<i64> =
        rows.values().copied().filter(|row| !runs.contains_key(row) && !locked.contains(row)).collect();
    runs.extend(select_runs(session, cx, &namespaces, &peeked, "").await?);
    let by_key: HashMap<RunKey, i64> = runs.values().map(|run| (run.key.clone(), run.row)).collect();
    names.remember_runs(by_key.iter().map(|(key, row)| (key, *row)));
    let tasks = lock_tasks(session, cx, named, &by_key).await?;
    let Around { now, workers, requests } = read_around(session, cx, named, &namespaces).await?;
    let instant = cx.source.instant(now);
    cx.remembered.read(instant, &workers);
    let world = World::over(names, instant, fresh);
    let mut world = World { workers, ids, runs, by_key, requests, tasks, ..world };
    read_tokens(session, cx, named, &mut world).await?;
    read_inboxes(session, cx, named, &mut world).await?;
    read_before(session, cx, named, &mut world).await?;
    Ok(world)
}

fn place_keys<'a>(
    cx: Context<'_>,
    ids: impl IntoIterator<Item = &'a (&'a Namespace, &'a WorkflowId)>,
) -> Vec<Vec<Cell>> {
    let key = |(namespace, workflow_id): &(&Namespace, &WorkflowId)| {
        Some(vec![Cell::Int(cx.names.namespace(namespace)?), workflow_id.as_str().into()])
    };
    let mut keys: Vec<(i64, Vec<Cell>)> =
        ids.into_iter().filter_map(|id| Some((cx.names.namespace(id.0)?, key(id)?))).collect();
    // In the order of the rows: that of inserting is that of locking.
    keys.sort_by_key(|(namespace, _)| *namespace);
    keys.into_iter().map(|(_, key)| key).collect()
}

/// Locks the workflow IDs whose latest run is meant or may change; those that are to be started get their rows. Inserting
/// locks: so beside them all others are put in too, in the one order. What nothing is started under leaves no row.
async fn lock_ids(
    session: &mut impl Session,
    cx: Context<'_>,
    named: &Named<'_>,
) -> Result<HashMap<Place, IdRow>, Fault> {
    let keys = place_keys(cx, &named.ids);
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    if !named.started.is_empty() {
        let rows = Rows { how: How::InsertMissing, rows: keys.clone(), ..table::ID_KEYS.rows() };
        for statement in cx.dialect.change(rows) {
            session.execute(statement).await?;
        }
    }
    let mut query = Query::new(cx.dialect, "SELECT namespace, workflow_id, latest, started FROM ids WHERE ");
    query.any_of(&[("namespace", Int), ("workflow_id", Text)], keys);
    query.push(" ORDER BY namespace, workflow_id FOR UPDATE");
    let mut ids = HashMap::new();
    for row in session.rows(query.done()).await? {
        let place = (row.int(0)?, row.id(1, |text| WorkflowId::new(text))?);
        let id = IdRow { latest: row.maybe_int(2)?, started: row.int(3)?, ..IdRow::default() };
        ids.insert(place, id);
    }
    Ok(ids)
}

/// The rows of these runs: remembered, or looked up without a lock.
async fn find_runs<'k>(
    session: &mut impl Session,
    cx: Context<'_>,
    keys: impl Iterator<Item = &'k RunKey>,
) -> Result<HashMap<RunKey, i64>, Fault> {
    let mut found = HashMap::new();
    // A run ID may be asked for under several workflow IDs, though it is of one.
    let mut unknown: HashMap<(i64, RunId), Vec<&RunKey>> = HashMap::new();
    for key in keys {
        let known = cx.names.run(key).or_else(|| cx.remembered.row(key));
        match (known, cx.names.namespace(&key.namespace)) {
            (Some(row), _) => _ = found.insert(key.clone(), row),
            (None, Some(namespace)) => unknown.entry((namespace, key.run_id)).or_default().push(key),
            (None, None) => {}
        }
    }
    if unknown.is_empty() {
        return Ok(found);
    }
    let ids = unknown.keys().map(|(_, run_id)| vec![Cell::from(run_id.0)]).collect();
    let mut query = Query::new(cx.dialect, "SELECT id, namespace, run_id, workflow_id FROM runs WHERE ");
    query.any_of(&[("run_id", Bytes)], ids);
    for row in session.rows(query.done()).await? {
        let workflow_id = row.id(3, |text| WorkflowId::new(text))?;
        let keys = unknown.get(&(row.int(1)?, RunId(row.uuid(2)?)));
        let key = keys.and_then(|keys| keys.iter().find(|key| key.workflow_id == workflow_id));
        if let Some(key) = key {
            found.insert((*key).clone(), row.int(0)?);
        }
    }
    Ok(found)
}

async fn select_runs(
    session: &mut impl Session,
    cx: Context<'_>,
    namespaces: &HashMap<i64, &Namespace>,
    rows: &BTreeSet<i64>,
    ending: &str,
) -> Result<BTreeMap<i64, Run>, Fault> {
    if rows.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut query = Query::new(cx.dialect, SELECT_RUN);
    query.among("id", rows.iter().copied()).push(ending);
    let mut runs = BTreeMap::new();
    for row in session.rows(query.done()).await? {
        if let Some(run) = read_run(&row, namespaces)? {
            runs.insert(run.row, run);
        }
    }
    Ok(runs)
}

/// Reads a row of [`SELECT_RUN`]; `None` if it is of a namespace that the batch doesn't name.
fn read_run(row: &Row, namespaces: &HashMap<i64, &Namespace>) -> Result<Option<Run>, Fault> {
    let namespace = row.int(19)?;
    let Some(name) = namespaces.get(&namespace) else { return Ok(None) };
    let (door_at, continues) = (row.maybe_int(16)?, row.flag(17)?);
    Ok(Some(Run {
        row: row.int(0)?,
        status: row.int(1)?,
        closed_at: row.maybe_time(2)?,
        head: row.count(3)?,
        last_at: row.time(4)?,
        token: row.count(5)?,
        owner: row.int(6)?,
        wake_at: row.maybe_time(7)?,
        rowless: row.flag(8)?,
        dependents: row.flag(9)?,
        unsettled: row.flag(10)?,
        paused: row.flag(11)?,
        parked: row.flag(12)?,
        inbox_last: row.count(13)?,
        taken_in: row.count(14)?,
        shown: row.count(15)?,
        door: door_at.map(|at| Door { at: u64::try_from(at).unwrap_or(0), continues }),
        key: RunKey {
            namespace: (*name).clone(),
            workflow_id: row.id(20, |text| WorkflowId::new(text))?,
            run_id: RunId(row.uuid(18)?),
        },
        namespace,
        kind: row.int(21)?,
        started_at: row.time(22)?,
        nth: row.int(23)?,
        seen: None,
        is_new: false,
        dirty: false,
        waiting: Vec::new(),
        taken_out: None,
        tasks_dropped: false,
        details: Details::default(),
    }))
}

/// Locks the queued activities that members name: claims take them without asking for their run.
async fn lock_tasks(
    session: &mut impl Session,
    cx: Context<'_>,
    named: &Named<'_>,
    by_key: &HashMap<RunKey, i64>,
) -> Result<BTreeMap<(i64, EventId), Queued>, Fault> {
    let keys: Vec<Vec<Cell>> = named
        .tasks
        .iter()
        .filter_map(|(run, scheduled)| {
            Some(vec![Cell::Int(*by_key.get(*run)?), Cell::Int(number(scheduled.0))])
        })
        .collect();
    let mut tasks = BTreeMap::new();
    if keys.is_empty() {
        return Ok(tasks);
    }
    let mut query = Query::new(
        cx.dialect,
        "SELECT run, scheduled, owner, attempt, visible_at, cancel_requested, deferred FROM activities WHERE ",
    );
    query.any_of(&[("run", Int), ("scheduled", Int)], keys).push(" ORDER BY run, scheduled FOR UPDATE");
    for row in session.rows(query.done()).await? {
        let task = Task {
            owner: row.int(2)?,
            attempt: Attempt(crate::names::count(&row, 3)?),
            visible_at: row.time(4)?,
            cancel_requested: row.flag(5)?,
            deferred: row.flag(6)?,
            details: None,
            last_failure: None,
            of_new: None,
        };
        let key = (row.int(0)?, EventId(row.count(1)?));
        tasks.insert(key, Queued { stored: true, dirty: false, now: Some(task) });
    }
    Ok(tasks)
}

/// What a round must know beside the rows that it may change.
#[derive(Default)]
struct Around {
    now: i64,
    workers: HashMap<WorkerId, Worker>,
    requests: HashMap<(i64, RequestId), Kept>,
}

/// The server's time, now that all is locked, the leases of the workers that are named, and the requests that are known.
async fn read_around(
    session: &mut impl Session,
    cx: Context<'_>,
    named: &Named<'_>,
    namespaces: &HashMap<i64, &Namespace>,
) -> Result<Around, Fault> {
    let mut query = Query::new(
        cx.dialect,
        "SELECT clock.now, workers.worker, workers.id, workers.expires_at, 0 AS namespace, '' AS workflow_id, \
         workers.worker AS run_id FROM (SELECT ",
    );
    query.push(cx.dialect.now()).push(" AS now) AS clock LEFT JOIN workers ON ");
    let workers = named.workers.iter().map(|worker| vec![Cell::from(worker.0)]).collect();
    query.any_of(&[("workers.worker", Bytes)], workers);
    let requests: Vec<Vec<Cell>> = named
        .requests
        .iter()
        .filter_map(|(namespace, request_id)| {
            Some(vec![Cell::Int(cx.names.namespace(namespace)?), Cell::from(request_id.0)])
        })
        .collect();
    if !requests.is_empty() {
        query.push(
            " UNION ALL SELECT -1, requests.request_id, requests.run, requests.outcome, requests.namespace, \
             runs.workflow_id, runs.run_id FROM requests JOIN runs ON runs.id = requests.run WHERE ",
        );
        query.any_of(&[("requests.namespace", Int), ("requests.request_id", Bytes)], requests);
    }
    let mut around = Around::default();
    for row in session.rows(query.done()).await? {
        if row.int(0)? >= 0 {
            around.now = row.int(0)?;
            if let Some(worker) = row.maybe_uuid(1)? {
                let found = Worker { row: row.int(2)?, expires_at: row.int(3)? };
                around.workers.insert(WorkerId(worker), found);
            }
            continue;
        }
        let Some(namespace) = namespaces.get(&row.int(4)?) else { continue };
        let key = RunKey {
            namespace: (*namespace).clone(),
            workflow_id: row.id(5, |text| WorkflowId::new(text))?,
            run_id: RunId(row.uuid(6)?),
        };
        let kept = Kept { outcome: row.int(3)?, run: row.int(2)?, key, stored: true };
        around.requests.insert((row.int(4)?, RequestId(row.uuid(1)?)), kept);
    }
    Ok(around)
}

/// Who wrote the records that stand where commits would write theirs.
async fn read_tokens(
    session: &mut impl Session,
    cx: Context<'_>,
    named: &Named<'_>,
    world: &mut World<'_>,
) -> Result<(), Fault> {
    let places: BTreeSet<(i64, EventId)> =
        named.commits.iter().filter_map(|commit| world.written_before(commit)).collect();
    if places.is_empty() {
        return Ok(());
    }
    let keys = places.iter().map(|(run, first)| vec![Cell::Int(*run), Cell::Int(number(first.0))]).collect();
    let mut query = Query::new(cx.dialect, "SELECT run, first, token FROM records WHERE ");
    query.any_of(&[("run", Int), ("first", Int)], keys);
    for row in session.rows(query.done()).await? {
        world.tokens.insert((row.int(0)?, row.count(1)?), row.count(2)?);
    }
    Ok(())
}

/// The messages of runs whose inbox may be handed on.
async fn read_inboxes(
    session: &mut impl Session,
    cx: Context<'_>,
    named: &Named<'_>,
    world: &mut World<'_>,
) -> Result<(), Fault> {
    let continued = named.continued.iter().filter_map(|key| world.by_key.get(*key).copied());
    let replaced = named.replaced.iter().filter_map(|(namespace, id)| world.latest(namespace, id));
    let runs: BTreeSet<i64> = continued
        .chain(replaced)
        .filter(|row| world.runs.get(row).is_some_and(|run| run.inbox_last > run.taken_in))
        .collect();
    if runs.is_empty() {
        return Ok(());
    }
    let mut query =
        Query::new(cx.dialect, "SELECT run, position, request_id, at, own, body FROM inbox WHERE ");
    query.among("run", runs).push(" ORDER BY run, position");
    for row in session.rows(query.done()).await? {
        let waiting = Waiting { message: read_message(&row, 1, 5)?, own: row.flag(4)?, stored: true };
        if let Some(run) = world.runs.get_mut(&row.int(0)?) {
            run.waiting.push(waiting);
        }
    }
    Ok(())
}

/// Reads a message: position, request ID and time side by side, and its body.
pub(crate) fn read_message(row: &Row, position: usize, body: usize) -> Result<InboxMessage, Fault> {
    Ok(InboxMessage {
        position: Position(row.count(position)?),
        request_id: RequestId(row.uuid(position + 1)?),
        at: row.time(position + 2)?,
        body: row.bytes(body)?,
    })
}

/// The runs that come before the latest ones of IDs whose latest run may be removed.
async fn read_before(
    session: &mut impl Session,
    cx: Context<'_>,
    named: &Named<'_>,
    world: &mut World<'_>,
) -> Result<(), Fault> {
    let keys = place_keys(cx, &named.removed);
    if keys.is_empty() {
        return Ok(());
    }
    let mut query = Query::new(
        cx.dialect,
        "SELECT ids.namespace, ids.workflow_id, (SELECT runs.id FROM runs WHERE runs.namespace = ids.namespace \
         AND runs.workflow_id = ids.workflow_id AND runs.id <> ids.latest ORDER BY runs.nth DESC LIMIT 1) FROM ids WHERE ",
    );
    query.any_of(&[("ids.namespace", Int), ("ids.workflow_id", Text)], keys);
    for row in session.rows(query.done()).await? {
        let place = (row.int(0)?, row.id(1, |text| WorkflowId::new(text))?);
        if let Some(id) = world.ids.get_mut(&place) {
            id.before = row.maybe_int(2)?;
        }
    }
    Ok(())
}
