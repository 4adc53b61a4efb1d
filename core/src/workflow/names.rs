//! The names of messages, with the types that belong to them: what both ends are checked against.
//!
//! A constant names a message and says what it carries; who sends it and who takes it use the same one, and the
//! compiler compares. By name alone works too, where the two ends share no code. Imports the vocabulary only.

use std::fmt;
use std::marker::PhantomData;

use crate::vocabulary::{InvalidId, QueryName, SignalName, TEXT_ID_BYTES_MAX, UpdateName};

/// A signal: its name, and the type of its argument.
///
/// # Examples
/// ```
/// use retell::prelude::*;
/// use retell::workflow::SignalType;
///
/// const APPROVED: SignalType<bool> = SignalType::new("approved");
///
/// #[retell::workflow]
/// async fn approval(cx: WorkflowContext) -> WorkflowResult<bool> {
///     Ok(cx.signal(APPROVED).await?)
/// }
/// ```
/// A name that no store could keep, or another type, does not compile:
/// ```compile_fail
/// const NAMELESS: retell::workflow::SignalType<bool> = retell::workflow::SignalType::new("");
/// const _: &str = NAMELESS.name();
/// ```
pub struct SignalType<T> {
    name: &'static str,
    value: PhantomData<fn() -> T>,
}

/// What says which signal is meant: a [`SignalType`], whose argument is a `T`, or a name, whose argument is what the
/// caller says.
#[diagnostic::on_unimplemented(
    message = "`{Self}` names no signal that carries a `{T}`",
    label = "carries something else than `{T}`, or is no signal",
    note = "a `SignalType<T>` carries its `T` and nothing else; a name (`&str`, `String`, `SignalName`) carries any type"
)]
pub trait NamesSignal<T: ?Sized> {
    /// The name.
    ///
    /// # Errors
    /// [`InvalidId`] if no store could keep it.
    fn signal_name(self) -> Result<SignalName, InvalidId>;
}

/// A query: its name, the type of its argument, and that of its answer.
///
/// # Examples
/// ```
/// use retell::workflow::QueryType;
///
/// const PROGRESS: QueryType<(), f64> = QueryType::new("progress");
/// ```
pub struct QueryType<I, O> {
    name: &'static str,
    types: PhantomData<fn(I) -> O>,
}

/// What says which query is meant: a [`QueryType`], or a name, whose types are what the caller says.
#[diagnostic::on_unimplemented(
    message = "`{Self}` names no query that takes a `{I}` and answers a `{O}`",
    label = "takes or answers something else, or is no query",
    note = "a `QueryType<I, O>` has its own types and no others; a name (`&str`, `String`, `QueryName`) has any"
)]
pub trait NamesQuery<I: ?Sized, O: ?Sized> {
    /// The name.
    ///
    /// # Errors
    /// [`InvalidId`] if no store could keep it.
    fn query_name(self) -> Result<QueryName, InvalidId>;
}

/// An update: its name, the type of its argument, and that of its result.
///
/// # Examples
/// ```
/// use retell::workflow::UpdateType;
///
/// const DEPOSIT: UpdateType<u64, u64> = UpdateType::new("deposit");
/// ```
pub struct UpdateType<I, O> {
    name: &'static str,
    types: PhantomData<fn(I) -> O>,
}

/// What says which update is meant: an [`UpdateType`], or a name, whose types are what the caller says.
#[diagnostic::on_unimplemented(
    message = "`{Self}` names no update that takes a `{I}` and returns a `{O}`",
    label = "takes or returns something else, or is no update",
    note = "an `UpdateType<I, O>` has its own types and no others; a name (`&str`, `String`, `UpdateName`) has any"
)]
pub trait NamesUpdate<I: ?Sized, O: ?Sized> {
    /// The name.
    ///
    /// # Errors
    /// [`InvalidId`] if no store could keep it.
    fn update_name(self) -> Result<UpdateName, InvalidId>;
}

impl<I, O> UpdateType<I, O> {
    /// An update of this name.
    ///
    /// # Panics
    /// If the name is none: while compiling, for a constant.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        check(name);
        Self { name, types: PhantomData }
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<I, O> QueryType<I, O> {
    /// A query of this name.
    ///
    /// # Panics
    /// If the name is none: while compiling, for a constant.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        check(name);
        Self { name, types: PhantomData }
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<T> SignalType<T> {
    /// A signal of this name.
    ///
    /// # Panics
    /// If the name is none: while compiling, for a constant.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        check(name);
        Self { name, value: PhantomData }
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

/// What `SignalName::new` and its like check, at compile time.
const fn check(name: &str) {
    let bytes = name.as_bytes();
    assert!(!bytes.is_empty(), "the name of a message is not empty");
    assert!(bytes.len() <= TEXT_ID_BYTES_MAX, "the name of a message has 255 bytes at most");
    let mut at = 0;
    while at < bytes.len() {
        let is_control = bytes[at] < 0x20
            || bytes[at] == 0x7f
            || (bytes[at] == 0xc2 && at + 1 < bytes.len() && bytes[at + 1] < 0xa0);
        assert!(!is_control, "the name of a message holds no control character");
        at += 1;
    }
}

impl<T> NamesSignal<T> for SignalType<T> {
    fn signal_name(self) -> Result<SignalName, InvalidId> {
        SignalName::new(self.name)
    }
}

/// A name alone stands for a message of whatever types the caller says.
macro_rules! names_alone {
    ($trait:ident <$($t:ident),+>, $method:ident, $name:ident) => {
        impl<$($t: ?Sized),+> $trait<$($t),+> for $name {
            fn $method(self) -> Result<$name, InvalidId> {
                Ok(self)
            }
        }

        impl<$($t: ?Sized),+> $trait<$($t),+> for &$name {
            fn $method(self) -> Result<$name, InvalidId> {
                Ok(self.clone())
            }
        }

        impl<$($t: ?Sized),+> $trait<$($t),+> for &str {
            fn $method(self) -> Result<$name, InvalidId> {
                $name::new(self)
            }
        }

        impl<$($t: ?Sized),+> $trait<$($t),+> for String {
            fn $method(self) -> Result<$name, InvalidId> {
                $name::new(self)
            }
        }
    };
}

names_alone!(NamesSignal<T>, signal_name, SignalName);
names_alone!(NamesQuery<I, O>, query_name, QueryName);
names_alone!(NamesUpdate<I, O>, update_name, UpdateName);

impl<I, O> NamesUpdate<I, O> for UpdateType<I, O> {
    fn update_name(self) -> Result<UpdateName, InvalidId> {
        UpdateName::new(self.name)
    }
}

impl<I, O> NamesQuery<I, O> for QueryType<I, O> {
    fn query_name(self) -> Result<QueryName, InvalidId> {
        QueryName::new(self.name)
    }
}

macro_rules! like_its_name {
    ($($type:ident <$($t:ident),+>),+) => {
        $(impl<$($t),+> Clone for $type<$($t),+> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<$($t),+> Copy for $type<$($t),+> {}

        impl<$($t),+> fmt::Debug for $type<$($t),+> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($type)).field(&self.name).finish()
            }
        })+
    };
}

like_its_name!(SignalType<T>, QueryType<I, O>, UpdateType<I, O>);
