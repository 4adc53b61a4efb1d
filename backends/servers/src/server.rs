//! A private server: started, killed, paused and started again as a test wants it.

use std::fs::{File, read_to_string};
use std::io;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::kind::{Recipe, Site};
use crate::port::Port;
use crate::process::{LOOK, Process};
use crate::watchdog::Watchdog;
use crate::{Endpoint, Error, Kind};

/// Recovery after a kill is part of it.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// How much of a log an error shows.
const LOG_END: usize = 2_000;

/// A server of this process alone. All methods may be called from any thread, one at a time takes effect.
///
/// Dropping it kills what runs and removes its folder. If this process dies first, a watchdog does both within a moment.
#[derive(Debug)]
pub struct Server {
    recipe: Box<dyn Recipe>,
    endpoint: Endpoint,
    port: Port,
    // Before the folder: the process goes first.
    life: Mutex<Life>,
    folder: TempDir,
}

/// The part that changes.
#[derive(Debug)]
struct Life {
    process: Option<Process>,
    watchdog: Watchdog,
}

impl Server {
    /// Makes a new, empty server and waits until it answers: 0.1 to 4 s.
    ///
    /// # Errors
    /// [`Error::Missing`] when its programs are not here and can't be installed, or its variable says `none`; else with
    /// the end of its log.
    pub fn start(kind: Kind) -> Result<Self, Error> {
        let recipe = kind.recipe()?;
        let io = |error: io::Error| Error::failed(format!("making room for {kind}"), error);
        let folder = tempfile::Builder::new().prefix("retell-server-").tempdir().map_err(io)?;
        if let Some(user) = recipe.user() {
            user.give(folder.path())?;
        }
        let port = Port::claim().map_err(io)?;
        let life = Mutex::new(Life { process: None, watchdog: Watchdog::over(folder.path())? });
        let endpoint = Endpoint::new(kind, kind.url(port.number));
        let server = Self { recipe, endpoint, port, life, folder };
        server.prepare()?;
        server.restart()?;
        Ok(server)
    }

    /// Where it answers.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The URL of its own database.
    #[must_use]
    pub fn url(&self) -> &str {
        self.endpoint.url()
    }

    /// Where it listens: the same address after every restart.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port.number))
    }

    /// Makes an empty database for one test.
    ///
    /// # Errors
    /// As [`Endpoint::fresh_database`].
    pub fn fresh_database(&self) -> Result<Endpoint, Error> {
        self.endpoint.fresh_database()
    }

    /// Kills it with SIGKILL, and every process that serves a connection with it. Nothing of it runs when this returns,
    /// and what it had synced is there for [`restart`](Self::restart). Does nothing to a server that is down.
    pub fn kill(&self) {
        self.life().process = None;
    }

    /// Stops it in good order, without waiting for its clients; connections are cut.
    pub fn stop(&self) {
        if let Some(process) = self.life().process.take() {
            process.stop(self.recipe.stop_signal());
        }
    }

    /// Starts it again on its data, after stopping it if it runs, and waits until it answers.
    ///
    /// # Errors
    /// With the end of its log, when it ends instead or does not answer within a minute.
    pub fn restart(&self) -> Result<(), Error> {
        self.stop();
        let mut command = self.recipe.serve(self.site());
        let mut life = self.life();
        let process = self.spawn(&mut command, &mut life.watchdog)?;
        let process = life.process.insert(process);
        let until = Instant::now() + ANSWER_WITHIN;
        while !self.answers() {
            let ended = process.ended();
            if ended.is_some() || Instant::now() > until {
                let how =
                    ended.map_or_else(|| "no answer within a minute".into(), |status| status.to_string());
                return Err(Error::failed(format!("starting {}", self.endpoint.kind()), self.with_log(&how)));
            }
            sleep(LOOK);
        }
        Ok(())
    }

    /// Stops all of its processes where they are (SIGSTOP): connections stay open, and nobody answers.
    pub fn pause(&self) {
        if let Some(process) = &self.life().process {
            process.pause();
        }
    }

    /// Lets it go on after [`pause`](Self::pause).
    pub fn resume(&self) {
        if let Some(process) = &self.life().process {
            process.resume();
        }
    }

    /// The processor time that its processes have used so far, those that served connections which are closed among them;
    /// `None` while it is down, and where the system does not tell.
    #[must_use]
    pub fn cpu(&self) -> Option<Duration> {
        self.life().process.as_ref().and_then(Process::cpu)
    }

    /// What it has said since it was made.
    #[must_use]
    pub fn log(&self) -> String {
        read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn prepare(&self) -> Result<(), Error> {
        let Some(mut prepare) = self.recipe.prepare(self.site()) else { return Ok(()) };
        let status = self.spawn(&mut prepare, &mut self.life().watchdog)?.wait()?;
        if status.success() {
            return Ok(());
        }
        let operation = format!("making a data folder for {}", self.endpoint.kind());
        Err(Error::failed(operation, self.with_log(&status.to_string())))
    }

    fn spawn(&self, command: &mut Command, watchdog: &mut Watchdog) -> Result<Process, Error> {
        let log = File::options().create(true).append(true).open(self.folder.path().join("log"));
        let both = log.and_then(|log| Ok((log.try_clone()?, log)));
        let (out, err) = both.map_err(|error| Error::failed("opening a log", error))?;
        // Some refuse to start in a folder that their user can't read.
        let command = command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(out).stderr(err);
        let process = Process::spawn(command)?;
        watchdog.watch(process.id())?;
        Ok(process)
    }

    /// Asks its own client only when somebody listens: that costs a process each time.
    fn answers(&self) -> bool {
        let ask = match self.endpoint.kind() {
            Kind::Redis | Kind::RedisNode | Kind::RedisSentinel => ("ping", "PONG"),
            _ => ("select 1", "1"),
        };
        let listens = std::net::TcpStream::connect(self.address()).is_ok();
        listens && self.endpoint.query(ask.0).is_ok_and(|answer| answer == ask.1)
    }

    fn site(&self) -> Site<'_> {
        Site { folder: self.folder.path(), port: self.port.number }
    }

    fn with_log(&self, how: &str) -> String {
        let log = self.log();
        let begin = log.char_indices().rev().nth(LOG_END).map_or(0, |(at, _)| at);
        format!("{how}\n{}", &log[begin..])
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        // A test that panicked in between left a server that can still be stopped.
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
