//! The benchmark: `cargo run --release -p retell-bench -- run`, `compare`, `show` and `plot`.
//!
//! Each workload runs on a fresh store and one engine with its defaults. `run` repeats it and prints medians, with the
//! store's sync mode beside them and what the store could do at best; `compare` has the peers do the same in turn; both
//! keep what they measured in a file, which `show` prints and from which `plot` draws. What is measured stands in `bench/README.md`.

mod compare;
#[cfg(test)]
mod counts;
mod floor;
mod machine;
mod measure;
mod options;
mod place;
mod plot;
mod run;
mod scene;
mod session;
mod show;
mod store;
mod targets;
#[cfg(test)]
mod trips;
mod workload;

use std::process::ExitCode;

use options::Command;

/// Whatever ends a measurement.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let command = match options::parse(std::env::args_os().skip(1)) {
        Ok(Some(command)) => command,
        Ok(None) => {
            println!("{}", options::usage());
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("bench: {error}\n\n{}", options::usage());
            return ExitCode::from(2);
        }
    };
    if cfg!(debug_assertions) {
        eprintln!("a debug build: figures are of no use");
    }
    let done = match &command {
        Command::Run(options) => run::run(options),
        Command::Compare(options) => compare::compare(options),
        Command::Show(files) => show::show(files),
        Command::Plot(options) => plot::plot(options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
