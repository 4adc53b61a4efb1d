//! dbos: checkpoints of steps in PostgreSQL, without a queue of activities.

use std::error::Error;
use std::time::Duration;

use dbos::{Config, DBOS, WorkflowRef, sleep, step};
use futures::future::try_join_all;
use sqlx_for_postgres::{Connection, PgConnection, Row};

use crate::options::{Options, Settings, Shape, Workload};
use crate::turn::{Peer, Turn, samples};

/// What helps it most here: more than its ten connections wait for the disk together.
const CONNECTIONS: u32 = 32;

struct Dbos {
    engine: DBOS,
    chain: WorkflowRef<(u32, String), String>,
    fan: WorkflowRef<(u32, String), u32>,
    nap: WorkflowRef<(), ()>,
}

async fn chain((length, mut payload): (u32, String)) -> dbos::Result<String> {
    for _ in 0..length {
        let given = payload;
        payload = step("echo", || std::future::ready(Ok(given.clone()))).await?;
    }
    Ok(payload)
}

async fn fan((width, payload): (u32, String)) -> dbos::Result<u32> {
    let calls = (0..width).map(|_| {
        let given = payload.clone();
        step("echo", move || std::future::ready(Ok(given.clone())))
    });
    let answers: Vec<String> = try_join_all(calls).await?;
    Ok(answers.len() as u32)
}

async fn nap(_nothing: ()) -> dbos::Result<()> {
    sleep(Duration::from_secs(1)).await
}

impl Peer for Dbos {
    async fn one(&self, workload: Workload) -> Result<(), Box<dyn Error>> {
        let payload = "x".repeat(100);
        match workload.shape {
            Shape::Chain(length) => {
                let run = self.chain.start((length, payload)).await?;
                if run.result().await?.len() != 100 {
                    return Err("a payload changed on its way".into());
                }
            }
            Shape::Fan(width) => {
                let run = self.fan.start((width, payload)).await?;
                if run.result().await? != width {
                    return Err("a call was lost".into());
                }
            }
            Shape::Sleep => self.nap.start(()).await?.result().await?,
        }
        Ok(())
    }
}

pub(crate) async fn turn(options: &Options) -> Result<Turn, Box<dyn Error>> {
    let url = options.url.as_deref().ok_or("dbos wants the URL of a server")?;
    let (max_connections, settings) = match options.settings {
        Settings::Default => (10, "defaults"),
        Settings::Best => (CONNECTIONS, "32 connections"),
        Settings::Durable => return Err("dbos is as durable as its server".into()),
    };
    let schema = format!("dbos_{}", std::process::id());
    let version = Some("1".to_owned());
    let config = Config { max_connections, schema, app_version: version, ..Config::new("bench", url) };
    let engine = DBOS::new(config);
    let peer = Dbos {
        chain: engine.register_workflow("chain", chain)?,
        fan: engine.register_workflow("fan", fan)?,
        nap: engine.register_workflow("nap", nap)?,
        engine,
    };
    peer.engine.launch().await?;
    let samples = samples(&peer, options).await;
    peer.engine.shutdown().await;
    let durability = durability(url).await?;
    Ok(Turn { version: "dbos 0.5.0", durability, settings: settings.to_owned(), samples })
}

/// The server's name, version and sync setting, as the benchmark names them.
async fn durability(url: &str) -> Result<String, Box<dyn Error>> {
    let mut connection = PgConnection::connect(url).await?;
    let asked = "SELECT current_setting('server_version'), current_setting('synchronous_commit')";
    let row = sqlx_for_postgres::query(asked).fetch_one(&mut connection).await?;
    let (version, synchronous): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    let version = version.split(' ').next().unwrap_or_default();
    Ok(format!("PostgreSQL {version}, synchronous_commit={synchronous}"))
}
