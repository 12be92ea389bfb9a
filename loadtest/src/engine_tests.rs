//! Whole runs against the fake server: what a faithful one gets, and that each fault is noticed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Parser;

use crate::args::Args;
use crate::engine;
use crate::fake::{Fake, Fault};
use crate::report::Report;
use crate::summary;

fn report_of(fake: &Fake, line: &str) -> Report {
    let stop = Arc::new(AtomicBool::new(false));
    stoppable(fake, line, &stop)
}

fn stoppable(fake: &Fake, line: &str, stop: &Arc<AtomicBool>) -> Report {
    let url = fake.url();
    let words = ["loadtest"].into_iter().chain(line.split_whitespace()).chain(["--url", url.as_str()]);
    let run = Args::try_parse_from(words).unwrap().resolve().unwrap();
    Report::new(engine::run(run, stop).unwrap())
}

fn run(fault: Fault, line: &str) -> Report {
    report_of(&Fake::start(fault), line)
}

#[test]
fn a_hot_auction_is_loaded_and_checked() {
    let fake = Fake::start(Fault::None);
    let report = report_of(&fake, "hot --connections 4 --duration 300ms");
    assert!(report.passed, "{:?}", report.problems);
    assert!(report.totals.accepted > 10);
    assert_eq!(report.totals.errors, 0, "{:?}", report.totals.errors_by_code);
    assert_eq!(report.check.rows, report.totals.accepted);
    assert_eq!(fake.world.users(), 4 + 2);
    let last = summary::text(&report).lines().last().unwrap().to_owned();
    assert_eq!(last, format!("acknowledged {}, missing 0, duplicated 0, out of order 0", report.totals.accepted));
}

#[test]
fn a_load_of_so_many_bids_ends_with_the_last() {
    for pace in ["", "--rate 5000", "--transport ws"] {
        let report = run(Fault::None, &format!("hot --connections 4 --bids 37 --duration 20s {pace}"));
        let totals = &report.totals;
        assert!(report.passed, "{pace}: {:?}", report.problems);
        assert_eq!(totals.accepted + totals.rejected, 37, "{pace}: {:?}", totals.errors_by_code);
        assert!(report.conditions.load_s < 10.0, "{pace}: {} s", report.conditions.load_s);
    }
}

#[test]
fn one_connection_never_outbids_itself() {
    let report = run(Fault::None, "hot --connections 1 --duration 200ms");
    assert_eq!(report.totals.rejected, 0, "{:?}", report.totals.rejected_by_code);
}

#[test]
fn websocket_bids_are_pipelined_and_checked() {
    let report = run(Fault::None, "hot --transport ws --connections 3 --in-flight 8 --duration 300ms");
    assert!(report.passed, "{:?}", report.problems);
    assert!(report.totals.accepted > 10);
    assert_eq!(report.totals.unanswered, 0);
}

#[test]
fn bids_are_spread_over_auctions_and_threads() {
    let report = run(Fault::None, "spread --auctions 5 --connections 6 --threads 2 --duration 300ms");
    assert!(report.passed, "{:?}", report.problems);
    assert!(report.check.rows > 10);
}

#[test]
fn too_low_measures_refusals() {
    let report = run(Fault::None, "hot --strategy too-low --connections 2 --duration 200ms");
    assert!(report.passed, "{:?}", report.problems);
    assert_eq!((report.totals.accepted, report.check.acknowledged), (0, 1));
    assert_eq!(report.totals.rejected_by_code.keys().collect::<Vec<_>>(), ["too_low"]);
    assert!(report.latency_us["rejected"].count > 10);
}

#[test]
fn a_lost_bid_fails_the_check() {
    let report = run(Fault::LosesABid, "hot --connections 2 --duration 200ms");
    assert!(!report.passed);
    assert_eq!(report.check.missing, 1);
    assert!(report.check.line().contains("missing 1, duplicated 0"));
}

#[test]
fn a_bid_applied_twice_fails_the_check() {
    let report = run(Fault::AppliesABidTwice, "hot --connections 2 --duration 200ms");
    assert!(!report.passed);
    assert_eq!(report.check.duplicated, 1);
}

#[test]
fn swapped_rows_fail_the_check() {
    let report = run(Fault::SwapsTwoRows, "hot --connections 2 --duration 200ms");
    assert!(!report.passed);
    assert!(report.check.out_of_order > 0);
}

#[test]
fn a_refused_bid_that_is_kept_fails_the_check() {
    let report = run(Fault::KeepsARefusedBid, "hot --strategy too-low --connections 2 --duration 100ms");
    assert!(!report.passed);
    assert!(report.check.unexplained > 0);
}

#[test]
fn a_stall_shows_in_the_latency_of_every_bid_it_delays() {
    let stall = Duration::from_millis(300);
    let open = run(Fault::Stalls(stall), "hot --connections 2 --rate 200 --duration 1s");
    // 300 ms at 200 a second delay 60 of 200 bids; a generator that waits with the server would note two.
    let (p50, p90) = (open.latency_us["accepted"].p50, open.latency_us["accepted"].p90);
    assert!(p90 > 100_000, "p90 {p90} µs");
    assert!(p50 < 100_000, "p50 {p50} µs");
    assert!((180..=201).contains(&open.totals.accepted), "{}", open.totals.accepted);
}

#[test]
fn an_open_loop_over_websocket_keeps_its_rate() {
    let report = run(Fault::None, "hot --transport ws --connections 2 --rate 300 --duration 500ms");
    assert!(report.passed, "{:?}", report.problems);
    assert!((140..=151).contains(&report.totals.accepted), "{}", report.totals.accepted);
}

#[test]
fn a_bid_without_an_answer_is_sent_again_under_its_id() {
    for transport in ["http", "ws"] {
        let line = format!("hot --transport {transport} --connections 2 --in-flight 4 --duration 300ms");
        let report = run(Fault::HangsUp, &line);
        assert!(report.passed, "{transport}: {:?}", report.problems);
        assert!(report.totals.reconnects > 0 && report.totals.resent > 0, "{transport}");
        assert_eq!(report.totals.unanswered, 0, "{transport}");
    }
}

#[test]
fn a_server_without_room_is_asked_again() {
    for transport in ["http", "ws"] {
        let line = format!("hot --transport {transport} --connections 2 --in-flight 4 --duration 300ms");
        let report = run(Fault::IsOverloaded, &line);
        assert!(report.passed, "{transport}: {:?}", report.problems);
        assert!(report.totals.pushed_back_by_code["overloaded"] > 0, "{transport}");
    }
}

#[test]
fn watchers_see_every_bid() {
    let report = run(Fault::None, "watch --watchers 20 --rate 100 --duration 500ms");
    assert!(report.passed, "{:?}", report.problems);
    assert_eq!(report.totals.deliveries, 20 * report.totals.accepted);
    assert_eq!(report.latency_us["delivery"].count, report.totals.deliveries);
}

#[test]
fn an_event_that_never_arrives_is_noticed() {
    let report = run(Fault::SkipsADelivery, "watch --watchers 3 --rate 100 --duration 500ms");
    assert!(!report.passed);
    assert_eq!(report.watchers.unwrap().gaps, 3);
}

#[test]
fn a_close_is_loaded_from_both_sides_and_told_to_everyone() {
    let report = run(Fault::None, "closing --watchers 5 --connections 2 --rate 200 --duration 1s");
    assert!(report.passed, "{:?}", report.problems);
    assert!(report.totals.rejected_by_code["closed"] > 0);
    let watchers = report.watchers.unwrap();
    assert_eq!((watchers.told_closed, watchers.behind), (5, 0));
    assert!(report.closing.unwrap().first_closed_answer_ms.unwrap() > -10.0);
}

#[test]
fn a_bid_accepted_after_the_end_is_noticed() {
    let report = run(Fault::AcceptsLate, "closing --watchers 0 --connections 2 --rate 200 --duration 1s");
    assert!(!report.passed);
    assert!(report.check.late > 0);
}

#[test]
fn a_watcher_that_is_not_told_of_the_close_is_noticed() {
    let report = run(Fault::ForgetsToTellTheClose, "closing --watchers 2 --connections 2 --rate 50 --duration 500ms");
    assert!(
        report.problems.iter().any(|problem| problem.contains("2 watchers were not told")),
        "{:?}",
        report.problems
    );
}

#[test]
fn a_soak_mixes_everything() {
    let line = "soak --auctions 3 --watchers 6 --connections 4 --rate 900 --duration 2s";
    let report = run(Fault::None, line);
    assert!(report.passed, "{:?}", report.problems);
    assert!(report.totals.rejected_by_code["too_low"] > 20);
    assert!(report.totals.repeated > 0 && report.totals.deliveries > 0);
    let forgetful = run(Fault::ForgetsItsAnswers, line);
    assert!(forgetful.totals.repeats_that_differ > 0 && !forgetful.passed);
}

#[test]
fn an_interrupted_run_ends_early_and_is_checked() {
    let fake = Fake::start(Fault::None);
    let stop = Arc::new(AtomicBool::new(false));
    let stopper = std::thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            std::thread::sleep(Duration::from_millis(600));
            stop.store(true, Ordering::SeqCst);
        }
    });
    let report = stoppable(&fake, "hot --connections 2 --duration 60s", &stop);
    stopper.join().unwrap();
    assert!(report.passed && report.conditions.interrupted);
    assert!(report.conditions.load_s < 10.0 && report.check.acknowledged > 0);
}

#[test]
fn a_report_is_written_for_machines_and_people() {
    let fake = Fake::start(Fault::None);
    let pid = std::process::id();
    let line = format!("watch --watchers 3 --rate 200 --duration 2200ms --pid {pid}");
    let report = report_of(&fake, &line);
    let folder = tempfile::tempdir().unwrap();
    report.write(&folder.path().join("deep/er")).unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.path().join("deep/er").join(name)).unwrap();
    let json: serde_json::Value = serde_json::from_str(&read("report.json")).unwrap();
    assert_eq!(json["check"]["missing"], 0);
    assert_eq!(json["conditions"]["scenario"], "watch");
    assert_eq!(json["totals"]["accepted"], report.totals.accepted);
    assert!(json["latency_us"]["accepted"]["p99.9"].as_u64().unwrap() > 0);
    assert!(json["server"][0]["memory_max_bytes"].as_u64().unwrap() > 0);
    let accepted: u64 =
        json["points"].as_array().unwrap().iter().map(|point| point["accepted"].as_u64().unwrap()).sum();
    assert_eq!(accepted, report.totals.accepted);
    let html = read("report.html");
    assert!(html.matches("<svg").count() >= 6, "{}", html.matches("<svg").count());
    assert!(html.contains("acknowledged") && !html.contains("<script"));
}
