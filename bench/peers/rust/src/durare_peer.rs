//! durare: checkpoints of steps in a database, without a queue of activities.

use std::error::Error;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use durare::{DurableContext, DurableEngine, InMemoryProvider, SqliteProvider, WorkflowOptions};
use futures::future::try_join_all;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::options::{Options, Settings, Shape, StoreName, Workload};
use crate::turn::{Peer, Turn, samples};

#[durare::workflow]
async fn chain(ctx: DurableContext, (length, mut payload): (u32, String)) -> durare::Result<String> {
    for _ in 0..length {
        let given = payload.clone();
        payload = ctx.step("echo", || async move { Ok(given) }).await?;
    }
    Ok(payload)
}

#[durare::workflow]
async fn fan(ctx: DurableContext, (width, payload): (u32, String)) -> durare::Result<u32> {
    let calls = (0..width).map(|_| {
        let given = payload.clone();
        ctx.step("echo", || async move { Ok(given) })
    });
    let answers: Vec<String> = try_join_all(calls).await?;
    Ok(answers.len() as u32)
}

#[durare::workflow]
async fn nap(ctx: DurableContext, _nothing: ()) -> durare::Result<()> {
    ctx.sleep(Duration::from_secs(1)).await
}

struct Durare(DurableEngine);

impl Peer for Durare {
    async fn one(&self, workload: Workload) -> Result<(), Box<dyn Error>> {
        let payload = "x".repeat(100);
        let options = WorkflowOptions::default();
        match workload.shape {
            Shape::Chain(length) => {
                let run = self.0.start_with(Chain, (length, payload), options).await?;
                if run.await?.len() != 100 {
                    return Err("a payload changed on its way".into());
                }
            }
            Shape::Fan(width) => {
                let run = self.0.start_with(Fan, (width, payload), options).await?;
                if run.await? != width {
                    return Err("a call was lost".into());
                }
            }
            Shape::Sleep => self.0.start_with(Nap, (), options).await?.await?,
        }
        Ok(())
    }
}

pub(crate) async fn turn(options: &Options) -> Result<Turn, Box<dyn Error>> {
    std::fs::create_dir_all(&options.directory)?;
    let folder = tempfile::tempdir_in(&options.directory)?;
    let url = format!("sqlite://{}", folder.path().join("durare.db").display());
    let (engine, durability, settings) = match (options.store, options.settings) {
        (StoreName::Postgres, _) => return Err("durare is measured on SQLite".into()),
        (StoreName::Memory, _) => {
            let engine = DurableEngine::new(Arc::new(InMemoryProvider::new())).await?;
            (engine, "memory", "defaults")
        }
        (StoreName::Sqlite, Settings::Default) => {
            let engine = DurableEngine::connect(&url).await?.build().await?;
            (engine, "SQLite, synchronous=NORMAL", "defaults")
        }
        (StoreName::Sqlite, Settings::Best) => {
            let engine = own_pool(&url, SqliteSynchronous::Normal).await?;
            (engine, "SQLite, synchronous=NORMAL", "checkpoints each 10,000 pages")
        }
        (StoreName::Sqlite, Settings::Durable) => {
            let engine = own_pool(&url, SqliteSynchronous::Full).await?;
            (engine, "SQLite, synchronous=FULL", "checkpoints each 10,000 pages")
        }
    };
    let peer = Durare(engine);
    let samples = samples(&peer, options).await;
    let durability = durability.to_owned();
    Ok(Turn { version: "durare 0.5.0", durability, settings: settings.to_owned(), samples })
}

/// Its own five connections, since a single one was slower where many runs go at once; fewer checkpoints.
async fn own_pool(url: &str, synchronous: SqliteSynchronous) -> Result<DurableEngine, Box<dyn Error>> {
    let connection = SqliteConnectOptions::from_str(url)?
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .pragma("wal_autocheckpoint", "10000")
        .busy_timeout(Duration::from_secs(5));
    let pool = SqlitePoolOptions::new().max_connections(5).connect_with(connection).await?;
    Ok(DurableEngine::new(Arc::new(SqliteProvider::from_pool(pool))).await?)
}
