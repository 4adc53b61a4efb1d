//! Finding programs, and installing the packages that bring them where that is allowed.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use rustix::process::geteuid;

use crate::error::output;
use crate::{Error, Kind};

/// Not on every user's `PATH`.
const SYSTEM: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// One installation at a time in this process; between processes, the package manager waits by itself.
static INSTALLING: Mutex<()> = Mutex::new(());

/// The path of a program: on `PATH`, where systems keep servers, or in one of these folders.
pub(crate) fn find(name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let places = env::split_paths(&path).chain(SYSTEM.map(PathBuf::from)).chain(folders.iter().cloned());
    places.map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// The folders `parent/NUMBER/child`, the greatest number first.
pub(crate) fn newest_first(parent: &Path, child: &str) -> Vec<PathBuf> {
    let versions = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut numbers: Vec<u32> =
        versions.filter_map(|version| version.file_name().to_str()?.parse().ok()).collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    numbers.into_iter().map(|number| parent.join(number.to_string()).join(child)).collect()
}

/// Looks for programs, and once more after installing their packages if one is missing.
pub(crate) fn ensure<const N: usize>(
    kind: Kind,
    packages: &[&str],
    look: impl Fn() -> [Option<PathBuf>; N],
) -> Result<[PathBuf; N], Error> {
    if let Some(found) = all(look()) {
        return Ok(found);
    }
    let _one_at_a_time = INSTALLING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(found) = all(look()) {
        return Ok(found);
    }
    let wanted = packages.join(" ");
    let missing = |why: String| Error::Missing {
        kind,
        remedy: format!("install {wanted}, or set {} ({why})", kind.variable()),
    };
    if find("apt-get", &[]).is_none() {
        return Err(missing("this is no Debian".into()));
    }
    if !geteuid().is_root() {
        return Err(missing("only root may install it".into()));
    }
    eprintln!("installing {wanted}");
    install(packages).map_err(|error| missing(error.to_string()))?;
    all(look()).ok_or_else(|| missing("the packages do not bring the programs".into()))
}

fn all<const N: usize>(found: [Option<PathBuf>; N]) -> Option<[PathBuf; N]> {
    let found: Option<Vec<_>> = found.into_iter().collect();
    found?.try_into().ok()
}

/// A machine's lists of packages may be empty or too old: they are read anew when it fails with those that are there.
fn install(packages: &[&str]) -> Result<(), Error> {
    let install = || {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        apt.args(["-q", "-y", "-o", "DPkg::Lock::Timeout=300", "install", "--no-install-recommends"]);
        output(apt.args(packages))
    };
    if install().is_err() {
        output(Command::new("apt-get").args(["-q", "update"]))?;
        install()?;
    }
    Ok(())
}
