//! duroxide: replay of a history, activities in a queue, both polled for.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use duroxide::providers::sqlite::SqliteProvider;
use duroxide::runtime::registry::ActivityRegistry;
use duroxide::runtime::{Runtime, RuntimeOptions};
use duroxide::{ActivityContext, Client, OrchestrationContext, OrchestrationRegistry, OrchestrationStatus};

use crate::options::{Options, Settings, Shape, StoreName, Workload};
use crate::turn::{Peer, Turn, samples};

/// How long a run may take before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(240);

struct Duroxide {
    client: Client,
    started: AtomicU64,
}

impl Peer for Duroxide {
    async fn one(&self, workload: Workload) -> Result<(), Box<dyn Error>> {
        let id = format!("bench-{}", self.started.fetch_add(1, Ordering::Relaxed));
        let payload = "x".repeat(100);
        let (name, input, output) = match workload.shape {
            Shape::Chain(length) => ("chain", format!("{length} {payload}"), payload),
            Shape::Fan(width) => ("fan", format!("{width} {payload}"), width.to_string()),
            Shape::Sleep => ("nap", String::new(), String::new()),
        };
        self.client.start_orchestration(&id, name, input).await?;
        match self.client.wait_for_orchestration(&id, PATIENCE).await? {
            OrchestrationStatus::Completed { output: given, .. } if given == output => Ok(()),
            other => Err(format!("{id} ended as {other:?}").into()),
        }
    }
}

pub(crate) async fn turn(options: &Options) -> Result<Turn, Box<dyn Error>> {
    std::fs::create_dir_all(&options.directory)?;
    let folder = tempfile::tempdir_in(&options.directory)?;
    let (store, durability) = match options.store {
        StoreName::Postgres => return Err("duroxide is measured on SQLite".into()),
        StoreName::Memory => (SqliteProvider::new_in_memory().await?, "memory (SQLite's)"),
        StoreName::Sqlite => {
            let path = folder.path().join("duroxide.db");
            std::fs::File::create(&path)?;
            let url = format!("sqlite:{}", path.display());
            (SqliteProvider::new(&url, None).await?, "SQLite, synchronous=NORMAL")
        }
    };
    let (runtime_options, settings) = match options.settings {
        Settings::Default => (RuntimeOptions::default(), "defaults"),
        Settings::Best => (
            RuntimeOptions {
                dispatcher_min_poll_interval: Duration::from_millis(1),
                ..RuntimeOptions::default()
            },
            "polls every millisecond",
        ),
        Settings::Durable => return Err("duroxide sets synchronous=NORMAL itself".into()),
    };
    let store = Arc::new(store);
    let runtime =
        Runtime::start_with_options(store.clone(), activities(), orchestrations(), runtime_options).await;
    let peer = Duroxide { client: Client::new(store), started: AtomicU64::new(0) };
    let samples = samples(&peer, options).await;
    runtime.shutdown(Some(100)).await;
    let durability = durability.to_owned();
    Ok(Turn { version: "duroxide 0.1.32", durability, settings: settings.to_owned(), samples })
}

fn activities() -> ActivityRegistry {
    ActivityRegistry::builder()
        .register("echo", |_cx: ActivityContext, payload: String| async move { Ok(payload) })
        .build()
}

fn orchestrations() -> OrchestrationRegistry {
    OrchestrationRegistry::builder()
        .register("chain", |cx: OrchestrationContext, input: String| async move {
            let (length, mut payload) = parts(&input)?;
            for _ in 0..length {
                payload = cx.schedule_activity("echo", payload).await?;
            }
            Ok(payload)
        })
        .register("fan", |cx: OrchestrationContext, input: String| async move {
            let (width, payload) = parts(&input)?;
            let calls: Vec<_> = (0..width).map(|_| cx.schedule_activity("echo", payload.clone())).collect();
            // Its own join: futures that are polled by another one hang for ever.
            let answers: Result<Vec<_>, _> = cx.join(calls).await.into_iter().collect();
            Ok(answers?.len().to_string())
        })
        .register("nap", |cx: OrchestrationContext, _input: String| async move {
            cx.schedule_timer(Duration::from_secs(1)).await;
            Ok(String::new())
        })
        .build()
}

fn parts(input: &str) -> Result<(u32, String), String> {
    let (count, payload) = input.split_once(' ').ok_or("no count")?;
    Ok((count.parse().map_err(|error| format!("{error}"))?, payload.to_owned()))
}
