//! Lines over an axis, as SVG text that needs nothing else to be shown.

use plotters::prelude::*;

use crate::error::LoadError;

const SIZE: (u32, u32) = (860, 280);
/// Room above the highest value, for the names of the lines.
const HEADROOM: f64 = 1.35;
const COLOURS: [RGBColor; 6] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(44, 160, 44),
    RGBColor(255, 127, 14),
    RGBColor(148, 103, 189),
    RGBColor(127, 127, 127),
];

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
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Nines of a quantile: 0 is the smallest, 1 is p90, 2 is p99. Only whole ones have a name.
pub(super) fn nines(value: f64) -> String {
    if (value - value.round()).abs() > 1e-6 {
        return String::new();
    }
    let percent = 100.0 * (1.0 - 10_f64.powf(-value));
    let text = format!("{percent:.4}");
    format!("p{}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Values as people write them: 1.2k, 3.4M.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{}M", plain(value / 1e6)),
        size if size >= 1e4 => format!("{}k", plain(value / 1e3)),
        _ => plain(value),
    }
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
        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
            self.draw(&root, x_max, y_max).map_err(LoadError::doing("drawing a plot"))?;
        }
        Ok(Some(svg))
    }

    fn draw(
        &self,
        root: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
        x_max: f64,
        y_max: f64,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let mut chart = ChartBuilder::on(root)
            .caption(self.title, ("sans-serif", 16))
            .margin(8)
            .x_label_area_size(36)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..x_max, 0.0..y_max)?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .bold_line_style(RGBColor(225, 225, 225))
            .x_desc(self.x)
            .y_desc(self.y)
            .x_label_formatter(&|value| (self.x_label)(*value))
            .y_label_formatter(&|value| short(*value))
            .draw()?;
        for (index, line) in self.lines.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            chart
                .draw_series(LineSeries::new(line.points.iter().copied(), colour.stroke_width(2)))?
                .label(line.name.as_str())
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .border_style(RGBColor(200, 200, 200))
            .draw()?;
        root.present()?;
        Ok(())
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
