//! One server process with its own data folder and port.

use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::{Client, Metrics, soon, turn};

/// A graceful stop may take this long (the contract's 10 s).
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// A running server and what it takes to start it again on the same data.
pub(crate) struct Server {
    home: TempDir,
    settings: Vec<(String, String)>,
    arguments: Vec<String>,
    child: Child,
    readers: Vec<JoinHandle<()>>,
    stderr: Arc<Mutex<String>>,
    url: String,
    _turn: turn::Turn,
}

/// The binary under test, with no `GAVEL__` setting from outside.
pub(crate) fn gavel(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gavel"));
    for (name, _) in std::env::vars() {
        if name.starts_with("GAVEL") {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    command
}

impl Server {
    /// Starts with rate limits off, on an empty store.
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// As [`Server::start`], with more settings: `("LIMITS__ENABLED", "true")`.
    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        Self::launch(settings, &["serve"]).await
    }

    /// As [`Server::start`], once every other server has gone and with none beside it: for tests that measure.
    pub(crate) async fn start_alone() -> Self {
        Self::begin(turn::alone().await, base_settings, &["serve"]).await
    }

    /// Starts on an empty folder, with these settings and arguments.
    pub(crate) async fn launch(settings: &[(&str, &str)], arguments: &[&str]) -> Self {
        let more = settings.iter().map(|(key, value)| (format!("GAVEL__{key}"), (*value).to_owned()));
        Self::begin(turn::beside_others().await, |home| [base_settings(home), more.collect()].concat(), arguments).await
    }

    /// As [`Server::start`], with these variables in its environment.
    pub(crate) async fn with_variables<const N: usize>(variables: [(&str, String); N]) -> Self {
        let more = variables.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Self::begin(turn::beside_others().await, |home| [base_settings(home), more].concat(), &["serve"]).await
    }

    async fn begin(
        turn: turn::Turn,
        settings: impl FnOnce(&Path) -> Vec<(String, String)>,
        arguments: &[&str],
    ) -> Self {
        let home = TempDir::new().unwrap();
        let settings = settings(home.path());
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect::<Vec<_>>();
        let stderr = Arc::default();
        let (child, readers, url) = launch(&home, &settings, &arguments, &stderr).await;
        Self { home, settings, arguments, child, readers, stderr, url, _turn: turn }
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// `127.0.0.1:PORT`
    pub(crate) fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("the server runs")
    }

    /// The folder that holds its data.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Someone who is not signed in.
    pub(crate) fn anonymous(&self) -> Client {
        Client::anonymous(&self.url)
    }

    /// Signs up and signs in a new user.
    pub(crate) async fn user(&self, nick: &str) -> Client {
        Client::sign_up(&self.url, nick).await
    }

    /// Signs up and signs in `count` new users.
    pub(crate) async fn users(&self, count: usize) -> Vec<Client> {
        let all = (0..count).map(|number| Client::sign_up_owned(self.url.clone(), format!("bidder{number}")));
        futures_util::future::join_all(all).await
    }

    /// What `/metrics` says now.
    pub(crate) async fn metrics(&self) -> Metrics {
        Metrics::read(&self.anonymous()).await
    }

    /// All that was written to stderr so far, over restarts too.
    pub(crate) fn log(&self) -> String {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A command of the binary with this server's settings.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = gavel(arguments);
        command.envs(self.settings.iter().cloned()).current_dir(self.home.path());
        command
    }

    /// Runs a command of the binary with this server's settings.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        soon("a command's end", self.command(arguments).output()).await.unwrap()
    }

    /// Audits the store; fails unless it is without a fault. Returns the numbers of auctions and events.
    pub(crate) async fn verify(&self) -> (u64, u64) {
        let output = self.run(&["verify"]).await;
        let said = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let last = said.lines().last().unwrap_or_default();
        let numbers = verified(last).unwrap_or_else(|| panic!("verify said {said:?} {errors:?}"));
        assert_eq!((numbers.2, output.status.code()), (0, Some(0)), "verify found faults: {said} {errors}");
        (numbers.0, numbers.1)
    }

    /// `kill -9`: no chance to finish anything.
    pub(crate) async fn kill(&mut self) {
        soon("the killed server's end", self.child.kill()).await.unwrap();
        self.drain().await;
    }

    /// Starts again on the same data; the port is a new one.
    pub(crate) async fn restart(&mut self) {
        assert!(self.child.try_wait().unwrap().is_some(), "the server still runs");
        let (child, readers, url) = launch(&self.home, &self.settings, &self.arguments, &self.stderr).await;
        self.child = child;
        self.readers = readers;
        self.url = url;
    }

    /// Sends a signal by its name (`TERM`, `INT`).
    pub(crate) async fn signal(&self, name: &str) {
        let line = format!("kill -{name} {}", self.pid());
        let sent = Command::new("sh").args(["-c", &line]).status().await.unwrap();
        assert!(sent.success(), "{line}");
    }

    /// Asks the server to stop and waits: its exit, and the time that it took.
    pub(crate) async fn terminate(&mut self) -> (ExitStatus, Duration) {
        self.signal("TERM").await;
        self.terminate_after_signal().await
    }

    /// Waits for the end of a server that was signalled: its exit, and the time that it took from now.
    pub(crate) async fn terminate_after_signal(&mut self) -> (ExitStatus, Duration) {
        let started = Instant::now();
        let status = soon("the server's graceful end", self.child.wait()).await.unwrap();
        let took = started.elapsed();
        self.drain().await;
        (status, took)
    }

    /// Arguments for the next start.
    pub(crate) fn with_arguments(&mut self, arguments: &[&str]) {
        self.arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
    }

    /// Ends a test: a graceful stop within its bound, no panic in the log, an audit without a fault.
    pub(crate) async fn finish(mut self) {
        let (status, took) = self.terminate().await;
        assert_eq!(status.code(), Some(0), "after SIGTERM");
        assert!(took < STOP_WITHIN, "the graceful stop took {took:?}");
        assert!(!self.log().contains('\u{1b}'), "a log that is no terminal has no colours:\n{}", self.log());
        self.verify().await;
    }

    async fn drain(&mut self) {
        for reader in self.readers.drain(..) {
            soon("the end of the log", reader).await.unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let log = self.log();
        if std::thread::panicking() {
            let tail = log.lines().rev().take(60).collect::<Vec<_>>();
            eprintln!("--- the server's log (last lines)");
            tail.iter().rev().for_each(|line| eprintln!("{line}"));
        } else {
            assert!(!log.contains("panicked"), "the server panicked:\n{log}");
        }
    }
}

fn base_settings(home: &Path) -> Vec<(String, String)> {
    [
        ("HTTP__LISTEN", "127.0.0.1:0".to_owned()),
        ("STORE__URL", format!("sqlite:{}", home.join("gavel.db").display())),
        ("LIMITS__ENABLED", "false".to_owned()),
        ("LOG__FILTER", "info".to_owned()),
    ]
    .map(|(key, value)| (format!("GAVEL__{key}"), value))
    .to_vec()
}

async fn launch(
    home: &TempDir,
    settings: &[(String, String)],
    arguments: &[String],
    stderr: &Arc<Mutex<String>>,
) -> (Child, Vec<JoinHandle<()>>, String) {
    let arguments = arguments.iter().map(String::as_str).collect::<Vec<_>>();
    let mut command = gavel(&arguments);
    command.envs(settings.iter().cloned()).current_dir(home.path());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let log = Arc::clone(stderr);
    let (ready, url) = tokio::sync::oneshot::channel();
    let mut ready = Some(ready);
    let readers = vec![
        tokio::spawn(each_line(child.stderr.take().unwrap(), move |line| {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.push_str(&line);
            log.push('\n');
        })),
        tokio::spawn(each_line(child.stdout.take().unwrap(), move |line| {
            if let (Some(url), Some(ready)) = (url_in(&line), ready.take()) {
                drop(ready.send(url));
            }
        })),
    ];
    let url = soon("the server's ready line", url).await.ok();
    let url = url.unwrap_or_else(|| panic!("the server ended before it was ready:\n{}", stderr.lock().unwrap()));
    (child, readers, url)
}

async fn each_line(from: impl AsyncRead + Unpin, mut then: impl FnMut(String)) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        then(line);
    }
}

fn url_in(line: &str) -> Option<String> {
    let start = line.find("http://")?;
    let url = line[start..].split_whitespace().next()?;
    Some(url.trim_end_matches(['/', '.', ',']).to_owned())
}

/// The three numbers of `verified A auctions, E events, F faults`.
pub(crate) fn verified(line: &str) -> Option<(u64, u64, u64)> {
    let rest = line.strip_prefix("verified ")?;
    let (auctions, rest) = rest.split_once(" auctions, ")?;
    let (events, rest) = rest.split_once(" events, ")?;
    let faults = rest.strip_suffix(" faults")?;
    Some((auctions.parse().ok()?, events.parse().ok()?, faults.parse().ok()?))
}
