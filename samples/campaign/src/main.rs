//! The kill campaign: `orders` is killed with SIGKILL at random moments and started again on the same files, until
//! it was killed often enough and all orders ended. Then everything is counted.
//!
//! The children run `orders` inside this very executable (first argument `orders`), so that nothing else needs to be
//! built. No engine is imported here: what is proved is what a program built on the engine leaves behind.

mod campaign;
mod chance;
mod child;
mod figures;
mod options;
mod watch;

use std::process::ExitCode;

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
    println!(
        "{} kills, {} processes, {} orders a round, seed {}",
        plan.kills, plan.processes, plan.orders, plan.seed
    );
    match campaign::run(&plan) {
        Ok(figures) => {
            println!("{figures}");
            figures.verdict(&plan)
        }
        Err(error) => {
            eprintln!("campaign: {error} (seed {})", plan.seed);
            ExitCode::FAILURE
        }
    }
}
