//! One Gavel with the embedded store that can be killed, started again on what it left, and audited.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::error::Fault;
use crate::figures::float;
use crate::server::process::{Process, free_port};
use crate::server::{Spot, Stage};
use crate::{clock, process};

/// The store's file in its folder; those that `SQLite` puts beside it begin with the same name.
const STORE: &str = "gavel.db";
/// How long a server is left alone before its memory is read.
const SETTLE: Duration = Duration::from_millis(500);

/// See the file's head.
pub(super) struct Server<'a> {
    stage: &'a Stage,
    /// Where clients connect: elsewhere after each start.
    pub(super) at: SocketAddr,
    /// The only core that it may use.
    core: Option<usize>,
    process: Option<Process>,
    // Last: removed when nobody writes there any more.
    folder: TempDir,
}

impl<'a> Server<'a> {
    /// Starts it with an empty store.
    pub(super) fn start(stage: &'a Stage, core: Option<usize>) -> Result<Self, Fault> {
        let mut server = Self { stage, at: free_port()?, core, process: None, folder: stage.folder("step-")? };
        server.run()?;
        Ok(server)
    }

    fn run(&mut self) -> Result<(), Fault> {
        self.at = free_port()?;
        let spot = Spot { home: self.folder.path(), at: self.at, core: self.core };
        self.process = Some(self.stage.gavel(spot, vec![self.settings()])?);
        Ok(())
    }

    fn settings(&self) -> (&'static str, String) {
        ("GAVEL__STORE__URL", format!("sqlite:{}", self.folder.path().join(STORE).display()))
    }

    /// Kills it and starts it on what is there; how long until it was ready. It then holds nothing any more that signing
    /// up left behind.
    pub(super) fn crash(&mut self) -> Result<Duration, Fault> {
        if let Some(process) = self.process.take() {
            process.kill()?;
        }
        let start = clock::now();
        self.run()?;
        Ok(clock::now().saturating_duration_since(start))
    }

    /// Its process.
    pub(super) fn pid(&self) -> Result<u32, Fault> {
        self.process.as_ref().map(Process::id).ok_or_else(|| Fault("the server is stopped".to_owned()))
    }

    /// What it holds once it has come to rest.
    pub(super) fn memory_bytes(&self) -> Result<f64, Fault> {
        std::thread::sleep(SETTLE);
        let usage = process::tree(self.pid()?).ok_or_else(|| Fault("the server has ended".to_owned()))?;
        Ok(float(usage.memory_bytes))
    }

    /// Bytes of the store with its log.
    pub(super) fn store_bytes(&self) -> Result<f64, Fault> {
        let files = std::fs::read_dir(self.folder.path()).map_err(Fault::doing("reading the store's folder"))?;
        let of_store = files.flatten().filter(|file| file.file_name().to_string_lossy().starts_with(STORE));
        Ok(float(of_store.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum::<u64>()))
    }

    /// A file beside the store that holds `text`.
    pub(super) fn put(&self, name: &str, text: &str) -> Result<PathBuf, Fault> {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).map_err(Fault::doing(format!("writing {name}")))?;
        Ok(path)
    }

    /// Stops it gently and audits what it leaves; how long the audit took. Faults in the store are one of ours.
    pub(super) fn verify(&mut self) -> Result<Duration, Fault> {
        drop(self.process.take());
        let start = clock::now();
        let mut audit = Command::new(self.stage.own("gavel"));
        audit.arg("verify").envs([self.settings()]).current_dir(self.folder.path()).stdin(Stdio::null());
        let ran = audit.output().map_err(Fault::doing("starting gavel verify"))?;
        let took = clock::now().saturating_duration_since(start);
        let said = String::from_utf8_lossy(&ran.stdout);
        match said.lines().last() {
            Some(verdict) if ran.status.success() && verdict.starts_with("verified 1 auctions") => Ok(took),
            verdict => {
                let verdict = verdict.unwrap_or_default();
                Err(Fault(format!("gavel verify: {verdict} {}", String::from_utf8_lossy(&ran.stderr).trim())))
            }
        }
    }
}
