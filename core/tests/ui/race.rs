//! Misuse of `race!`.

#![allow(unused)]

use std::future::ready;

async fn waits() {
    retell::race!();
    retell::race!(ready(1), "two");
    retell::race!(ready(1), ready("two"));
}

fn main() {}
