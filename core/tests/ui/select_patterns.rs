//! A pattern of `select!` that could miss.

#![allow(unused)]

use std::future::{pending, ready};

async fn waits() {
    retell::select! {
        Some(n) = ready(Some(1)) => n,
        () = pending() => 2,
    };
}

fn main() {}
