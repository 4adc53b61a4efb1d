//! A private server: started, killed, paused and started again as a test wants it.

use std::fs::{File, read_to_string};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::kind::{Recipe, Site, Tls};
use crate::port::Port;
use crate::process::{LOOK, Process};
use crate::tls::Certificates;
use crate::watchdog::Watchdog;
use crate::{Endpoint, Error, Kind, clock};

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
    tls: Option<(Certificates, Port)>,
    /// The library that gives it a clock of its own.
    clock: Option<PathBuf>,
    // Before the folder: the process goes first.
    life: Mutex<Life>,
    folder: TempDir,
}

/// What a server has that most have not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extra {
    None,
    Tls,
    Clock,
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
        Self::make(kind, Extra::None)
    }

    /// As [`start`](Self::start), with TLS for clients that want it ([`tls_url`](Self::tls_url)).
    ///
    /// # Errors
    /// As there.
    pub fn start_with_tls(kind: Kind) -> Result<Self, Error> {
        Self::make(kind, Extra::Tls)
    }

    /// As [`start`](Self::start), with a wall clock of its own ([`set_clock`](Self::set_clock)).
    ///
    /// # Errors
    /// As there.
    pub fn start_with_clock(kind: Kind) -> Result<Self, Error> {
        Self::make(kind, Extra::Clock)
    }

    fn make(kind: Kind, extra: Extra) -> Result<Self, Error> {
        let recipe = kind.recipe()?;
        let io = |error: io::Error| Error::failed(format!("making room for {kind}"), error);
        let folder = tempfile::Builder::new().prefix("retell-server-").tempdir().map_err(io)?;
        let port = Port::claim().map_err(io)?;
        let tls = match extra {
            Extra::Tls => Some((Certificates::make(kind, folder.path())?, Port::claim().map_err(io)?)),
            Extra::None | Extra::Clock => None,
        };
        let clock = if extra == Extra::Clock { Some(clock::find(kind)?) } else { None };
        clock::set(folder.path(), 0)?;
        if let Some(user) = recipe.user() {
            user.give(folder.path())?;
            if let Some((certificates, _)) = &tls {
                user.give(&certificates.key)?;
            }
        }
        let life = Mutex::new(Life { process: None, watchdog: Watchdog::over(folder.path())? });
        let endpoint = Endpoint::new(kind, kind.url(port.number));
        let server = Self { recipe, endpoint, port, tls, clock, life, folder };
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

    /// The URL of its own database by TLS, for a server that was [started with it](Self::start_with_tls); clients trust
    /// [`authority`](Self::authority).
    #[must_use]
    pub fn tls_url(&self) -> Option<String> {
        let (_, port) = self.tls.as_ref()?;
        Some(match self.endpoint.kind() {
            Kind::Redis | Kind::RedisNode | Kind::RedisSentinel => {
                format!("rediss://127.0.0.1:{}/0", port.number)
            }
            _ => self.endpoint.url().to_owned(),
        })
    }

    /// The certificate of the authority that signed the server's, for a server that was
    /// [started with TLS](Self::start_with_tls).
    #[must_use]
    pub fn authority(&self) -> Option<&Path> {
        self.tls.as_ref().map(|(certificates, _)| &*certificates.authority)
    }

    /// Puts its wall clock so many seconds before or after the true time, and waits until it has seen that; for a server
    /// that was [started with a clock](Self::start_with_clock).
    ///
    /// # Errors
    /// When the file that says so can't be written.
    pub fn set_clock(&self, seconds: i64) -> Result<(), Error> {
        clock::set(self.folder.path(), seconds)?;
        sleep(clock::SEEN_WITHIN);
        Ok(())
    }

    /// Lets none of its files grow beyond so many bytes, as on a disk that is full; `None` is no limit. Does nothing to a
    /// server that is down.
    ///
    /// # Errors
    /// When this process may not say so.
    pub fn limit_files(&self, bytes: Option<u64>) -> Result<(), Error> {
        match &self.life().process {
            Some(process) => process.limit_files(self.recipe.user(), bytes),
            None => Ok(()),
        }
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
        if let Some(library) = &self.clock {
            command = clock::give(&command, library, self.folder.path());
        }
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
        let tls = self.tls.as_ref().map(|(certificates, port)| Tls { certificates, port: port.number });
        Site { folder: self.folder.path(), port: self.port.number, tls }
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
