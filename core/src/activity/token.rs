//! Completion from outside: a token stands for an attempt that somebody else will end.
//!
//! What is persisted: the call's row in the queue, written before the token is handed out and kept, without an owner,
//! after the body has returned; it survives restarts and takeovers. History gets the outcome like any other, and replay
//! knows nothing of how it came. The token itself is kept by whoever was given it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{ActivityContext, ActivityError};
use crate::vocabulary::{Attempt, EventId, Failure, FailureKind, RetryPolicy, RunKey, Timestamp};

/// What the text of a token begins with.
const PREFIX: &str = "retell1-";

/// The right to end one attempt of one call from outside: a text, to be put into a link, a queue, a database.
///
/// Whoever has it can complete, fail and heartbeat the attempt through a [`Client`](crate::client::Client) of any process
/// on the same store. It is used up when the attempt has ended, in whatever way; a later attempt has one of its own.
#[derive(Clone, PartialEq)]
pub struct ActivityToken(Box<TokenParts>);

/// What a token stands for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TokenParts {
    pub(crate) run: RunKey,
    pub(crate) scheduled: EventId,
    pub(crate) attempt: Attempt,
    /// When failed attempts are tried again.
    pub(crate) retry: RetryPolicy,
    /// How long the attempt may be silent.
    pub(crate) heartbeat: Option<std::time::Duration>,
    /// When the attempt must have ended.
    pub(crate) attempt_by: Option<Timestamp>,
    /// When the whole call must have ended.
    pub(crate) close_by: Option<Timestamp>,
}

/// A text that is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no activity token: {0}; pass the text on as it was given")]
pub struct InvalidToken(&'static str);

impl ActivityContext {
    /// A token by which this attempt can be ended from outside, as soon as this returns. Its call has a row in the queue
    /// by then; taking it again gives the same one.
    ///
    /// Return [`ActivityToken::completes_later`] to leave the ending to whoever has the token. The attempt's limits go on
    /// to apply: start-to-close, heartbeat (by [`heartbeat_activity`](crate::client::Client::heartbeat_activity)), and
    /// those of the whole call. A blocking body may block on this.
    ///
    /// # Errors
    /// A retryable `TokenUnavailable` if the attempt is no longer wanted, or if no worker runs it.
    pub async fn token(&self) -> Result<ActivityToken, ActivityError> {
        let token = match self.outlet() {
            Some(outlet) => outlet.token(self.info().clone()).await,
            None => None,
        };
        token.ok_or_else(|| {
            ActivityError::new("TokenUnavailable", "the attempt is no longer wanted, or no worker runs it")
        })
    }
}

impl ActivityToken {
    #[cfg(feature = "worker")]
    pub(crate) fn new(parts: TokenParts) -> Self {
        Self(Box::new(parts))
    }

    #[cfg(feature = "worker")]
    pub(crate) fn parts(&self) -> &TokenParts {
        &self.0
    }

    /// What a body returns whose attempt is ended by whoever has the token.
    ///
    /// # Errors
    /// Always: the error says so, and is no failure.
    ///
    /// # Examples
    /// ```
    /// use retell::prelude::*;
    ///
    /// #[retell::activity]
    /// async fn ask_a_person(cx: ActivityContext, question: String) -> Result<String, ActivityError> {
    ///     let token = cx.token().await?;
    ///     println!("{question} Answer under {token}");
    ///     token.completes_later()
    /// }
    /// ```
    pub fn completes_later<T>(&self) -> Result<T, ActivityError> {
        Err(ActivityError::of(Failure::of_kind(FailureKind::Deferred, "the attempt is ended by its token")))
    }
}

impl fmt::Display for ActivityToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        let bytes = rmp_serde::to_vec(&*self.0).map_err(|_| fmt::Error)?;
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ActivityToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TokenParts { run, scheduled, attempt, .. } = &*self.0;
        write!(f, "ActivityToken({run}, event {scheduled}, attempt {attempt})")
    }
}

impl FromStr for ActivityToken {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let digits = text.trim().strip_prefix(PREFIX).ok_or(InvalidToken("it begins otherwise"))?;
        let digits: Option<Vec<u8>> = digits
            .chars()
            .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect();
        let digits = digits.filter(|digits| digits.len() % 2 == 0);
        let digits = digits.ok_or(InvalidToken("it holds other characters"))?;
        let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        let parts = rmp_serde::from_slice(&bytes).map_err(|_| InvalidToken("it is damaged"))?;
        Ok(Self(Box::new(parts)))
    }
}

impl Serialize for ActivityToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ActivityToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::super::context::tests::context;
    use super::*;

    fn token() -> ActivityToken {
        let info = context(2, super::super::SharedState::default()).info().clone();
        ActivityToken(Box::new(TokenParts {
            run: info.run,
            scheduled: info.scheduled,
            attempt: info.attempt,
            retry: RetryPolicy::exponential().non_retryable("Declined"),
            heartbeat: Some(std::time::Duration::from_secs(3)),
            attempt_by: Some(Timestamp::from_micros(7)),
            close_by: None,
        }))
    }

    #[test]
    fn a_token_is_a_text_and_back() {
        assert_eq!(token().to_string().parse(), Ok(token()));
        let stored = crate::vocabulary::Payload::encode(&token()).unwrap();
        assert_eq!(stored.decode::<ActivityToken>().unwrap(), token());
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let cut = token().to_string();
        for text in ["", "retell1-", "retell1-zz", "retell1-é0", "order-42", &cut[..cut.len() - 2]] {
            assert!(text.parse::<ActivityToken>().is_err(), "{text:?}");
        }
    }
}
