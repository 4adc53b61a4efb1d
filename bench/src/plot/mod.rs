//! `plot`: charts in SVG, drawn from the files that `--json` wrote.

mod bars;
mod lines;
mod svg;

use std::path::Path;

use bars::Bar;
use lines::{Line, Scale};

use crate::Failure;
use crate::options::PlotOptions;
use crate::session::{Measured, Session};
use crate::workload::Workload;

pub(crate) fn plot(options: &PlotOptions) -> Result<(), Failure> {
    let results = Session::read_all(&options.files)?.results;
    std::fs::create_dir_all(&options.out)?;
    for workload in Workload::COMPARED {
        let all: Vec<_> = results.iter().filter(|measured| measured.workload == workload.name()).collect();
        if all.len() > 1 {
            write(options, &format!("throughput-{}.svg", workload.name()), throughput(workload, &all))?;
        }
    }
    let timed: Vec<_> = results.iter().filter_map(latency).collect();
    if !timed.is_empty() {
        let chart = lines::draw("w3: start to result of one activity", Scale::Percentiles, &timed);
        write(options, "latency-w3.svg", chart)?;
    }
    let long: Vec<_> = results.iter().filter_map(cost).collect();
    if !long.is_empty() {
        let chart =
            lines::draw("processor time of a step, by the length of its history", Scale::Steps, &long);
        write(options, "cost-by-length.svg", chart)?;
    }
    Ok(())
}

fn write(options: &PlotOptions, name: &str, chart: String) -> Result<(), Failure> {
    let path = Path::new(&options.out).join(name);
    std::fs::write(&path, chart)?;
    println!("{}", path.display());
    Ok(())
}

fn throughput(workload: Workload, all: &[&Measured]) -> String {
    let mut bars: Vec<_> = all
        .iter()
        .map(|measured| Bar {
            label: format!("{}, {}", measured.contender, measured.store),
            note: measured.settings.clone(),
            value: measured.figures.per_second,
            is_own: measured.contender == crate::session::RETELL,
        })
        .collect();
    bars.sort_by(|a, b| b.value.total_cmp(&a.value));
    let about = workload.about();
    let text = about.text.replace('#', &about.count.to_string());
    bars::draw(&format!("{}: {text}; {}/s, logarithmic", about.name, about.unit.name()), &bars)
}

fn latency(measured: &Measured) -> Option<Line> {
    let latency = measured.figures.latency.as_ref().filter(|latency| latency.count > 10)?;
    (measured.workload == "w3").then(|| Line {
        label: format!("{}, {}, {}", measured.contender, measured.store, measured.settings),
        points: latency.curve.clone(),
    })
}

fn cost(measured: &Measured) -> Option<Line> {
    let points = measured.figures.series.clone();
    (!points.is_empty())
        .then(|| Line { label: format!("{}, {}", measured.contender, measured.store), points })
}
