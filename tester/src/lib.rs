//! Tests for Retell workflows: virtual time, fakes, replay in every test, and every order of what can happen.
//!
//! Drives the real engine (its replay machine, its worker, the memory store) on a manual clock and one thread: a
//! workflow that sleeps a year ends in milliseconds, and every test finds out whether its workflow replays.
//!
//! ```
//! use std::time::Duration;
//!
//! use retell::prelude::*;
//! use retell_tester::Tester;
//!
//! #[retell::activity]
//! async fn remind(_cx: ActivityContext, who: String) -> Result<(), ActivityError> {
//!     Err(ActivityError::new("Network", format!("no test sends mail to {who}")))
//! }
//!
//! #[retell::workflow]
//! async fn subscription(cx: WorkflowContext, who: String) -> WorkflowResult<()> {
//!     cx.sleep(Duration::from_secs(365 * 86_400)).await?;
//!     cx.activity(remind, &who).await?;
//!     Ok(())
//! }
//!
//! let tester = Tester::new().workflow(subscription);
//! tester.fake(remind).times(1).returns(());
//! let began = tester.now();
//! tester.start(subscription, "subscription-7", "Ada".to_owned()).result().unwrap();
//! assert_eq!(tester.now(), began + Duration::from_secs(365 * 86_400));
//! assert_eq!(tester.calls().of(remind)[0].input, "Ada");
//! ```
//!
//! The [guide] goes from the first test to the explorer.
//!
//! - [`Tester`]: runs workflows in virtual time; [`Fake`] stands in for an activity, [`Calls`] are what was called.
//! - [`replay`], [`replay_folder!`]: recorded histories against today's code; [`recorded`] reads and writes them.
//! - [`snapshot`]: histories as texts that are the same each time.
//! - [`Explorer`]: every order of what can happen to a workflow, and what must hold in each.

mod explorer;
mod fakes;
mod follower;
pub mod recorded;
pub mod simulation;
pub mod snapshot;
mod tester;
mod world;

pub use explorer::{Ending, Exploration, Explorer, Violation};
pub use fakes::{Call, Calls, Fake, TypedCall};
pub use recorded::{Recorded, replay, try_replay};
pub use tester::{TestRun, Tester, Trouble};

#[doc = include_str!("../docs/guide.md")]
pub mod guide {}
