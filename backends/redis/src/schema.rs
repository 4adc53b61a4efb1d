//! What a store is: its version and its partitions, written into each partition when it is made.

use futures::future::try_join_all;
use retell::backend::{StoreError, StoreErrorKind};
use serde::Serialize;

use crate::fault::unreadable;
use crate::key::Keys;
use crate::link::{Link, Place};
use crate::options::Options;
use crate::pack::packed;
use crate::reply::Reply;
use crate::script::SCHEMA;

/// The version of the keys, rows and scripts of this program.
const VERSION: u32 = 1;
/// How many partitions a store on a cluster has unless its maker says otherwise.
const CLUSTER_PARTITIONS: u16 = 16;

const OPERATION: &str = "open a Redis";

/// Asks for what a partition is, making it if there is none; or says that its node was promoted.
#[derive(Serialize)]
pub(crate) struct Asked<'a> {
    pub(crate) version: String,
    pub(crate) partitions: String,
    pub(crate) epoch: Option<&'a str>,
}

/// Connects, and makes the store unless it is there.
pub(crate) async fn open(options: Options) -> Result<Link, StoreError> {
    let default = if matches!(options.place, Place::Cluster { .. }) { CLUSTER_PARTITIONS } else { 1 };
    let wanted = options.partitions;
    let keys = Keys { prefix: options.prefix.clone(), partitions: wanted.unwrap_or(default) };
    let mut link = Link::new(options, keys)?;
    // The first partition, which every store has, says how many there are.
    let found = meta(&link, 0).await?;
    if wanted.is_some_and(|wanted| wanted != found) {
        return Err(StoreError::new(
            StoreErrorKind::Setting {
                setting: "partitions".to_owned(),
                found: found.to_string(),
                wanted: link.keys.partitions.to_string(),
            },
            OPERATION,
        ));
    }
    link.keys.partitions = found;
    try_join_all(link.keys.all().skip(1).map(|partition| meta(&link, partition))).await?;
    Ok(link)
}

/// Reads what a partition says of the store; answers the number of partitions.
async fn meta(link: &Link, partition: u16) -> Result<u16, StoreError> {
    let asked =
        Asked { version: VERSION.to_string(), partitions: link.keys.partitions.to_string(), epoch: None };
    let found = link.call(OPERATION, partition, SCHEMA, &[packed(&asked)]).await?;
    let [version, partitions] = found.fields(OPERATION)?;
    let found: u32 = version.parsed(OPERATION)?;
    if found > VERSION {
        return Err(StoreError::new(StoreErrorKind::Newer { found, known: VERSION }, OPERATION));
    }
    let partitions: u16 = partitions.parsed(OPERATION)?;
    if partitions == 0 {
        return Err(unreadable(OPERATION, "a store without partitions"));
    }
    Ok(partitions)
}
