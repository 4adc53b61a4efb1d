//! What is to become of the traffic, and which connections there are.

use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::Duration;

/// How all connections are treated.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    pub(super) refused: bool,
    pub(super) held: bool,
    pub(super) late_by: Duration,
}

/// The request at which a connection is cut.
#[derive(Debug)]
pub(super) enum Which {
    /// So many from now.
    Nth(u32),
    Holding(Vec<u8>),
}

/// Whether the request is lost, or its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    After,
}

/// Shared by a proxy and the threads of its connections.
#[derive(Debug, Default)]
pub(super) struct Plan {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    traffic: Traffic,
    ended: bool,
    named: u64,
    cuts: Vec<(u64, Which, Side)>,
    /// Of cuts that have been made: the connection is closed.
    made: Vec<u64>,
    /// The ends of each open connection.
    open: HashMap<u64, Vec<TcpStream>>,
}

impl Plan {
    pub(super) fn add(self: &Arc<Self>, which: Which, side: Side) -> Cut {
        let mut state = self.state();
        let id = state.name();
        state.cuts.push((id, which, side));
        Cut { plan: Arc::clone(self), id }
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Traffic)) {
        change(&mut self.state().traffic);
        self.changed.notify_all();
    }

    pub(super) fn close_all(&self) {
        let open = std::mem::take(&mut self.state().open);
        open.values().flatten().for_each(close);
        self.changed.notify_all();
    }

    pub(super) fn end(&self) {
        self.state().ended = true;
        self.close_all();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state().ended
    }

    /// Takes a new connection in by its client's end, unless it is to be refused.
    pub(super) fn open(&self, client: TcpStream) -> Option<u64> {
        let mut state = self.state();
        if state.traffic.refused || state.ended {
            return None;
        }
        let id = state.name();
        state.open.insert(id, vec![client]);
        Some(id)
    }

    /// Adds the server's end. `false` if the connection was closed in the meantime.
    pub(super) fn join(&self, connection: u64, server: TcpStream) -> bool {
        self.state().open.get_mut(&connection).map(|ends| ends.push(server)).is_some()
    }

    /// Closes both ends; whoever waits for them finds that out.
    pub(super) fn close(&self, connection: u64) {
        let ends = self.state().open.remove(&connection);
        ends.iter().flatten().for_each(close);
        self.changed.notify_all();
    }

    /// Waits for as long as the traffic is held or late. `false` if the connection was closed.
    pub(super) fn pass(&self, connection: u64) -> bool {
        let mut state = self.state();
        while state.traffic.held && state.open.contains_key(&connection) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let late_by = state.traffic.late_by;
        drop(state);
        sleep(late_by);
        self.state().open.contains_key(&connection)
    }

    /// Whether a connection is to be cut at these bytes of a client; `begins` if a new request begins with them.
    /// `tail` are the bytes before them, as far as a cut may look back.
    pub(super) fn meet(&self, bytes: &[u8], tail: &mut Vec<u8>, begins: bool) -> Option<(u64, Side)> {
        let mut state = self.state();
        tail.extend_from_slice(bytes);
        let is_met = |which: &mut Which| match which {
            Which::Nth(n) if begins => {
                *n = n.saturating_sub(1);
                *n == 0
            }
            Which::Nth(_) => false,
            Which::Holding(wanted) => tail.windows(wanted.len().max(1)).any(|part| part == wanted.as_slice()),
        };
        let met = state.cuts.iter_mut().map(|(_, which, _)| is_met(which)).collect::<Vec<_>>();
        let first = met.iter().position(|met| *met);
        let longest = state.cuts.iter().map(|(_, which, _)| which.reach()).max().unwrap_or(0);
        tail.drain(..tail.len().saturating_sub(longest));
        let (id, _, side) = state.cuts.remove(first?);
        Some((id, side))
    }

    /// A cut has been made.
    pub(super) fn made(&self, cut: u64) {
        self.state().made.push(cut);
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn name(&mut self) -> u64 {
        self.named += 1;
        self.named
    }
}

impl Which {
    /// How many bytes of earlier packets it must see again.
    fn reach(&self) -> usize {
        match self {
            Self::Nth(_) => 0,
            Self::Holding(wanted) => wanted.len().saturating_sub(1),
        }
    }
}

fn close(end: &TcpStream) {
    // It may be closed already.
    let _ = end.shutdown(Shutdown::Both);
}

/// A cut that was asked for. Dropping it changes nothing.
#[derive(Debug, Clone)]
pub struct Cut {
    plan: Arc<Plan>,
    id: u64,
}

impl Cut {
    /// Whether the connection has been cut.
    #[must_use]
    pub fn is_made(&self) -> bool {
        self.plan.state().made.contains(&self.id)
    }

    /// Blocks until the connection has been cut, up to a limit. `false` if it was not.
    #[must_use]
    pub fn wait(&self, limit: Duration) -> bool {
        let state = self.plan.state();
        let waited =
            self.plan.changed.wait_timeout_while(state, limit, |state| !state.made.contains(&self.id));
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Takes it back if it has not been met.
    pub fn call_off(&self) {
        self.plan.state().cuts.retain(|(id, ..)| *id != self.id);
    }
}
