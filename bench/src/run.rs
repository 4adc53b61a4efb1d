//! `run`: a workload at a time, on a fresh store, as often as it takes.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use crate::Failure;
use crate::floor::{self, Load};
use crate::measure::{Figures, Sample, median};
use crate::options::{RunOptions, Sizes};
use crate::place::Place;
use crate::scene::Scene;
use crate::session::{DEFAULTS, Measured, RETELL, Session};
use crate::show;
use crate::store::{Store, StoreKind};
use crate::targets;
use crate::workload::Workload;

pub(crate) fn run(options: &RunOptions) -> Result<(), Failure> {
    let place = Place::of(options.store, options.url.as_deref(), options.directory.clone())?;
    let place = Arc::new(place);
    println!("{}, medians of the repetitions after one to warm up", place.label(options.store));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut session = Session::begin();
    for workload in &options.workloads {
        let measured = runtime.block_on(measure(*workload, options, &place))?;
        show::print_one(&measured);
        session.results.push(measured);
        // What has been measured is kept even if the next workload fails.
        if let Some(path) = &options.json {
            session.write(path)?;
        }
    }
    targets::print(&session);
    Ok(())
}

async fn measure(workload: Workload, options: &RunOptions, place: &Arc<Place>) -> Result<Measured, Failure> {
    let about = workload.about();
    let count = options.sizes.count.unwrap_or(about.count);
    let repetitions = options.repetitions.unwrap_or(about.repetitions);
    let store = Store::fresh(options.store, place).await?;
    let mut scene = Scene::open(store, options.sizes).await?;
    if repetitions > 1 {
        progress(workload, "warming up");
        workload.run(&mut scene).await?;
    }
    let (mut samples, mut limits) = (Vec::new(), Vec::new());
    for repetition in 1..=repetitions {
        progress(workload, &format!("{repetition} of {repetitions}"));
        let sample = workload.run(&mut scene).await?;
        limits.extend(limit(workload, count, &sample, options.store, place).await?);
        samples.push(sample);
    }
    progress(workload, "");
    scene.stop().await;
    Ok(Measured {
        workload: about.name.to_owned(),
        contender: RETELL.to_owned(),
        store: place.label(options.store),
        settings: DEFAULTS.to_owned(),
        count,
        figures: Figures::of(about.unit, &samples),
        limit_per_second: (!limits.is_empty()).then(|| median(limits)),
    })
}

/// What the store does at best with the bytes of a sample, in its unit.
async fn limit(
    workload: Workload,
    count: u32,
    sample: &Sample,
    store: StoreKind,
    place: &Place,
) -> Result<Option<f64>, Failure> {
    let Some(load) = Load::of(workload, count, &sample.counts) else { return Ok(None) };
    let took = floor::measure(store, &load, place).await?;
    Ok(Some(sample.operations as f64 / took.as_secs_f64()))
}

/// One repetition after a small one to warm up, on a store of its own: a turn among others.
pub(crate) async fn turn(
    workload: Workload,
    kind: StoreKind,
    place: &Arc<Place>,
    mut enough: impl FnMut(&[Sample]) -> bool,
) -> Result<Vec<Sample>, Failure> {
    let tenth = Sizes { count: Some(workload.about().count / 10), ..Sizes::default() };
    let mut scene = Scene::open(Store::fresh(kind, place).await?, tenth).await?;
    workload.run(&mut scene).await?;
    scene.sizes = Sizes::default();
    let mut samples = Vec::new();
    while !enough(&samples) {
        samples.push(workload.run(&mut scene).await?);
    }
    scene.stop().await;
    Ok(samples)
}

/// Says on a terminal what is under way; `""` clears the line.
fn progress(workload: Workload, what: &str) {
    let mut out = std::io::stderr();
    if out.is_terminal() {
        // A terminal that is gone needs no progress.
        let _ = write!(
            out,
            "\r\x1b[K{}",
            if what.is_empty() { String::new() } else { format!("{}: {what}", workload.name()) }
        );
        let _ = out.flush();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn check(workload: Workload, store: StoreKind, count: u32) -> Measured {
        let directory = tempfile::tempdir().unwrap();
        let options = RunOptions {
            workloads: vec![workload],
            store,
            url: None,
            repetitions: Some(1),
            sizes: Sizes { count: Some(count), lasting: Duration::from_millis(50), ..Sizes::default() },
            directory: directory.path().to_owned(),
            json: Some(directory.path().join("session.json")),
        };
        run(&options).unwrap();
        let kept = Session::read(&directory.path().join("session.json")).unwrap();
        kept.results.into_iter().next().unwrap()
    }

    #[test]
    fn every_quick_workload_runs_to_its_end_and_is_kept() {
        for workload in Workload::ALL.into_iter().filter(|workload| workload.about().usual) {
            let measured = check(workload, StoreKind::Memory, 4);
            assert_eq!(measured.workload, workload.name());
            assert!(measured.figures.per_second > 0.0);
        }
    }

    #[test]
    fn every_store_can_be_measured_beside_its_limit() {
        for store in StoreKind::ALL {
            let measured = check(Workload::W3, store, 3);
            assert!(measured.limit_per_second.unwrap() > 0.0);
        }
    }

    #[test]
    fn a_long_history_is_replayed_cold() {
        let measured = check(Workload::Long, StoreKind::SqliteFull, 3_000);
        assert!(measured.figures.extra("replay").unwrap() > 0.0);
        assert!(measured.figures.extra("last thousand / first").unwrap() > 0.0);
    }
}
