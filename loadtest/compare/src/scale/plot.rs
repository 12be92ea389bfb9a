//! Lines over two logarithmic axes.

use plotters::prelude::IntoLogRange;

use crate::chart::{self, Chart};
use crate::error::Fault;

/// Names on the y axis, about.
const LABELS: usize = 6;
/// Digits behind the point on the axes.
const DIGITS: usize = 4;
/// Beside the outermost points, as a factor.
const MARGIN: f64 = 1.3;
/// Room above the highest value, for the names of the lines: this part of the whole height.
const HEADROOM: f64 = 0.35;

/// One line; points at or below zero have no place on such axes and are left out.
pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    pub(super) points: Vec<(f64, f64)>,
}

/// What a plot shows.
pub(super) struct Plot<'a> {
    pub(super) title: &'a str,
    pub(super) x: &'a str,
    pub(super) y: &'a str,
    pub(super) lines: Vec<Line<'a>>,
}

impl Line<'_> {
    fn shown(&self) -> impl Iterator<Item = (f64, f64)> {
        self.points.iter().copied().filter(|(x, y)| *x > 0.0 && *y > 0.0)
    }
}

impl Plot<'_> {
    /// The SVG element; `None` when no line has a point.
    pub(super) fn svg(&self) -> Result<Option<String>, Fault> {
        let points = || self.lines.iter().flat_map(Line::shown);
        let (Some(x), Some(y)) = (span(points().map(|(x, _)| x)), span(points().map(|(_, y)| y))) else {
            return Ok(None);
        };
        let y = decades(y);
        let chart = Chart {
            title: self.title,
            x: self.x,
            y: self.y,
            lines: self.lines.iter().map(|line| (line.name, line.shown().collect())).collect(),
            x_label: short,
            y_label: short,
            y_labels: Some(LABELS),
            marks: true,
        };
        let drawn = chart.svg((x.0..x.1).log_scale(), (y.0..y.1).log_scale());
        drawn.map(Some).map_err(Fault::doing("drawing a plot"))
    }
}

/// From below the smallest to above the largest; `None` of none.
fn span(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let both = values.fold(None, |both: Option<(f64, f64)>, value| {
        Some(both.map_or((value, value), |(low, high)| (low.min(value), high.max(value))))
    });
    both.map(|(low, high)| (low / MARGIN, high * MARGIN))
}

/// Whole decades around `low` and `high`, so that some have a name, with [`HEADROOM`] above.
fn decades((low, high): (f64, f64)) -> (f64, f64) {
    let (bottom, mut top) = (low.log10().floor(), high.log10().ceil());
    if high.log10() > top - HEADROOM * (top - bottom) {
        top += 1.0;
    }
    (10_f64.powf(bottom), 10_f64.powf(top))
}

/// Values as people write them: 0.02, 1.2k, 3.4M.
fn short(value: f64) -> String {
    chart::short(value, DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: Vec<(f64, f64)>) -> Option<String> {
        Plot { title: "t", x: "n", y: "ms", lines: vec![Line { name: "a < b", points }] }.svg().unwrap()
    }

    #[test]
    fn points_a_decade_apart_are_equally_far_apart() {
        let svg = plot(vec![(1.0, 1.0), (10.0, 10.0), (100.0, 100.0)]).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>") && svg.contains("a &lt; b"));
        let circles = svg.lines().filter(|line| line.starts_with("<circle"));
        let places: Vec<i32> = circles.filter_map(|line| line.split('"').nth(1)?.parse().ok()).collect();
        let [first, second, third] = places[..] else { panic!("{places:?}") };
        assert!(second > first && ((third - second) - (second - first)).abs() <= 1, "{places:?}");
    }

    #[test]
    fn what_has_no_place_on_the_axes_is_left_out() {
        assert_eq!(plot(vec![(0.0, 1.0), (1.0, 0.0), (1.0, -3.0)]), None);
        assert!(plot(vec![(1.0, 1.0)]).is_some(), "one point is enough");
    }

    #[test]
    fn the_axis_has_whole_decades_and_room_for_the_names() {
        let shown = |low: f64, high: f64| {
            let (bottom, top) = decades((low, high));
            (short(bottom), short(top))
        };
        assert_eq!(shown(37.0, 41.0), ("10".to_owned(), "100".to_owned()));
        assert_eq!(shown(0.2, 90.0), ("0.1".to_owned(), "1000".to_owned()));
    }

    #[test]
    fn axes_are_named_as_people_read_them() {
        let names = [0.001, 0.25, 3.0, 1_000.0, 100_000.0, 2_500_000.0].map(short);
        assert_eq!(names, ["0.001", "0.25", "3", "1000", "100k", "2.5M"]);
    }
}
