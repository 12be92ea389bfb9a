//! One node: this very program, as a process of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::PartError;
use super::keeper::{Environment, Keep, Keeper, Signal, tail};
use crate::limits;

/// How the settings' variables begin.
const PREFIX: &str = "GAVEL__";
/// What `gavel serve` says when it is ready.
const READY: &str = "Gavel is open at ";

/// How a node is to be started, each time anew.
#[derive(Debug, Clone)]
pub struct NodePlan {
    /// The `gavel` program.
    pub program: PathBuf,
    /// For messages and for the log's file; also the node's name in the cluster.
    pub name: String,
    /// `serve` and what follows it.
    pub arguments: Vec<String>,
    /// Settings without their `GAVEL__`: `("LIMITS__ENABLED", "false")`.
    pub settings: Vec<(String, String)>,
    /// Whether our own `GAVEL__` variables go on to the node, where `settings` does not say otherwise.
    pub inherit: bool,
    /// Where the node's log is written: `NAME.log`.
    pub folder: PathBuf,
}

impl NodePlan {
    /// A node that serves at `listen`; with port 0 the port may be another after each start.
    #[must_use]
    pub fn new(program: &Path, name: &str, listen: SocketAddr, folder: &Path) -> Self {
        let own = [("HTTP__LISTEN", listen.to_string()), ("CLUSTER__NODE", name.to_owned())];
        Self {
            program: program.to_owned(),
            name: name.to_owned(),
            arguments: vec!["serve".to_owned()],
            settings: own.map(|(key, value)| (key.to_owned(), value)).to_vec(),
            inherit: false,
            folder: folder.to_owned(),
        }
    }

    /// With a further setting, given without its `GAVEL__`.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.settings.push((key.to_owned(), value.into()));
        self
    }

    fn environment(&self) -> Environment {
        let own = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let removed = own.filter(|name| !self.inherit && name.starts_with(PREFIX)).collect();
        let set = self.settings.iter().map(|(key, value)| (format!("{PREFIX}{key}"), value.clone())).collect();
        Environment { set, removed }
    }
}

/// A node's process. Dropping it kills it.
#[derive(Debug)]
pub struct Node {
    name: String,
    keeper: Keeper,
    /// Empty until it is ready.
    url: String,
}

impl Node {
    /// Starts the process and waits until it serves.
    ///
    /// # Errors
    /// When it does not start, with the end of its log.
    pub fn start(plan: &NodePlan) -> Result<Self, PartError> {
        let mut node = Self::launch(plan)?;
        node.ready()?;
        Ok(node)
    }

    /// Starts the process; [`Node::ready`] must follow.
    ///
    /// # Errors
    /// When there is no such program or no process can be had.
    pub fn launch(plan: &NodePlan) -> Result<Self, PartError> {
        let keep = Keep {
            what: plan.name.clone(),
            program: plan.program.clone(),
            arguments: plan.arguments.clone(),
            environment: plan.environment(),
            log: plan.folder.join(format!("{}.log", plan.name)),
            user: None,
            end: Signal::Kill,
        };
        Ok(Self { name: plan.name.clone(), keeper: Keeper::start(keep)?, url: String::new() })
    }

    /// Waits until it serves, up to [`limits::PART_READY_WITHIN`].
    ///
    /// # Errors
    /// When it ended, or did not say so in time; with the end of its log.
    pub fn ready(&mut self) -> Result<(), PartError> {
        let line = self.keeper.line(limits::PART_READY_WITHIN);
        match line.as_deref().and_then(|line| line.strip_prefix(READY)) {
            Some(url) => {
                url.clone_into(&mut self.url);
                Ok(())
            }
            None => Err(self.keeper.not_started()),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it serves: `http://IP:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The process, unless it was ended.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.keeper.pid()
    }

    /// Where its log is.
    #[must_use]
    pub fn log(&self) -> &Path {
        self.keeper.log()
    }

    /// The end of its log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        tail(self.keeper.log())
    }

    /// Whether it has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.keeper.has_ended()
    }

    /// Sends a signal: [`Signal::Stop`] freezes it, [`Signal::Cont`] lets it go on, [`Signal::Term`] asks it to end.
    ///
    /// # Errors
    /// When its keeper is gone.
    pub fn signal(&mut self, signal: Signal) -> Result<(), PartError> {
        self.keeper.signal(signal)
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When its keeper is gone.
    pub fn kill(&mut self) -> Result<(), PartError> {
        self.keeper.end(Signal::Kill, limits::PART_STOP_WITHIN).map(drop)
    }

    /// Waits for its end: the exit code, 128 and the signal's number when a signal ended it, `None` when it still
    /// runs after `within`.
    ///
    /// # Errors
    /// When its keeper is gone.
    pub fn wait(&mut self, within: Duration) -> Result<Option<i32>, PartError> {
        self.keeper.wait(within)
    }

    /// Asks it to end and waits for it: the exit code, 0 when it was graceful.
    ///
    /// # Errors
    /// When it had to be killed, after [`limits::PART_STOP_WITHIN`].
    pub fn terminate(&mut self) -> Result<i32, PartError> {
        self.keeper.end(Signal::Term, limits::PART_STOP_WITHIN)
    }

    /// Starts it again as it was started before, after it ended, and waits until it serves.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self) -> Result<(), PartError> {
        if self.keeper.pid().is_some() {
            self.terminate()?;
        }
        self.keeper.start_again()?;
        self.ready()
    }
}
