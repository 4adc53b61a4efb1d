//! Headers: named payloads that travel with a call beside its argument.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Payload, PayloadError};

/// Named payloads that travel with a call beside its argument, in the order of their names: a tenant, a trace, a token.
///
/// They stand in the event that the call becomes, pass the payload codec as its argument does, and are never compared
/// at replay. Cloning shares them; empty ones take no memory.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(
    /// `None` if there are none.
    Option<Arc<BTreeMap<Arc<str>, Payload>>>,
);

/// A value of which one travels with calls, under a name of its own: found by its type.
///
/// ```
/// use retell::vocabulary::{Headers, Propagated};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// struct Tenant(String);
///
/// impl Propagated for Tenant {
///     const HEADER: &'static str = "tenant";
/// }
///
/// let mut headers = Headers::new();
/// headers.set(&Tenant("acme".to_owned()))?;
/// assert_eq!(headers.find::<Tenant>()?, Some(Tenant("acme".to_owned())));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Propagated: Serialize + DeserializeOwned {
    /// The name that it travels under; histories hold it for ever.
    const HEADER: &'static str;
}

impl Headers {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Sets the one of this type.
    ///
    /// # Errors
    /// [`PayloadError`] if it does not encode; nothing is set then.
    pub fn set<T: Propagated>(&mut self, value: &T) -> Result<(), PayloadError> {
        self.insert(T::HEADER, value)
    }

    /// The one of this type.
    ///
    /// # Errors
    /// [`PayloadError::Decode`] if what travels under its name is no `T`.
    pub fn find<T: Propagated>(&self) -> Result<Option<T>, PayloadError> {
        self.get(T::HEADER)
    }

    /// Sets one by name.
    ///
    /// # Errors
    /// [`PayloadError`] if the value does not encode; nothing is set then.
    pub fn insert<T: Serialize + ?Sized>(
        &mut self,
        name: impl Into<Arc<str>>,
        value: &T,
    ) -> Result<(), PayloadError> {
        self.insert_payload(name, Payload::encode(value)?);
        Ok(())
    }

    /// Sets one that is encoded already.
    pub fn insert_payload(&mut self, name: impl Into<Arc<str>>, payload: Payload) {
        Arc::make_mut(self.0.get_or_insert_default()).insert(name.into(), payload);
    }

    /// The one of this name.
    ///
    /// # Errors
    /// [`PayloadError::Decode`] if it is no `T`.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, PayloadError> {
        self.payload(name).map(Payload::decode).transpose()
    }

    /// The one of this name, encoded.
    #[must_use]
    pub fn payload(&self, name: &str) -> Option<&Payload> {
        self.0.as_ref()?.get(name)
    }

    /// Takes one out.
    pub fn remove(&mut self, name: &str) -> Option<Payload> {
        let held = self.0.as_mut().filter(|held| held.contains_key(name))?;
        let held = Arc::make_mut(held);
        let removed = held.remove(name);
        if held.is_empty() {
            self.0 = None;
        }
        removed
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Payload)> {
        self.0.iter().flat_map(|held| held.iter()).map(|(name, payload)| (&**name, payload))
    }

    /// Visits each payload, in the order of their names; the first error ends it.
    pub(crate) fn each_payload<E>(&self, see: impl FnMut(&Payload) -> Result<(), E>) -> Result<(), E> {
        self.0.iter().flat_map(|held| held.values()).try_for_each(see)
    }

    /// Changes each payload, in the order of their names; the first error ends it.
    pub(crate) fn change_payloads<E>(
        &mut self,
        change: impl FnMut(&mut Payload) -> Result<(), E>,
    ) -> Result<(), E> {
        self.0.iter_mut().flat_map(|held| Arc::make_mut(held).values_mut()).try_for_each(change)
    }
}

impl<N: Into<Arc<str>>> FromIterator<(N, Payload)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, Payload)>>(headers: I) -> Self {
        let held: BTreeMap<_, _> =
            headers.into_iter().map(|(name, payload)| (name.into(), payload)).collect();
        Self((!held.is_empty()).then(|| Arc::new(held)))
    }
}

impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(BTreeMap::<Arc<str>, Payload>::deserialize(deserializer)?.into_iter().collect())
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_again_is_like_what_was_never_filled() {
        let mut headers = Headers::new();
        headers.insert("tenant", "acme").unwrap();
        let kept = headers.clone();
        assert_eq!(headers.remove("tenant"), kept.payload("tenant").cloned());
        assert_eq!((headers.is_empty(), headers), (true, Headers::new()));
        assert_eq!(kept.get::<String>("tenant").unwrap().as_deref(), Some("acme"));
    }
}
