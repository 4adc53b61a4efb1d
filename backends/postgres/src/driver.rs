//! Where connections come from, and what is read back on each that writes (promises H7 and H14).

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use async_trait::async_trait;
use retell::backend::StoreErrorKind;
use retell_sql::{Dialect, Driver, Fault, FaultKind, Session};
use sqlx::{PgPool, Row};

use crate::dialect;
use crate::options::Weaker;
use crate::session::{Pooled, fault};

/// What a session that writes is set to: nothing on which a promise rests but the isolation. The rest keeps plans as they
/// are meant, whatever the tables' statistics say at the moment: each statement here finds its rows by an index.
const SETTINGS: &str = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED; \
     SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; \
     SET enable_mergejoin = off; SET jit = off";

const READ_BACK: &str = "SELECT current_setting('synchronous_commit'), current_setting('fsync'), \
     current_setting('full_page_writes'), current_setting('default_transaction_isolation'), \
     current_setting('server_encoding'), pg_is_in_recovery()::text";

/// A pool and what may be weaker on its server.
#[derive(Debug)]
pub(crate) struct PgDriver {
    pub(crate) pool: PgPool,
    pub(crate) weaker: Vec<Weaker>,
    /// How many statements its connections were given.
    pub(crate) statements: Arc<AtomicU64>,
}

#[async_trait]
impl Driver for PgDriver {
    type Session = Pooled;

    fn dialect(&self) -> &'static dyn Dialect {
        &dialect::Postgres
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

    fn check_durability(&self, found: &str) -> Result<(), Fault> {
        if found == "off" && !self.weaker.contains(&Weaker::SynchronousCommitOff) {
            return Err(refused("synchronous_commit", found, "on"));
        }
        Ok(())
    }
}

impl PgDriver {
    /// A connection of the store's own, as it must be. Those that lay idle may be gone, each of them.
    async fn own(&self, statements: Arc<AtomicU64>) -> Result<Pooled, Fault> {
        let mut idle = self.pool.num_idle();
        loop {
            let mut connection = self.pool.acquire().await.map_err(fault)?;
            let checked = self.check(&mut connection).await;
            let mut session = Pooled::own(connection, statements.clone());
            match checked {
                Ok(()) => return session.script(SETTINGS).await.map(|()| session),
                Err(fault) if fault.kind == FaultKind::Lost && idle > 0 => idle -= 1,
                Err(fault) => return Err(fault),
            }
        }
    }

    async fn check(&self, connection: &mut sqlx::PgConnection) -> Result<(), Fault> {
        let row = sqlx::query(READ_BACK).fetch_one(connection).await.map_err(fault)?;
        let found = |index: usize| row.try_get::<String, _>(index).map_err(fault);
        let accepted = |weaker| self.weaker.contains(&weaker);
        self.check_durability(&found(0)?)?;
        if found(1)? == "off" && !accepted(Weaker::FsyncOff) {
            return Err(refused("fsync", "off", "on"));
        }
        if found(2)? == "off" && !accepted(Weaker::FullPageWritesOff) {
            return Err(refused("full_page_writes", "off", "on"));
        }
        if found(4)? != "UTF8" {
            return Err(refused("server_encoding", &found(4)?, "UTF8"));
        }
        if found(5)? == "true" {
            return Err(Fault::new(FaultKind::Lost, "the server is a standby and takes no writes"));
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
