//! A semaphore and a mutex for the branches of a workflow: first come, first served.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::{Mutex as StdMutex, MutexGuard as StdGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Permits that branches of one workflow share; whoever asked first gets them first.
///
/// For one workflow: branches of `join!`, futures of [`all`](super::all), handlers. It is fair: a request for many
/// permits is not overtaken by smaller ones behind it. Awaiting is cancel safe: dropped before it has its permits,
/// a request leaves the line; dropped with them, it passes them on. It is no call of the engine, so that a cancel
/// request does not end the wait itself: whoever holds the permits learns of it, and gives them back.
///
/// # Determinism
/// Nothing is persisted; the order of the line is the order of first polls, the same at each replay.
pub struct Semaphore {
    state: StdMutex<State>,
}

#[derive(Default)]
struct State {
    permits: usize,
    /// Requests that wait, by their place in the line.
    waiting: BTreeMap<u64, Waiting>,
    /// Requests that have their permits and do not know it yet.
    granted: BTreeSet<u64>,
    next_place: u64,
}

struct Waiting {
    permits: usize,
    waker: Waker,
}

/// Permits of a [`Semaphore`], which go back when this is dropped.
#[must_use = "permits that are dropped are given back"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    permits: usize,
}

/// A request for permits, as [`Semaphore::acquire`] makes it.
#[must_use = "nothing is asked for until this is awaited"]
pub struct Acquire<'a> {
    semaphore: &'a Semaphore,
    permits: usize,
    place: Option<u64>,
}

/// A value that one branch of a workflow at a time holds, awaits included; whoever asked first gets it first.
///
/// Where nothing is awaited while the value is held, a `std::sync::Mutex` does. Fair and cancel safe as [`Semaphore`].
///
/// # Determinism
/// As for [`Semaphore`].
pub struct Mutex<T> {
    semaphore: Semaphore,
    /// Empty while a guard has it.
    value: StdMutex<Option<T>>,
}

/// The value of a [`Mutex`], held until this is dropped. May be held across awaits.
#[must_use = "a guard that is dropped lets go of its value"]
pub struct MutexGuard<'a, T> {
    /// Empty only while it is dropped.
    value: Option<T>,
    home: &'a StdMutex<Option<T>>,
    /// Given back after the value.
    _permit: Permit<'a>,
}

impl Semaphore {
    /// A semaphore with so many permits.
    #[must_use]
    pub fn new(permits: usize) -> Self {
        Self { state: StdMutex::new(State { permits, ..State::default() }) }
    }

    /// Waits for a permit.
    pub fn acquire(&self) -> Acquire<'_> {
        self.acquire_many(1)
    }

    /// Waits for so many permits at once. More than there ever are is an await that never ends.
    pub fn acquire_many(&self, permits: usize) -> Acquire<'_> {
        Acquire { semaphore: self, permits, place: None }
    }

    /// Takes a permit, if one is free and nobody waits for it.
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        self.state().take_at_once(1).then_some(Permit { semaphore: self, permits: 1 })
    }

    /// How many permits are free.
    #[must_use]
    pub fn available(&self) -> usize {
        self.state().permits
    }

    /// Adds permits.
    pub fn add(&self, permits: usize) {
        let woken = self.state().put(permits);
        woken.into_iter().for_each(Waker::wake);
    }

    fn state(&self) -> StdGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_at_once(&mut self, permits: usize) -> bool {
        let free = self.waiting.is_empty() && self.permits >= permits;
        if free {
            self.permits -= permits;
        }
        free
    }

    /// Takes permits in, and hands them to those who stand first in line; whom to wake.
    fn put(&mut self, permits: usize) -> Vec<Waker> {
        self.permits += permits;
        let mut woken = Vec::new();
        while let Some(first) = self.waiting.first_entry() {
            if first.get().permits > self.permits {
                break;
            }
            let (place, waiting) = first.remove_entry();
            self.permits -= waiting.permits;
            self.granted.insert(place);
            woken.push(waiting.waker);
        }
        woken
    }

    fn poll(&mut self, acquire: &mut Acquire<'_>, waker: &Waker) -> Poll<()> {
        match acquire.place {
            None if self.take_at_once(acquire.permits) => Poll::Ready(()),
            Some(place) if self.granted.remove(&place) => {
                acquire.place = None;
                Poll::Ready(())
            }
            place => {
                let place = place.unwrap_or_else(|| {
                    self.next_place += 1;
                    self.next_place
                });
                acquire.place = Some(place);
                self.waiting.insert(place, Waiting { permits: acquire.permits, waker: waker.clone() });
                Poll::Pending
            }
        }
    }
}

impl<'a> Future for Acquire<'a> {
    type Output = Permit<'a>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Permit<'a>> {
        let (semaphore, permits) = (self.semaphore, self.permits);
        let polled = semaphore.state().poll(&mut self, cx.waker());
        polled.map(|()| Permit { semaphore, permits })
    }
}

impl Drop for Acquire<'_> {
    fn drop(&mut self) {
        let Some(place) = self.place else { return };
        let woken = {
            let mut state = self.semaphore.state();
            state.waiting.remove(&place);
            let unused = if state.granted.remove(&place) { self.permits } else { 0 };
            // Whoever stood behind it may be served now.
            state.put(unused)
        };
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.semaphore.add(self.permits);
    }
}

impl<T> Mutex<T> {
    /// A mutex around a value.
    pub fn new(value: T) -> Self {
        Self { semaphore: Semaphore::new(1), value: StdMutex::new(Some(value)) }
    }

    /// Waits for the value. Cancel safe.
    pub async fn lock(&self) -> MutexGuard<'_, T> {
        self.guard(self.semaphore.acquire().await)
    }

    /// Takes the value, if nobody has it or waits for it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.semaphore.try_acquire().map(|permit| self.guard(permit))
    }

    /// The value, when nobody shares the mutex any more.
    pub fn into_inner(self) -> T {
        let value = self.value.into_inner().unwrap_or_else(PoisonError::into_inner);
        value.expect("a guard borrows the mutex, so none is left")
    }

    fn guard<'a>(&'a self, permit: Permit<'a>) -> MutexGuard<'a, T> {
        let value = self.value.lock().unwrap_or_else(PoisonError::into_inner).take();
        MutexGuard { value, home: &self.value, _permit: permit }
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("it has the value until it is dropped")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("it has the value until it is dropped")
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        *self.home.lock().unwrap_or_else(PoisonError::into_inner) = self.value.take();
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore").field("available", &self.available()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("permits", &self.permits).finish_non_exhaustive()
    }
}

impl fmt::Debug for Acquire<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire").field("permits", &self.permits).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutex").field("free", &(self.semaphore.available() == 1)).finish_non_exhaustive()
    }
}

impl<T: fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MutexGuard").field(&**self).finish()
    }
}
