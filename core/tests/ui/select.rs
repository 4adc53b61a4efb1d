//! Misuse of `select!`.

#![allow(unused)]

use std::future::ready;

async fn waits() {
    retell::select! {};
    retell::select! {
        ready(1) => 1,
    };
    retell::select! {
        n = ready(1), if true => n,
    };
    retell::select! {
        n = ready(1) => n
        m = ready(2) => m
    };
}

fn main() {}
