//! `report.html`: one file, no script, nothing fetched.

use askama::Template;

use super::plot::{Line, Plot, nines, plain};
use super::{Report, float};
use crate::error::LoadError;
use crate::sampler::Sample;
use crate::summary;
use crate::timeline::Point;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    title: String,
    summary: String,
    passed: bool,
    problems: &'a [String],
    plots: Vec<String>,
}

/// The page for `report`.
pub(super) fn render(report: &Report) -> Result<String, LoadError> {
    let page = Page {
        title: format!("Load {} of {}", summary::word(&report.conditions.run.scenario), report.started_at),
        summary: summary::text(report),
        passed: report.passed,
        problems: &report.problems,
        plots: plots(report)?,
    };
    page.render().map_err(LoadError::doing("writing report.html"))
}

fn plots(report: &Report) -> Result<Vec<String>, LoadError> {
    let mut shown = Vec::new();
    for plot in [
        throughput(report),
        latency_over_time(report),
        latency_curve(report),
        deliveries(report),
        delivery_latency(report),
        cpu(report),
        memory(report),
        levels(report),
    ] {
        shown.extend(plot.svg()?);
    }
    Ok(shown)
}

/// A line over time from the points; left out when it is zero throughout.
fn over_time(report: &Report, name: &str, value: impl Fn(&Point) -> f64) -> Option<Line> {
    let interval_s = report.conditions.interval_s;
    let at = |point: &Point| (float(point.index) * interval_s, value(point));
    let points: Vec<(f64, f64)> = report.points.iter().map(at).collect();
    points.iter().any(|(_, value)| *value > 0.0).then(|| Line { name: name.to_owned(), points })
}

fn timed(title: &'static str, y: &'static str, lines: impl IntoIterator<Item = Option<Line>>) -> Plot<'static> {
    Plot { title, x: "seconds", y, lines: lines.into_iter().flatten().collect(), x_label: plain }
}

fn throughput(report: &Report) -> Plot<'static> {
    let interval_s = report.conditions.interval_s;
    let rate =
        |name: &str, count: fn(&Point) -> u64| over_time(report, name, move |point| float(count(point)) / interval_s);
    timed(
        "Throughput",
        "bids/s",
        [
            rate("accepted", |point| point.accepted),
            rate("rejected", |point| point.rejected),
            rate("pushed back", |point| point.pushed_back),
            rate("errors", |point| point.errors),
        ],
    )
}

fn latency_over_time(report: &Report) -> Plot<'static> {
    let ms = |name: &str, us: fn(&Point) -> u64| over_time(report, name, move |point| float(us(point)) / 1_000.0);
    timed(
        "Latency of answers over time",
        "ms",
        [ms("p50", |point| point.p50_us), ms("p99", |point| point.p99_us), ms("max", |point| point.max_us)],
    )
}

fn latency_curve(report: &Report) -> Plot<'static> {
    let line = |(name, curve): (&&str, &Vec<(f64, u64)>)| Line {
        name: (*name).to_owned(),
        points: curve.iter().map(|(quantile, us)| (-(1.0 - quantile).log10(), float(*us) / 1_000.0)).collect(),
    };
    let lines = report.latency_curve.iter().map(line).filter(|line| !line.points.is_empty()).collect();
    Plot { title: "Latency by percentile", x: "percentile", y: "ms", lines, x_label: nines }
}

fn deliveries(report: &Report) -> Plot<'static> {
    let interval_s = report.conditions.interval_s;
    let rate = over_time(report, "deliveries", move |point| float(point.deliveries) / interval_s);
    timed("Deliveries to watchers", "deliveries/s", [rate])
}

fn delivery_latency(report: &Report) -> Plot<'static> {
    let ms = |name: &str, us: fn(&Point) -> u64| over_time(report, name, move |point| float(us(point)) / 1_000.0);
    timed(
        "From the bid's start to its delivery",
        "ms",
        [ms("p50", |point| point.delivery_p50_us), ms("p99", |point| point.delivery_p99_us)],
    )
}

fn by_server(report: &Report, value: impl Fn(&Sample, usize) -> f64) -> Vec<Option<Line>> {
    let line = |(index, server): (usize, &super::Server)| {
        let points = report.samples.iter().map(|sample| (sample.t_s, value(sample, index))).collect();
        Some(Line { name: format!("pid {}", server.pid), points })
    };
    report.server.iter().enumerate().map(line).collect()
}

fn cpu(report: &Report) -> Plot<'static> {
    timed("Server CPU", "cores", by_server(report, |sample, index| sample.cpu_cores[index]))
}

fn memory(report: &Report) -> Plot<'static> {
    let mib = |sample: &Sample, index: usize| float(sample.memory_bytes[index]) / 1_048_576.0;
    timed("Server memory", "MiB", by_server(report, mib))
}

fn levels(report: &Report) -> Plot<'static> {
    let names: std::collections::BTreeSet<&String> =
        report.samples.iter().flat_map(|sample| sample.levels.keys()).collect();
    let line = |name: &String| {
        let at = |sample: &Sample| sample.levels.get(name).map(|value| (sample.t_s, *value));
        Some(Line { name: name.clone(), points: report.samples.iter().filter_map(at).collect() })
    };
    timed("Queues, from /metrics", "", names.into_iter().map(line))
}
