//! The workloads of Retell's benchmark, run by its peers: one peer, one store, one workload, one line of JSON.
//!
//! Started by `retell-bench compare`, which says what is to be run and reads the line. What a workload is stands in
//! `bench/README.md`; a turn lasts at least as long as asked for, or one sample, after a warm-up of a tenth of the size.

mod dbos_peer;
mod durare_peer;
mod duroxide_peer;
mod options;
mod turn;

use std::error::Error;
use std::process::ExitCode;

use options::{Options, PeerName};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let options = Options::parse(std::env::args_os().skip(1))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let turn = runtime.block_on(async {
        match options.peer {
            PeerName::Dbos => dbos_peer::turn(&options).await,
            PeerName::Durare => durare_peer::turn(&options).await,
            PeerName::Duroxide => duroxide_peer::turn(&options).await,
        }
    })?;
    println!("{}", serde_json::to_string(&turn)?);
    Ok(())
}
