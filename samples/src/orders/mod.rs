//! `orders`: one workflow for each order of a file, whatever kills the program in between.
//!
//! `workflow` and `activities` are what an embedder would write; `input` reads the file, `desk` starts, confirms and
//! waits, `ledger` is the outside world in which effects can be counted, `audit` and `check` prove that nothing was lost
//! or done twice.

pub mod activities;
pub mod audit;
pub mod check;
mod desk;
mod error;
pub mod input;
pub mod ledger;
pub mod options;
pub mod order;
pub mod program;
mod progress;
pub mod sample;
pub mod summary;
pub mod workflow;

use std::error::Error;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::PathBuf;
use std::process::ExitCode;

pub use desk::ENDED;
pub use error::OrdersError;
use input::Input;
use options::{Command, Options, Source};

/// The orders that come with the program.
const BUILT_IN: &str = include_str!("../../data/orders.csv");
/// The most findings that are printed.
const FINDINGS_SHOWN: usize = 50;

const FAILED: u8 = 1;
const WRONG_COMMAND_LINE: u8 = 2;
const MALFORMED_LINES: u8 = 3;
const INTERRUPTED: u8 = 130;

/// The program, with its arguments but without its name; a kill campaign runs it inside its own executable.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let done = match options::parse(arguments) {
        Ok(Command::Run(options)) => run(&options),
        Ok(Command::Check(options)) => check(&options),
        Ok(Command::Generate(count)) => {
            print!("{}", sample::orders_csv(count));
            return ExitCode::SUCCESS;
        }
        Ok(Command::Help) => {
            println!("{}", options::usage());
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("orders: {error}\n\n{}", options::usage());
            return ExitCode::from(WRONG_COMMAND_LINE);
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("orders: {}", with_causes(&error));
        ExitCode::from(FAILED)
    })
}

fn with_causes(error: &dyn Error) -> String {
    match error.source() {
        None => error.to_string(),
        Some(cause) => format!("{error}: {}", with_causes(cause)),
    }
}

fn run(options: &Options) -> Result<ExitCode, OrdersError> {
    let Input { orders, malformed } = read(&options.source)?;
    malformed.iter().for_each(|line| eprintln!("orders: {line}; left out"));
    let report = runtime()?.block_on(program::run(options, orders))?;
    let ended_here = report.summary.ended().saturating_sub(report.ended_before);
    println!("{}", report.summary.with_time(report.took, ended_here));
    if report.ended_before > 0 {
        println!("{} of them had ended before this process began", report.ended_before);
    }
    if report.interrupted {
        println!("interrupted; start it again, and it goes on where it was");
        return Ok(ExitCode::from(INTERRUPTED));
    }
    if malformed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("{} malformed lines were left out", malformed.len());
    Ok(ExitCode::from(MALFORMED_LINES))
}

fn check(options: &Options) -> Result<ExitCode, OrdersError> {
    let Input { orders, .. } = read(&options.source)?;
    let evidence = runtime()?.block_on(audit::gather(options, orders))?;
    let findings = check::examine(&evidence);
    findings.iter().take(FINDINGS_SHOWN).for_each(|finding| println!("{finding}"));
    let (orders, effects) = (evidence.orders.len(), evidence.effects.len());
    let starts = evidence.acknowledged_starts.len();
    let confirmations = evidence.acknowledged_confirmations.len();
    let ends = evidence.acknowledged_ends.len();
    println!(
        "{orders} orders, {effects} effects; acknowledged: {starts} starts, {confirmations} confirmations, {ends} ends"
    );
    if findings.is_empty() {
        println!("every order ended, every effect counts once, every history is whole");
        return Ok(ExitCode::SUCCESS);
    }
    println!("{} findings", findings.len());
    Ok(ExitCode::from(FAILED))
}

fn read(source: &Source) -> Result<Input, OrdersError> {
    let failed = |path: PathBuf| move |source| OrdersError::Input { path, source };
    match source {
        Source::BuiltIn => input::read(BUILT_IN.as_bytes()).map_err(failed("the program itself".into())),
        Source::StandardInput => input::read(io::stdin().lock()).map_err(failed("standard input".into())),
        Source::File(path) => {
            let file = File::open(path).map_err(failed(path.clone()))?;
            input::read(BufReader::new(file)).map_err(failed(path.clone()))
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, OrdersError> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(OrdersError::Runtime)
}
