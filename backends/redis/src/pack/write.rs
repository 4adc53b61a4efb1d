//! Writes, each with its kind.

use bytes::Bytes;
use retell::write::{ActivityReport, ActivityVerdict, Remove, Send, Start, Target, Terminate, Write};
use serde::Serialize;

use super::commit::{Packed as PackedCommit, commit};
use super::start::{Closing, Packed as PackedStart, closing, start as start_of};
use super::{Message, Place, blob, message, packed, request};
use crate::key::{Keys, hex, of_namespace};

#[derive(Serialize)]
struct Kind<T: Serialize> {
    what: &'static str,
    #[serde(flatten)]
    write: T,
}

#[derive(Serialize)]
struct PackedSend<'a> {
    #[serde(flatten)]
    target: Place<'a>,
    message: Message,
    at: String,
}

#[derive(Serialize)]
struct PackedTerminate<'a> {
    #[serde(flatten)]
    target: Place<'a>,
    request: String,
    closing: Closing,
    at: String,
}

#[derive(Serialize)]
struct PackedReport<'a> {
    #[serde(flatten)]
    run: Place<'a>,
    scheduled: String,
    attempt: String,
    worker: Option<String>,
    request: String,
    at: String,
    #[serde(flatten)]
    verdict: Verdict,
}

#[derive(Default, Serialize)]
struct Verdict {
    verdict: &'static str,
    message: Option<Message>,
    next: Option<String>,
    visible: Option<String>,
    failure: Option<Bytes>,
    details: Option<Bytes>,
}

fn target(target: &Target) -> Place<'_> {
    Place {
        ns: of_namespace(&target.namespace),
        id: target.workflow_id.as_str(),
        run: target.run_id.map(|run| hex(run.0)),
    }
}

fn verdict(verdict: &ActivityVerdict) -> Verdict {
    let none = Verdict::default();
    match verdict {
        ActivityVerdict::Ended(ended) => Verdict { verdict: "ended", message: Some(message(ended)), ..none },
        ActivityVerdict::Retry { attempt, visible_at, failure } => Verdict {
            verdict: "retry",
            next: Some(attempt.to_string()),
            visible: Some(visible_at.as_micros().to_string()),
            failure: Some(blob(failure)),
            ..none
        },
        ActivityVerdict::Released => Verdict { verdict: "released", ..none },
        ActivityVerdict::Heartbeat { details, visible_at } => Verdict {
            verdict: "heartbeat",
            visible: visible_at.map(|at| at.as_micros().to_string()),
            details: details.as_ref().map(blob),
            ..none
        },
        ActivityVerdict::Deferred { visible_at } => {
            Verdict { verdict: "deferred", visible: Some(visible_at.as_micros().to_string()), ..none }
        }
    }
}

pub(super) fn start(write: &Start) -> Bytes {
    packed::<Kind<PackedStart<'_>>>(&Kind { what: "start", write: start_of(write) })
}

pub(super) fn send(send: &Send) -> Bytes {
    let write = PackedSend {
        target: target(&send.target),
        message: message(&send.message),
        at: send.at.as_micros().to_string(),
    };
    packed(&Kind { what: "send", write })
}

pub(super) fn terminate(terminate: &Terminate) -> Bytes {
    let write = PackedTerminate {
        target: target(&terminate.target),
        request: request(terminate.request_id),
        closing: closing(&terminate.closing),
        at: terminate.at.as_micros().to_string(),
    };
    packed(&Kind { what: "terminate", write })
}

fn report(report: &ActivityReport) -> Bytes {
    let write = PackedReport {
        run: Place::of(&report.run),
        scheduled: report.scheduled.to_string(),
        attempt: report.attempt.to_string(),
        worker: report.worker.map(|worker| hex(worker.0)),
        request: request(report.request_id),
        at: report.at.as_micros().to_string(),
        verdict: verdict(&report.verdict),
    };
    packed(&Kind { what: "report", write })
}

fn remove(remove: &Remove) -> Bytes {
    packed(&Kind { what: "remove", write: Place::of(&remove.run) })
}

/// A write as the script takes it.
pub(crate) fn pack(write: &Write, keys: &Keys) -> Bytes {
    match write {
        Write::Start(write) => start(write),
        Write::Send(write) => send(write),
        Write::Terminate(write) => terminate(write),
        Write::Commit(write) => {
            packed::<Kind<PackedCommit<'_>>>(&Kind { what: "commit", write: commit(write, keys) })
        }
        Write::Remove(write) => remove(write),
        Write::Activity(write) => report(write),
    }
}
