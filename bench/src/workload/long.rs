//! A long history: does a step cost the same at its end, and how fast is the whole of it told again?

use std::time::{Duration, Instant};

use retell::client::RunHandle;
use retell::history::Event;
use retell::replay::{Machine, MachineOptions};
use retell::vocabulary::RunKey;
use retell::workflow::definition;

use super::PAYLOAD_BYTES;
use super::awaited::{fresh_id, payload};
use super::code::{MARK_EVERY, Mark, long};
use crate::Failure;
use crate::measure::{Extra, Latencies, Meter, Sample, measured};
use crate::scene::Scene;

pub(super) async fn run(scene: &mut Scene, length: u32) -> Result<Sample, Failure> {
    scene.marks.take();
    let id = fresh_id();
    let mut sample = measured(scene, async {
        let run = scene.engine().start(long, id.as_str(), (length, payload(PAYLOAD_BYTES))).await?;
        // The code says by its last mark that it has come to its end; nobody waits for a result yet.
        while scene.marks.count() < marks_of(length) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(run);
        Ok((u64::from(length), Latencies::default()))
    })
    .await?;
    growth(&scene.marks.take(), &mut sample);
    let run = scene.engine().handle(long, id.as_str())?;
    let (events, key) = read(&run, &mut sample).await?;
    sample.extras.push(Extra::new("replay", replayed(events, key)?, "events/s"));
    end_cold(scene, &id, &mut sample).await?;
    Ok(sample)
}

/// What the last thousand steps took, over the first; and what each thousand used of the processor.
fn growth(marks: &[Mark], sample: &mut Sample) {
    if let [first, second, .., before, last] = marks {
        let time = (last.0 - before.0).as_secs_f64() / (second.0 - first.0).as_secs_f64();
        sample.extras.push(Extra::new("last thousand / first", time, ""));
        let cpu = (last.1 - before.1).as_secs_f64() / (second.1 - first.1).as_secs_f64();
        sample.extras.push(Extra::new("last thousand / first, CPU", cpu, ""));
    }
    let thousands = marks.windows(2).enumerate().map(|(index, marks)| {
        let each = (marks[1].1 - marks[0].1).as_secs_f64() * 1e6 / f64::from(MARK_EVERY);
        (index as f64 * f64::from(MARK_EVERY), each)
    });
    sample.series = thousands.collect();
}

/// One for each beginning thousand, and one at the end.
fn marks_of(length: u32) -> usize {
    length.div_ceil(MARK_EVERY) as usize + 1
}

/// Reads and decodes the whole history.
async fn read(run: &RunHandle<long>, sample: &mut Sample) -> Result<(Vec<Event>, RunKey), Failure> {
    let began = Instant::now();
    let events = run.history().await?;
    let rate = events.len() as f64 / began.elapsed().as_secs_f64();
    sample.extras.push(Extra::new("history", events.len() as f64, "events"));
    sample.extras.push(Extra::new("read and decode", rate, "events/s"));
    Ok((events, run.describe().await?.run))
}

/// Events that the machine takes in a second of one core, on a thread of its own and outside of any runtime.
fn replayed(events: Vec<Event>, key: RunKey) -> Result<f64, Failure> {
    let count = events.len();
    let definition = definition::<long>()?;
    let replay = std::thread::spawn(move || {
        let mut machine = Machine::new(definition, key, MachineOptions::default());
        let began = Meter::cpu_of_thread();
        machine.replay(events).map(|()| Meter::cpu_of_thread() - began)
    });
    let took = replay.join().map_err(|_| "the replay panicked")?.map_err(|error| error.to_string())?;
    Ok(count as f64 / took.as_secs_f64())
}

/// Starts the engine anew and wakes the run: it is read, replayed and closed.
async fn end_cold(scene: &mut Scene, id: &str, sample: &mut Sample) -> Result<(), Failure> {
    scene.restart().await?;
    let run = scene.engine().handle(long, id)?;
    let meter = Meter::start();
    let began = Instant::now();
    run.signal("end", &()).await?;
    run.result().await?;
    let (took, usage) = (began.elapsed(), meter.stop());
    sample.extras.push(Extra::new("cold, from signal to result", took.as_secs_f64() * 1e3, "ms"));
    sample.extras.push(Extra::new("of that CPU", usage.cpu.as_secs_f64() * 1e3, "ms"));
    Ok(())
}
