//! Statements as MySQL and MariaDB want them, in the SQL that both know.
//!
//! There are no arrays: sets of keys and rows are written out. So that few texts are prepared, sets are filled up to a
//! power of two by their last key, and rows go in portions of a few sizes.

use retell_sql::{
    Beat, Belief, Cell, Column, Dialect, How, Operand, Param, Query, Rows, Select, Statement, Trip,
};

use crate::script::Script;

/// The SQL of MySQL and MariaDB.
#[derive(Debug)]
pub(crate) struct MySql;

/// Microseconds since 1970 at the statement's beginning. The session's time zone is UTC.
const NOW: &str = "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)";

/// Up to so many rows go in one statement whatever their number; beyond, in portions of this times a power of two.
const ROWS_ANY: usize = 16;
/// The most rows of one statement.
const ROWS_MAX: usize = 512;

/// The only error that an expression can be made to raise, and that is of no statement otherwise.
const FAILS: &str = "(SELECT 1 UNION ALL SELECT 2)";

/// How long the server has been up, as both servers tell it.
const UPTIME: &str = "SHOW GLOBAL STATUS LIKE 'Uptime'";

impl Dialect for MySql {
    fn place(&self, text: &mut String, _number: usize) {
        text.push('?');
    }

    fn any_of(&self, query: &mut Query, columns: &[Column], keys: Vec<Vec<Cell>>) {
        let keys = filled(keys);
        if let [(name, of_type)] = columns {
            query.push(name).push(" IN (");
            for (index, cell) in keys.into_iter().flatten().enumerate() {
                query.push(if index == 0 { "" } else { ", " }).bind(Param::One(*of_type, cell));
            }
            query.push(")");
        } else {
            among(query, columns, keys);
        }
    }

    fn for_each(&self, query: &mut Query, pairs: &[(i64, i64)], select: Select<'_>) {
        // A pair that is asked for twice finds the same again.
        let pairs = filled(pairs.to_vec());
        query.push("(");
        for (index, (one, other)) in pairs.into_iter().enumerate() {
            query.push(if index == 0 { "" } else { " UNION ALL " });
            select(query, &Operand::Value(one), &Operand::Value(other));
        }
        query.push(") AS found");
    }

    fn for_each_owner(&self, query: &mut Query, owners: &[i64], kinds: &[i64], select: Select<'_>) {
        let (nobody, others): (Vec<i64>, Vec<i64>) = owners.iter().partition(|owner| **owner == 0);
        let nobody = nobody.first().map(|owner| Operand::Value(*owner));
        // One query for each of many owners takes the server longer to read than to answer.
        let others = (!others.is_empty()).then_some(Operand::Among(others));
        query.push("(");
        // A kind that is asked for twice finds the same again.
        let kinds = filled(kinds.to_vec()).into_iter().map(Operand::Value);
        for (index, kind) in kinds.enumerate() {
            for (nth, owner) in nobody.iter().chain(&others).enumerate() {
                query.push(if index + nth == 0 { "" } else { " UNION ALL " });
                select(query, owner, &kind);
            }
        }
        query.push(") AS found");
    }

    fn change(&self, mut rows: Rows) -> Vec<Statement> {
        let mut statements = Vec::new();
        while !rows.rows.is_empty() {
            let rest = rows.rows.split_off(portion(rows.rows.len()));
            let values = std::mem::replace(&mut rows.rows, rest);
            let is_set = matches!(rows.how, How::Delete | How::DeleteUpTo);
            statements.push(change(&rows, if is_set { filled(values) } else { values }));
        }
        statements
    }

    fn change_if(&self, changes: Vec<Rows>, belief: Belief, beat: Option<Beat>) -> Option<Trip> {
        let mut script = Script::new(self.bytes_max());
        script.push("BEGIN");
        // All transactions lock workflow IDs before runs; and what is believed is looked at under the locks of both.
        let (ids, changes): (Vec<_>, Vec<_>) = changes.into_iter().partition(|rows| rows.table == "ids");
        ids.iter().map(whole).for_each(|statement| script.add(statement));
        let (believed, changes): (Vec<_>, Vec<_>) = changes.into_iter().partition(|rows| rows.seen > 0);
        believe(&mut script, believed.first(), belief);
        let changes = changes.iter().map(whole);
        changes.chain(beat.map(|beat| self.beat(beat))).for_each(|statement| script.add(statement));
        script.push("COMMIT");
        script.done().map(Trip::Script)
    }

    fn changes_if(&self) -> bool {
        true
    }

    fn beat(&self, Beat { id, changes }: Beat) -> Statement {
        let mut query =
            Query::new(&Self, "INSERT INTO pulses (id, work, closings, answers, beaten_at) VALUES (");
        match id {
            Some(id) => query.int(id),
            None => query.push("-CAST(CONNECTION_ID() AS SIGNED)"),
        };
        changes.iter().for_each(|change| _ = query.push(", ").int(*change));
        query.push(", ").push(NOW).push(
            ") ON DUPLICATE KEY UPDATE work = work + VALUES(work), closings = closings + VALUES(closings), \
             answers = answers + VALUES(answers), beaten_at = VALUES(beaten_at)",
        );
        query.done()
    }

    fn now(&self) -> &'static str {
        NOW
    }

    fn server(&self) -> &'static str {
        "CAST(CONCAT(@@hostname, ':', @@port, ':', @@server_id) AS BINARY)"
    }

    fn uptime(&self) -> Option<&'static str> {
        Some(UPTIME)
    }

    fn take_sign(&self, query: &mut Query, row: i64) {
        query
            .push("GET_LOCK(CONCAT('retell:w:', LEFT(SHA2(DATABASE(), 256), 32), ':', ")
            .int(row)
            .push("), 0)");
    }

    fn free_sign(&self, query: &mut Query, row: i64) {
        query
            .push("RELEASE_LOCK(CONCAT('retell:w:', LEFT(SHA2(DATABASE(), 256), 32), ':', ")
            .int(row)
            .push("))");
    }

    fn sign_is_free(&self) -> &'static str {
        "IS_FREE_LOCK(CONCAT('retell:w:', LEFT(SHA2(DATABASE(), 256), 32), ':', workers.id)) = 1"
    }

    fn migrations(&self) -> &'static [&'static str] {
        &[include_str!("schema.sql"), include_str!("schema_2.sql"), include_str!("schema_3.sql")]
    }

    fn lock_schema(&self) -> &'static str {
        "SELECT GET_LOCK(CONCAT('retell:', LEFT(SHA2(DATABASE(), 256), 32)), 60)"
    }

    fn unlock_schema(&self) -> Option<&'static str> {
        Some("SELECT RELEASE_LOCK(CONCAT('retell:', LEFT(SHA2(DATABASE(), 256), 32)))")
    }

    fn count_tables(&self) -> &'static str {
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = "
    }

    fn whereabouts(&self) -> &'static str {
        // A transaction may go through several databases of a server; servers are told apart by where they run.
        "SELECT CONCAT(@@hostname, ':', @@port, ' ', @@datadir), DATABASE(), DATABASE(), ''"
    }

    fn enter_schema(&self, schema: &str) -> String {
        format!("USE `{}`", schema.replace('`', "``"))
    }

    fn leave_schema(&self, path: &str) -> String {
        // There is no way back to no database at all.
        if path.is_empty() { "DO 0".to_owned() } else { self.enter_schema(path) }
    }

    fn bytes_max(&self) -> usize {
        // Far enough below the least `max_allowed_packet` that the largest single row finds room beside it.
        4 << 20
    }
}

/// Changes the runs that are to be as they were left, each as it comes under its lock, and fails unless they all are and
/// the leases last.
///
/// A row's new values and those that it is believed to have go together, and are compared and set in one: each statement
/// more costs the server more than the rows in it. Columns of which all rows want the same are said once.
fn believe(script: &mut Script, changes: Option<&Rows>, belief: Belief) {
    if let Some(rows) = changes {
        script.add(change_believed(rows));
    }
    let mut query = Query::new(&MySql, "SET @retell_found = IF(");
    match changes.map(|rows| rows.rows.len()) {
        // A row that was there and was changed counts twice; one that was not there, and now is, once.
        Some(wanted) => query.push("ROW_COUNT() = ").int(i64::try_from(2 * wanted).unwrap_or(i64::MAX)),
        None => query.push("TRUE"),
    };
    if !belief.workers.is_empty() {
        let workers = i64::try_from(belief.workers.len()).unwrap_or(i64::MAX);
        query.push(" AND (SELECT count(*) FROM workers WHERE ").among("id", belief.workers);
        query.push(" AND expires_at > ");
        match belief.age {
            Some(age) => query.int(age),
            None => query.push(NOW),
        };
        query.push(") = ").int(workers);
    }
    script.add(query.push(", 0, ").push(FAILS).push(")").done());
}

/// An insert of rows that are all there, which each get their values if they are as they were seen.
fn change_believed(rows: &Rows) -> Statement {
    let compared = rows.columns.len() - rows.seen;
    let is_one = |index: &usize| rows.rows.windows(2).all(|pair| pair[0][*index] == pair[1][*index]);
    let (same, own): (Vec<usize>, Vec<usize>) = (rows.keys..rows.columns.len()).partition(is_one);
    let given: Vec<usize> = (0..rows.keys).chain(own).collect();
    let values = rows.rows.iter().map(|row| given.iter().map(|index| row[*index].clone()).collect());
    let columns: Vec<Column> = given.iter().map(|index| rows.columns[*index]).collect();
    let mut query = Query::new(&MySql, "");
    insert(&mut query, rows.table, &columns, values.collect());
    query.push(" ON DUPLICATE KEY UPDATE ");
    let wanted = |query: &mut Query, index: usize| {
        let (name, of_type) = rows.columns[index];
        match rows.rows.first().filter(|_| same.contains(&index)) {
            Some(row) => query.bind(Param::One(of_type, row[index].clone())),
            None => query.push("VALUES(").push(name).push(")"),
        };
    };
    // What is set first is set while all else still is as it was.
    for index in rows.keys..compared {
        query.push(if index == rows.keys { "" } else { ", " }).push(rows.columns[index].0).push(" = ");
        if index > rows.keys {
            wanted(&mut query, index);
            continue;
        }
        query.push("IF(");
        for seen in compared..rows.columns.len() {
            query.push(if seen == compared { "" } else { " AND " });
            query.push(rows.columns[seen].0.trim_start_matches("seen_")).push(" = ");
            wanted(&mut query, seen);
        }
        query.push(", ");
        wanted(&mut query, index);
        query.push(", ").push(FAILS).push(")");
    }
    query.done()
}

/// Fills up to a power of two with the last one.
fn filled<T: Clone>(mut keys: Vec<T>) -> Vec<T> {
    if let Some(last) = keys.last().cloned() {
        keys.resize(keys.len().next_power_of_two(), last);
    }
    keys
}

/// How many of so many rows go in the next statement.
fn portion(rows: usize) -> usize {
    if rows <= ROWS_ANY {
        return rows;
    }
    let size = (rows / ROWS_ANY).next_power_of_two() * ROWS_ANY;
    let size = if size > rows { size / 2 } else { size };
    size.min(ROWS_MAX)
}

/// Rows as values: of many alternatives that begin alike, MariaDB reads, and locks, all that begins so; and of one row as a
/// value, a deletion reads, and locks, all there are.
fn among(query: &mut Query, columns: &[Column], keys: Vec<Vec<Cell>>) {
    if keys.len() == 1 {
        alternatives(query, columns, keys, "=");
        return;
    }
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    query.push(&format!("({}) IN (", names.join(", ")));
    for (index, key) in keys.into_iter().enumerate() {
        query.push(if index == 0 { "(" } else { ", (" });
        for (index, ((_, of_type), cell)) in columns.iter().zip(key).enumerate() {
            query.push(if index == 0 { "" } else { ", " }).bind(Param::One(*of_type, cell));
        }
        query.push(")");
    }
    query.push(")");
}

/// The keys one by one, compared so by their last column.
fn alternatives(query: &mut Query, columns: &[Column], keys: Vec<Vec<Cell>>, last: &str) {
    for (index, key) in keys.into_iter().enumerate() {
        query.push(if index == 0 { "(" } else { " OR (" });
        for (index, ((name, of_type), cell)) in columns.iter().zip(key).enumerate() {
            let operator = if index + 1 == columns.len() { last } else { "=" };
            query.push(if index == 0 { "" } else { " AND " });
            query.push(name).push(" ").push(operator).push(" ").bind(Param::One(*of_type, cell));
        }
        query.push(")");
    }
}

/// A change in one statement, however many rows it has: for texts that are not prepared.
fn whole(rows: &Rows) -> Statement {
    change(rows, rows.rows.clone())
}

fn change(rows: &Rows, values: Vec<Vec<Cell>>) -> Statement {
    let Rows { table, how, keys, columns, .. } = rows;
    let mut query = Query::new(&MySql, "");
    match how {
        How::Delete => {
            query.push(&format!("DELETE FROM {table} WHERE "));
            among(&mut query, columns, values);
            return query.done();
        }
        How::DeleteUpTo => {
            query.push(&format!("DELETE FROM {table} WHERE "));
            alternatives(&mut query, columns, values, "<=");
            return query.done();
        }
        How::Insert | How::InsertMissing | How::Update | How::Upsert => {}
    }
    insert(&mut query, table, columns, values);
    match how {
        // Locks the row as an update does: a shared lock that is raised later invites a deadlock.
        How::InsertMissing => {
            query.push(&format!(" ON DUPLICATE KEY UPDATE {0} = {0}", columns[0].0));
        }
        // There is no update of many rows by many values; an insert that meets its row is one.
        How::Update | How::Upsert => {
            let set: Vec<String> =
                columns[*keys..].iter().map(|(name, _)| format!("{name} = VALUES({name})")).collect();
            query.push(" ON DUPLICATE KEY UPDATE ").push(&set.join(", "));
        }
        How::Insert | How::Delete | How::DeleteUpTo => {}
    }
    query.done()
}

fn insert(query: &mut Query, table: &str, columns: &[Column], values: Vec<Vec<Cell>>) {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    query.push(&format!("INSERT INTO {table} ({}) VALUES ", names.join(", ")));
    for (index, row) in values.into_iter().enumerate() {
        query.push(if index == 0 { "(" } else { ", (" });
        for (index, ((_, of_type), cell)) in columns.iter().zip(row).enumerate() {
            query.push(if index == 0 { "" } else { ", " }).bind(Param::One(*of_type, cell));
        }
        query.push(")");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retell_sql::Type;

    #[test]
    fn rows_go_in_portions_of_a_few_sizes() {
        assert_eq!([1, 16, 17, 31, 32, 100, 5_000].map(portion), [1, 16, 16, 16, 32, 64, 512]);
    }

    #[test]
    fn what_all_runs_want_is_said_once_and_compared_before_anything_is_set() {
        let columns = &[
            ("id", Type::Int),
            ("status", Type::Int),
            ("head", Type::Int),
            ("seen_status", Type::Int),
            ("seen_head", Type::Int),
        ];
        let run = |row: [i64; 5]| row.map(Cell::Int).to_vec();
        let check = |rows: Vec<Vec<Cell>>| {
            let (table, how) = ("runs", How::Update);
            change_believed(&Rows { table, how, keys: 1, seen: 2, columns, rows }).text
        };
        assert_eq!(
            check(vec![run([7, 0, 5, 0, 3]), run([8, 0, 6, 0, 4])]),
            "INSERT INTO runs (id, head, seen_head) VALUES (?, ?, ?), (?, ?, ?) ON DUPLICATE KEY UPDATE \
             status = IF(status = ? AND head = VALUES(seen_head), ?, (SELECT 1 UNION ALL SELECT 2)), \
             head = VALUES(head)"
        );
        assert_eq!(
            check(vec![run([7, 1, 5, 0, 3])]),
            "INSERT INTO runs (id) VALUES (?) ON DUPLICATE KEY UPDATE \
             status = IF(status = ? AND head = ?, ?, (SELECT 1 UNION ALL SELECT 2)), head = ?"
        );
    }

    #[test]
    fn sets_are_filled_up_with_what_they_hold() {
        assert_eq!(filled(vec![1, 2, 3]), [1, 2, 3, 3]);
        assert_eq!(filled(Vec::<i64>::new()), []);
    }
}
