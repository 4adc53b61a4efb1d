//! Statements as PostgreSQL wants them: sets of keys and rows as arrays, so that one text serves any number of them.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use retell_sql::{
    Beat, Belief, Cell, Column, Dialect, How, Operand, Param, Query, Rows, Select, Statement, Trip, Type,
};

/// PostgreSQL's SQL.
#[derive(Debug)]
pub(crate) struct Postgres;

/// Microseconds since 1970, at this moment and not at the transaction's beginning.
const NOW: &str = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

impl Dialect for Postgres {
    fn place(&self, text: &mut String, number: usize) {
        let _ = write!(text, "${number}");
    }

    fn any_of(&self, query: &mut Query, columns: &[Column], keys: Vec<Vec<Cell>>) {
        if let [(name, of_type)] = columns {
            let keys = keys.into_iter().flatten().collect();
            query.push(name).push(" = ANY(").bind(Param::Many(*of_type, keys)).push(")");
            return;
        }
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        query.push("(").push(&names.join(", ")).push(") IN (");
        unnest(query, columns, keys);
        query.push(")");
    }

    fn for_each(&self, query: &mut Query, pairs: &[(i64, i64)], select: Select<'_>) {
        let pairs = pairs.iter().map(|(one, other)| vec![Cell::Int(*one), Cell::Int(*other)]).collect();
        query.push("(SELECT found.* FROM (");
        unnest(query, &[("one", Type::Int), ("other", Type::Int)], pairs);
        query.push(") AS pairs CROSS JOIN LATERAL (");
        select(query, &Operand::Column("pairs.one"), &Operand::Column("pairs.other"));
        query.push(") AS found) AS found");
    }

    fn change(&self, rows: Rows) -> Vec<Statement> {
        let mut query = Query::new(&Self, "");
        change(&mut query, rows);
        vec![query.done()]
    }

    fn change_all(&self, changes: Vec<Rows>, beat: Option<Beat>) -> Vec<Statement> {
        // One statement may not change a row twice: a table's second update, or the second portion of a large change,
        // goes with the next.
        let mut statements: Vec<Vec<Change>> = Vec::new();
        let mut times: HashMap<(&str, How), usize> = HashMap::new();
        for rows in changes {
            let time = times.entry((rows.table, rows.how)).or_default();
            if statements.len() <= *time {
                statements.push(Vec::new());
            }
            statements[*time].push(Change::Rows(rows));
            *time += 1;
        }
        if let Some(beat) = beat {
            match statements.first_mut() {
                Some(first) => first.push(Change::Beat(beat)),
                None => statements.push(vec![Change::Beat(beat)]),
            }
        }
        statements.into_iter().map(together).collect()
    }

    fn change_if(&self, changes: Vec<Rows>, belief: Belief, beat: Option<Beat>) -> Option<Trip> {
        let mut times = HashSet::new();
        let bytes: usize = changes.iter().flat_map(|rows| &rows.rows).flatten().map(size).sum();
        // As above; and what is too much for one statement.
        if bytes > self.bytes_max() || !changes.iter().all(|rows| times.insert((rows.table, rows.how))) {
            return None;
        }
        Some(Trip::Statement(together_if(changes, &belief, beat)))
    }

    fn changes_if(&self) -> bool {
        true
    }

    fn beat(&self, beat: Beat) -> Statement {
        together(vec![Change::Beat(beat)])
    }

    fn now(&self) -> &'static str {
        NOW
    }

    fn server(&self) -> &'static str {
        "pg_postmaster_start_time()::text"
    }

    fn uptime(&self) -> Option<&'static str> {
        None
    }

    fn take_sign(&self, query: &mut Query, row: i64) {
        query.push(
            "CASE WHEN pg_try_advisory_lock(hashtextextended('retell:worker:' || current_schema() || ':' || ",
        );
        query.int(row).push("::text, 0)) THEN 1 ELSE 0 END");
    }

    fn free_sign(&self, query: &mut Query, row: i64) {
        query.push(
            "CASE WHEN pg_advisory_unlock(hashtextextended('retell:worker:' || current_schema() || ':' || ",
        );
        query.int(row).push("::text, 0)) THEN 1 ELSE 0 END");
    }

    fn sign_is_free(&self) -> &'static str {
        // The halves of a lock's number stand in two columns.
        "hashtextextended('retell:worker:' || current_schema() || ':' || workers.id::text, 0) NOT IN \
         (SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 \
         AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
    }

    fn migrations(&self) -> &'static [&'static str] {
        &[include_str!("schema.sql"), include_str!("schema_2.sql")]
    }

    fn lock_schema(&self) -> &'static str {
        "SELECT pg_advisory_xact_lock(hashtextextended('retell:' || current_schema(), 0))"
    }

    fn unlock_schema(&self) -> Option<&'static str> {
        None
    }

    fn count_tables(&self) -> &'static str {
        "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = "
    }

    fn whereabouts(&self) -> &'static str {
        // A server is told from others, of the same database name and tables too, by when it was started.
        "SELECT pg_postmaster_start_time()::text || ' ' || current_database(), current_schema()::text, \
         current_setting('search_path'), current_setting('synchronous_commit')"
    }

    fn enter_schema(&self, schema: &str) -> String {
        format!("SELECT set_config('search_path', quote_ident({}), true)", literal(schema))
    }

    fn leave_schema(&self, path: &str) -> String {
        format!("SELECT set_config('search_path', {}, true)", literal(path))
    }
}

/// A text as a literal, whatever the session makes of backslashes.
fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', r"\\").replace('\'', "''"))
}

/// Part of a statement that changes something.
enum Change {
    Rows(Rows),
    Beat(Beat),
}

/// One statement for all of these.
fn together(mut changes: Vec<Change>) -> Statement {
    let mut query = Query::new(&Postgres, "");
    let last = changes.pop();
    for (index, change) in changes.into_iter().enumerate() {
        query.push(if index == 0 { "WITH " } else { ", " }).push(&format!("change_{index} AS ("));
        write(&mut query, change);
        query.push(") ");
    }
    last.into_iter().for_each(|change| write(&mut query, change));
    query.done()
}

/// One statement for all of these, which divides by zero, and so undoes itself, unless all is as it is believed to be.
fn together_if(changes: Vec<Rows>, belief: &Belief, beat: Option<Beat>) -> Statement {
    let mut query = Query::new(&Postgres, "");
    let mut compared = None;
    let parts = changes.into_iter().map(Change::Rows).chain(beat.map(Change::Beat));
    for (index, part) in parts.enumerate() {
        query.push(if index == 0 { "WITH " } else { ", " }).push(&format!("change_{index} AS ("));
        let rows = match &part {
            Change::Rows(rows) if rows.seen > 0 => Some(rows.rows.len()),
            _ => None,
        };
        write(&mut query, part);
        if let Some(rows) = rows {
            compared = Some((index, rows));
            query.push(" RETURNING 1");
        }
        query.push(") ");
    }
    query.push("SELECT 1 / (CASE WHEN true");
    if let Some((index, rows)) = compared {
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        query.push(&format!(" AND (SELECT count(*) FROM change_{index}) = ")).int(rows);
    }
    if !belief.workers.is_empty() {
        let workers = belief.workers.iter().copied();
        query
            .push(" AND (SELECT count(*) FROM workers WHERE ")
            .among("id", workers)
            .push(" AND expires_at > ");
        match belief.age {
            Some(age) => query.int(age),
            None => query.push(NOW),
        };
        query.push(") = ").int(i64::try_from(belief.workers.len()).unwrap_or(i64::MAX));
    }
    query.push(" THEN 1 ELSE 0 END)");
    query.done()
}

fn size(cell: &Cell) -> usize {
    match cell {
        Cell::Null | Cell::Int(_) => 8,
        Cell::Text(text) => text.len(),
        Cell::Bytes(bytes) => bytes.len(),
    }
}

fn write(query: &mut Query, part: Change) {
    match part {
        Change::Rows(rows) => change(query, rows),
        Change::Beat(beat) => count_up(query, beat),
    }
}

fn count_up(query: &mut Query, Beat { id, changes }: Beat) {
    query.push("INSERT INTO pulses (id, work, closings, answers, beaten_at) VALUES (");
    match id {
        Some(id) => query.int(id),
        None => query.push("-pg_backend_pid()"),
    };
    changes.iter().for_each(|change| _ = query.push(", ").int(*change));
    query.push(", ").push(NOW).push(
        ") ON CONFLICT (id) DO UPDATE SET work = pulses.work + excluded.work, \
         closings = pulses.closings + excluded.closings, answers = pulses.answers + excluded.answers, \
         beaten_at = excluded.beaten_at",
    );
}

fn of_type(of_type: Type) -> &'static str {
    match of_type {
        Type::Int => "bigint",
        Type::Text => "text",
        Type::Bytes => "bytea",
    }
}

/// Appends a query for rows: an array for each column. Among what is selected, and not in a `FROM`, where the server would
/// first put each column into a store of its own.
fn unnest(query: &mut Query, columns: &[Column], rows: Vec<Vec<Cell>>) {
    let mut arrays: Vec<Vec<Cell>> = columns.iter().map(|_| Vec::with_capacity(rows.len())).collect();
    for row in rows {
        arrays.iter_mut().zip(row).for_each(|(array, cell)| array.push(cell));
    }
    for (index, ((name, kind), array)) in columns.iter().zip(arrays).enumerate() {
        query.push(if index == 0 { "SELECT unnest(" } else { ", unnest(" });
        query
            .bind(Param::Many(*kind, array))
            .push("::")
            .push(of_type(*kind))
            .push("[]) AS \"")
            .push(name)
            .push("\"");
    }
}

fn change(query: &mut Query, rows: Rows) {
    let Rows { table, how, keys, seen, columns, rows } = rows;
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let (_, compared) = names.split_at(names.len() - seen);
    let list = names.join(", ");
    match how {
        How::Insert | How::InsertMissing | How::Upsert => {
            query.push(&format!("INSERT INTO {table} ({list}) "));
            unnest(query, columns, rows);
            match how {
                How::InsertMissing => _ = query.push(" ON CONFLICT DO NOTHING"),
                How::Upsert => {
                    let values = set(&names[keys..], "excluded");
                    let key = names[..keys].join(", ");
                    query.push(&format!(" ON CONFLICT ({key}) DO UPDATE SET {values}"));
                }
                _ => {}
            }
        }
        How::Update => {
            query
                .push(&format!("UPDATE {table} SET {} FROM (", set(&names[keys..names.len() - seen], "new")));
            unnest(query, columns, rows);
            query.push(&format!(") AS new WHERE {}", equal(table, &names[..keys], "new", "=")));
            for name in compared {
                let column = name.trim_start_matches("seen_");
                query.push(&format!(" AND {table}.{column} = new.{name}"));
            }
        }
        How::Delete | How::DeleteUpTo => {
            let last = if how == How::Delete { "=" } else { "<=" };
            query.push(&format!("DELETE FROM {table} USING ("));
            unnest(query, columns, rows);
            query.push(&format!(") AS old WHERE {}", equal(table, &names, "old", last)));
        }
    }
}

fn set(names: &[&str], from: &str) -> String {
    let set: Vec<String> = names.iter().map(|name| format!("{name} = {from}.{name}")).collect();
    set.join(", ")
}

fn equal(table: &str, names: &[&str], with: &str, last: &str) -> String {
    let compare = |(index, name): (usize, &&str)| {
        let operator = if index + 1 == names.len() { last } else { "=" };
        format!("{table}.{name} {operator} {with}.{name}")
    };
    let compared: Vec<String> = names.iter().enumerate().map(compare).collect();
    compared.join(" AND ")
}
