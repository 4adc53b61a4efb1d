//! Search keys: attributes with a type, so that names and types are checked by the compiler.

use std::marker::PhantomData;
use std::sync::Arc;

use super::{AttributeValue, Timestamp};

/// An attribute of runs by its name and type, as a constant that whoever sets it and whoever lists by it share.
///
/// # Examples
/// ```
/// use retell::vocabulary::{SearchKey, Timestamp};
///
/// const CUSTOMER: SearchKey<String> = SearchKey::new("customer");
/// const CENTS: SearchKey<i64> = SearchKey::new("cents");
/// const DUE: SearchKey<Timestamp> = SearchKey::new("due");
///
/// let of_a_customer = [CUSTOMER.is("customer-7"), CENTS.at_least(10_000)];
/// # let _ = (of_a_customer, DUE);
/// ```
pub struct SearchKey<T> {
    name: &'static str,
    value: PhantomData<fn() -> T>,
}

impl<T> SearchKey<T> {
    /// The attribute of this name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, value: PhantomData }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<T> Clone for SearchKey<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for SearchKey<T> {}

impl<T> std::fmt::Debug for SearchKey<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SearchKey").field(&self.name).finish()
    }
}

/// A type that attributes have: text, whole and floating-point numbers, yes or no, instants.
pub trait SearchValue: Sized {
    /// The attribute's value.
    fn into_attribute(self) -> AttributeValue;

    /// Takes it back; `None` if it is of another type.
    fn of_attribute(value: &AttributeValue) -> Option<Self>;
}

macro_rules! search_values {
    ($($of:ty => $variant:ident, |$value:ident| $back:expr;)+) => {$(
        impl SearchValue for $of {
            fn into_attribute(self) -> AttributeValue {
                AttributeValue::$variant(self.into())
            }

            fn of_attribute(value: &AttributeValue) -> Option<Self> {
                match value {
                    AttributeValue::$variant($value) => Some($back),
                    _ => None,
                }
            }
        }
    )+};
}

search_values! {
    String => Text, |text| text.to_string();
    Arc<str> => Text, |text| text.clone();
    i64 => Integer, |number| *number;
    f64 => Float, |number| *number;
    bool => Bool, |flag| *flag;
    Timestamp => Time, |time| *time;
}

/// What names an attribute that takes a `V`: a [`SearchKey`], or a text for a value that says its own type.
pub trait NamesAttribute<V> {
    /// The attribute and its value.
    fn with_value(self, value: V) -> (Arc<str>, AttributeValue);
}

impl<T: SearchValue, V: Into<T>> NamesAttribute<V> for SearchKey<T> {
    fn with_value(self, value: V) -> (Arc<str>, AttributeValue) {
        (self.name.into(), value.into().into_attribute())
    }
}

impl NamesAttribute<AttributeValue> for &str {
    fn with_value(self, value: AttributeValue) -> (Arc<str>, AttributeValue) {
        (self.into(), value)
    }
}

impl NamesAttribute<AttributeValue> for Arc<str> {
    fn with_value(self, value: AttributeValue) -> (Arc<str>, AttributeValue) {
        (self, value)
    }
}
