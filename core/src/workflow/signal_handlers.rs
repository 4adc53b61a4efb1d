//! Handlers of signals: closures over shared state, called for each signal before the main body sees anything of it.
//!
//! Nothing is persisted beside the signals themselves. Replay calls them again, at the same events, in the same order.

use std::panic::Location;

use serde::de::DeserializeOwned;

use super::names::NamesSignal;
use super::shared::Shared;
use super::signals::Signals;

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
        let cx = self.cx.shielded();
        let name = signal.signal_name().unwrap_or_else(|error| panic!("{error}"));
        let manner = cx.manner(Location::caller());
        let location = manner.location;
        let mut signals = Signals::new(cx.world().clone(), manner, Ok(name));
        let shared = self.clone();
        self.cx.world().spawn(
            location,
            Box::pin(async move {
                while let Ok(value) = signals.recv().await {
                    shared.with(|state| handler(state, value));
                }
            }),
        );
    }
}
