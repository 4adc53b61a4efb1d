//! PostgreSQL.

use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Signal, geteuid};

use crate::kind::{Recipe, Site};
use crate::process::User;
use crate::{Error, Kind, programs};

/// Where Debian keeps the servers, a folder for each version.
const VERSIONS: &str = "/usr/lib/postgresql";

#[derive(Debug)]
pub(crate) struct Programs {
    initdb: PathBuf,
    postgres: PathBuf,
    /// It refuses to run as root.
    user: Option<User>,
}

impl Programs {
    pub(crate) fn find() -> Result<Self, Error> {
        let [postgres, initdb, _] = programs::ensure(Kind::Postgres, &["postgresql"], || {
            let versions = programs::newest_first(Path::new(VERSIONS), "bin");
            ["postgres", "initdb", "psql"].map(|name| programs::find(name, &versions))
        })?;
        let user = if geteuid().is_root() { Some(User::to_drop_to()?) } else { None };
        Ok(Self { initdb, postgres, user })
    }
}

impl Recipe for Programs {
    fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    fn prepare(&self, site: Site<'_>) -> Option<Command> {
        let mut initdb = User::command(self.user.as_ref(), &self.initdb);
        initdb.arg("-D").arg(site.folder.join("data"));
        // What was never synced here outlives the death of the server's processes, which is all that tests bring about.
        initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]);
        Some(initdb)
    }

    fn serve(&self, site: Site<'_>) -> Command {
        let mut postgres = User::command(self.user.as_ref(), &self.postgres);
        postgres.arg("-D").arg(site.folder.join("data"));
        let port = format!("port={}", site.port);
        for setting in [
            "listen_addresses=127.0.0.1",
            &port,
            "unix_socket_directories=",
            "fsync=on",
            "synchronous_commit=on",
            "full_page_writes=on",
            "max_connections=400",
        ] {
            postgres.args(["-c", setting]);
        }
        if let Some(tls) = site.tls {
            postgres.args(["-c", "ssl=on"]);
            for (setting, file) in
                [("ssl_cert_file", &tls.certificates.certificate), ("ssl_key_file", &tls.certificates.key)]
            {
                postgres.arg("-c").arg(format!("{setting}={}", file.display()));
            }
        }
        postgres
    }

    fn stop_signal(&self) -> Signal {
        Signal::INT
    }
}
