//! MariaDB.

use std::path::PathBuf;
use std::process::Command;

use rustix::process::geteuid;

use crate::kind::{Recipe, Site};
use crate::{Error, Kind, programs};

/// What MariaDB and MySQL are told alike: H7, text that compares by its bytes, and room for many tests.
pub(crate) const SETTINGS: [&str; 9] = [
    "--bind-address=127.0.0.1",
    "--innodb-flush-log-at-trx-commit=1",
    "--innodb-doublewrite=ON",
    "--innodb-buffer-pool-size=128M",
    "--max-connections=400",
    "--skip-log-bin",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_bin",
    "--performance-schema=OFF",
];

/// The packages hold the programs alone, and no service that would start.
const PACKAGES: [&str; 2] = ["mariadb-server-core", "mariadb-client-core"];

#[derive(Debug)]
pub(crate) struct Programs {
    install_db: PathBuf,
    mariadbd: PathBuf,
}

impl Programs {
    pub(crate) fn find() -> Result<Self, Error> {
        let [mariadbd, install_db, _] = programs::ensure(Kind::Mariadb, &PACKAGES, || {
            ["mariadbd", "mariadb-install-db", "mariadb"].map(|name| programs::find(name, &[]))
        })?;
        Ok(Self { install_db, mariadbd })
    }
}

impl Recipe for Programs {
    fn prepare(&self, site: Site<'_>) -> Option<Command> {
        let mut install_db = Command::new(&self.install_db);
        install_db.arg("--no-defaults").args(as_root());
        install_db.arg(format!("--datadir={}", site.folder.join("data").display()));
        install_db.arg(temporaries(site));
        install_db.args([
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        ]);
        Some(install_db)
    }

    fn serve(&self, site: Site<'_>) -> Command {
        let mut mariadbd = Command::new(&self.mariadbd);
        mariadbd.arg("--no-defaults").args(as_root()).args(SETTINGS).args(places(site));
        mariadbd.arg("--skip-name-resolve").args(certificates(site));
        mariadbd
    }
}

/// Both want to be told that they run as root on purpose.
pub(crate) fn as_root() -> Option<&'static str> {
    geteuid().is_root().then_some("--user=root")
}

/// The options that name the certificates, if there are any.
pub(crate) fn certificates(site: Site<'_>) -> Vec<String> {
    let Some(tls) = site.tls else { return Vec::new() };
    vec![
        format!("--ssl-ca={}", tls.certificates.authority.display()),
        format!("--ssl-cert={}", tls.certificates.certificate.display()),
        format!("--ssl-key={}", tls.certificates.key.display()),
    ]
}

/// The options that name the folder and the port.
pub(crate) fn places(site: Site<'_>) -> [String; 5] {
    let folder = site.folder.display();
    [
        format!("--datadir={folder}/data"),
        format!("--socket={folder}/socket"),
        format!("--pid-file={folder}/pid"),
        format!("--port={}", site.port),
        temporaries(site),
    ]
}

/// Where temporary tables go: a server that starts removes those of all who share the folder.
fn temporaries(site: Site<'_>) -> String {
    format!("--tmpdir={}", site.folder.display())
}
