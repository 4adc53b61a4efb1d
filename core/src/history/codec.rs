//! The hook through which payloads pass on their way to a store and back: compression, encryption.

use std::fmt;
use std::sync::Arc;

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

    /// Whether it gives every payload back as it is, both ways: then it is not asked for each. `false` unless a codec
    /// says otherwise.
    fn changes_nothing(&self) -> bool {
        false
    }
}

/// A codec that could not do its work: a missing key, damaged bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the payload codec failed: {0}")]
pub struct CodecError(pub String);

/// Several codecs as one: payloads pass them in order on their way to the store, and in reverse on their way back.
///
/// ```
/// use retell::history::{CodecChain, PayloadCodec, Plain};
/// use retell::vocabulary::Payload;
///
/// let chain = CodecChain::new().then(Plain).then(Plain);
/// let payload = Payload::encode(&42)?;
/// assert_eq!(chain.decode(chain.encode(payload.clone())?)?, payload);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct CodecChain(Vec<Arc<dyn PayloadCodec>>);

impl CodecChain {
    /// A chain of none, which changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a codec at the side of the store.
    #[must_use]
    pub fn then(mut self, codec: impl PayloadCodec) -> Self {
        self.0.push(Arc::new(codec));
        self
    }
}

impl PayloadCodec for CodecChain {
    fn encode(&self, payload: Payload) -> Result<Payload, CodecError> {
        self.0.iter().try_fold(payload, |payload, codec| codec.encode(payload))
    }

    fn decode(&self, payload: Payload) -> Result<Payload, CodecError> {
        self.0.iter().rev().try_fold(payload, |payload, codec| codec.decode(payload))
    }

    fn changes_nothing(&self) -> bool {
        self.0.iter().all(|codec| codec.changes_nothing())
    }
}

impl<C: PayloadCodec + ?Sized> PayloadCodec for Arc<C> {
    fn encode(&self, payload: Payload) -> Result<Payload, CodecError> {
        (**self).encode(payload)
    }

    fn decode(&self, payload: Payload) -> Result<Payload, CodecError> {
        (**self).decode(payload)
    }

    fn changes_nothing(&self) -> bool {
        (**self).changes_nothing()
    }
}

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

    fn changes_nothing(&self) -> bool {
        true
    }
}
