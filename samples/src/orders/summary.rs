//! What came of all orders, for people to read.

use std::fmt;
use std::time::Duration;

use super::order::OrderOutcome;

/// How many orders ended in which way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Went out.
    pub shipped: usize,
    /// Were refused by whoever answered.
    pub rejected: usize,
    /// Were not answered.
    pub timed_out: usize,
    /// Failed at a step, with all that was done made up for.
    pub compensated: usize,
    /// Ended otherwise: cancelled, terminated or failed.
    pub other: usize,
}

impl Summary {
    /// Counts one order; `None` for one whose run ended without an outcome.
    pub fn add(&mut self, outcome: Option<&OrderOutcome>) {
        let count = match outcome {
            Some(OrderOutcome::Shipped) => &mut self.shipped,
            Some(OrderOutcome::Rejected { .. }) => &mut self.rejected,
            Some(OrderOutcome::TimedOut) => &mut self.timed_out,
            Some(OrderOutcome::Compensated { .. }) => &mut self.compensated,
            None => &mut self.other,
        };
        *count += 1;
    }

    /// How many orders ended.
    #[must_use]
    pub fn ended(&self) -> usize {
        self.shipped + self.rejected + self.timed_out + self.compensated + self.other
    }

    /// The summary with the time that it took and the orders of this process for each second.
    pub fn with_time(&self, took: Duration, here: usize) -> impl fmt::Display {
        let rate = here as f64 / took.as_secs_f64().max(f64::EPSILON);
        format!("{self}\n{:.1} s, {rate:.0} orders/s", took.as_secs_f64())
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} orders: {} shipped, {} rejected, {} timed out, {} failed and made up for",
            self.ended(),
            self.shipped,
            self.rejected,
            self.timed_out,
            self.compensated
        )?;
        if self.other > 0 {
            write!(f, ", {} ended otherwise", self.other)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::order::Step;

    #[test]
    fn every_end_is_counted() {
        let mut summary = Summary::default();
        summary.add(Some(&OrderOutcome::Shipped));
        summary.add(Some(&OrderOutcome::Shipped));
        summary.add(Some(&OrderOutcome::Rejected { by: "Ada".to_owned() }));
        summary.add(Some(&OrderOutcome::TimedOut));
        summary.add(Some(&OrderOutcome::Compensated { step: Step::Ship, reason: "no".to_owned() }));
        assert_eq!(
            summary.to_string(),
            "5 orders: 2 shipped, 1 rejected, 1 timed out, 1 failed and made up for"
        );
        summary.add(None);
        assert!(summary.to_string().ends_with(", 1 ended otherwise"));
        let timed = summary.with_time(Duration::from_millis(1_500), 3).to_string();
        assert!(timed.ends_with("\n1.5 s, 2 orders/s"), "{timed}");
    }
}
