//! The hook through which payloads pass on their way to a store and back: compression, encryption.

use std::fmt;

use crate::vocabulary::Payload;

/// Changes payloads before they are stored and changes them back when they are read.
///
/// Called wherever bytes cross the seam, from several threads. Replay compares inputs before they pass the codec, so
/// that a codec need not be deterministic.
pub trait PayloadCodec: fmt::Debug + Send + Sync + 'static {
    /// Wraps a payload. What it does is written into [`Payload::encoding`], so that `decode` can tell.
    ///
    /// # Errors
    /// [`CodecError`]; nothing is stored then, and the caller gets it.
    fn encode(&self, payload: Payload) -> Result<Payload, CodecError>;

    /// Unwraps what `encode` made; a payload that it did not make comes back as it is.
    ///
    /// # Errors
    /// [`CodecError`]; the run is parked and names it, until a worker has the right codec.
    fn decode(&self, payload: Payload) -> Result<Payload, CodecError>;
}

/// A codec that could not do its work: a missing key, damaged bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the payload codec failed: {0}")]
pub struct CodecError(pub String);

/// The codec that changes nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plain;

impl PayloadCodec for Plain {
    fn encode(&self, payload: Payload) -> Result<Payload, CodecError> {
        Ok(payload)
    }

    fn decode(&self, payload: Payload) -> Result<Payload, CodecError> {
        Ok(payload)
    }
}
