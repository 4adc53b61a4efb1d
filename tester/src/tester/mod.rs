//! The tester: a workflow, its activities and its fakes, run on the real engine in virtual time.

mod course;
mod expectations;
mod exploring;
mod inner;
mod outside;
mod plans;
mod run;
mod setup;
mod still;
mod trouble;
mod wire;

use std::fmt;
use std::sync::Arc;

use retell::vocabulary::Timestamp;

pub use run::TestRun;
pub use trouble::Trouble;

use inner::{Inner, lock};

/// When a world begins unless it is told otherwise: the start of 2026.
const BEGINNING: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// The real engine on one thread, in memory, in virtual time.
///
/// Nothing happens but in its calls: [`start`](Self::start), [`result`](TestRun::result), [`advance`](Self::advance)
/// and the like. When nothing can run, time jumps to whatever is next due, so that a year of sleep takes
/// milliseconds; while real code of an activity runs, it stands still.
///
/// A second machine is told each run's history as it grows and must ask for the same things: a workflow that reads the
/// clock, draws lots or walks a hash map fails its first test. Dropping the tester checks that what was expected of its
/// fakes has happened, unless the test has been given some [`Trouble`] as a value.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use retell::prelude::*;
/// use retell_tester::Tester;
///
/// #[retell::activity]
/// async fn charge(_cx: ActivityContext, cents: u64) -> Result<String, ActivityError> {
///     Err(ActivityError::new("Network", "tests have no network"))
/// }
///
/// #[retell::workflow]
/// async fn process_order(cx: WorkflowContext, cents: u64) -> WorkflowResult<String> {
///     let confirmed = retell::select! {
///         confirmed = cx.signal::<bool>("confirmed") => confirmed?,
///         waited = cx.sleep(Duration::from_secs(24 * 3_600)) => { waited?; false }
///     };
///     if !confirmed {
///         return Err(WorkflowError::new("nobody confirmed the order"));
///     }
///     Ok(cx.activity(charge, &cents).await?)
/// }
///
/// let tester = Tester::new().workflow(process_order);
/// tester.fake(charge).returns("receipt".to_owned());
/// let order = tester.start(process_order, "order-42", 1_250);
/// let confirmed = order.clone();
/// tester.after(Duration::from_secs(3_600), move |_| confirmed.signal("confirmed", &true).unwrap());
/// assert_eq!(order.result().unwrap(), "receipt");
/// assert_eq!(tester.calls().names(), ["charge"]);
/// ```
pub struct Tester {
    inner: Arc<Inner>,
    part: Part,
}

/// What a tester is to its world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A test's own: dropping it ends the world, and checks what was expected.
    Test,
    /// An explorer's: dropping it ends the world.
    Schedule,
    /// One more way into the world.
    Another,
}

impl Tester {
    /// A world at the start of 2026, with nothing registered.
    #[must_use]
    pub fn new() -> Self {
        Self::with_seed(0)
    }

    /// As [`new`](Self::new); the seed says which IDs, and so which random numbers, its runs have.
    #[must_use]
    pub fn with_seed(seed: u64) -> Self {
        Self { inner: Arc::new(Inner::new(seed, BEGINNING)), part: Part::Test }
    }

    fn of(inner: Arc<Inner>) -> Self {
        Self { inner, part: Part::Another }
    }

    fn another(&self) -> Self {
        Self::of(self.inner.clone())
    }

    fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }
}

/// In a test, trouble is its failure.
#[track_caller]
fn or_panic<T>(result: Result<T, Trouble>) -> T {
    match result {
        Ok(value) => value,
        Err(trouble) => panic!("{trouble}"),
    }
}

impl Default for Tester {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Tester {
    fn drop(&mut self) {
        if self.part == Part::Another {
            return;
        }
        // Plans and the runs in them hold the world, and the world holds the plans.
        drop(std::mem::take(&mut *lock(&self.inner.plans)));
        if self.part == Part::Schedule || std::thread::panicking() || self.inner.has_told() {
            return;
        }
        if let Err(trouble) = self.check() {
            panic!("{trouble}");
        }
    }
}

impl fmt::Debug for Tester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tester").field("now", &self.now()).finish_non_exhaustive()
    }
}
