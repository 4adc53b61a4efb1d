//! Who takes turns.

use std::sync::Arc;
use std::time::Instant;

use super::peer::{self, Program, Programs};
use super::{Turn, is_enough};
use crate::Failure;
use crate::floor::{self, Load};
use crate::measure::{Latencies, Sample};
use crate::place::Place;
use crate::run;
use crate::session::{DEFAULTS, FLOOR, RETELL};
use crate::store::StoreKind;
use crate::workload::Workload;

/// One that takes turns.
#[derive(Debug, Clone)]
pub(super) enum Contender {
    /// Retell with its defaults.
    Retell(StoreKind),
    /// The store's driver alone.
    Floor(StoreKind),
    /// A program of its own.
    Peer(Program),
}

impl Contender {
    /// All, in the order of their turns.
    pub(super) fn all(programs: &Programs, stores: &[StoreKind], workload: Workload) -> Vec<Self> {
        let own = stores.iter().copied().flat_map(|store| [Self::Retell(store), Self::Floor(store)]);
        own.chain(programs.of(workload).into_iter().map(Self::Peer)).collect()
    }

    /// One turn; `None` if it has nothing to show for this workload.
    pub(super) async fn turn(
        &self,
        workload: Workload,
        load: Option<Load>,
        place: &Arc<Place>,
    ) -> Result<Option<Turn>, Failure> {
        let began = Instant::now();
        let own = |name: &str, store: StoreKind, settings: &str, samples| Turn {
            name: name.to_owned(),
            store: place.label(store),
            settings: settings.to_owned(),
            count: workload.about().count,
            samples,
        };
        match self {
            Self::Retell(store) => {
                let enough = |samples: &[Sample]| is_enough(began, samples.len());
                let samples = run::turn(workload, *store, place, enough).await?;
                Ok(Some(own(RETELL, *store, DEFAULTS, samples)))
            }
            Self::Floor(store) => {
                let Some(load) = load else { return Ok(None) };
                let mut samples = Vec::new();
                while !is_enough(began, samples.len()) {
                    samples.push(floor_sample(workload, *store, &load, place).await?);
                }
                Ok(Some(own(FLOOR, *store, "the driver alone, best batches", samples)))
            }
            Self::Peer(program) => peer::turn(program, workload, place).map(Some),
        }
    }
}

async fn floor_sample(
    workload: Workload,
    store: StoreKind,
    load: &Load,
    place: &Place,
) -> Result<Sample, Failure> {
    let took = floor::measure(store, load, place).await?;
    // Of runs that come one after the other, each waits for its own commits.
    let latencies = match workload {
        Workload::W3 => [took / workload.about().count].into_iter().collect(),
        _ => Latencies::default(),
    };
    let operations = workload.operations();
    Ok(Sample { operations, took, latencies, ..Sample::default() })
}
