//! All figures of a comparison, with the conditions that they hold under, and the two files they end in.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

use crate::error::Fault;
use crate::figures::{Figures, medians};
use crate::plan::{Load, Peer};
use crate::table;

/// Under which all figures hold.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Conditions {
    pub(crate) started_at: String,
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) quick: bool,
    pub(crate) cores: usize,
    pub(crate) processor: String,
    pub(crate) kernel: String,
    /// Of the stores: on `tmpfs` a sync costs nothing.
    pub(crate) filesystem: String,
    /// What else the machine was doing at the start.
    pub(crate) load_average: String,
}

impl Conditions {
    /// Of this machine, now.
    pub(crate) fn here(rounds: usize, seconds: f64, quick: bool, scratch: &Path) -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        let found = Command::new("findmnt").args(["-n", "-o", "FSTYPE", "-T"]).arg(scratch).output();
        let filesystem = found.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        Self {
            started_at: format!("{:.0}", jiff::Timestamp::now()),
            rounds,
            seconds,
            quick,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            processor: model.map_or("unknown", |(_, name)| name.trim()).to_owned(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            filesystem: filesystem.unwrap_or_default(),
            load_average: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
        }
    }
}

/// What became of one peer at one load.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Entry {
    pub(crate) median: Figures,
    pub(crate) rounds: Vec<Figures>,
    pub(crate) failures: Vec<String>,
    /// Why it was not measured.
    pub(crate) skipped: Option<String>,
}

/// See the file's head.
#[derive(Debug)]
pub(crate) struct Results {
    pub(crate) conditions: Conditions,
    pub(crate) entries: BTreeMap<(Load, Peer), Entry>,
}

#[derive(Serialize)]
struct Line<'a> {
    load: Load,
    peer: Peer,
    #[serde(flatten)]
    entry: &'a Entry,
}

#[derive(Serialize)]
struct Document<'a> {
    conditions: &'a Conditions,
    results: Vec<Line<'a>>,
}

impl Results {
    pub(crate) const fn new(conditions: Conditions) -> Self {
        Self { conditions, entries: BTreeMap::new() }
    }

    /// One more round.
    pub(crate) fn add(&mut self, load: Load, peer: Peer, figures: Figures) {
        let entry = self.entries.entry((load, peer)).or_default();
        entry.rounds.push(figures);
        entry.median = medians(&entry.rounds);
    }

    /// A round without figures.
    pub(crate) fn fail(&mut self, load: Load, peer: Peer, why: String) {
        self.entries.entry((load, peer)).or_default().failures.push(why);
    }

    /// No rounds at all.
    pub(crate) fn skip(&mut self, load: Load, peer: Peer, why: String) {
        self.entries.entry((load, peer)).or_default().skipped = Some(why);
    }

    /// Writes `comparison.md` and `comparison.json` into `folder`.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Fault> {
        let lines = self.entries.iter().map(|((load, peer), entry)| Line { load: *load, peer: *peer, entry });
        let document = Document { conditions: &self.conditions, results: lines.collect() };
        let json = serde_json::to_string_pretty(&document).map_err(Fault::doing("writing comparison.json"))?;
        std::fs::create_dir_all(folder).map_err(Fault::doing("making the folder"))?;
        std::fs::write(folder.join("comparison.json"), json).map_err(Fault::doing("writing comparison.json"))?;
        let text = table::markdown(self);
        std::fs::write(folder.join("comparison.md"), text).map_err(Fault::doing("writing comparison.md"))
    }
}
