//! Many futures together: all of them, or until the first error, no more than so many at once.

use std::fmt;
use std::iter::Enumerate;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec;

use futures::stream::{FuturesUnordered, Stream};

/// All futures of a set, as [`all`] makes it.
#[must_use = "nothing is polled until this is awaited"]
pub struct All<F: Future>(Pool<F>, Outputs<F::Output>);

/// All futures of a set, or the first error, as [`try_all`] makes it.
#[must_use = "nothing is polled until this is awaited"]
pub struct TryAll<F: Future<Output = Result<T, E>>, T, E>(Pool<F>, Outputs<T>);

/// Awaits all futures and returns what each gave, errors among it, in the order in which they were given.
///
/// Without a limit as `futures::future::join_all`, which may be used as well.
///
/// # Determinism
/// Nothing is persisted of it. The futures are first polled in order, then as history wakes them.
///
/// # Examples
/// ```
/// use retell::prelude::*;
/// use retell::workflow::all;
///
/// #[retell::activity]
/// async fn ping(_cx: ActivityContext, host: String) -> Result<(), ActivityError> {
///     Ok(())
/// }
///
/// /// How many hosts answer.
/// #[retell::workflow]
/// async fn alive(cx: WorkflowContext, hosts: Vec<String>) -> WorkflowResult<usize> {
///     let answers = all(hosts.iter().map(|host| cx.activity(ping, host))).await;
///     Ok(answers.iter().filter(|answer| answer.is_ok()).count())
/// }
/// ```
pub fn all<I: IntoIterator<Item: Future>>(futures: I) -> All<I::Item> {
    All(Pool::new(futures), Outputs(Vec::new()))
}

/// Awaits all futures for what they give, in the order in which they were given; at the first error it drops the
/// others, which cancels what they have under way.
///
/// # Errors
/// The await gives the first error in the order of history.
///
/// # Determinism
/// As for [`all`]. What is dropped is cancelled in history, right behind the event that brought the error.
///
/// # Examples
/// ```
/// use retell::prelude::*;
/// use retell::workflow::try_all;
///
/// #[retell::activity]
/// async fn resize(_cx: ActivityContext, picture: String) -> Result<u64, ActivityError> {
///     Ok(picture.len() as u64)
/// }
///
/// #[retell::workflow]
/// async fn gallery(cx: WorkflowContext, pictures: Vec<String>) -> WorkflowResult<u64> {
///     let sizes = try_all(pictures.iter().map(|picture| cx.activity(resize, picture))).at_most(4).await?;
///     Ok(sizes.iter().sum())
/// }
/// ```
pub fn try_all<I, T, E>(futures: I) -> TryAll<I::Item, T, E>
where
    I: IntoIterator<Item: Future<Output = Result<T, E>>>,
{
    TryAll(Pool::new(futures), Outputs(Vec::new()))
}

impl<F: Future> All<F> {
    /// Lets no more than so many of the futures begin at once; 0 counts as 1. The next one is polled when one has ended.
    ///
    /// # Determinism
    /// It decides when calls are made: another limit is another behaviour of the code.
    pub fn at_most(mut self, limit: usize) -> Self {
        self.0.limit = limit.max(1);
        self
    }
}

impl<F: Future<Output = Result<T, E>>, T, E> TryAll<F, T, E> {
    /// Lets no more than so many of the futures begin at once, as [`All::at_most`].
    ///
    /// # Determinism
    /// As there.
    pub fn at_most(mut self, limit: usize) -> Self {
        self.0.limit = limit.max(1);
        self
    }
}

impl<F: Future> Future for All<F> {
    type Output = Vec<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self(pool, outputs) = &mut *self;
        while let Some((number, output)) = ready!(pool.poll_next(cx)) {
            outputs.put(number, output);
        }
        Poll::Ready(outputs.take())
    }
}

impl<F: Future<Output = Result<T, E>>, T, E> Future for TryAll<F, T, E> {
    type Output = Result<Vec<T>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self(pool, outputs) = &mut *self;
        while let Some((number, output)) = ready!(pool.poll_next(cx)) {
            match output {
                Ok(output) => outputs.put(number, output),
                Err(error) => {
                    // Here and not when the caller drops this, which may be later.
                    *pool = Pool::new([]);
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(Ok(outputs.take()))
    }
}

/// Nothing in here is pinned but what stands in a box.
impl<F: Future> Unpin for All<F> {}
impl<F: Future<Output = Result<T, E>>, T, E> Unpin for TryAll<F, T, E> {}

/// Futures of which so many run at once.
struct Pool<F: Future> {
    limit: usize,
    waiting: Enumerate<vec::IntoIter<F>>,
    running: FuturesUnordered<Numbered<F>>,
}

struct Numbered<F> {
    number: usize,
    future: Pin<Box<F>>,
}

impl<F: Future> Pool<F> {
    /// Takes the futures out of the iterator at once: one that borrows had better not be held across awaits.
    fn new(futures: impl IntoIterator<Item = F>) -> Self {
        let waiting = futures.into_iter().collect::<Vec<_>>().into_iter().enumerate();
        Self { limit: usize::MAX, waiting, running: FuturesUnordered::new() }
    }

    /// What the next one to end gave, with its place in the order; `None` when all have ended.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<(usize, F::Output)>> {
        while self.running.len() < self.limit
            && let Some((number, future)) = self.waiting.next()
        {
            self.running.push(Numbered { number, future: Box::pin(future) });
        }
        Pin::new(&mut self.running).poll_next(cx)
    }
}

impl<F: Future> Future for Numbered<F> {
    type Output = (usize, F::Output);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let number = self.number;
        self.future.as_mut().poll(cx).map(|output| (number, output))
    }
}

/// Outputs by their places.
struct Outputs<T>(Vec<Option<T>>);

impl<T> Outputs<T> {
    fn put(&mut self, number: usize, output: T) {
        if self.0.len() <= number {
            self.0.resize_with(number + 1, || None);
        }
        self.0[number] = Some(output);
    }

    /// All have ended.
    fn take(&mut self) -> Vec<T> {
        std::mem::take(&mut self.0).into_iter().flatten().collect()
    }
}

impl<F: Future> fmt::Debug for All<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("All").field("running", &self.0.running.len()).finish_non_exhaustive()
    }
}

impl<F: Future<Output = Result<T, E>>, T, E> fmt::Debug for TryAll<F, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryAll").field("running", &self.0.running.len()).finish_non_exhaustive()
    }
}
