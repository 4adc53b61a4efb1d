//! Durable execution for Rust, embedded in your own program.
//!
//! A workflow is a plain deterministic `async fn`. Every decision that it takes is appended to a history; after a crash,
//! a restart or a move to another machine, the history is told again to the same code, which arrives at the same place
//! and goes on. Activities do the side effects. The history lives in a store: `retell-sqlite`, `retell-memory`, or
//! any other [`Backend`](backend::Backend).
//!
//! ```
//! use std::time::Duration;
//!
//! use retell::prelude::*;
//! use retell_memory::Memory;
//!
//! #[retell::activity]
//! async fn charge(cx: ActivityContext, cents: u64) -> Result<String, ActivityError> {
//!     // Talk to the world here. This runs again if the process dies before its outcome is stored.
//!     Ok(format!("{cents} cents under the key {}", cx.idempotency_key()))
//! }
//!
//! #[retell::workflow]
//! async fn process_order(cx: WorkflowContext, cents: u64) -> WorkflowResult<String> {
//!     let confirmed = retell::select! {
//!         confirmed = cx.signal::<bool>("confirmed") => confirmed?,
//!         waited = cx.sleep(Duration::from_secs(24 * 3_600)) => { waited?; false }
//!     };
//!     if !confirmed {
//!         return Err(WorkflowError::new("nobody confirmed the order"));
//!     }
//!     Ok(cx.activity(charge, &cents).retry(RetryPolicy::exponential().attempts(5)).await?)
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Orchestrator::new(Memory::new()).workflow(process_order).activity(charge).start().await?;
//! let order = engine.start(process_order, "order-42", 1_250).await?;
//! order.signal("confirmed", &true).await?;
//! assert!(order.result().await?.starts_with("1250 cents"));
//! engine.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! - [`guide`]: how to use each ability, a page for each; and what becomes what for those who know another engine.
//! - [`workflow`](mod@workflow): what workflows are written with, and [what they may do](determinism).
//! - [`activity`](mod@activity): side effects, blocking ones too, and what they share.
//! - [`around`]: context that travels with calls, and the user's own code around them.
//! - [`Orchestrator`], [`Engine`], [`client`]: embedding it, starting runs, talking to them.
//! - [`backend`], [`write`](mod@write): for those who write a store. [`replay`], [`history`]: for those who write tools.
//!
//! Workflows are tested with the crate `retell-tester`: in virtual time, with fakes, in every order of what can happen.

pub mod activity;
pub mod around;
pub mod backend;
#[cfg(feature = "worker")]
pub mod client;
pub mod clock;
mod command;
pub mod commit;
pub mod guide;
pub mod history;
#[cfg(feature = "worker")]
pub mod host;
#[cfg(feature = "worker")]
mod orchestrator;
pub mod replay;
pub mod vocabulary;
#[cfg(feature = "worker")]
pub mod worker;
pub mod workflow;
pub mod write;

pub use activity::block_on;
#[cfg(feature = "worker")]
pub use orchestrator::{Engine, Health, Orchestrator, StartupError};
pub use retell_macros::{activity, join, race, select, workflow};

#[doc = include_str!("../docs/determinism.md")]
pub mod determinism {}

/// What most programs import.
pub mod prelude {
    pub use crate::activity::{
        Activity, ActivityContext, ActivityError, ActivityToken, BlockingActivity, NamesActivity,
    };
    #[cfg(feature = "worker")]
    pub use crate::client::{Client, IdConflict, RunHandle};
    pub use crate::vocabulary::{RetryPolicy, Timestamp};
    pub use crate::workflow::{NamesWorkflow, Workflow, WorkflowContext, WorkflowError, WorkflowResult};
    #[cfg(feature = "worker")]
    pub use crate::{Engine, Orchestrator};
}
