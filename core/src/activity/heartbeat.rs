//! Heartbeats: an attempt says that it is alive, and how far it is.
//!
//! What is persisted: the last details, on the call's row in the queue, now and then; never in history, so that replay
//! knows nothing of them. The next attempt is given them. A call without a row gets one with its first heartbeat.

use std::any::Any;
use std::fmt;

use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ActivityContext, ActivityError, ActivityInfo, ActivityToken};
use crate::vocabulary::Payload;

/// Where what an attempt says of itself goes: its worker.
pub(crate) trait Outlet: fmt::Debug + Any + Send + Sync {
    /// Hears that an attempt is alive. Does not block.
    fn beat(&self, info: &ActivityInfo, details: Payload);

    /// The token of an attempt, whose call has a row when this resolves; `None` if it is no longer wanted.
    fn token(&self, info: ActivityInfo) -> BoxFuture<'_, Option<ActivityToken>>;
}

impl ActivityContext {
    /// Says that this attempt is alive, and how far it is: what the next attempt finds in
    /// [`heartbeat_details`](Self::heartbeat_details) if this one fails or dies.
    ///
    /// From async and blocking code alike; cheap and never waiting. The first goes to the store at once, the latest of
    /// those that follow a few times in each heartbeat timeout. Under a heartbeat timeout, silence for so long ends the
    /// attempt. What the store answers reaches the body as [`cancelled`](Self::cancelled): an attempt that is no longer
    /// wanted hears of it, on whichever worker it runs.
    ///
    /// # Errors
    /// `PayloadError`, not retryable, if the details do not encode.
    pub fn heartbeat<T: Serialize + ?Sized>(&self, details: &T) -> Result<(), ActivityError> {
        let details = Payload::encode(details).map_err(|error| ActivityError::payload(&error))?;
        if let Some(outlet) = self.outlet() {
            outlet.beat(self.info(), details);
        }
        Ok(())
    }

    /// What an earlier attempt of this call said last with [`heartbeat`](Self::heartbeat); `None` if none said anything.
    ///
    /// # Errors
    /// `PayloadError`, not retryable, if it is no `T`.
    pub fn heartbeat_details<T: DeserializeOwned>(&self) -> Result<Option<T>, ActivityError> {
        let details = self.info().heartbeat_details.as_ref();
        details.map(Payload::decode).transpose().map_err(|error| ActivityError::payload(&error))
    }
}
