//! Retry policies as plain, deterministic data.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Attempt, Failure};

/// When a failed attempt is tried again. Kept with the activity, in history and on its task.
///
/// The default is Temporal's: for ever, after 1 s, 2 s, 4 s ... up to 100 s.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// The wait before the second attempt.
    pub initial_interval: Duration,
    /// What each further wait is multiplied by; below 1 counts as 1.
    pub backoff: f64,
    /// The longest wait.
    pub interval_max: Duration,
    /// Total tries, the first included; `None` tries for ever.
    #[serde(default)]
    pub attempts_max: Option<u32>,
    /// Error types that are not tried again, neither as they are nor as the cause of another.
    #[serde(default)]
    pub non_retryable_types: Vec<Arc<str>>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::exponential()
    }
}

impl RetryPolicy {
    /// 1 s, doubling up to 100 s, without a limit on attempts.
    #[must_use]
    pub fn exponential() -> Self {
        Self {
            initial_interval: Duration::from_secs(1),
            backoff: 2.0,
            interval_max: Duration::from_secs(100),
            attempts_max: None,
            non_retryable_types: Vec::new(),
        }
    }

    /// The same wait each time, without a limit on attempts.
    #[must_use]
    pub fn fixed(interval: Duration) -> Self {
        Self { initial_interval: interval, backoff: 1.0, interval_max: interval, ..Self::exponential() }
    }

    /// One attempt and no more.
    #[must_use]
    pub fn never() -> Self {
        Self::exponential().attempts(1)
    }

    /// Limits the total number of tries, the first included; 0 counts as 1.
    #[must_use]
    pub fn attempts(mut self, attempts_max: u32) -> Self {
        self.attempts_max = Some(attempts_max.max(1));
        self
    }

    /// Sets the wait before the second attempt.
    #[must_use]
    pub fn initial_interval(mut self, interval: Duration) -> Self {
        self.initial_interval = interval;
        self
    }

    /// Sets the longest wait.
    #[must_use]
    pub fn interval_max(mut self, interval: Duration) -> Self {
        self.interval_max = interval;
        self
    }

    /// Names an error type that is not tried again.
    #[must_use]
    pub fn non_retryable(mut self, error_type: impl Into<Arc<str>>) -> Self {
        self.non_retryable_types.push(error_type.into());
        self
    }

    /// The wait before the attempt after `failed`, or `None` if that was the last one.
    #[must_use]
    pub fn delay_after(&self, failed: Attempt, failure: &Failure) -> Option<Duration> {
        let exhausted = self.attempts_max.is_some_and(|max| failed.0 >= max);
        let permanent = failure.non_retryable
            || failure.error_types().any(|name| self.non_retryable_types.contains(name));
        if exhausted || permanent {
            return None;
        }
        let exponent = i32::try_from(failed.0.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.initial_interval.as_secs_f64() * self.backoff.max(1.0).powi(exponent);
        let delay = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        Some(delay.min(self.interval_max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(policy: &RetryPolicy, attempts: u32) -> Vec<Option<u64>> {
        let failure = Failure::new("E", "no");
        (1..=attempts).map(|n| policy.delay_after(Attempt(n), &failure).map(|d| d.as_secs())).collect()
    }

    #[test]
    fn the_first_wait_is_the_initial_interval() {
        assert_eq!(delays(&RetryPolicy::exponential(), 3), [Some(1), Some(2), Some(4)]);
    }

    #[test]
    fn attempts_are_total_tries() {
        assert_eq!(delays(&RetryPolicy::exponential().attempts(2), 2), [Some(1), None]);
        assert_eq!(delays(&RetryPolicy::never(), 1), [None]);
    }

    #[test]
    fn waits_end_at_the_longest() {
        let policy = RetryPolicy::exponential();
        assert_eq!(
            policy.delay_after(Attempt(u32::MAX), &Failure::new("E", "no")),
            Some(policy.interval_max)
        );
    }

    #[test]
    fn a_permanent_failure_is_not_tried_again() {
        let policy = RetryPolicy::exponential().non_retryable("Declined");
        assert_eq!(policy.delay_after(Attempt(1), &Failure::new("Declined", "no")), None);
        assert_eq!(policy.delay_after(Attempt(1), &Failure::new("E", "no").non_retryable()), None);
    }
}
