//! Signals: messages to a running workflow, one at a time or as a stream.
//!
//! Persisted: each signal as an event of its own when it is taken into history, whether or not anyone waits for it; and
//! [`SignalSetAside`](crate::history::SignalSetAside) when the code came to one that is not of its type. Replay gives
//! the same signals in the same order, and compares which were set aside. Stands over `replay`'s [`Receive`].

use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::Stream;
use serde::de::DeserializeOwned;

use super::CallError;
use crate::history::SignalReceived;
use crate::replay::{Manner, Receive, Received, World};
use crate::vocabulary::{Headers, InvalidId, SignalName};

/// The signals of a name, as [`WorkflowContext::signals`](super::WorkflowContext::signals) makes it.
///
/// A `Stream` that ends when the run is asked to cancel, after it has yielded [`CallError::Cancelled`]; under a
/// [shield](super::WorkflowContext::shielded) it never ends. It takes a message when it is polled ready: dropping it
/// loses none.
#[must_use = "no message is taken until this is polled"]
pub struct Signals<T> {
    world: World,
    manner: Manner,
    name: Result<SignalName, Option<InvalidId>>,
    receive: Option<Receive>,
    ended: bool,
    /// Those of the last one taken.
    headers: Headers,
    value: PhantomData<fn() -> T>,
}

/// The next signal of a name, as [`WorkflowContext::signal`](super::WorkflowContext::signal) makes it.
#[must_use = "no message is taken until this is awaited"]
pub struct Signal<T>(Signals<T>);

impl<T: DeserializeOwned> Signals<T> {
    pub(super) fn new(world: World, manner: Manner, name: Result<SignalName, InvalidId>) -> Self {
        let name = name.map_err(Some);
        Self { world, manner, name, receive: None, ended: false, headers: Headers::new(), value: PhantomData }
    }

    /// The next message. Cancel safe: dropped before it is ready, it takes none.
    ///
    /// # Errors
    /// [`CallError::Cancelled`] each time once the run is asked to cancel.
    pub async fn recv(&mut self) -> Result<T, CallError> {
        std::future::poll_fn(|cx| self.poll_message(cx)).await.unwrap_or(Err(CallError::Cancelled))
    }

    /// Takes what is there, without waiting, in order. What is no `T` is set aside, as everywhere.
    ///
    /// What is there is what history has taken in until the event being applied: the same at each replay.
    pub fn drain(&mut self) -> VecDeque<T> {
        let mut drained = VecDeque::new();
        let Ok(name) = self.name.clone() else { return drained };
        while let Some(message) = self.world.take_signal(&name, &self.manner) {
            drained.extend(self.decoded(&message));
        }
        drained
    }

    /// What the signal was sent with that was taken last.
    ///
    /// # Determinism
    /// From the signal's event.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, CallError>>> {
        loop {
            let name = match &mut self.name {
                _ if self.ended => return Poll::Ready(None),
                Ok(name) => name,
                Err(invalid) => {
                    self.ended = true;
                    return Poll::Ready(invalid.take().map(|invalid| Err(invalid.into())));
                }
            };
            let receive = self
                .receive
                .get_or_insert_with(|| Receive::new(self.world.clone(), self.manner.clone(), name.clone()));
            let received = ready!(Pin::new(receive).poll(cx));
            self.receive = None;
            match received {
                Received::Cancelled => {
                    self.ended = true;
                    return Poll::Ready(Some(Err(CallError::Cancelled)));
                }
                Received::Message(message) => {
                    if let Some(value) = self.decoded(&message) {
                        return Poll::Ready(Some(Ok(value)));
                    }
                }
            }
        }
    }

    /// The message as a `T`; one that is none is set aside.
    fn decoded(&mut self, message: &SignalReceived) -> Option<T> {
        if let Some(around) = self.world.around() {
            around.signal(&self.world, message);
        }
        match message.input.decode() {
            Ok(value) => {
                self.headers = message.headers.clone();
                Some(value)
            }
            Err(error) => {
                self.world.set_signal_aside(message, &error, &self.manner);
                None
            }
        }
    }
}

impl<T: DeserializeOwned> Signal<T> {
    pub(super) fn new(world: World, manner: Manner, name: Result<SignalName, InvalidId>) -> Self {
        Self(Signals::new(world, manner, name))
    }

    /// The signal, and what it was [sent with](Headers).
    ///
    /// # Errors
    /// As for the signal alone.
    ///
    /// # Determinism
    /// As for the signal alone.
    pub async fn with_headers(mut self) -> Result<(T, Headers), CallError> {
        let value = self.0.recv().await?;
        Ok((value, self.0.headers))
    }
}

impl<T: DeserializeOwned> Stream for Signals<T> {
    type Item = Result<T, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_message(cx)
    }
}

impl<T: DeserializeOwned> Future for Signal<T> {
    type Output = Result<T, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let message = ready!(self.0.poll_message(cx));
        Poll::Ready(message.expect("a wait for a signal is not polled after it has ended"))
    }
}

impl<T> fmt::Debug for Signals<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Signal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signal").field(&self.0.name).finish()
    }
}
