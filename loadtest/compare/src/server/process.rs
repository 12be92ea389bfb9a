//! A server's process: started, waited for, stopped by its id.
//!
//! It dies with the comparison, however that ends. As root, a database runs as somebody else.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::clock;
use crate::error::Fault;

const READY_WITHIN: Duration = Duration::from_secs(30);
/// A cluster stops its nodes first and its stores after them.
const STOPPED_WITHIN: Duration = Duration::from_secs(30);
/// Also how exactly the time is known that a start takes.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Words of a server's log that an error quotes, at most.
const LOG_QUOTED: usize = 600;

/// What to start, and how.
pub(crate) struct Start<'a> {
    pub(crate) name: &'a str,
    /// Where it works and logs.
    pub(crate) folder: &'a Path,
    pub(crate) program: &'a str,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(&'static str, String)>,
    /// The only core that it may use.
    pub(crate) core: Option<usize>,
    /// Whom it runs as, when the comparison runs as root.
    pub(crate) user: Option<(u32, u32)>,
    /// The signal that ends it gently.
    pub(crate) stop: &'static str,
}

impl<'a> Start<'a> {
    /// A program with no particular wishes.
    pub(crate) fn new(name: &'a str, folder: &'a Path, program: &'a str) -> Self {
        let (arguments, environment) = (Vec::new(), Vec::new());
        Self { name, folder, program, arguments, environment, core: None, user: None, stop: "TERM" }
    }

    /// The words that start it: every wish is a program that becomes the next one, so the id stays.
    fn words(&self) -> Vec<String> {
        let mut words = vec!["setpriv".to_owned(), "--pdeathsig".to_owned(), self.stop.to_owned()];
        if let Some((user, group)) = self.user {
            words.extend(["--reuid".to_owned(), user.to_string(), "--regid".to_owned(), group.to_string()]);
            words.push("--clear-groups".to_owned());
        }
        if let Some(core) = self.core {
            words.extend(["taskset".to_owned(), "-c".to_owned(), core.to_string()]);
        }
        words.push(self.program.to_owned());
        words.extend(self.arguments.iter().cloned());
        words
    }

    /// Starts it and waits until it takes connections on each of `ports`.
    pub(crate) fn start(self, ports: &[SocketAddr]) -> Result<Process, Fault> {
        let log = self.folder.join(format!("{}.log", self.name));
        let doing = || Fault::doing(format!("starting {}", self.name));
        let out = File::create(&log).map_err(doing())?;
        let words = self.words();
        let child = Command::new(&words[0])
            .args(&words[1..])
            .envs(self.environment)
            .current_dir(self.folder)
            .stdin(Stdio::null())
            .stdout(out.try_clone().map_err(doing())?)
            .stderr(out)
            .spawn()
            .map_err(doing())?;
        let mut process = Process { child, stop: self.stop };
        let deadline = clock::now() + READY_WITHIN;
        for port in ports {
            while TcpStream::connect(port).is_err() {
                let ended = process.child.try_wait().map_err(doing())?;
                if ended.is_some() || clock::now() >= deadline {
                    let said = std::fs::read_to_string(&log).unwrap_or_default();
                    let from = said.char_indices().rev().nth(LOG_QUOTED).map_or(0, |(at, _)| at);
                    return Err(Fault(format!("{} did not start: {}", self.name, said[from..].trim())));
                }
                std::thread::sleep(LOOK_EVERY);
            }
        }
        Ok(process)
    }
}

/// A running server; stopped when dropped.
pub(crate) struct Process {
    child: Child,
    stop: &'static str,
}

impl Process {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Ends it as a crash would: `kill -9`.
    pub(crate) fn kill(mut self) -> Result<(), Fault> {
        self.child.kill().map_err(Fault::doing("killing a server"))?;
        self.child.wait().map(drop).map_err(Fault::doing("killing a server"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its id may be somebody else's by now.
        if self.has_ended() {
            return;
        }
        let asked = Command::new("kill").args(["-s", self.stop, &self.child.id().to_string()]).status();
        let deadline = clock::now() + STOPPED_WITHIN;
        while asked.is_ok() && clock::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        // It does not want to; what it was measured on is over.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Waits until `GET path` is answered with 200.
pub(crate) fn answers(at: SocketAddr, path: &str) -> Result<(), Fault> {
    let deadline = clock::now() + READY_WITHIN;
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(at)?;
        stream.set_read_timeout(Some(READY_WITHIN))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_length| answer)
    };
    loop {
        let last = match ask() {
            Ok(answer) if answer.starts_with("HTTP/1.1 200") => return Ok(()),
            Ok(answer) => answer.lines().next().unwrap_or_default().to_owned(),
            Err(cause) => cause.to_string(),
        };
        if clock::now() >= deadline {
            return Err(Fault(format!("{path} was never answered with 200, at last: {last}")));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// A port of 127.0.0.1 that nobody listens on.
pub(crate) fn free_port() -> Result<SocketAddr, Fault> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Fault::doing("looking for a free port"))?;
    listener.local_addr().map_err(Fault::doing("looking for a free port"))
}

/// Where a program is, as the shell would find it or in one of `folders`.
pub(crate) fn find(program: &str, folders: &[&str]) -> Option<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let all = path.split(':').chain(folders.iter().copied()).map(|folder| Path::new(folder).join(program));
    all.into_iter().find(|candidate| candidate.is_file()).and_then(|found| found.to_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_become_one_process_with_all_wishes() {
        let mut start = Start::new("x", Path::new("/"), "/bin/x");
        start.core = Some(0);
        start.user = Some((7, 8));
        start.arguments = vec!["-v".to_owned()];
        let words = start.words().join(" ");
        assert_eq!(words, "setpriv --pdeathsig TERM --reuid 7 --regid 8 --clear-groups taskset -c 0 /bin/x -v");
    }

    #[test]
    fn a_killed_process_is_gone_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut start = Start::new("x", folder.path(), "sleep");
        start.arguments = vec!["60".to_owned()];
        let process = start.start(&[]).unwrap();
        let id = process.id();
        process.kill().unwrap();
        assert!(!Path::new(&format!("/proc/{id}")).exists());
    }

    #[test]
    fn a_server_that_ends_at_once_is_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let mut start = Start::new("x", folder.path(), "sh");
        start.arguments = vec!["-c".to_owned(), "echo no such luck; exit 3".to_owned()];
        // A port that the system gives to nobody; a free one may be another test's by now.
        let nobodys = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let error = start.start(&[nobodys]).err().unwrap();
        assert!(error.to_string().contains("no such luck"), "{error}");
    }
}
