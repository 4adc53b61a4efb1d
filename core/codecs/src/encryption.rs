//! Encryption with AES-256-GCM (NIST SP 800-38D).

use std::collections::BTreeMap;
use std::fmt;

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, Generate, KeyInit, Nonce, Payload as Message};
use retell::history::{CodecError, PayloadCodec};
use retell::vocabulary::{Encoding, Payload};

use crate::envelope;
use crate::key::{Key, KeyId};

/// The encoding's name: first version of the layout below.
const NAME: &str = "retell-aes256gcm-1";
const NONCE_BYTES: usize = 12;

/// Encrypts payloads, and notices when stored ones were changed.
///
/// New payloads are encrypted with the current key; each says which key it needs, so that those of former keys are read
/// for as long as they are given. To rotate, give every worker and client the new key as a former one first, then make
/// it the current one; take an old key away once no history needs it.
///
/// The bytes it makes, in encoding `retell-aes256gcm-1`: the length of the key's name in one byte, that name; the same for
/// the value's own encoding; a random nonce of 12 bytes; the ciphertext with its tag. What stands before the nonce is
/// authenticated too. With random nonces one key is good for about four billion payloads (NIST SP 800-38D, 8.3): rotate
/// well before.
///
/// A payload that needs an unknown key, or that was changed, does not decode: its run is parked and says so, until a
/// worker has the key. Lengths of values stay to be seen.
#[derive(Clone)]
pub struct Encryption {
    current: KeyId,
    ciphers: BTreeMap<KeyId, Aes256Gcm>,
}

impl Encryption {
    /// Encrypts with this key.
    #[must_use]
    pub fn new(id: KeyId, key: Key) -> Self {
        Self { ciphers: BTreeMap::from([(id.clone(), cipher(&key))]), current: id }
    }

    /// Reads also what was encrypted with this key, or will be by others. A second key of one name replaces the first,
    /// but for the current one.
    #[must_use]
    pub fn with_former(mut self, id: KeyId, key: Key) -> Self {
        if id != self.current {
            self.ciphers.insert(id, cipher(&key));
        }
        self
    }
}

fn cipher(key: &Key) -> Aes256Gcm {
    Aes256Gcm::new(key.bytes().into())
}

impl PayloadCodec for Encryption {
    fn encode(&self, payload: Payload) -> Result<Payload, CodecError> {
        let mut data = Vec::new();
        envelope::put(&mut data, self.current.as_str())?;
        envelope::put(&mut data, payload.encoding.as_str())?;
        let nonce = Nonce::<Aes256Gcm>::try_generate()
            .map_err(|error| CodecError(format!("the system gives no random numbers: {error}")))?;
        let message = Message { msg: &payload.data, aad: &data };
        let ciphertext = self.ciphers[&self.current]
            .encrypt(&nonce, message)
            .map_err(|_| CodecError("a payload is too large to be encrypted".to_owned()))?;
        data.extend_from_slice(&nonce);
        data.extend_from_slice(&ciphertext);
        Ok(Payload { encoding: Encoding::named(NAME), data: data.into() })
    }

    fn decode(&self, payload: Payload) -> Result<Payload, CodecError> {
        if payload.encoding.as_str() != NAME {
            return Ok(payload);
        }
        let damaged = || CodecError(format!("{} bytes of {NAME} are damaged", payload.data.len()));
        let mut rest = &payload.data[..];
        let id = envelope::take(&mut rest).ok_or_else(damaged)?;
        let encoding = envelope::take(&mut rest).ok_or_else(damaged)?.to_owned();
        let aad = &payload.data[..payload.data.len() - rest.len()];
        let nonce = envelope::take_bytes(&mut rest, NONCE_BYTES).ok_or_else(damaged)?;
        let nonce = Nonce::<Aes256Gcm>::try_from(nonce).map_err(|_| damaged())?;
        let (_, cipher) = (self.ciphers.iter()).find(|(known, _)| known.as_str() == id).ok_or_else(|| {
            CodecError(format!("a payload needs the key {id:?}, which this process does not have"))
        })?;
        let changed = |_| {
            CodecError(format!(
                "a payload under the key {id:?} was changed, or that name stands for another key here"
            ))
        };
        let data = cipher.decrypt(&nonce, Message { msg: rest, aad }).map_err(changed)?;
        Ok(Payload { encoding: Encoding::named(encoding), data: data.into() })
    }
}

impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<&KeyId> = self.ciphers.keys().collect();
        f.debug_struct("Encryption").field("current", &self.current).field("known", &known).finish()
    }
}
