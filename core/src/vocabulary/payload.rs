//! Users' values as bytes: what inputs, results and signals are in history and in the stores.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The largest payload in bytes, after encoding and before codecs. Part of the engine's semantics: replay relies on it.
pub const PAYLOAD_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How a payload's bytes are to be read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Encoding(Cow<'static, str>);

impl Encoding {
    /// MessagePack with field names, the default.
    pub const MESSAGE_PACK: Self = Self(Cow::Borrowed("msgpack"));

    /// An encoding of another name.
    #[must_use]
    pub fn named(name: impl Into<Cow<'static, str>>) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Encoded bytes with the name of their encoding. Cloning shares the bytes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// How to read the bytes. Codecs change it and put it back.
    pub encoding: Encoding,
    /// The bytes.
    pub data: Bytes,
}

/// A value that could not become a payload, or a payload that is not of the type asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The value's `Serialize` failed: change the type.
    #[error("a value of type {type_name} does not encode: {reason}")]
    Encode {
        /// The Rust type.
        type_name: &'static str,
        /// What serde said.
        reason: String,
    },
    /// The bytes are not a value of this type: sender and receiver disagree.
    #[error("{bytes} bytes of {encoding} do not decode as {type_name}: {reason}")]
    Decode {
        /// The Rust type.
        type_name: &'static str,
        /// The payload's encoding.
        encoding: String,
        /// The payload's size.
        bytes: usize,
        /// What serde said.
        reason: String,
    },
    /// The encoded value is too large: store it elsewhere and pass a reference.
    #[error(
        "a payload of {bytes} bytes is over the limit of {PAYLOAD_BYTES_MAX}; store it elsewhere and pass a reference"
    )]
    TooLarge {
        /// The encoded size.
        bytes: usize,
    },
}

impl Payload {
    /// Encodes a value as MessagePack with field names.
    ///
    /// # Errors
    /// [`PayloadError::Encode`] if the value's `Serialize` fails, [`PayloadError::TooLarge`] over [`PAYLOAD_BYTES_MAX`].
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, PayloadError> {
        let data = rmp_serde::to_vec_named(value).map_err(|error| PayloadError::Encode {
            type_name: std::any::type_name::<T>(),
            reason: error.to_string(),
        })?;
        if data.len() > PAYLOAD_BYTES_MAX {
            return Err(PayloadError::TooLarge { bytes: data.len() });
        }
        Ok(Self { encoding: Encoding::MESSAGE_PACK, data: data.into() })
    }

    /// Decodes a value of type `T`.
    ///
    /// # Errors
    /// [`PayloadError::Decode`] if the encoding is not known here or the bytes are not a `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        let refused = |reason: String| PayloadError::Decode {
            type_name: std::any::type_name::<T>(),
            encoding: self.encoding.as_str().to_owned(),
            bytes: self.data.len(),
            reason,
        };
        if self.encoding != Encoding::MESSAGE_PACK {
            return Err(refused("no decoder for this encoding is registered".to_owned()));
        }
        rmp_serde::from_slice(&self.data).map_err(|error| refused(error.to_string()))
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({}, {} bytes)", self.encoding.as_str(), self.data.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_type_is_named() {
        let payload = Payload::encode("text").unwrap();
        let error = payload.decode::<u32>().unwrap_err();
        assert!(error.to_string().contains("u32"), "{error}");
    }

    #[test]
    fn another_encoding_is_not_guessed() {
        let payload = Payload { encoding: Encoding::named("zstd"), data: Bytes::from_static(b"\x01") };
        assert!(matches!(payload.decode::<u8>(), Err(PayloadError::Decode { .. })));
    }
}
