//! `show`: what files of `--json` hold, as people read it.

use crate::Failure;
use crate::compare::table;
use crate::session::{Measured, Session};
use crate::targets;
use crate::workload::Workload;

/// Prints what several sessions measured, as one.
pub(crate) fn show(files: &[std::path::PathBuf]) -> Result<(), Failure> {
    let session = Session::read_all(files)?;
    session.results.iter().for_each(print_one);
    print(&session);
    Ok(())
}

/// Prints what was compared, and the targets.
pub(crate) fn print(session: &Session) {
    println!("{}", table(session));
    targets::print(session);
}

/// Prints one measurement on a few lines.
pub(crate) fn print_one(measured: &Measured) {
    let text = Workload::of_name(&measured.workload).map_or("", |workload| workload.about().text);
    println!("{}: {}", measured.workload, text.replace('#', &measured.count.to_string()));
    println!("    [{}, {}] {}", measured.contender, measured.store, measured.figures);
    if let Some(limit) = measured.limit_per_second {
        let (unit, share) = (measured.figures.unit.name(), measured.figures.per_second / limit * 100.0);
        println!("    {share:.1} percent of the store's own limit, {limit:.0} {unit}/s");
    }
}
