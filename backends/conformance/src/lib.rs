//! The one suite that every store passes: the promises H1 to H15 as far as they concern a store, one case each.
//!
//! For the author of a store: implement [`StoreUnderTest`], and write one line in an integration test.
//!
//! ```ignore
//! async fn create(clock: ManualClock) -> Scratch { /* an empty store that lives on `clock` */ }
//!
//! retell_conformance::suite!(create);
//! ```
//!
//! That makes one `#[test]` of each case of [`cases`]. Every case has a store of its own and moves its own clock.
//! `differential::random_writes_match_the_model` draws its operations from a seed, which a failure prints and the
//! environment variable `RETELL_SEED` sets.

#![expect(clippy::unwrap_used, reason = "all of this crate is tests; what fails must panic")]

pub mod cases;
pub mod engine;
pub mod load;
mod world;

use std::fs::File;
use std::future::Future;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use retell::backend::{Backend, StoreError};
use retell::clock::ManualClock;

pub use world::World;

/// The variable that names a file for the names of cases that pass.
const PASSED: &str = "RETELL_SUITE_PASSED";
/// How long a case may take before it counts as hung.
const CASE_TIME_MAX: Duration = Duration::from_secs(60);

/// An empty store of its author's kind, for one case: a file in a fresh directory, a schema, a key prefix.
///
/// Made by the function that [`suite!`] names; takes its time from the clock that it was given; cleans up when dropped.
#[async_trait]
pub trait StoreUnderTest: Send + Sync + 'static {
    /// Opens the store as one more process would: the handles share nothing but what is stored.
    ///
    /// A case restarts a store by dropping all handles and opening it again. What a process holds by being alive, such
    /// as locks that show that a worker lives, belongs to the handle and goes with it.
    async fn open(&self) -> Result<Arc<dyn Backend>, StoreError>;
}

/// Runs one case on a fresh store. Called by the tests that [`suite!`] makes.
#[doc(hidden)]
pub fn run<S, C, K>(create: impl FnOnce(ManualClock) -> C, case: impl FnOnce(World) -> K)
where
    S: StoreUnderTest,
    C: Future<Output = S>,
    K: Future<Output = ()>,
{
    within(CASE_TIME_MAX, async {
        let clock = world::clock();
        let subject = create(clock.clone()).await;
        case(World::open(Arc::new(subject), clock).await).await;
    });
}

/// Runs a case to its end on a runtime of its own; fails it if it takes longer than this.
fn within(limit: Duration, case: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a test machine can start two threads");
    runtime.block_on(async { tokio::time::timeout(limit, case).await.expect("the case hangs") });
    // A case that leaves a body blocked is a case that has failed.
    runtime.shutdown_background();
    note_passed();
}

/// Adds the case to the file that the environment names, if it names one: its package, its program and its own name. For a
/// table of what passed on which store.
fn note_passed() {
    let Some(path) = std::env::var_os(PASSED) else { return };
    let program = std::env::current_exe().unwrap_or_default();
    let program = program.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let package = std::env::var("CARGO_PKG_NAME").unwrap_or_default();
    let thread = std::thread::current();
    let line = format!("{package} {program} {}\n", thread.name().unwrap_or_default());
    let noted = File::options().create(true).append(true).open(path);
    noted.and_then(|mut file| file.write_all(line.as_bytes())).expect("the file can be written");
}
