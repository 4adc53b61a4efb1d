//! `select!` with types that do not fit.

#![allow(unused)]

use std::future::{pending, ready};

async fn waits() {
    retell::select! {
        n = ready(1) => n,
        () = pending() => "two",
    };
    retell::select! {
        n = 7 => n,
    };
}

fn main() {}
