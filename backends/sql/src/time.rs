//! The store's time: the server's, or an injected clock's.

use std::sync::Arc;

use retell::clock::Clock;
use retell::vocabulary::Timestamp;

use crate::dialect::{Dialect, Query};
use crate::value::number;

/// Where a store's time comes from.
#[derive(Debug, Clone, Default)]
pub enum Source {
    /// The server's clock: the one that all processes of a store share.
    #[default]
    Server,
    /// An injected clock, shared by all that open the store. For tests.
    Injected(Arc<dyn Clock>),
}

/// An instant, as the store sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Instant {
    /// Wall time.
    pub(crate) now: Timestamp,
    /// What leases and identities run on, in microseconds. Of a server it is wall time too: no server shows another clock
    /// to its clients.
    pub(crate) age: i64,
}

impl Source {
    /// Appends [`Instant::age`], as it is when the statement is done.
    pub(crate) fn push_age(&self, query: &mut Query, dialect: &dyn Dialect) {
        match self {
            Self::Server => query.push(dialect.now()),
            Self::Injected(clock) => query.int(number(clock.elapsed().as_micros())),
        };
    }

    /// The instant that a server told in microseconds, or the injected clock's.
    pub(crate) fn instant(&self, server: i64) -> Instant {
        match self {
            Self::Server => Instant { now: Timestamp::from_micros(server), age: server },
            Self::Injected(clock) => Instant {
                now: clock.now(),
                age: i64::try_from(clock.elapsed().as_micros()).unwrap_or(i64::MAX),
            },
        }
    }
}
