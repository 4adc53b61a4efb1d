//! Panics on the thread that simulates: each is a finding, also one that the engine survives.

use std::cell::RefCell;
use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::sync::Once;

use super::program::STUMBLES;

thread_local! {
    /// What has panicked on this thread, while somebody gathers it.
    static GATHERED: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Calls `act` and answers, beside what it returns, each panic on this thread, caught or not. None is printed.
pub(super) fn gathered<T>(act: impl FnOnce() -> T) -> (T, Vec<String>) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            if !gather(info) {
                before(info);
            }
        }));
    });
    GATHERED.with_borrow_mut(|gathered| *gathered = Some(Vec::new()));
    let answer = act();
    (answer, GATHERED.with_borrow_mut(Option::take).unwrap_or_default())
}

/// Keeps a panic if this thread gathers them.
fn gather(info: &PanicHookInfo<'_>) -> bool {
    GATHERED.with_borrow_mut(|gathered| {
        let Some(gathered) = gathered else { return false };
        let text = info.to_string();
        // That is what the program is there for.
        if !text.contains(STUMBLES) {
            gathered.push(text);
        }
        true
    })
}
