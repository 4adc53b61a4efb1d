//! Handlers of signals: closures over shared state, called for each signal before the main body sees anything of it.
//!
//! Nothing is persisted beside the signals themselves. Replay calls them again, at the same events, in the same order.

use std::panic::Location;
use std::pin::pin;

use serde::de::DeserializeOwned;

use super::names::NamesSignal;
use super::shared::Shared;
use super::signals::Signals;
use crate::vocabulary::Headers;

impl<S: Send + 'static> Shared<S> {
    /// Has a closure take each signal of a [type](super::SignalType), or of a name, from now on: those that came before
    /// first, in order; one that is no `T` is set aside.
    ///
    /// It is called when history takes the signal in, before anything else of the code runs at that event: other
    /// handlers and tasks that it wakes come next, in the order of waking, and the main body last. It goes on after a
    /// cancel request. When the function returns, nothing is handled any more: what comes after that stays unread, and
    /// goes to the successor of a run that continues as new. Whoever receives signals of the same name otherwise takes
    /// turns with it.
    ///
    /// # Determinism
    /// Nothing is persisted.
    #[track_caller]
    pub fn handle_signal<T: DeserializeOwned + Send + 'static>(
        &self,
        signal: impl NamesSignal<T>,
        mut handler: impl FnMut(&mut S, T) + Send + 'static,
    ) {
        let shared = self.clone();
        self.for_each_signal(signal, Location::caller(), move |value, _| {
            shared.with(|state| handler(state, value));
        });
    }

    /// Calls this for each signal, in a task of its own.
    pub(super) fn for_each_signal<T: DeserializeOwned + Send + 'static>(
        &self,
        signal: impl NamesSignal<T>,
        location: &'static Location<'static>,
        mut handle: impl FnMut(T, &Headers) + Send + 'static,
    ) {
        let name = signal.signal_name().unwrap_or_else(|error| panic!("{error}"));
        let world = self.cx.world().clone();
        let mut signals = Signals::new(world.clone(), self.cx.shielded().manner(location), Ok(name));
        // Until it has seen what came before it, whoever waits for handlers waits for it.
        world.handler_begins(location);
        let mut begun = true;
        self.cx.world().spawn(
            location,
            Box::pin(async move {
                loop {
                    let received = {
                        let mut next = pin!(signals.recv());
                        std::future::poll_fn(|task| {
                            let polled = next.as_mut().poll(task);
                            if polled.is_pending() && std::mem::take(&mut begun) {
                                world.handler_ends(location);
                            }
                            polled
                        })
                        .await
                    };
                    let Ok(value) = received else { return };
                    handle(value, signals.headers());
                }
            }),
        );
    }
}
