//! Compression with Zstandard (RFC 8878).

use retell::history::{CodecError, PayloadCodec};
use retell::vocabulary::{Encoding, PAYLOAD_BYTES_MAX, Payload};

use crate::envelope;

/// The encoding's name: first version of the layout below.
const NAME: &str = "retell-zstd-1";
/// Values shorter than this seldom become shorter.
const BYTES_MIN: usize = 512;
const LEVEL: i32 = 3;

/// Compresses payloads that become shorter by it; others pass as they are.
///
/// The bytes it makes, in encoding `retell-zstd-1`: the length of the value's own encoding's name in one byte, that name,
/// the length of the value in four bytes (little-endian), one Zstandard frame. A value is never larger than
/// [`PAYLOAD_BYTES_MAX`], which is checked before room is made for it.
#[derive(Debug, Clone, Copy)]
pub struct Compression {
    level: i32,
    bytes_min: usize,
}

impl Default for Compression {
    /// Level 3, from 512 bytes on.
    fn default() -> Self {
        Self { level: LEVEL, bytes_min: BYTES_MIN }
    }
}

impl Compression {
    /// How hard to try: 1 is fast, 19 small, 3 unless set. What is out of the library's range counts as its nearest.
    #[must_use]
    pub fn level(mut self, level: i32) -> Self {
        let range = zstd::compression_level_range();
        self.level = level.clamp(*range.start(), *range.end());
        self
    }

    /// Passes values over that are shorter than this; 512 bytes unless set.
    #[must_use]
    pub fn bytes_min(mut self, bytes_min: usize) -> Self {
        self.bytes_min = bytes_min;
        self
    }
}

impl PayloadCodec for Compression {
    fn encode(&self, payload: Payload) -> Result<Payload, CodecError> {
        if payload.data.len() < self.bytes_min {
            return Ok(payload);
        }
        let too_large = || CodecError(format!("a payload of {} bytes is too large", payload.data.len()));
        let length = u32::try_from(payload.data.len()).map_err(|_| too_large())?;
        let frame = zstd::bulk::compress(&payload.data, self.level)
            .map_err(|error| CodecError(format!("a payload does not compress: {error}")))?;
        let mut data = Vec::with_capacity(frame.len() + payload.encoding.as_str().len() + 5);
        envelope::put(&mut data, payload.encoding.as_str())?;
        data.extend_from_slice(&length.to_le_bytes());
        data.extend_from_slice(&frame);
        if data.len() >= payload.data.len() {
            return Ok(payload);
        }
        Ok(Payload { encoding: Encoding::named(NAME), data: data.into() })
    }

    fn decode(&self, payload: Payload) -> Result<Payload, CodecError> {
        if payload.encoding.as_str() != NAME {
            return Ok(payload);
        }
        let damaged = || CodecError(format!("{} bytes of {NAME} are damaged", payload.data.len()));
        let mut rest = &payload.data[..];
        let encoding = envelope::take(&mut rest).ok_or_else(damaged)?.to_owned();
        let length = envelope::take_bytes(&mut rest, 4).ok_or_else(damaged)?;
        let length = u32::from_le_bytes(length.try_into().map_err(|_| damaged())?);
        let length = usize::try_from(length).map_err(|_| damaged())?;
        if length > PAYLOAD_BYTES_MAX {
            let reason =
                format!("a compressed payload claims {length} bytes, over the limit of {PAYLOAD_BYTES_MAX}");
            return Err(CodecError(reason));
        }
        let data = zstd::bulk::decompress(rest, length).map_err(|_| damaged())?;
        if data.len() != length {
            return Err(damaged());
        }
        Ok(Payload { encoding: Encoding::named(encoding), data: data.into() })
    }
}
