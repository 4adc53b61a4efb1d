//! The benchmark: `cargo run --release -p retell-bench -- run`.
//!
//! Each workload runs on a fresh store and one engine with its defaults: once to warm up, then as often as asked for.
//! What is printed are medians, and the store's sync mode beside them.

mod figures;
mod options;
mod store;
mod workload;

use std::error::Error;
use std::process::ExitCode;

use figures::Figures;
use options::Options;
use store::Store;
use workload::Workload;

fn main() -> ExitCode {
    let options = match options::parse(std::env::args_os().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{}", options::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("bench: {error}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    if cfg!(debug_assertions) {
        println!("a debug build: figures are of no use");
    }
    println!("{}, medians of {} repetitions", options.store, options.repetitions);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    for workload in &options.workloads {
        let figures = runtime.block_on(measure(*workload, options))?;
        println!("{:<3} {figures}", workload.name());
    }
    Ok(())
}

async fn measure(workload: Workload, options: &Options) -> Result<Figures, Box<dyn Error>> {
    let store = Store::fresh(options.store, &options.directory)?;
    let engine = Workload::engine(&store).await?;
    workload.run(&engine, &store).await?;
    let mut samples = Vec::with_capacity(options.repetitions);
    for _ in 0..options.repetitions {
        samples.push(workload.run(&engine, &store).await?);
    }
    engine.shutdown().await;
    Ok(Figures::of(&samples))
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::StoreKind;

    fn check(workload: Workload, store: StoreKind) {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().to_owned();
        run(&Options { workloads: vec![workload], store, repetitions: 1, directory }).unwrap();
    }

    #[test]
    fn every_workload_runs_to_its_end() {
        Workload::ALL.into_iter().for_each(|workload| check(workload, StoreKind::Memory));
    }

    #[test]
    fn every_store_can_be_measured() {
        check(Workload::W3, StoreKind::SqliteFull);
        check(Workload::W3, StoreKind::SqliteNormal);
    }
}
