//! A server's process and its children: started, stopped, killed, paused as one.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, Signal, kill_process};

use crate::Error;
use crate::error::output;

/// Between two looks at a process that is to end or to answer.
pub(crate) const LOOK: Duration = Duration::from_millis(5);
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// The program that becomes another user and then another program, and how many words come before that one.
pub(crate) const SETPRIV: &str = "setpriv";
pub(crate) const SETPRIV_ARGUMENTS: usize = 3;

/// A user that root becomes for a program that refuses to run as root.
#[derive(Debug, Clone)]
pub(crate) struct User {
    uid: u32,
    gid: u32,
}

impl User {
    /// The one that the package made, else nobody.
    pub(crate) fn to_drop_to() -> Result<Self, Error> {
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let named = |name: &str| {
            let line = users.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            let mut numbers = line.split(':').skip(1).map(str::parse);
            Some(Self { uid: numbers.next()?.ok()?, gid: numbers.next()?.ok()? })
        };
        named("postgres").or_else(|| named("nobody")).ok_or_else(|| {
            Error::failed("looking for a user that is not root", "there is no `postgres` and no `nobody`")
        })
    }

    /// A command that runs as this user, if any. The process stays the same: its number is the program's.
    pub(crate) fn command(user: Option<&Self>, program: &Path) -> Command {
        let Some(user) = user else { return Command::new(program) };
        let mut command = Command::new(SETPRIV);
        command
            .arg(format!("--reuid={}", user.uid))
            .arg(format!("--regid={}", user.gid))
            .arg("--clear-groups");
        command.arg(program);
        command
    }

    pub(crate) fn give(&self, folder: &Path) -> Result<(), Error> {
        chown(folder, Some(self.uid), Some(self.gid))
            .map_err(|error| Error::failed("giving a folder away", error))
    }
}

/// A living server: killed with its children when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts it in a process group of its own, so that what interrupts the test does not interrupt the server: a
    /// watchdog sees to its end.
    pub(crate) fn spawn(command: &mut Command) -> Result<Self, Error> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command
            .process_group(0)
            .spawn()
            .map_err(|error| Error::failed(format!("starting {name}"), error))?;
        Ok(Self { child })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    pub(crate) fn wait(mut self) -> Result<ExitStatus, Error> {
        self.child.wait().map_err(|error| Error::failed("waiting for a process", error))
    }

    /// Asks it to end, and kills it if it does not.
    pub(crate) fn stop(mut self, signal: Signal) {
        self.resume();
        let until = Instant::now() + STOP_WITHIN;
        send(self.id(), signal);
        while self.ended().is_none() && Instant::now() < until {
            sleep(LOOK);
        }
    }

    /// Stops it where it is, with every process that serves a connection.
    pub(crate) fn pause(&self) {
        // The first one first: it starts the others.
        let mut paused = Vec::new();
        loop {
            let more: Vec<_> = family(self.id()).into_iter().filter(|id| !paused.contains(id)).collect();
            if more.is_empty() {
                return;
            }
            more.iter().for_each(|id| send(*id, Signal::STOP));
            paused.extend(more);
        }
    }

    /// The processor time of all its threads, and of those of every process that serves a connection.
    pub(crate) fn cpu(&self) -> Option<Duration> {
        let threads = |id: u32| fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
        let times = family(self.id()).into_iter().flat_map(threads).filter_map(|thread| {
            let told = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            told.split_whitespace().next()?.parse::<u64>().ok()
        });
        let alive = times.reduce(|sum, time| sum + time).map(Duration::from_nanos)?;
        Some(alive + ended_children(self.id()).unwrap_or_default())
    }

    pub(crate) fn resume(&self) {
        family(self.id()).into_iter().for_each(|id| send(id, Signal::CONT));
    }

    /// Limits how large its files may grow, and those of its children, which run as this user.
    pub(crate) fn limit_files(&self, user: Option<&User>, bytes: Option<u64>) -> Result<(), Error> {
        let limit = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
        for id in family(self.id()) {
            // A user may limit its own processes; root may not always limit another's.
            let mut prlimit = User::command(user, Path::new("prlimit"));
            prlimit.arg(format!("--pid={id}")).arg(format!("--fsize={limit}:unlimited"));
            match output(&mut prlimit) {
                // One that ended in the meantime needs no limit.
                Err(error) if runs(id) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Ends all of it at once, as the death of a machine would, and waits until nothing of it runs.
    fn kill(&mut self) {
        if self.ended().is_some() {
            return;
        }
        self.pause();
        let family = family(self.id());
        family.iter().for_each(|id| send(*id, Signal::KILL));
        // It is our child and was sent a signal that can't be refused: waiting can't fail.
        let _ = self.child.wait();
        while family.iter().any(|id| runs(*id)) {
            sleep(LOOK);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn send(id: u32, signal: Signal) {
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
    // It may have ended in the meantime.
    let _ = pid.map(|pid| kill_process(pid, signal));
}

/// A process and all that descend from it, parents first. Where there is no `/proc`, itself alone.
fn family(first: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parents: Vec<_> = ids.filter_map(|id| Some((id, stat(id)?.1))).collect();
    let mut family = vec![first];
    let mut at = 0;
    while at < family.len() {
        let children = parents.iter().filter(|(_, parent)| *parent == family[at]).map(|(id, _)| *id);
        let children: Vec<_> = children.collect();
        family.extend(children);
        at += 1;
    }
    family
}

/// The processor time of a process's children that have ended.
fn ended_children(id: u32) -> Option<Duration> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let times = text[text.rfind(')')? + 1..].split_whitespace().skip(13).take(2);
    let ticks: u64 = times.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Some(Duration::from_secs_f64(ticks as f64 / clock_ticks_per_second() as f64))
}

fn runs(id: u32) -> bool {
    stat(id).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'))
}

/// The state and the parent of a process.
fn stat(id: u32) -> Option<(char, u32)> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name before it may hold anything, parentheses included.
    let mut fields = text[text.rfind(')')? + 1..].split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}
