//! Codecs: what the store gets is what they made of it, everywhere.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use retell::Orchestrator;
use retell::activity::{ActivityContext, ActivityError};
use retell::backend::StoreError;
use retell::history::{CodecError, PayloadCodec};
use retell::vocabulary::{Encoding, Failure, Headers, Payload, RetryPolicy};
use retell::workflow::{WorkflowContext, WorkflowResult};
use retell::write::{ActivityVerdict, Next, Write};

use crate::engine::Scene;
use crate::engine::tap::{Call, Tap};

/// What must never be seen in the store.
const SECRET: &str = "tell nobody";

/// Turns each byte around.
#[derive(Debug)]
struct Xor;

impl Xor {
    fn turn(payload: &Payload) -> bytes::Bytes {
        payload.data.iter().map(|byte| byte ^ 0x5a).collect()
    }
}

impl PayloadCodec for Xor {
    fn encode(&self, payload: Payload) -> Result<Payload, CodecError> {
        let encoding = Encoding::named(format!("xor+{}", payload.encoding.as_str()));
        Ok(Payload { encoding, data: Self::turn(&payload) })
    }

    fn decode(&self, payload: Payload) -> Result<Payload, CodecError> {
        let Some(inner) = payload.encoding.as_str().strip_prefix("xor+") else { return Ok(payload) };
        let inner = if inner == "msgpack" { Encoding::MESSAGE_PACK } else { Encoding::named(inner.to_owned()) };
        Ok(Payload { encoding: inner, data: Self::turn(&payload) })
    }
}

/// Looks at all that is written.
#[derive(Default)]
struct Eye {
    leaks: Mutex<Vec<String>>,
}

impl Eye {
    fn see(&self, what: &str, bytes: &[u8]) {
        if bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()) {
            self.leaks.lock().unwrap().push(what.to_owned());
        }
    }

    fn see_failure(&self, what: &str, failure: Option<&Failure>) {
        let details = failure.and_then(|failure| failure.details.as_ref());
        details.iter().for_each(|details| self.see(what, &details.data));
    }
}

#[async_trait]
impl Tap for Eye {
    async fn before(&self, call: Call<'_>) -> Result<(), StoreError> {
        let Call::Apply(batch) = call else { return Ok(()) };
        for write in batch.iter() {
            match write {
                Write::Start(start) => self.see("a start", &start.record.bytes),
                Write::Send(send) => self.see("a message", &send.message.body),
                Write::Commit(commit) => {
                    commit.record.iter().for_each(|record| self.see("a record", &record.bytes));
                    for row in &commit.schedule {
                        self.see("a row's call", &row.call);
                        self.see_failure("a row's failure", row.last_failure.as_ref());
                        row.details.iter().for_each(|details| self.see("a row's details", &details.data));
                    }
                    if let Next::Closed { outcome, .. } = &commit.next {
                        self.see("an outcome", outcome);
                    }
                }
                Write::Activity(report) => match &report.verdict {
                    ActivityVerdict::Ended(message) => self.see("a report", &message.body),
                    ActivityVerdict::Retry { failure, .. } => self.see_failure("a retry", Some(failure)),
                    ActivityVerdict::Heartbeat { details, .. } => {
                        details.iter().for_each(|details| self.see("a heartbeat", &details.data));
                    }
                    ActivityVerdict::Released | ActivityVerdict::Deferred { .. } => {}
                },
                Write::Terminate(_) | Write::Remove(_) => {}
            }
        }
        Ok(())
    }
}

#[retell::activity]
async fn whisper(cx: ActivityContext, secret: String) -> Result<String, ActivityError> {
    assert_eq!(secret, SECRET);
    assert_eq!(cx.headers().get::<String>("secret"), Ok(Some(SECRET.to_owned())));
    if cx.attempt().0 <= 2 {
        return Err(ActivityError::new("Again", "not yet").details(&secret));
    }
    let details = cx.last_failure().and_then(|failure| failure.details.as_ref()).map(Payload::decode::<String>);
    assert_eq!(details, Some(Ok(secret.clone())), "what the last attempt left is read as it was written");
    Ok(secret)
}

#[retell::workflow]
async fn secretive(cx: WorkflowContext, secret: String) -> WorkflowResult<String> {
    let policy = RetryPolicy::fixed(std::time::Duration::from_millis(1));
    let heard = cx.activity(whisper, &secret).retry(policy).await?;
    let drawn: String = cx.side_effect(|| SECRET.to_owned()).await?;
    let signalled: String = cx.signal("secret").await?;
    let carried: String = cx.headers().get("secret")?.unwrap_or_default();
    assert_eq!([&heard, &drawn, &signalled, &carried], [SECRET; 4]);
    Ok(signalled)
}

/// Inputs, headers, rows, outcomes, failures' details, side effects, signals and results: none is plain.
pub async fn plain_bytes_never_reach_the_store(scene: Scene) {
    let eye = Arc::new(Eye::default());
    let code = |engine: Orchestrator| engine.workflow(secretive).activity(whisper).codec(Xor);
    let process = scene.setup().tap(eye.clone()).start(code).await;
    let mut headers = Headers::new();
    headers.insert("secret", SECRET).unwrap();
    let run = process.start(secretive, "secret", SECRET.to_owned()).headers(headers.clone()).await.unwrap();
    run.with_headers(headers).signal("secret", SECRET).await.unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), SECRET);
    let text = format!("{:?}", run.history().await.unwrap());
    assert!(text.contains("ActivityScheduled"), "{text}");
    let leaks = eye.leaks.lock().unwrap();
    assert!(leaks.is_empty(), "{leaks:#?}");
}
