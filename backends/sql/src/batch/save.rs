//! Writing what members have changed: one statement of many rows for each table.

use retell::vocabulary::EventId;

use crate::attribute;
use crate::dialect::{How, Rows};
use crate::fault::Fault;
use crate::plan::{Details, OPEN, Queued, Run, Seen, World};
use crate::table::{self, Table};
use crate::value::{Cell, number, packed};

/// The changes of a round in two steps: what goes, then what comes or stays.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) first: Vec<Rows>,
    pub(crate) then: Vec<Rows>,
}

/// All that is to be written of a round.
pub(crate) fn changes(world: &World<'_>) -> Result<Changes, Fault> {
    let mut changes = Changes::default();
    remove(world, &mut changes.first);
    ids(world, &mut changes);
    runs(world, &mut changes);
    details(world, &mut changes)?;
    records(world, &mut changes);
    inboxes(world, &mut changes);
    tasks(world, &mut changes)?;
    requests(world, &mut changes);
    changes.first.retain(|rows| !rows.rows.is_empty());
    changes.then.retain(|rows| !rows.rows.is_empty());
    Ok(changes)
}

fn rows(table: &Table, how: How, rows: Vec<Vec<Cell>>) -> Rows {
    Rows { how, rows, ..table.rows() }
}

fn remove(world: &World<'_>, first: &mut Vec<Rows>) {
    let tables = [
        &table::RECORD_KEYS,
        &table::INBOX_RUNS,
        &table::ACTIVITY_RUNS,
        &table::ATTRIBUTE_KEYS,
        &table::ANSWER_RUNS,
        &table::REQUEST_RUNS,
        &table::DETAIL_KEYS,
        &table::RUN_KEYS,
    ];
    for table in tables {
        let removed = world.removed.iter().map(|row| vec![Cell::Int(*row)]).collect();
        first.push(rows(table, How::Delete, removed));
    }
}

fn ids(world: &World<'_>, changes: &mut Changes) {
    let (mut update, mut delete, mut insert) = (Vec::new(), Vec::new(), Vec::new());
    for ((namespace, workflow_id), id) in &world.ids {
        let key = vec![Cell::Int(*namespace), workflow_id.as_str().into()];
        match id.latest {
            Some(latest) if id.is_new => insert.push([key, vec![latest.into(), id.started.into()]].concat()),
            // Whatever was to be started under it was refused, or it was removed: it leaves nothing.
            None => delete.push(key),
            Some(latest) if id.dirty => {
                update.push([key, vec![latest.into(), id.started.into()]].concat());
            }
            Some(_) => {}
        }
    }
    changes.first.push(rows(&table::ID_KEYS, How::Delete, delete));
    changes.then.push(rows(&table::IDS, How::Update, update));
    // All transactions take them in one order.
    insert.sort_by(|one: &Vec<Cell>, other| order(one).cmp(&order(other)));
    changes.then.push(rows(&table::IDS, How::Insert, insert));
}

fn order(id: &[Cell]) -> Option<(i64, &str)> {
    match id {
        [Cell::Int(namespace), Cell::Text(workflow_id), ..] => Some((*namespace, workflow_id)),
        _ => None,
    }
}

fn runs(world: &World<'_>, changes: &mut Changes) {
    let (mut insert, mut update, mut unread) = (Vec::new(), Vec::new(), Vec::new());
    let dirty = || world.runs.values().filter(|run| run.dirty);
    // Most batches are steps and starts: then what a step leaves as it is need not be said.
    let only_step = dirty().all(|run| run.seen.as_ref().is_none_or(|seen| run.stepped(seen)));
    for run in dirty() {
        match &run.seen {
            _ if run.is_new => insert.push(both(state(run), identity(run))),
            Some(seen) if only_step => unread.push(both(step(run), believed(seen))),
            Some(seen) => unread.push(both(state(run), believed(seen))),
            None => update.push(state(run)),
        }
    }
    let seen = if only_step { &table::RUN_STEP_SEEN } else { &table::RUN_STATE_SEEN };
    // A run that follows another under its workflow ID finds that closed: only one of them may be open at any time.
    let closes = world.runs.values().any(|run| run.dirty && !run.is_new && run.status != OPEN);
    let first = closes && !insert.is_empty();
    let when = if first { &mut changes.first } else { &mut changes.then };
    when.push(rows(&table::RUN_STATE, How::Update, update));
    when.push(rows(seen, How::Update, unread));
    changes.then.push(rows(&table::RUNS, How::Insert, insert));
}

fn state(run: &Run) -> Vec<Cell> {
    vec![
        run.row.into(),
        run.status.into(),
        run.closed_at.into(),
        number(run.head).into(),
        run.last_at.into(),
        number(run.token).into(),
        run.owner.into(),
        run.wake_at.into(),
        run.rowless.into(),
        run.dependents.into(),
        run.unsettled.into(),
        run.paused.into(),
        run.parked.into(),
        number(run.inbox_last).into(),
        number(run.taken_in).into(),
        number(run.shown).into(),
        run.door.map(|door| number(door.at)).into(),
        run.door.is_some_and(|door| door.continues).into(),
    ]
}

fn step(run: &Run) -> Vec<Cell> {
    vec![
        run.row.into(),
        number(run.head).into(),
        run.last_at.into(),
        run.wake_at.into(),
        run.rowless.into(),
        number(run.inbox_last).into(),
        number(run.taken_in).into(),
        number(run.shown).into(),
    ]
}

fn both(mut first: Vec<Cell>, second: Vec<Cell>) -> Vec<Cell> {
    first.extend(second);
    first
}

fn believed(seen: &Seen) -> Vec<Cell> {
    vec![
        seen.status.into(),
        number(seen.head).into(),
        number(seen.token).into(),
        seen.owner.into(),
        number(seen.inbox_last).into(),
        number(seen.shown).into(),
    ]
}

fn identity(run: &Run) -> Vec<Cell> {
    vec![
        run.key.run_id.0.into(),
        run.namespace.into(),
        run.key.workflow_id.as_str().into(),
        run.kind.into(),
        run.started_at.into(),
        run.nth.into(),
    ]
}

fn details(world: &World<'_>, changes: &mut Changes) -> Result<(), Fault> {
    let (mut new, mut attributes, mut memos) = (Vec::new(), Vec::new(), Vec::new());
    let (mut failures, mut published, mut closings) = (Vec::new(), Vec::new(), Vec::new());
    let (mut unfound, mut found) = (Vec::new(), Vec::new());
    for run in world.runs.values() {
        let details = &run.details;
        if let Some(attributes) = &details.attributes {
            if !run.is_new {
                unfound.push(vec![Cell::Int(run.row)]);
            }
            found.extend(attribute::rows(run.row, run.namespace, attributes)?);
        }
        if run.is_new {
            new.push(whole(run.row, details)?);
            continue;
        }
        let row = Cell::Int(run.row);
        if details.attributes.is_some() {
            attributes.push(vec![row.clone(), packed_attributes(details)?]);
        }
        if details.memo.is_some() {
            memos.push(vec![row.clone(), packed_memo(details)?]);
        }
        if details.failure.is_some() {
            failures.push(vec![row.clone(), packed_failure(details)?]);
        }
        if details.published.is_some() {
            published.push(vec![row.clone(), packed_published(details)?]);
        }
        if details.closing.is_some() {
            closings.push([vec![row], closing(details)].concat());
        }
    }
    changes.first.push(rows(&table::ATTRIBUTE_KEYS, How::Delete, unfound));
    changes.then.push(rows(&table::ATTRIBUTES, How::Insert, found));
    changes.then.push(rows(&table::DETAILS, How::Insert, new));
    for (table, changed) in [
        (&table::DETAIL_ATTRIBUTES, attributes),
        (&table::DETAIL_MEMO, memos),
        (&table::DETAIL_FAILURE, failures),
        (&table::DETAIL_PUBLISHED, published),
        (&table::DETAIL_CLOSING, closings),
    ] {
        changes.then.push(rows(table, How::Update, changed));
    }
    Ok(())
}

fn whole(row: i64, details: &Details) -> Result<Vec<Cell>, Fault> {
    let (priority, fairness_key) = details.of_new.clone().unwrap_or_default();
    let first = vec![
        row.into(),
        i64::from(priority).into(),
        fairness_key.into(),
        packed_attributes(details)?,
        packed_memo(details)?,
        packed_failure(details)?,
        packed_published(details)?,
    ];
    Ok([first, closing(details)].concat())
}

fn packed_attributes(details: &Details) -> Result<Cell, Fault> {
    match details.attributes.as_ref().filter(|attributes| !attributes.is_empty()) {
        Some(attributes) => packed(attributes).map(Cell::Bytes),
        None => Ok(Cell::Null),
    }
}

fn packed_memo(details: &Details) -> Result<Cell, Fault> {
    match details.memo.as_ref().filter(|memo| !memo.is_empty()) {
        Some(memo) => packed(memo).map(Cell::Bytes),
        None => Ok(Cell::Null),
    }
}

fn packed_failure(details: &Details) -> Result<Cell, Fault> {
    details
        .failure
        .as_ref()
        .and_then(Option::as_ref)
        .map_or(Ok(Cell::Null), |failure| packed(failure).map(Cell::Bytes))
}

fn packed_published(details: &Details) -> Result<Cell, Fault> {
    details.published.as_ref().map_or(Ok(Cell::Null), |published| packed(published).map(Cell::Bytes))
}

fn closing(details: &Details) -> Vec<Cell> {
    let closing = details.closing.as_ref();
    let continued_as = closing.and_then(|closing| closing.continued_as);
    vec![
        closing.map(|closing| closing.outcome.clone()).into(),
        continued_as.map_or(Cell::Null, |run_id| run_id.0.into()),
    ]
}

fn records(world: &World<'_>, changes: &mut Changes) {
    let kept = world.records.iter().filter(|record| world.runs.contains_key(&record.run));
    let records = kept.map(|record| {
        vec![
            record.run.into(),
            number(record.first).into(),
            i64::from(record.count).into(),
            record.at.into(),
            number(record.token).into(),
            record.bytes.clone().into(),
        ]
    });
    changes.then.push(rows(&table::RECORDS, How::Insert, records.collect()));
}

fn inboxes(world: &World<'_>, changes: &mut Changes) {
    let (mut out, mut new) = (Vec::new(), Vec::new());
    for run in world.runs.values() {
        if let Some(up_to) = run.taken_out.filter(|_| !run.is_new) {
            out.push(vec![Cell::Int(run.row), number(up_to).into()]);
        }
        new.extend(run.waiting.iter().filter(|waiting| !waiting.stored).map(|waiting| {
            vec![
                run.row.into(),
                number(waiting.message.position.0).into(),
                waiting.message.request_id.0.into(),
                waiting.message.at.into(),
                waiting.own.into(),
                waiting.message.body.clone().into(),
            ]
        }));
    }
    changes.then.push(rows(&table::INBOX_KEYS, How::DeleteUpTo, out));
    changes.then.push(rows(&table::INBOX, How::Insert, new));
}

fn tasks(world: &World<'_>, changes: &mut Changes) -> Result<(), Fault> {
    let dropped = world.runs.values().filter(|run| run.tasks_dropped && !run.is_new);
    let dropped = dropped.map(|run| vec![Cell::Int(run.row)]).collect();
    changes.first.push(rows(&table::ACTIVITY_RUNS, How::Delete, dropped));
    let (mut delete, mut insert, mut update) = (Vec::new(), Vec::new(), Vec::new());
    let (mut details, mut failures) = (Vec::new(), Vec::new());
    for ((run, scheduled), queued) in &world.tasks {
        let key = vec![Cell::Int(*run), number(scheduled.0).into()];
        let Queued { stored, dirty, now } = queued;
        let is_open = world.runs.get(run).is_some_and(|run| run.status == OPEN);
        match now {
            None if *stored && is_open => delete.push(key),
            None => {}
            Some(task) => match &task.of_new {
                Some(_) if *stored => {
                    // It has gone and come again: a row of this key is there.
                    delete.push(key);
                    insert.push(new_task(*run, *scheduled, queued)?);
                }
                Some(_) => insert.push(new_task(*run, *scheduled, queued)?),
                None => {
                    let said = task.details.as_ref().map(packed).transpose()?;
                    let left = task.last_failure.as_ref().map(packed).transpose()?;
                    details.extend(said.map(|said| [key.clone(), vec![said.into()]].concat()));
                    failures.extend(left.map(|left| [key.clone(), vec![left.into()]].concat()));
                    if *dirty {
                        let state = vec![
                            task.owner.into(),
                            task.visible_at.into(),
                            i64::from(task.attempt.0).into(),
                            task.cancel_requested.into(),
                            task.deferred.into(),
                        ];
                        update.push([key, state].concat());
                    }
                }
            },
        }
    }
    changes.first.push(rows(&table::ACTIVITY_KEYS, How::Delete, delete));
    changes.then.push(rows(&table::ACTIVITIES, How::Insert, insert));
    changes.then.push(rows(&table::ACTIVITY_STATE, How::Update, update));
    changes.then.push(rows(&table::ACTIVITY_DETAILS, How::Update, details));
    changes.then.push(rows(&table::ACTIVITY_FAILURE, How::Update, failures));
    Ok(())
}

fn new_task(run: i64, scheduled: EventId, queued: &Queued) -> Result<Vec<Cell>, Fault> {
    let gone = || Fault::damaged("a queued activity went while it was written".to_owned());
    let task = queued.now.as_ref().ok_or_else(gone)?;
    let new = task.of_new.as_ref().ok_or_else(gone)?;
    Ok(vec![
        run.into(),
        number(scheduled.0).into(),
        new.kind.into(),
        task.owner.into(),
        task.visible_at.into(),
        i64::from(task.attempt.0).into(),
        i64::from(new.priority).into(),
        new.close_by.into(),
        task.cancel_requested.into(),
        task.deferred.into(),
        new.call.clone().into(),
        task.details.as_ref().map(packed).transpose()?.into(),
        task.last_failure.as_ref().map(packed).transpose()?.into(),
    ])
}

fn requests(world: &World<'_>, changes: &mut Changes) {
    let new = world.requests.iter().filter(|(_, kept)| !kept.stored);
    let new = new.map(|((namespace, request_id), kept)| {
        let request_id = Cell::from(request_id.0);
        vec![(*namespace).into(), request_id, world.age.into(), kept.outcome.into(), kept.run.into()]
    });
    changes.then.push(rows(&table::REQUESTS, How::Insert, new.collect()));
    let answers = world.answers.iter().filter(|(_, (run, _))| world.runs.contains_key(run));
    let answers = answers.map(|((namespace, request_id), (run, body))| {
        let request_id = Cell::from(request_id.0);
        vec![(*namespace).into(), request_id, world.age.into(), (*run).into(), body.clone().into()]
    });
    changes.then.push(rows(&table::ANSWERS, How::Upsert, answers.collect()));
}
