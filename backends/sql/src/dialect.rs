//! Where the SQL of the servers differs, and the writing of statements over the difference.
//!
//! The statements' texts stand once, in the modules that use them. A dialect writes only what has no common form:
//! placeholders, sets of keys, changes of many rows in one statement.

use std::fmt::Debug;

use crate::value::{Cell, Param, Type};

/// A statement and what stands in its places.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Its text. Equal texts are prepared once for each connection.
    pub text: String,
    /// What its places are given, in order.
    pub params: Vec<Param>,
}

/// A column and its type.
pub type Column = (&'static str, Type);

/// What is done with many rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum How {
    /// They are new.
    Insert,
    /// They are new, unless their keys are there.
    InsertMissing,
    /// They are there, and get these values beside their keys.
    Update,
    /// They get these values, be they there or not.
    Upsert,
    /// They go.
    Delete,
    /// They go, and with them all whose last key is less, the others being equal.
    DeleteUpTo,
}

/// A change of many rows of one table.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// The table.
    pub table: &'static str,
    /// What is done.
    pub how: How,
    /// How many of the columns are the key; they come first.
    pub keys: usize,
    /// How many of the columns, the last ones, an update only compares: named `seen_` and a column, they hold what that is
    /// believed to be, and a row that has come to differ is left alone.
    pub seen: usize,
    /// The columns that each row has a value for.
    pub columns: &'static [Column],
    /// The rows, no two of one key.
    pub rows: Vec<Vec<Cell>>,
}

/// What is noted for other processes: that something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beat {
    /// The row of `pulses`; that of the connection itself if there is none.
    pub id: Option<i64>,
    /// What is added for work, closings and answers.
    pub changes: [i64; 3],
}

/// What must hold for changes that were planned without reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Belief {
    /// Rows of `workers` whose leases must not have run out.
    pub workers: Vec<i64>,
    /// The age at which; the server's time if there is none.
    pub age: Option<i64>,
}

/// What changes many rows in one round trip.
#[derive(Debug, Clone, PartialEq)]
pub enum Trip {
    /// A statement, which is a transaction of its own.
    Statement(Statement),
    /// Statements without parameters, `BEGIN` and `COMMIT` among them: where one fails, the transaction is still open.
    Script(String),
}

/// How one kind of server wants its statements written.
pub trait Dialect: Debug + Send + Sync {
    /// Appends the place of the parameter of this number, counted from 1.
    fn place(&self, text: &mut String, number: usize);

    /// Appends a condition: the columns equal one of these keys, of which there is at least one.
    fn any_of(&self, query: &mut Query, columns: &[Column], keys: Vec<Vec<Cell>>);

    /// Appends a table `found`: the rows of `select` for each of these pairs, at least one. `select` writes a query in
    /// parentheses, given what stands for the pair's halves.
    fn for_each(&self, query: &mut Query, pairs: &[(i64, i64)], select: Select<'_>);

    /// Appends a table `found`: the rows of `select` for each of these owners with each of these kinds, of which there is at
    /// least one. What belongs to nobody may be much and is asked for kind by kind; a server may be asked for all other
    /// owners at once.
    fn for_each_owner(&self, query: &mut Query, owners: &[i64], kinds: &[i64], select: Select<'_>) {
        let pair = |owner: &i64| kinds.iter().map(|kind| (*owner, *kind)).collect::<Vec<_>>();
        let pairs: Vec<_> = owners.iter().flat_map(pair).collect();
        self.for_each(query, &pairs, select);
    }

    /// The statements that do a change, at least one row.
    fn change(&self, rows: Rows) -> Vec<Statement>;

    /// The statements that do all of these changes, and note them if there is a beat, in fewer round trips if the server
    /// can. Only updates may concern the same rows, each other columns of theirs.
    fn change_all(&self, changes: Vec<Rows>, beat: Option<Beat>) -> Vec<Statement> {
        let changes = changes.into_iter().flat_map(|rows| self.change(rows));
        changes.chain(beat.map(|beat| self.beat(beat))).collect()
    }

    /// What does all of these changes and notes them in one round trip, outside of any transaction, or fails and does nothing
    /// at all: because rows are there that are to be new, an update with columns that are only compared does not find all
    /// of its rows as they are believed to be, or a lease has run out. `None` where the server has no such statement, or
    /// these changes do not fit into one.
    fn change_if(&self, _changes: Vec<Rows>, _belief: Belief, _beat: Option<Beat>) -> Option<Trip> {
        None
    }

    /// Whether there is [`change_if`](Self::change_if).
    fn changes_if(&self) -> bool {
        false
    }

    /// A statement that notes on a row of `pulses` that something changed.
    fn beat(&self, beat: Beat) -> Statement;

    /// An expression: wall time in microseconds since 1970, at the moment.
    fn now(&self) -> &'static str;

    /// An expression: which server this is, and, if it tells, which start of it. Signs of life are shown to one.
    fn server(&self) -> &'static str;

    /// A query for the seconds since the server's start, as text in its second column, if [`server`](Self::server) does not tell starts apart.
    fn uptime(&self) -> Option<&'static str>;

    /// Appends an expression: takes the sign of the worker of this row for as long as the session lasts, without waiting; 1 if
    /// it was free.
    fn take_sign(&self, query: &mut Query, row: i64);

    /// Appends an expression: gives that sign back.
    fn free_sign(&self, query: &mut Query, row: i64);

    /// A condition: no session of this server holds the sign of the worker of the row `workers`.
    fn sign_is_free(&self) -> &'static str;

    /// Each entry brings the schema from the version that is its index to the next one.
    fn migrations(&self) -> &'static [&'static str];

    /// A query that takes the lock under which a schema is changed, held until the transaction's or the connection's end.
    fn lock_schema(&self) -> &'static str;

    /// A query that gives that lock back, if the transaction's end does not.
    fn unlock_schema(&self) -> Option<&'static str>;

    /// The beginning of a query that counts the tables of a name in the schema that is used; the name follows.
    fn count_tables(&self) -> &'static str;

    /// A query of one row of four texts: which server this is, and which database of it, as far as no transaction goes beyond
    /// that; the schema that unqualified names mean; what [`leave_schema`](Self::leave_schema) needs; and, where a session can
    /// set it, how durable commits are.
    fn whereabouts(&self) -> &'static str;

    /// A statement after which unqualified names mean this schema, for as long as the transaction lasts.
    fn enter_schema(&self, schema: &str) -> String;

    /// A statement after which they mean again what they meant.
    fn leave_schema(&self, path: &str) -> String;

    /// The most bytes of values in one statement, about.
    fn bytes_max(&self) -> usize {
        64 << 20
    }
}

/// Writes the query of [`Dialect::for_each`] or [`Dialect::for_each_owner`]: into this, for the halves of a pair.
pub type Select<'a> = &'a dyn Fn(&mut Query, &Operand, &Operand);

/// What a column is to equal.
#[derive(Debug, Clone)]
pub enum Operand {
    /// A column.
    Column(&'static str),
    /// A value.
    Value(i64),
    /// Any of these values, at least one.
    Among(Vec<i64>),
}

/// A statement that is being written.
#[derive(Debug)]
pub struct Query {
    dialect: &'static dyn Dialect,
    text: String,
    params: Vec<Param>,
}

impl Query {
    /// Begins with this text.
    pub fn new(dialect: &'static dyn Dialect, text: &str) -> Self {
        Self { dialect, text: text.to_owned(), params: Vec::new() }
    }

    /// Appends text.
    pub fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Appends a place, and what stands in it.
    pub fn bind(&mut self, param: Param) -> &mut Self {
        self.params.push(param);
        self.dialect.place(&mut self.text, self.params.len());
        self
    }

    /// Appends a place for a number.
    pub fn int(&mut self, number: i64) -> &mut Self {
        self.bind(Param::One(Type::Int, Cell::Int(number)))
    }

    /// Appends a place for text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bind(Param::One(Type::Text, text.into()))
    }

    /// Appends a place for bytes.
    pub fn bytes(&mut self, bytes: impl Into<Cell>) -> &mut Self {
        self.bind(Param::One(Type::Bytes, bytes.into()))
    }

    /// Appends half of a pair of [`for_each`](Self::for_each); of several values, the first.
    pub fn operand(&mut self, operand: &Operand) -> &mut Self {
        match operand {
            Operand::Column(name) => self.push(name),
            Operand::Value(number) => self.int(*number),
            Operand::Among(numbers) => self.int(numbers.first().copied().unwrap_or_default()),
        }
    }

    /// Appends a condition: the column equals this.
    pub fn equals(&mut self, column: &'static str, operand: &Operand) -> &mut Self {
        match operand {
            Operand::Column(name) => self.push(column).push(" = ").push(name),
            Operand::Value(number) => self.push(column).push(" = ").int(*number),
            Operand::Among(numbers) => self.among(column, numbers.iter().copied()),
        }
    }

    /// Appends a condition: the columns equal one of these keys. Of no keys, it is never met.
    pub fn any_of(&mut self, columns: &[Column], keys: Vec<Vec<Cell>>) -> &mut Self {
        if keys.is_empty() {
            return self.push("1 = 0");
        }
        let dialect = self.dialect;
        dialect.any_of(self, columns, keys);
        self
    }

    /// Appends a condition: the column is one of these numbers.
    pub fn among(&mut self, column: &'static str, numbers: impl IntoIterator<Item = i64>) -> &mut Self {
        let keys = numbers.into_iter().map(|number| vec![Cell::Int(number)]).collect();
        self.any_of(&[(column, Type::Int)], keys)
    }

    /// Appends the table of [`Dialect::for_each`].
    pub fn for_each(&mut self, pairs: &[(i64, i64)], select: Select<'_>) -> &mut Self {
        let dialect = self.dialect;
        dialect.for_each(self, pairs, select);
        self
    }

    /// Appends [`Dialect::for_each_owner`].
    pub fn for_each_owner(&mut self, owners: &[i64], kinds: &[i64], select: Select<'_>) -> &mut Self {
        let dialect = self.dialect;
        dialect.for_each_owner(self, owners, kinds, select);
        self
    }

    /// How many places it has.
    #[must_use]
    pub fn places(&self) -> usize {
        self.params.len()
    }

    /// The statement.
    #[must_use]
    pub fn done(&mut self) -> Statement {
        Statement { text: std::mem::take(&mut self.text), params: std::mem::take(&mut self.params) }
    }
}
