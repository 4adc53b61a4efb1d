//! Attributes as a table keeps them: each value by its type, so that values of one type compare as they should.

use retell::backend::{AttributeFilter, AttributeMatch};
use retell::vocabulary::{AttributeValue, Attributes};
use rusqlite::types::Value;
use rusqlite::{Error, Result, params};

use crate::writer::transaction::Transaction;

impl Transaction<'_> {
    /// Makes a run found by these; it is found by none yet.
    pub(crate) fn index_attributes(&self, run: i64, namespace: i64, attributes: &Attributes) -> Result<()> {
        for (name, value) in attributes {
            let (kind, value) = stored(value)?;
            self.statement(
                "INSERT INTO attributes (namespace, name, type, value, run) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![namespace, name.as_ref(), kind, value, run])?;
        }
        Ok(())
    }
}

/// The number of a value's type, and the value.
fn stored(value: &AttributeValue) -> Result<(i64, Value)> {
    Ok(match value {
        AttributeValue::Text(text) => (1, Value::Text(text.to_string())),
        AttributeValue::Integer(number) => (2, Value::Integer(*number)),
        AttributeValue::Float(number) => (3, Value::Real(*number)),
        AttributeValue::Bool(yes) => (4, Value::Integer(i64::from(*yes))),
        AttributeValue::Time(at) => (5, Value::Integer(at.as_micros())),
        unknown => {
            let reason = format!("the attribute {unknown:?} is of a type that this schema does not know");
            return Err(Error::ToSqlConversionFailure(reason.into()));
        }
    })
}

/// A condition on runs, and what its parameters from `first` on stand for.
pub(crate) fn condition(filter: &AttributeFilter, first: usize) -> Result<(String, [Value; 3])> {
    let (compares, wanted) = match &filter.value {
        AttributeMatch::Is(wanted) => ("=", wanted),
        AttributeMatch::AtLeast(wanted) => (">=", wanted),
        AttributeMatch::AtMost(wanted) => ("<=", wanted),
    };
    let (kind, value) = stored(wanted)?;
    let [name, of_type, value_at] = [first, first + 1, first + 2];
    let condition = format!(
        "runs.id IN (SELECT run FROM attributes WHERE namespace = ?1 AND name = ?{name} AND type = ?{of_type} \
         AND value {compares} ?{value_at})"
    );
    Ok((condition, [Value::Text(filter.name.to_string()), Value::Integer(kind), value]))
}
