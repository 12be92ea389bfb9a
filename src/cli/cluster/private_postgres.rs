//! A private Postgres: on a free port of the loopback address, durable as Postgres is by default.
//!
//! It trusts whoever reaches that port or its socket, so it is for one's own machine.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use ::postgres::{Client, NoTls};

use super::keeper::{Environment, Keep, Keeper, Signal, until};
use super::programs::{postgres_bin, unprivileged};
use super::{PartError, TempFolder, failed, free_port};
use crate::limits;

/// A running server. Dropping it ends it at once; see [`PrivatePostgres::stop`] for the graceful end.
#[derive(Debug)]
pub struct PrivatePostgres {
    port: u16,
    keeper: Keeper,
    /// Socket and log, and the data unless they are kept elsewhere. Last: it goes after the server.
    _run: TempFolder,
}

impl PrivatePostgres {
    /// Starts a server on `data`, which is made when it is missing, or on data that go with it.
    ///
    /// `more` are further settings, such as `max_connections=50`.
    ///
    /// # Errors
    /// When Postgres is not installed or does not start.
    pub fn start(data: Option<&Path>, more: &[&str]) -> Result<Self, PartError> {
        let bin = postgres_bin().ok_or_else(|| PartError::Missing { packages: "postgresql".to_owned() })?;
        let user = unprivileged()?;
        let run = TempFolder::new("gavel-postgres-")?;
        own(run.path(), user)?;
        let kept = data.is_some();
        let data = data.map_or_else(|| run.path().join("data"), Path::to_owned);
        if !data.join("PG_VERSION").exists() {
            std::fs::create_dir_all(&data).map_err(failed(format!("cannot make {}", data.display())))?;
            own(&data, user)?;
            init(&bin, &data, user, kept)?;
        }
        let port = free_port()?;
        let keep = Keep {
            what: "Postgres".to_owned(),
            program: bin.join("postgres"),
            arguments: arguments(&data, run.path(), port, more),
            environment: Environment { set: vec![("LC_ALL".to_owned(), "C".to_owned())], ..Environment::default() },
            log: run.path().join("log"),
            user,
            end: Signal::Quit,
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

    /// Its first process, unless it was ended.
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

    /// The URL of one of its databases.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://gavel@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes a database unless it is there, and returns its URL. Blocks; may be called within a runtime.
    ///
    /// # Errors
    /// When the server does not do it.
    pub fn database(&self, name: &str) -> Result<String, PartError> {
        self.plainly(|client| {
            if client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name])?.is_none() {
                client.batch_execute(&format!("CREATE DATABASE \"{}\"", name.replace('"', "\"\"")))?;
            }
            Ok(())
        })?;
        Ok(self.url(name))
    }

    /// Sends a signal to its first process.
    ///
    /// # Errors
    /// When its keeper is gone.
    pub fn signal(&mut self, signal: Signal) -> Result<(), PartError> {
        self.keeper.signal(signal)
    }

    /// Ends it with all its processes at once, as a power cut would; the data stay. [`PrivatePostgres::restart`] starts it again.
    ///
    /// # Errors
    /// When its keeper is gone.
    pub fn kill(&mut self) -> Result<(), PartError> {
        let Some(first) = self.keeper.pid() else { return Ok(()) };
        let mut all = children_of(first);
        all.push(first);
        self.keeper.signal_each(Signal::Kill, &all)?;
        self.keeper.wait(limits::PART_STOP_WITHIN)?;
        Ok(())
    }

    /// Starts it again on the same data and port, ending it first if it runs.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self) -> Result<(), PartError> {
        if self.keeper.pid().is_some() {
            self.keeper.end(Signal::Int, limits::PART_STOP_WITHIN)?;
        }
        self.keeper.start_again()?;
        self.ready()
    }

    /// Ends it: connections are cut, what is committed is folded into the data. What is temporary goes.
    ///
    /// # Errors
    /// When it had to be killed.
    pub fn stop(mut self) -> Result<(), PartError> {
        self.keeper.end(Signal::Int, limits::PART_STOP_WITHIN).map(drop)
    }

    /// Waits until it lets someone in.
    fn ready(&mut self) -> Result<(), PartError> {
        for _ in 0..limits::PART_START_TRIES {
            let (url, keeper) = (self.url("postgres"), &self.keeper);
            let done = || keeper.has_ended() || apart(|| Client::connect(&url, NoTls).is_ok());
            if !until(limits::PART_READY_WITHIN, done) {
                break;
            }
            if !self.keeper.has_ended() {
                return Ok(());
            }
            // After a kill, a process of the one before may not have let go of the data yet.
            self.keeper.wait(limits::PART_STOP_WITHIN)?;
            std::thread::sleep(limits::PART_LOOK_EVERY);
            self.keeper.start_again()?;
        }
        Err(self.keeper.not_started())
    }

    /// Runs `work` with a connection, away from any runtime.
    fn plainly(&self, work: impl FnOnce(&mut Client) -> Result<(), ::postgres::Error> + Send) -> Result<(), PartError> {
        let url = self.url("postgres");
        Ok(apart(|| work(&mut Client::connect(&url, NoTls)?))?)
    }
}

/// The synchronous client must not be used within a runtime, so it gets a thread of its own.
fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| match scope.spawn(work).join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

fn arguments(data: &Path, run: &Path, port: u16, more: &[&str]) -> Vec<String> {
    // The path of a socket holds 107 bytes.
    let socket = if run.as_os_str().len() < 80 { run.display().to_string() } else { String::new() };
    let port = format!("port={port}");
    let sockets = format!("unix_socket_directories={socket}");
    let mut arguments = vec!["-D".to_owned(), data.display().to_string()];
    let settings = [port.as_str(), "listen_addresses=127.0.0.1", &sockets, "max_connections=200", "max_wal_size=2GB"];
    for setting in settings.into_iter().chain(more.iter().copied()) {
        arguments.extend(["-c".to_owned(), setting.to_owned()]);
    }
    arguments
}

fn own(folder: &Path, user: Option<(u32, u32)>) -> Result<(), PartError> {
    match user {
        Some((uid, gid)) => {
            chown(folder, Some(uid), Some(gid)).map_err(failed(format!("cannot give {} away", folder.display())))
        }
        None => Ok(()),
    }
}

/// Fills an empty folder. Data that are kept are put on stable storage first.
fn init(bin: &Path, data: &Path, user: Option<(u32, u32)>, kept: bool) -> Result<(), PartError> {
    let mut initdb = Command::new(bin.join("initdb"));
    initdb.arg("-D").arg(data).args(["-U", "gavel", "-A", "trust", "-E", "UTF8", "--locale=C"]);
    if !kept {
        initdb.arg("--no-sync");
    }
    initdb.current_dir("/").env("LC_ALL", "C").process_group(0);
    if let Some((uid, gid)) = user {
        initdb.uid(uid).gid(gid);
    }
    let made = initdb.output().map_err(failed("initdb"))?;
    if made.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&made.stderr).into_owned();
    Err(PartError::NotStarted { what: "initdb".to_owned(), log: said })
}

fn children_of(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let children = processes.filter_map(|process| {
        let stat = std::fs::read_to_string(process.path().join("stat")).ok()?;
        // pid (name) state ppid …: the name may hold anything, so read from behind it.
        let ppid: u32 = stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()?;
        (ppid == parent).then(|| process.file_name().to_str()?.parse().ok())?
    });
    children.collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_socket_is_left_out_where_its_path_would_be_too_long() {
        let long = PathBuf::from(format!("/{}", "x".repeat(100)));
        let arguments = arguments(Path::new("/d"), &long, 5, &["fsync=off"]);
        assert!(arguments.contains(&"unix_socket_directories=".to_owned()), "{arguments:?}");
        assert_eq!(arguments.last().unwrap(), "fsync=off");
    }
}
