//! The run second by second: threads add their intervals, the sampler turns finished ones into points.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::record::histogram;

/// Intervals that a thread may be late by before its share is counted with a later point.
const LATE_INTERVALS_MAX: u64 = 2;

/// What happened in one interval.
pub(crate) struct Interval {
    pub(crate) accepted: u64,
    pub(crate) rejected: u64,
    pub(crate) pushed_back: u64,
    pub(crate) errors: u64,
    pub(crate) deliveries: u64,
    pub(crate) latency: Histogram<u64>,
    pub(crate) delivery: Histogram<u64>,
}

impl Interval {
    /// An empty interval. Two digits: enough for a plot, small enough to have many.
    pub(crate) fn new() -> Self {
        Self {
            accepted: 0,
            rejected: 0,
            pushed_back: 0,
            errors: 0,
            deliveries: 0,
            latency: histogram(2),
            delivery: histogram(2),
        }
    }

    fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.pushed_back += other.pushed_back;
        self.errors += other.errors;
        self.deliveries += other.deliveries;
        // Same bounds on both sides: nothing can fail to fit.
        let _fits = self.latency.add(&other.latency).and_then(|()| self.delivery.add(&other.delivery));
    }
}

/// One point of the plots. Counts are of the interval, latencies in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Point {
    /// Which interval, from 0.
    pub(crate) index: u64,
    pub(crate) accepted: u64,
    pub(crate) rejected: u64,
    pub(crate) pushed_back: u64,
    pub(crate) errors: u64,
    pub(crate) deliveries: u64,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) max_us: u64,
    pub(crate) delivery_p50_us: u64,
    pub(crate) delivery_p99_us: u64,
}

impl Point {
    fn new(index: u64, interval: &Interval) -> Self {
        Self {
            index,
            accepted: interval.accepted,
            rejected: interval.rejected,
            pushed_back: interval.pushed_back,
            errors: interval.errors,
            deliveries: interval.deliveries,
            p50_us: interval.latency.value_at_quantile(0.5),
            p99_us: interval.latency.value_at_quantile(0.99),
            max_us: interval.latency.max(),
            delivery_p50_us: interval.delivery.value_at_quantile(0.5),
            delivery_p99_us: interval.delivery.value_at_quantile(0.99),
        }
    }
}

/// Intervals under way. Small: finished ones leave it every second.
#[derive(Default)]
pub(crate) struct Timeline(Mutex<BTreeMap<u64, Interval>>);

impl Timeline {
    /// Adds a thread's share of the interval `index`.
    pub(crate) fn add(&self, index: u64, share: Interval) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match open.get_mut(&index) {
            Some(interval) => interval.add(&share),
            None => {
                open.insert(index, share);
            }
        }
    }

    /// Takes out what cannot change any more when the interval `current` is under way.
    pub(crate) fn finished(&self, current: u64) -> Vec<Point> {
        self.take_below(current.saturating_sub(LATE_INTERVALS_MAX))
    }

    /// Takes out everything, once every thread has ended.
    pub(crate) fn rest(&self) -> Vec<Point> {
        self.take_below(u64::MAX)
    }

    fn take_below(&self, bound: u64) -> Vec<Point> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let later = open.split_off(&bound);
        let done = std::mem::replace(&mut *open, later);
        done.iter().map(|(index, interval)| Point::new(*index, interval)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(accepted: u64, latency_us: u64) -> Interval {
        let mut interval = Interval::new();
        interval.accepted = accepted;
        interval.latency.saturating_record(latency_us);
        interval
    }

    #[test]
    fn shares_of_several_threads_become_one_point() {
        let timeline = Timeline::default();
        timeline.add(0, interval(5, 100));
        timeline.add(0, interval(7, 900));
        timeline.add(1, interval(1, 100));
        let points = timeline.finished(3);
        assert_eq!(points.len(), 1);
        assert_eq!((points[0].index, points[0].accepted), (0, 12));
        assert!(points[0].max_us >= 900 && points[0].p50_us <= 101);
        assert_eq!(timeline.rest().len(), 1);
        assert!(timeline.rest().is_empty());
    }

    #[test]
    fn an_interval_waits_for_late_threads() {
        let timeline = Timeline::default();
        timeline.add(4, interval(1, 1));
        assert!(timeline.finished(5).is_empty());
        assert!(timeline.finished(6).is_empty());
        assert_eq!(timeline.finished(7).len(), 1);
    }
}
