//! `compare`: Retell, its store's floor and the peers, in turn, in one session.
//!
//! A round gives each contender one turn at a workload: a tenth of it to warm up, then as often as a second holds.
//! Neighbours on the machine thus disturb all alike; what is compared are medians over all turns.

mod contender;
mod peer;
mod table;

pub(crate) use table::table;

use std::sync::Arc;
use std::time::{Duration, Instant};

use contender::Contender;
use peer::Programs;

use crate::Failure;
use crate::floor::Load;
use crate::measure::{Counts, Figures, Sample};
use crate::options::CompareOptions;
use crate::place::Place;
use crate::session::{Measured, RETELL, Session};
use crate::show;
use crate::store::StoreKind;
use crate::workload::Workload;

/// How long a turn lasts, unless a single sample takes longer.
const TURN: Duration = Duration::from_secs(1);
/// The most samples of a turn.
const SAMPLES_MAX: usize = 25;
/// A contender whose turn takes longer has only one.
const SLOW: Duration = Duration::from_secs(10);

/// Whether a turn that began then has enough samples.
fn is_enough(began: Instant, samples: usize) -> bool {
    samples > 0 && (began.elapsed() >= TURN || samples >= SAMPLES_MAX)
}

pub(crate) fn compare(options: &CompareOptions) -> Result<(), Failure> {
    let (stores, place) = match options.server {
        None => (StoreKind::EMBEDDED.to_vec(), Place::files(options.directory.clone())),
        Some(server) => (vec![server], Place::of(server, options.url.as_deref(), options.directory.clone())?),
    };
    let place = Arc::new(place);
    let programs = Programs::build(&options.peers, &stores);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut session = Session::begin();
    for workload in &options.workloads {
        let mut bouts: Vec<_> =
            Contender::all(&programs, &stores, *workload).into_iter().map(Bout::new).collect();
        for round in 1..=options.rounds {
            eprintln!("{}: round {round} of {}", workload.name(), options.rounds);
            runtime.block_on(play(&mut bouts, *workload, &place))?;
        }
        let results = bouts.into_iter().filter_map(|bout| bout.measured(*workload));
        session.results.extend(results);
        // What has been measured is kept even if the next workload fails.
        if let Some(path) = &options.json {
            session.write(path)?;
        }
    }
    show::print(&session);
    Ok(())
}

/// A contender and what it has done so far.
struct Bout {
    contender: Contender,
    turn: Option<Turn>,
    samples: Vec<Sample>,
    is_slow: bool,
}

/// One turn: samples, and what must be known of them.
struct Turn {
    name: String,
    store: String,
    settings: String,
    count: u32,
    samples: Vec<Sample>,
}

impl Bout {
    fn new(contender: Contender) -> Self {
        Self { contender, turn: None, samples: Vec::new(), is_slow: false }
    }

    fn take(&mut self, mut turn: Turn, took: Duration) {
        self.is_slow = took > SLOW;
        self.samples.append(&mut turn.samples);
        self.turn = Some(turn);
    }

    fn measured(self, workload: Workload) -> Option<Measured> {
        let turn = self.turn?;
        Some(Measured {
            workload: workload.name().to_owned(),
            contender: turn.name,
            store: turn.store,
            settings: turn.settings,
            count: turn.count,
            figures: Figures::of(workload.about().unit, &self.samples),
            limit_per_second: None,
        })
    }
}

/// One round. Retell comes first, so that the floor knows what to write.
async fn play(bouts: &mut [Bout], workload: Workload, place: &Arc<Place>) -> Result<(), Failure> {
    let mut counts: Option<Counts> = None;
    for bout in bouts.iter_mut().filter(|bout| !bout.is_slow) {
        let load = counts.as_ref().and_then(|counts| Load::of(workload, workload.about().count, counts));
        let began = Instant::now();
        match bout.contender.turn(workload, load, place).await {
            Ok(Some(turn)) => {
                if turn.name == RETELL {
                    counts = turn.samples.first().map(|sample| sample.counts);
                }
                let first = turn.samples.first();
                let rate = first.map_or(0.0, |first| first.operations as f64 / first.took.as_secs_f64());
                eprintln!("    {} on {}: {rate:.0}/s", turn.name, turn.store);
                bout.take(turn, began.elapsed());
            }
            Ok(None) => {}
            // A peer that fails is said to, and the others go on.
            Err(error) => eprintln!("    {:?}: {error}", bout.contender),
        }
    }
    Ok(())
}
