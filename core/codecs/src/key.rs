//! Keys and their names.

use std::fmt;

/// The name of a key, stored with each payload that was encrypted with it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

/// A key's name that is empty or longer than 255 bytes: choose another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidKeyId(usize);

impl KeyId {
    /// A name of 1 to 255 bytes. It is no secret.
    ///
    /// # Errors
    /// [`InvalidKeyId`] for any other length.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidKeyId> {
        let name = name.into();
        if (1..=255).contains(&name.len()) { Ok(Self(name)) } else { Err(InvalidKeyId(name.len())) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for InvalidKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a key's name has 1 to 255 bytes, not {}", self.0)
    }
}

impl std::error::Error for InvalidKeyId {}

/// A secret of 256 bits. Never printed.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Key {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}
