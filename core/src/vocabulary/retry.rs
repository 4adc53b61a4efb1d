//! Retry policies as plain, deterministic data.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Attempt, EventId, Failure, FailureKind, FailurePredicate, RunId, jitter};

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
    /// How much of each wait may be left out, from 0 to 1; chosen for each attempt, the same on every worker.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub jitter: f64,
    /// Only failures of this sort are tried again; `None` tries all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_if: Option<FailurePredicate>,
}

fn is_zero(jitter: &f64) -> bool {
    *jitter == 0.0
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
            jitter: 0.0,
            retry_if: None,
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

    /// Leaves up to this part of each wait out, from 0 (none) to 1 (all), so that calls that failed together do not come
    /// again together. How much is drawn from the run, the call and the attempt: no replay or takeover changes it.
    #[must_use]
    pub fn jitter(mut self, part: f64) -> Self {
        self.jitter = if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 };
        self
    }

    /// Sets what each further wait is multiplied by; below 1 counts as 1.
    #[must_use]
    pub fn backoff(mut self, factor: f64) -> Self {
        self.backoff = factor;
        self
    }

    /// Tries only failures of this sort again. That a worker died is no answer of the code, and is not asked about.
    #[must_use]
    pub fn retry_if(mut self, predicate: FailurePredicate) -> Self {
        self.retry_if = Some(predicate);
        self
    }

    /// As [`delay_after`](Self::delay_after) for a call of this run, with the jitter of the attempt.
    #[must_use]
    pub fn delay_in(
        &self,
        (run_id, scheduled): (RunId, EventId),
        failed: Attempt,
        failure: &Failure,
    ) -> Option<Duration> {
        let delay = self.delay_after(failed, failure)?;
        if self.jitter == 0.0 || failure.retry_after.is_some() {
            return Some(delay);
        }
        let kept = 1.0 - self.jitter.clamp(0.0, 1.0) * jitter::fraction(run_id, scheduled, failed);
        Some(Duration::try_from_secs_f64(delay.as_secs_f64() * kept).unwrap_or(delay))
    }

    /// The wait before the attempt after `failed`, or `None` if that was the last one. What the failure itself says
    /// about when to try again is neither capped nor multiplied.
    #[must_use]
    pub fn delay_after(&self, failed: Attempt, failure: &Failure) -> Option<Duration> {
        let exhausted = self.attempts_max.is_some_and(|max| failed.0 >= max);
        let permanent = failure.non_retryable
            || failure.error_types().any(|name| self.non_retryable_types.contains(name));
        let excluded = failure.kind != FailureKind::WorkerLost
            && self.retry_if.as_ref().is_some_and(|predicate| !predicate.holds(failure));
        if exhausted || permanent || excluded {
            return None;
        }
        if failure.retry_after.is_some() {
            return failure.retry_after;
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

    #[test]
    fn a_failure_may_say_when_to_try_again_but_not_how_often() {
        let policy = RetryPolicy::exponential().attempts(2).jitter(1.0);
        let failure = Failure::new("Busy", "no").retry_after(Duration::from_secs(1_000));
        let call = (RunId(uuid::Uuid::from_u128(7)), EventId(2));
        assert_eq!(policy.delay_in(call, Attempt(1), &failure), Some(Duration::from_secs(1_000)));
        assert_eq!(policy.delay_in(call, Attempt(2), &failure), None);
    }

    #[test]
    fn a_predicate_chooses_what_is_tried_again() {
        let policy = RetryPolicy::exponential().retry_if(FailurePredicate::error_type("Busy"));
        assert!(policy.delay_after(Attempt(1), &Failure::new("Busy", "no")).is_some());
        assert_eq!(policy.delay_after(Attempt(1), &Failure::new("E", "no")), None);
        let lost = Failure::of_kind(FailureKind::WorkerLost, "gone");
        assert!(policy.delay_after(Attempt(1), &lost).is_some());
    }

    #[test]
    fn jitter_is_stable_and_shortens_only() {
        let policy = RetryPolicy::fixed(Duration::from_secs(10)).jitter(0.5);
        let failure = Failure::new("E", "no");
        let delay = |scheduled| {
            let call = (RunId(uuid::Uuid::from_u128(7)), EventId(scheduled));
            policy.delay_in(call, Attempt(1), &failure).unwrap()
        };
        let delays: Vec<_> = (2..20).map(delay).collect();
        assert_eq!(delays, (2..20).map(delay).collect::<Vec<_>>());
        assert!(delays.iter().all(|delay| (5.0..=10.0).contains(&delay.as_secs_f64())), "{delays:?}");
        assert!(delays.iter().any(|delay| *delay != delays[0]));
    }
}
