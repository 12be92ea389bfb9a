//! Lines over an axis that begins at 0.

use super::chart::{self, Chart};
use crate::error::LoadError;

/// Room above the highest value, for the names of the lines.
const HEADROOM: f64 = 1.35;
/// Digits behind the point on the axes.
const DIGITS: usize = 2;

/// One line.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

/// What a plot shows.
pub(super) struct Plot<'a> {
    pub(super) title: &'a str,
    pub(super) x: &'a str,
    pub(super) y: &'a str,
    pub(super) lines: Vec<Line>,
    /// How the places on the x axis are named.
    pub(super) x_label: fn(f64) -> String,
}

/// `12.5`, without a tail of zeros.
pub(super) fn plain(value: f64) -> String {
    chart::trimmed(value, DIGITS)
}

/// Nines of a quantile: 0 is the smallest, 1 is p90, 2 is p99. Only whole ones have a name.
pub(super) fn nines(value: f64) -> String {
    if (value - value.round()).abs() > 1e-6 {
        return String::new();
    }
    format!("p{}", chart::trimmed(100.0 * (1.0 - 10_f64.powf(-value)), 4))
}

/// Values as people write them: 1.2k, 3.4M.
fn short(value: f64) -> String {
    chart::short(value, DIGITS)
}

impl Plot<'_> {
    /// The SVG element; `None` when no line has a point.
    pub(super) fn svg(&self) -> Result<Option<String>, LoadError> {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        if points().next().is_none() {
            return Ok(None);
        }
        let x_max = points().map(|(x, _)| *x).fold(0.0, f64::max).max(f64::EPSILON);
        let y_max = points().map(|(_, y)| *y).fold(0.0, f64::max).max(1e-9) * HEADROOM;
        let chart = Chart {
            title: self.title,
            x: self.x,
            y: self.y,
            lines: self.lines.iter().map(|line| (line.name.as_str(), line.points.clone())).collect(),
            x_label: self.x_label,
            y_label: short,
            y_labels: None,
            marks: false,
        };
        chart.svg(0.0..x_max, 0.0..y_max).map(Some).map_err(LoadError::doing("drawing a plot"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: Vec<(f64, f64)>) -> Option<String> {
        let lines = vec![Line { name: "a < b".to_owned(), points }];
        Plot { title: "t", x: "s", y: "n", lines, x_label: plain }.svg().unwrap()
    }

    #[test]
    fn a_line_becomes_svg_with_its_name_escaped() {
        let svg = plot(vec![(0.0, 1.0), (1.0, 5.0)]).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert!(svg.contains("<polyline") && svg.contains("a &lt; b"));
    }

    #[test]
    fn nothing_to_show_shows_nothing_and_zeros_do_no_harm() {
        assert_eq!(plot(Vec::new()), None);
        assert!(plot(vec![(0.0, 0.0)]).is_some());
    }

    #[test]
    fn axes_are_named_as_people_read_them() {
        assert_eq!((nines(1.0), nines(2.0), nines(3.0)), ("p90".to_owned(), "p99".to_owned(), "p99.9".to_owned()));
        assert_eq!(
            (short(12_500.0), short(2_000_000.0), short(3.0)),
            ("12.5k".to_owned(), "2M".to_owned(), "3".to_owned())
        );
    }
}
