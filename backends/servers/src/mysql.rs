//! MySQL itself.
//!
//! Debian's releases have none, its unstable distribution has. From there the server and all that it needs, the C library
//! included, are fetched by the machine's own `apt-get` (which checks the signatures), unpacked beside the build, and run
//! with that library: nothing of it is installed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

use crate::error::output;
use crate::kind::{Recipe, Site};
use crate::mariadb::{SETTINGS, as_root, certificates, places};
use crate::{Error, Kind, programs};

const PACKAGE: &str = "mysql-server-core";
const SUITE: &str = "unstable";

#[derive(Debug)]
pub(crate) enum Programs {
    /// The system's own.
    Installed(PathBuf),
    Unpacked(Unpacked),
}

impl Programs {
    pub(crate) fn find() -> Result<Self, Error> {
        // The client speaks to both.
        programs::ensure(Kind::Mysql, &["mariadb-client-core"], || [programs::find("mariadb", &[])])?;
        if let Some(mysqld) = programs::find("mysqld", &[]) {
            // MariaDB goes by that name too.
            let version = output(Command::new(&mysqld).arg("--version")).unwrap_or_default();
            if !version.contains("MariaDB") && version.contains("Ver ") {
                return Ok(Self::Installed(mysqld));
            }
        }
        let unpacked = Unpacked::find_or_fetch().map_err(|error| Error::Missing {
            kind: Kind::Mysql,
            remedy: format!("set {}, or install MySQL ({error})", Kind::Mysql.variable()),
        })?;
        Ok(Self::Unpacked(unpacked))
    }

    fn command(&self) -> Command {
        let mut mysqld = match self {
            Self::Installed(mysqld) => {
                let mut command = Command::new(mysqld);
                command.arg("--no-defaults");
                command
            }
            Self::Unpacked(unpacked) => unpacked.command(),
        };
        mysqld.args(as_root()).arg("--secure-file-priv=NULL").arg("--mysqlx=OFF");
        // Left alone it makes certificates for itself, and no proxy can read what clients then prefer.
        mysqld.arg("--auto-generate-certs=OFF");
        mysqld
    }
}

impl Recipe for Programs {
    fn prepare(&self, site: Site<'_>) -> Option<Command> {
        let mut initialize = self.command();
        initialize.args(places(site)).arg("--initialize-insecure");
        Some(initialize)
    }

    fn serve(&self, site: Site<'_>) -> Command {
        let mut mysqld = self.command();
        mysqld.args(SETTINGS).args(places(site)).args(certificates(site));
        mysqld
    }
}

/// A folder that looks like a small Debian, with MySQL in it.
#[derive(Debug)]
pub(crate) struct Unpacked {
    root: PathBuf,
    /// Runs programs with the libraries of `libraries` instead of the system's.
    loader: PathBuf,
    libraries: PathBuf,
}

impl Unpacked {
    fn find_or_fetch() -> Result<Self, Error> {
        let build = match env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => PathBuf::from(folder),
            None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
        };
        fs::create_dir_all(&build).map_err(|error| Error::failed("making the build folder", error))?;
        let build = build.canonicalize().map_err(|error| Error::failed("finding the build folder", error))?;
        let root = build.join("retell-mysql");
        let one_process = fs::File::create(build.join("retell-mysql.lock"));
        one_process
            .and_then(|lock| lock.lock().map(|()| lock))
            .map_err(|error| Error::failed("locking", error))
            .and_then(|_lock| {
                if !root.exists() {
                    fetch(&root, &build)?;
                }
                Self::below(root)
            })
    }

    fn below(root: PathBuf) -> Result<Self, Error> {
        let libraries = find_file(&root.join("usr/lib"), |name| name == "libc.so.6");
        let loader = find_file(&root.join("usr"), |name| name.starts_with("ld-linux"));
        match (libraries, loader) {
            (Some(libc), Some(loader)) => {
                let libraries = libc.parent().unwrap_or(&root).to_owned();
                Ok(Self { root, loader, libraries })
            }
            _ => Err(Error::failed("unpacking MySQL", "it brought no C library")),
        }
    }

    fn command(&self) -> Command {
        let root = self.root.display();
        let mut mysqld = Command::new(&self.loader);
        mysqld.arg("--library-path").arg(&self.libraries).arg(self.root.join("usr/sbin/mysqld"));
        mysqld.arg("--no-defaults");
        mysqld.arg(format!("--basedir={root}/usr"));
        mysqld.arg(format!("--lc-messages-dir={root}/usr/share/mysql"));
        mysqld.arg(format!("--character-sets-dir={root}/usr/share/mysql/charsets"));
        mysqld.arg(format!("--plugin-dir={root}/usr/lib/mysql/plugin"));
        mysqld
    }
}

fn find_file(folder: &Path, is_wanted: fn(&str) -> bool) -> Option<PathBuf> {
    let entries: Vec<_> = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    let named = |path: &&PathBuf| path.file_name().and_then(|name| name.to_str()).is_some_and(is_wanted);
    if let Some(found) = entries.iter().find(named) {
        return Some(found.clone());
    }
    let is_folder = |path: &&PathBuf| path.is_dir() && !path.is_symlink();
    entries.iter().filter(is_folder).find_map(|folder| find_file(folder, is_wanted))
}

/// Fetches the packages into a folder of their own and unpacks them; `root` is there only when all of it is.
fn fetch(root: &Path, build: &Path) -> Result<(), Error> {
    let mirror = mirror()?;
    eprintln!("fetching {PACKAGE} from {mirror} {SUITE}");
    let io = |error: io::Error| Error::failed("unpacking MySQL", error);
    let folder = tempfile::Builder::new().prefix("retell-mysql-").tempdir_in(build).map_err(io)?;
    let here = folder.path();
    for part in ["lists/partial", "archives/partial", "root"] {
        fs::create_dir_all(here.join(part)).map_err(io)?;
    }
    fs::write(here.join("status"), "").map_err(io)?;
    fs::write(here.join("sources"), format!("deb {mirror} {SUITE} main\n")).map_err(io)?;
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.args(["-q", "-y", "-o", "Acquire::Retries=2", "-o", "Acquire::http::Timeout=30"]);
        apt.args(["-o", "APT::Sandbox::User=", "-o", "Acquire::Languages=none"]);
        apt.args(["-o", "Dir::Etc::sourceparts=/dev/null"]);
        // In an empty list of installed packages, all that is needed is missing. Locks lie beside it.
        apt.arg("-o").arg(format!("Dir::State::status={}", here.join("status").display()));
        apt.arg("-o").arg(format!("Dir::Etc::sourcelist={}", here.join("sources").display()));
        apt.arg("-o").arg(format!("Dir::State::lists={}", here.join("lists").display()));
        apt.arg("-o").arg(format!("Dir::Cache={}", here.display()));
        output(apt.args(arguments))
    };
    apt(&["update"])?;
    apt(&["install", "--download-only", "--no-install-recommends", PACKAGE])?;
    for entry in fs::read_dir(here.join("archives")).map_err(io)? {
        let package = entry.map_err(io)?.path();
        if package.extension().is_some_and(|extension| extension == "deb") {
            output(Command::new("dpkg-deb").arg("-x").arg(package).arg(here.join("root")))?;
        }
    }
    fs::rename(here.join("root"), root).map_err(io)
}

/// Where this machine gets Debian's packages from.
fn mirror() -> Result<String, Error> {
    let format = "$(ORIGIN) $(LABEL) $(REPO_URI)";
    let sources = output(Command::new("apt-get").args(["indextargets", "--format", format]))?;
    let ours = sources.lines().find_map(|line| line.strip_prefix("Debian Debian "));
    ours.map(str::to_owned)
        .ok_or_else(|| Error::failed("looking for Debian's packages", "this machine has none"))
}
