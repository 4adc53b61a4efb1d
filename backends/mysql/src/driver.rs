//! Where connections come from, and what is read back on each that writes (promises H7 and H14).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use async_trait::async_trait;
use retell::backend::StoreErrorKind;
use retell_sql::{Dialect, Driver, Fault, FaultKind, Session};
use sqlx::{MySqlPool, Row};

use crate::dialect;
use crate::options::Weaker;
use crate::session::{Pooled, fault};

/// What a session of the store is set to. A lock that does not come within ten seconds is waited for anew; and MariaDB makes
/// of 1,000 keys a table, beside which it reads, and locks, all rows in turn.
const SETTINGS: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; \
     SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'; SET SESSION autocommit = 1; \
     SET SESSION time_zone = '+00:00'; SET SESSION innodb_lock_wait_timeout = 10; \
     /*M! SET SESSION in_predicate_conversion_threshold = 0 */";

/// Both names of the isolation: MariaDB had but one of them until 11.1.
const READ_BACK: &str = "SHOW SESSION VARIABLES WHERE Variable_name IN ('transaction_isolation', 'tx_isolation', \
     'innodb_flush_log_at_trx_commit', 'sync_binlog', 'log_bin', 'binlog_format', 'innodb_doublewrite', \
     'max_allowed_packet', 'read_only')";

/// The least `max_allowed_packet`: payloads of 10 MiB and what goes beside them.
const PACKET_MIN: u64 = 16 << 20;

/// A pool and what may be weaker on its server.
#[derive(Debug)]
pub(crate) struct MySqlDriver {
    pub(crate) pool: MySqlPool,
    pub(crate) weaker: Vec<Weaker>,
    /// How many statements its connections were given.
    pub(crate) statements: Arc<AtomicU64>,
}

#[async_trait]
impl Driver for MySqlDriver {
    type Session = Pooled;

    fn dialect(&self) -> &'static dyn Dialect {
        &dialect::MySql
    }

    async fn writer(&self) -> Result<Pooled, Fault> {
        self.own(self.statements.clone()).await
    }

    async fn watcher(&self) -> Result<Pooled, Fault> {
        // What it is asked is no step's.
        self.own(Arc::default()).await
    }

    async fn reader(&self) -> Result<Pooled, Fault> {
        let connection = self.pool.acquire().await.map_err(fault)?;
        Ok(Pooled::new(connection, self.statements.clone()))
    }
}

impl MySqlDriver {
    /// A connection of the store's own, as it must be. Those that lay idle may be gone, each of them.
    async fn own(&self, statements: Arc<AtomicU64>) -> Result<Pooled, Fault> {
        let mut idle = self.pool.num_idle();
        loop {
            let connection = self.pool.acquire().await.map_err(fault)?;
            let mut session = Pooled::own(connection, statements.clone());
            let set_up = async {
                session.script(SETTINGS).await?;
                self.check(session.connection()?).await
            };
            match set_up.await {
                Ok(()) => return Ok(session),
                Err(fault) if fault.kind == FaultKind::Lost && idle > 0 => idle -= 1,
                Err(fault) => return Err(fault),
            }
        }
    }

    async fn check(&self, connection: &mut sqlx::MySqlConnection) -> Result<(), Fault> {
        let rows = sqlx::query(READ_BACK).fetch_all(connection).await.map_err(fault)?;
        let mut found: HashMap<String, String> = HashMap::new();
        for row in rows {
            let (name, value) = (row.try_get(0).map_err(fault)?, row.try_get(1).map_err(fault)?);
            found.insert(name, value);
        }
        let value = |name: &str| found.get(name).map_or("", String::as_str);
        let isolation = found.get("transaction_isolation").map_or(value("tx_isolation"), String::as_str);
        let with_binlog = value("log_bin") == "ON";
        let packet: u64 = value("max_allowed_packet").parse().unwrap_or(0);
        let checks = [
            ("transaction_isolation", isolation, "READ-COMMITTED", isolation == "READ-COMMITTED", None),
            (
                "innodb_flush_log_at_trx_commit",
                value("innodb_flush_log_at_trx_commit"),
                "1",
                // 3 is MariaDB's: it waits for the disk once more.
                ["1", "3"].contains(&value("innodb_flush_log_at_trx_commit")),
                Some(Weaker::FlushLogLater),
            ),
            (
                "sync_binlog",
                value("sync_binlog"),
                "1",
                !with_binlog || value("sync_binlog") == "1",
                Some(Weaker::SyncBinlogLater),
            ),
            (
                "innodb_doublewrite",
                value("innodb_doublewrite"),
                "ON",
                !["OFF", "0", "DETECT_ONLY"].contains(&value("innodb_doublewrite")),
                Some(Weaker::DoublewriteOff),
            ),
            // Statements are not logged as such under this isolation.
            (
                "binlog_format",
                value("binlog_format"),
                "ROW",
                !with_binlog || value("binlog_format") != "STATEMENT",
                None,
            ),
            ("max_allowed_packet", value("max_allowed_packet"), "16777216", packet >= PACKET_MIN, None),
        ];
        for (setting, found, wanted, holds, weaker) in checks {
            if !holds && !weaker.is_some_and(|weaker| self.weaker.contains(&weaker)) {
                return Err(refused(setting, found, wanted));
            }
        }
        if value("read_only") == "ON" {
            return Err(Fault::new(FaultKind::Lost, "the server takes no writes"));
        }
        Ok(())
    }
}

fn refused(setting: &str, found: &str, wanted: &str) -> Fault {
    let kind = StoreErrorKind::Setting {
        setting: setting.to_owned(),
        found: found.to_owned(),
        wanted: wanted.to_owned(),
    };
    Fault::new(FaultKind::Store(kind), "a setting on which a promise rests")
}
