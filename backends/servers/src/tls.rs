//! Certificates for one server, made by the system's `openssl`: an authority of its own, and what it signs.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::output;
use crate::{Error, Kind, programs};

/// Where a server's certificates lie.
#[derive(Debug, Clone)]
pub(crate) struct Certificates {
    /// Whom clients trust.
    pub(crate) authority: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificates {
    /// Makes them for `127.0.0.1` and `localhost`, in this folder.
    pub(crate) fn make(kind: Kind, folder: &Path) -> Result<Self, Error> {
        let [openssl] = programs::ensure(kind, &["openssl"], || [programs::find("openssl", &[])])?;
        let file = |name: &str| folder.join(name);
        let made = Self {
            authority: file("authority.pem"),
            certificate: file("certificate.pem"),
            key: file("key.pem"),
        };
        let request = |key: &Path, out: &Path, name: &str| {
            let mut openssl = Command::new(&openssl);
            openssl.args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ]);
            openssl.args(["-days", "2", "-subj", &format!("/CN={name}")]).arg("-keyout").arg(key);
            openssl.arg("-out").arg(out);
            openssl
        };
        let authority_key = file("authority.key");
        let mut authority = request(&authority_key, &made.authority, "retell tests");
        output(authority.args(["-addext", "basicConstraints=critical,CA:TRUE"]))?;
        let mut certificate = request(&made.key, &made.certificate, "localhost");
        certificate.arg("-CA").arg(&made.authority).arg("-CAkey").arg(&authority_key);
        certificate.args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
        certificate.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        output(&mut certificate)?;
        Ok(made)
    }
}
