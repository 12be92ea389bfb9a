//! A private Redis: on a free port of the loopback address, holding nothing on disk.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;

use super::keeper::{Environment, Keep, Keeper, Signal, until};
use super::programs::redis_server;
use super::{PartError, TempFolder, free_port};
use crate::limits;

/// A running server. Dropping it ends it at once.
#[derive(Debug)]
pub struct PrivateRedis {
    port: u16,
    keeper: Keeper,
    _run: TempFolder,
}

impl PrivateRedis {
    /// Starts a server. `more` are further arguments, such as `["--maxclients", "50"]`.
    ///
    /// # Errors
    /// When Redis is not installed or does not start.
    pub fn start(more: &[&str]) -> Result<Self, PartError> {
        let program = redis_server().ok_or_else(|| PartError::Missing { packages: "redis-server".to_owned() })?;
        let run = TempFolder::new("gavel-redis-")?;
        let port = free_port()?;
        let (port_text, log) = (port.to_string(), run.path().join("log"));
        let (folder, log_text) = (run.path().display().to_string(), log.display().to_string());
        let arguments = ["--port", &port_text, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
        let places = ["--dir", &folder, "--logfile", &log_text];
        let keep = Keep {
            what: "Redis".to_owned(),
            program,
            arguments: arguments.iter().chain(&places).chain(more).map(|&argument| argument.to_owned()).collect(),
            environment: Environment::default(),
            log,
            user: None,
            end: Signal::Kill,
        };
        let mut server = Self { port, keeper: Keeper::start(keep)?, _run: run };
        server.ready()?;
        Ok(server)
    }

    /// The port that it listens on, the same after a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process, unless it was ended.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.keeper.pid()
    }

    /// Where it writes what it has to say.
    #[must_use]
    pub fn log(&self) -> &Path {
        self.keeper.log()
    }

    /// Whether it has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.keeper.has_ended()
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Sends a signal: [`Signal::Stop`] freezes it, [`Signal::Cont`] lets it go on.
    ///
    /// # Errors
    /// When its keeper is gone.
    pub fn signal(&mut self, signal: Signal) -> Result<(), PartError> {
        self.keeper.signal(signal)
    }

    /// Kills it. [`PrivateRedis::restart`] starts it again.
    ///
    /// # Errors
    /// When its keeper is gone.
    pub fn kill(&mut self) -> Result<(), PartError> {
        self.keeper.end(Signal::Kill, limits::PART_STOP_WITHIN).map(drop)
    }

    /// Starts it again on the same port, empty, ending it first if it runs.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self) -> Result<(), PartError> {
        if self.keeper.pid().is_some() {
            self.keeper.end(Signal::Term, limits::PART_STOP_WITHIN)?;
        }
        self.keeper.start_again()?;
        self.ready()
    }

    /// Ends it gracefully.
    ///
    /// # Errors
    /// When it had to be killed.
    pub fn stop(mut self) -> Result<(), PartError> {
        self.keeper.end(Signal::Term, limits::PART_STOP_WITHIN).map(drop)
    }

    fn ready(&mut self) -> Result<(), PartError> {
        let (keeper, port) = (&self.keeper, self.port);
        until(limits::PART_READY_WITHIN, || keeper.has_ended() || answers(port));
        if !self.keeper.has_ended() && answers(port) { Ok(()) } else { Err(self.keeper.not_started()) }
    }
}

/// Whether a PING is answered.
fn answers(port: u16) -> bool {
    let ping = || {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, limits::PART_ANSWER_WITHIN)?;
        stream.set_read_timeout(Some(limits::PART_ANSWER_WITHIN))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        Ok::<_, std::io::Error>(&answer == b"+PONG")
    };
    ping().unwrap_or(false)
}
