//! The text form of a recorded history: that of a history, with the run in three comment lines behind the header.
//!
//! ```text
//! retell history 1
//! # namespace: default
//! # workflow_id: order-42
//! # run_id: 019ab0c5-7e31-7c52-9a53-0f6f3f1f2f11
//! 1 2026-11-21T06:55:00.000000Z WorkflowStarted ...
//! ```

use std::fmt::{Display, Formatter, Result as FormatResult};
use std::str::FromStr;

use retell::history::{TextError, from_text, to_text};
use retell::vocabulary::{Namespace, RunId, RunKey, WorkflowId};

use super::Recorded;

const NAMESPACE: &str = "namespace";
const WORKFLOW_ID: &str = "workflow_id";
const RUN_ID: &str = "run_id";

pub(super) fn write(f: &mut Formatter<'_>, recorded: &Recorded) -> FormatResult {
    let RunKey { namespace, workflow_id, run_id } = &recorded.run;
    let text = to_text(&recorded.events);
    let (header, events) = text.split_once('\n').unwrap_or((&text, ""));
    writeln!(f, "{header}")?;
    writeln!(f, "# {NAMESPACE}: {namespace}\n# {WORKFLOW_ID}: {workflow_id}\n# {RUN_ID}: {run_id}")?;
    f.write_str(events)
}

pub(super) fn read(text: &str) -> Result<Recorded, TextError> {
    let events = from_text(text)?;
    if events.is_empty() {
        return Err(TextError { line: 1, reason: "the history has no event".to_owned() });
    }
    let mut run = RunKey {
        namespace: Namespace::default(),
        workflow_id: WorkflowId::new("recorded").expect("a plain word is an ID"),
        run_id: RunId(uuid::Uuid::nil()),
    };
    for (line, text) in (1..).zip(text.lines()) {
        let Some((name, value)) = comment(text) else { continue };
        let reason = match name {
            NAMESPACE => set(&mut run.namespace, Namespace::new(value)),
            WORKFLOW_ID => set(&mut run.workflow_id, WorkflowId::new(value)),
            RUN_ID => set(&mut run.run_id, RunId::from_str(value.trim())),
            _ => Ok(()),
        };
        reason.map_err(|reason| TextError { line, reason: format!("{name}: {reason}") })?;
    }
    Ok(Recorded { run, events })
}

/// The name and the value of a line `# name: value`.
fn comment(line: &str) -> Option<(&str, &str)> {
    line.trim_start().strip_prefix('#')?.trim_start().split_once(": ")
}

fn set<T, E: Display>(held: &mut T, value: Result<T, E>) -> Result<(), String> {
    *held = value.map_err(|error| error.to_string())?;
    Ok(())
}
