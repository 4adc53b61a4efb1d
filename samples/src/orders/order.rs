//! What an order is, and how its processing can end.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An order as its line says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its ID, which is its workflow ID too.
    pub id: String,
    /// Who ordered.
    pub customer: String,
    /// What was ordered.
    pub sku: String,
    /// How many of it.
    pub quantity: u32,
    /// What it costs in all, in cents.
    pub amount_cents: u64,
    /// Who confirms it; nobody lets it time out.
    pub confirmation: Option<Confirmation>,
    /// Which step fails, if one does.
    pub failing: Option<Failing>,
}

/// Who answers whether the order is to go out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// Who answers.
    pub by: String,
    /// How long after the order's start, in milliseconds at pace 1.
    pub after_ms: u64,
    /// The answer.
    pub approved: bool,
}

/// A step that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// Which one.
    pub step: Step,
    /// How many attempts fail before one works; `None` fails for good.
    pub attempts: Option<u32>,
}

/// A step of an order that has an effect outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Step {
    /// Takes the goods out of the stock.
    Reserve,
    /// Takes the customer's money.
    Charge,
    /// Hands the parcel over.
    Ship,
    /// Sends the invoice.
    Bill,
}

impl Step {
    /// All steps, in the order in which they are first tried.
    pub const ALL: [Self; 4] = [Self::Reserve, Self::Charge, Self::Ship, Self::Bill];

    /// The kind of its effect in the ledger.
    #[must_use]
    pub fn effect(self) -> &'static str {
        match self {
            Self::Reserve => "reserve",
            Self::Charge => "charge",
            Self::Ship => "ship",
            Self::Bill => "bill",
        }
    }

    /// The kind of the effect that makes up for it.
    #[must_use]
    pub fn compensation(self) -> &'static str {
        match self {
            Self::Reserve => "release",
            Self::Charge => "refund",
            Self::Ship => "recall",
            Self::Bill => "credit",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.effect())
    }
}

impl FromStr for Step {
    type Err = UnknownStep;
    fn from_str(text: &str) -> Result<Self, UnknownStep> {
        Self::ALL.into_iter().find(|step| step.effect() == text).ok_or_else(|| UnknownStep(text.to_owned()))
    }
}

/// No step has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no step {0:?}; there are reserve, charge, ship and bill")]
pub struct UnknownStep(String);

/// How an order ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderOutcome {
    /// Confirmed, shipped and billed.
    Shipped,
    /// Its confirmation said no; all is made up for.
    Rejected {
        /// Who said so.
        by: String,
    },
    /// Nobody confirmed it in time; all is made up for.
    TimedOut,
    /// A step failed for good; all that was done is made up for.
    Compensated {
        /// What failed.
        step: Step,
        /// Why.
        reason: String,
    },
}
