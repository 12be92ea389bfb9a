//! The load generator as a process, and its report.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::error::Fault;
use crate::server::Stage;

/// Runs the load generator with `words` and returns its `report.json`. That a promise was broken is no fault: the
/// report tells.
pub(crate) fn run(stage: &Stage, words: &[String]) -> Result<Value, Fault> {
    let folder = tempfile::Builder::new().prefix("report-").tempdir_in(&stage.scratch);
    let folder = folder.map_err(Fault::doing("making a folder"))?;
    let mut generator = Command::new(stage.own("loadtest"));
    generator.args(words).arg("--report").arg(folder.path());
    let ran = generator.stdin(Stdio::null()).output().map_err(Fault::doing("starting the load generator"))?;
    let said =
        |fault: Fault| Fault(format!("{fault}; the generator said: {}", String::from_utf8_lossy(&ran.stderr).trim()));
    let text = std::fs::read_to_string(folder.path().join("report.json"));
    let text = text.map_err(Fault::doing("there is no report")).map_err(said)?;
    serde_json::from_str(&text).map_err(Fault::doing("the report is not JSON"))
}

/// The words that name `pids` as the servers.
pub(crate) fn pids(pids: impl IntoIterator<Item = u32>) -> impl Iterator<Item = String> {
    pids.into_iter().flat_map(|pid| ["--pid".to_owned(), pid.to_string()])
}

/// The number at `path` of a report.
pub(crate) fn number(report: &Value, path: &str) -> Result<f64, Fault> {
    let found = report.pointer(path).and_then(Value::as_f64);
    found.ok_or_else(|| Fault(format!("the report has no {path}")))
}

/// Rows and receipts that break a promise, by the generator's own check of the history.
pub(crate) fn broken(report: &Value) -> Result<f64, Fault> {
    let kept = ["missing", "duplicated", "out_of_order", "unexplained", "late"];
    kept.iter().map(|name| number(report, &format!("/check/{name}"))).sum()
}
