//! What the SQL server stores of Retell share, written once: the planning of batches, claims, reads, group commit,
//! migrations, and the texts of all statements.
//!
//! A store on a server brings a [`Driver`], which knows connections, and a [`Dialect`], which knows where its SQL
//! differs; [`Store`] is the rest. No driver is named here. Imports the seam and nothing above.
//!
//! On the road of a decision: a batch comes to a *lane*, is read under locks (`batch`), planned in memory (`plan`), and
//! written in a few statements of many rows.

mod attribute;
mod batch;
mod claim;
mod dialect;
mod fault;
mod gather;
mod joined;
mod lane;
mod lease;
mod names;
mod plan;
mod pulse;
mod read;
mod remembered;
mod schema;
mod session;
mod signs;
mod store;
mod sweep;
mod table;
mod time;
mod value;

pub use dialect::{Beat, Belief, Column, Dialect, How, Operand, Query, Rows, Select, Statement, Trip};
pub use fault::{Fault, FaultKind};
pub use session::{Driver, Session};
pub use store::{Settings, Store};
pub use time::Source;
pub use value::{Cell, Param, Row, Type};
