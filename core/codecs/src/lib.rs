//! Payload codecs for Retell: what users' values pass on their way to a store and back.
//!
//! [`Compression`] makes large values small; [`Encryption`] keeps them from whoever reads the store, under keys that
//! rotate. Put several into one [`CodecChain`](retell::history::CodecChain), compression first: what is encrypted no
//! longer compresses.
//!
//! ```
//! use retell::history::CodecChain;
//! use retell::prelude::*;
//! use retell_codecs::{Compression, Encryption, Key, KeyId};
//! use retell_memory::Memory;
//!
//! # #[retell::workflow]
//! # async fn greet(cx: WorkflowContext, name: String) -> WorkflowResult<String> { Ok(format!("Hello, {name}!")) }
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // From where you keep secrets; 32 bytes each.
//! let (current, former) = (Key::from([7; 32]), Key::from([6; 32]));
//! let encryption = Encryption::new(KeyId::new("2026-11")?, current).with_former(KeyId::new("2026-10")?, former);
//! let engine = Orchestrator::new(Memory::new())
//!     .codec(CodecChain::new().then(Compression::default()).then(encryption))
//!     .workflow(greet)
//!     .start()
//!     .await?;
//! assert_eq!(engine.start(greet, "greet-1", "Ada".to_owned()).await?.result().await?, "Hello, Ada!");
//! # Ok(())
//! # }
//! ```
//!
//! What a codec made is known by its [`Payload::encoding`](retell::vocabulary::Payload::encoding), so that codecs can be
//! added, and values from before still be read. Only payloads pass: names, IDs, times and the messages of failures are
//! stored as they are.

mod compression;
mod encryption;
mod envelope;
mod key;

pub use compression::Compression;
pub use encryption::Encryption;
pub use key::{InvalidKeyId, Key, KeyId};
