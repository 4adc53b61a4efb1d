//! Starts private servers and prints their variables, until its input ends or it is interrupted:
//! `cargo run -p retell-servers --bin serve -- postgres redis`. Without names, all of them.

use std::error::Error;
use std::io;

use retell_servers::{Kind, Server};

fn main() -> Result<(), Box<dyn Error>> {
    let mut kinds = Vec::new();
    for name in std::env::args().skip(1) {
        let known = Kind::ALL.into_iter().find(|kind| kind.to_string().eq_ignore_ascii_case(&name));
        let known = known.or_else(|| (name == "postgres").then_some(Kind::Postgres));
        kinds.push(known.ok_or_else(|| format!("there is no server {name:?}"))?);
    }
    if kinds.is_empty() {
        kinds.extend(Kind::ALL);
    }
    let mut servers = Vec::new();
    for kind in kinds {
        let server = Server::start(kind)?;
        println!("{}={}", kind.variable(), server.url());
        servers.push(server);
    }
    io::copy(&mut io::stdin().lock(), &mut io::sink())?;
    Ok(())
}
