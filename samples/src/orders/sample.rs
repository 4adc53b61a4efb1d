//! The orders that come with the repository, and as many more of their kind as a campaign wants.

use std::fmt::Write;

use super::input::HEADER;

const CUSTOMERS: [&str; 8] = [
    "Ada Lovelace",
    "\"Hopper, Grace\"",
    "Katherine Johnson",
    "\"Noether, Emmy\"",
    "Radia Perlman",
    "\"Lamarr, Hedy\"",
    "Barbara Liskov",
    "\"Germain, Sophie\"",
];
const SKUS: [&str; 6] = ["abacus", "astrolabe", "compass", "lamp-oil", "quill", "sextant"];

/// `count` orders as CSV, always the same ones.
///
/// Of 20 orders, 15 ship (one of them after failed attempts), 2 are rejected, 1 times out, and 2 fail at some step.
#[must_use]
pub fn orders_csv(count: usize) -> String {
    let mut csv = format!("{HEADER}\n");
    let mut lot = Lot(0x9e37_79b9_7f4a_7c15);
    for number in 1..=count {
        let customer = lot.of(&CUSTOMERS);
        let sku = lot.of(&SKUS);
        let quantity = 1 + lot.below(5);
        let cents = quantity * (199 + lot.below(9_800));
        let after_ms = lot.below(200);
        let clerk = if lot.below(3) == 0 { "auto" } else { customer };
        let (confirmed_by, answer) = match number % 20 {
            7 | 13 => (clerk, "no"),
            17 => ("nobody", ""),
            _ => (clerk, "yes"),
        };
        let after = if confirmed_by == "nobody" { String::new() } else { after_ms.to_string() };
        let step = lot.of(&["reserve", "charge", "ship", "bill"]);
        let fails = match number % 20 {
            3 => step.to_owned(),
            11 => lot.of(&["ship", "bill"]).to_owned(),
            5 => format!("{step}:{}", 1 + lot.below(2)),
            _ => "none".to_owned(),
        };
        let (whole, fraction) = (cents / 100, cents % 100);
        writeln!(
            csv,
            "order-{number:04},{customer},{sku},{quantity},{whole}.{fraction:02},{confirmed_by},{after},{answer},{fails}"
        )
        .expect("a String takes all that is written to it");
    }
    csv
}

/// A small generator of numbers that are the same for ever (xorshift).
struct Lot(u64);

impl Lot {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        let index = self.below(choices.len() as u64);
        choices[usize::try_from(index).expect("an index fits")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::input;

    #[test]
    fn the_repository_holds_a_thousand_well_formed_orders() {
        let stored = include_str!("../../data/orders.csv");
        assert!(
            stored == orders_csv(1_000),
            "samples/data/orders.csv is not what `orders generate 1000` prints"
        );
        let input = input::read(stored.as_bytes()).unwrap();
        assert_eq!((input.orders.len(), input.malformed.len()), (1_000, 0));
    }

    #[test]
    fn every_way_to_end_is_among_them() {
        let orders = input::read(orders_csv(200).as_bytes()).unwrap().orders;
        let count = |wanted: &dyn Fn(&crate::orders::order::Order) -> bool| {
            orders.iter().filter(|order| wanted(order)).count()
        };
        assert_eq!(count(&|order| order.confirmation.is_none()), 10);
        assert_eq!(count(&|order| order.confirmation.as_ref().is_some_and(|c| !c.approved)), 20);
        assert_eq!(count(&|order| order.failing.is_some_and(|f| f.attempts.is_none())), 20);
        assert_eq!(count(&|order| order.failing.is_some_and(|f| f.attempts.is_some())), 10);
    }
}
