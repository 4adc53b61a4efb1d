//! What stands for an activity where one is called, registered or faked.

use super::Activity;

/// What says which activity is meant: the name under `#[retell::activity]`, or a value of a type that implements
/// [`Activity`] by hand.
///
/// The attribute makes a type and a function of one name, so that a variable may have it too (`let price =
/// cx.activity(price, &item).await?`). Nothing calls the function: as a value, it stands for the type that it returns.
/// `M` tells the two kinds of values apart, and is always inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an activity",
    label = "not an activity",
    note = "write `#[retell::activity]` above the function, or implement `Activity` or `BlockingActivity`"
)]
pub trait NamesActivity<A: Activity, M>: Send + Sync + 'static {}

impl<A: Activity> NamesActivity<A, ()> for A {}

impl<A: Activity, F: FnOnce() -> A + Send + Sync + 'static> NamesActivity<A, fn()> for F {}
