//! The kill campaign: `orders` is killed with SIGKILL again and again and started anew on the same store, until it was
//! killed often enough and all orders ended. Then everything is counted.
//!
//! The children run `orders` inside this very executable (first argument `orders`), so that nothing else needs to be
//! built. No engine is imported here: what is proved is what a program built on the engine leaves behind.

mod campaign;
mod chance;
mod child;
mod figures;
mod options;
mod place;
mod rhythm;
mod watch;

use std::process::ExitCode;

use crate::options::Plan;
use crate::place::Place;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).peekable();
    if arguments.next_if(|word| word == child::AS_ORDERS).is_some() {
        return retell_samples::orders::main(arguments);
    }
    let plan = match options::parse(arguments) {
        Ok(Some(plan)) => plan,
        Ok(None) => {
            println!("{}", options::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("campaign: {error}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    // Each is run, whatever came of the one before.
    let verdicts: Vec<_> = plan.places.iter().map(|place| run(&plan, place)).collect();
    verdicts.into_iter().find(|verdict| *verdict != ExitCode::SUCCESS).unwrap_or(ExitCode::SUCCESS)
}

fn run(plan: &Plan, place: &Place) -> ExitCode {
    println!("{place}: {} orders a round, {} processes, seed {}", plan.orders, plan.processes, plan.seed);
    match campaign::run(plan, place) {
        Ok(figures) => {
            println!("{figures}");
            figures.verdict(plan)
        }
        Err(error) => {
            eprintln!("campaign: {error} (seed {})", plan.seed);
            ExitCode::FAILURE
        }
    }
}
