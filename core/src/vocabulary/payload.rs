//! Users' values as bytes: what inputs, results and signals are in history and in the stores.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Value, encoded};

/// The largest payload in bytes, after encoding and before codecs. Part of the engine's semantics: replay relies on it.
pub const PAYLOAD_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How deep the values may be nested that are read. Without a limit bytes from elsewhere could end the reader's stack.
const DEPTH_MAX: usize = 256;

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
///
/// In human-readable formats it is written as the value that it holds, if that can be read back to the very same bytes
/// (in the text form of a history it always can; JSON has no bytes and one kind of number), else as a map of
/// `$encoding` and, in hexadecimal digits, `$data`.
#[derive(Clone, PartialEq, Eq)]
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
        let data = encoded(|buffer| rmp_serde::encode::write_named(buffer, value));
        let data = data.map_err(|error| PayloadError::Encode {
            type_name: std::any::type_name::<T>(),
            reason: error.to_string(),
        })?;
        if data.len() > PAYLOAD_BYTES_MAX {
            return Err(PayloadError::TooLarge { bytes: data.len() });
        }
        Ok(Self { encoding: Encoding::MESSAGE_PACK, data })
    }

    /// What `()` encodes as.
    #[must_use]
    pub fn nothing() -> Self {
        Self { encoding: Encoding::MESSAGE_PACK, data: Bytes::from_static(&[0xc0]) }
    }

    /// Decodes a value of type `T`.
    ///
    /// # Errors
    /// [`PayloadError::Decode`] if the encoding is not known here, the bytes are not a `T`, or what they hold is nested
    /// more than 256 deep.
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
        let mut deserializer = rmp_serde::Deserializer::from_read_ref(&self.data);
        deserializer.set_max_depth(DEPTH_MAX);
        T::deserialize(&mut deserializer).map_err(|error| refused(error.to_string()))
    }
}

const ENCODING_KEY: &str = "$encoding";
const DATA_KEY: &str = "$data";

impl Payload {
    /// The value that it holds, unless its bytes say more than the value does.
    fn readable(&self) -> Option<Value> {
        let ours = self.encoding == Encoding::MESSAGE_PACK;
        let value = if ours { Value::from_canonical(&self.data)? } else { return None };
        value.field(ENCODING_KEY).is_none().then_some(value)
    }

    /// The reverse of the human-readable form.
    fn from_readable(value: &Value) -> Option<Self> {
        let Some(encoding) = value.field(ENCODING_KEY) else {
            return Some(Self { encoding: Encoding::MESSAGE_PACK, data: value.to_message_pack()?.into() });
        };
        let (Value::Text(encoding), Some(Value::Text(digits))) = (encoding, value.field(DATA_KEY)) else {
            return None;
        };
        let bytes = digits.as_bytes().chunks(2).map(|pair| {
            let pair =
                std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2 && !pair.starts_with('+'))?;
            u8::from_str_radix(pair, 16).ok()
        });
        let data: Option<Vec<u8>> = bytes.collect();
        Some(Self { encoding: Encoding::named(encoding.clone()), data: data?.into() })
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            let mut stored = serializer.serialize_struct("Payload", 2)?;
            stored.serialize_field("encoding", &self.encoding)?;
            stored.serialize_field("data", &self.data)?;
            return stored.end();
        }
        if let Some(value) = self.readable() {
            return value.serialize(serializer);
        }
        let mut opaque = serializer.serialize_struct("Payload", 2)?;
        opaque.serialize_field(ENCODING_KEY, &self.encoding)?;
        opaque.serialize_field(DATA_KEY, &format!("{:x}", self.data))?;
        opaque.end()
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Stored {
            encoding: Encoding,
            data: Bytes,
        }

        if deserializer.is_human_readable() {
            let value = Value::deserialize(deserializer)?;
            let refused = "not a payload: a value, or a map of `$encoding` and `$data` in hexadecimal digits";
            return Self::from_readable(&value).ok_or_else(|| de::Error::custom(refused));
        }
        let Stored { encoding, data } = Stored::deserialize(deserializer)?;
        Ok(Self { encoding, data })
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
    fn nesting_without_end_is_refused() {
        let deep =
            Payload { encoding: Encoding::MESSAGE_PACK, data: [vec![0x91; 250], vec![0xc0]].concat().into() };
        assert!(deep.decode::<de::IgnoredAny>().is_ok());
        let nested = Payload { encoding: Encoding::MESSAGE_PACK, data: vec![0x91; 1_000_000].into() };
        let error = nested.decode::<de::IgnoredAny>().unwrap_err();
        assert!(error.to_string().contains("depth"), "{error}");
    }

    #[test]
    fn another_encoding_is_not_guessed() {
        let payload = Payload { encoding: Encoding::named("zstd"), data: Bytes::from_static(b"\x01") };
        assert!(matches!(payload.decode::<u8>(), Err(PayloadError::Decode { .. })));
    }
}
