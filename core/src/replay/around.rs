//! What stands around a run's code: told of what comes in and of what goes out, and free to change it on the way.
//!
//! Given by a [`Definition`](super::Definition) at the launch; so every driver of the machine has it, the replay check
//! too. Called while the machine polls the code, or asks it, and never under the lock of its state. `workflow` puts the
//! user's interceptors in here.

use futures::future::BoxFuture;

use super::state::{Manner, Request};
use super::world::World;
use crate::history::{SignalReceived, UpdateRequested};
use crate::vocabulary::{Failure, Headers, Payload, QueryName};

/// See the [module](self). All of it is part of the code, and as deterministic.
pub(crate) trait Around: Send + Sync + 'static {
    /// A call is about to be made.
    fn outbound(&self, world: &World, manner: &Manner, request: &mut Request);

    /// The code takes a signal.
    fn signal(&self, world: &World, signal: &SignalReceived);

    /// Whether an update may go to its validator.
    fn admit_update(&self, world: &World, update: &UpdateRequested) -> Result<(), Box<Failure>>;

    /// An update was let in, and its handler is about to run.
    fn update(
        &self,
        world: &World,
        update: &UpdateRequested,
        handler: BoxFuture<'static, Result<Payload, Failure>>,
    ) -> BoxFuture<'static, Result<Payload, Failure>>;

    /// Whether a query may go to its handler.
    fn admit_query(
        &self,
        query: &QueryName,
        argument: &Payload,
        headers: &Headers,
    ) -> Result<(), Box<Failure>>;
}
