//! Misuse of `join!`.

#![allow(unused)]

async fn waits() {
    retell::join!();
    retell::join!(async {}, 7);
}

fn blocks() {
    let () = retell::join!(async {}).0;
}

fn main() {}
