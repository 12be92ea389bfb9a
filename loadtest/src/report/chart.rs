//! What every plot looks like, whatever its axes: a grid, lines and their names, as SVG text that needs nothing else to
//! be shown.
//!
//! Knows no report: the pages of the comparison draw with it too.

use std::error::Error;

use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

const SIZE: (u32, u32) = (860, 280);
const COLOURS: [RGBColor; 6] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(44, 160, 44),
    RGBColor(255, 127, 14),
    RGBColor(148, 103, 189),
    RGBColor(127, 127, 127),
];

/// A line's name and its points.
pub(crate) type Line<'a> = (&'a str, Vec<(f64, f64)>);

/// What is drawn, but for the axes.
pub(crate) struct Chart<'a> {
    pub(crate) title: &'a str,
    pub(crate) x: &'a str,
    pub(crate) y: &'a str,
    pub(crate) lines: Vec<Line<'a>>,
    /// How the places on the axes are named.
    pub(crate) x_label: fn(f64) -> String,
    pub(crate) y_label: fn(f64) -> String,
    /// Names on the y axis, about; `None` for as many as there usually are.
    pub(crate) y_labels: Option<usize>,
    /// Whether each point is marked.
    pub(crate) marks: bool,
}

impl Chart<'_> {
    /// The SVG element, over these axes.
    ///
    /// # Errors
    /// What cannot be drawn.
    pub(crate) fn svg<X, Y>(&self, x: X, y: Y) -> Result<String, Box<dyn Error>>
    where
        X: AsRangedCoord<Value = f64>,
        Y: AsRangedCoord<Value = f64>,
        X::CoordDescType: ValueFormatter<f64>,
        Y::CoordDescType: ValueFormatter<f64>,
    {
        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
            let mut chart = ChartBuilder::on(&root)
                .caption(self.title, ("sans-serif", 16))
                .margin(8)
                .x_label_area_size(36)
                .y_label_area_size(64)
                .build_cartesian_2d(x, y)?;
            let (x_label, y_label) = (|value: &f64| (self.x_label)(*value), |value: &f64| (self.y_label)(*value));
            let mut mesh = chart.configure_mesh();
            mesh.light_line_style(WHITE).bold_line_style(RGBColor(225, 225, 225)).x_desc(self.x).y_desc(self.y);
            mesh.x_label_formatter(&x_label).y_label_formatter(&y_label);
            if let Some(y_labels) = self.y_labels {
                mesh.y_labels(y_labels);
            }
            mesh.draw()?;
            for ((name, points), colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
                let style = colour.stroke_width(2);
                chart
                    .draw_series(LineSeries::new(points.iter().copied(), style))?
                    .label(*name)
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], style));
                if self.marks {
                    chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, colour.filled())))?;
                }
            }
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::UpperLeft)
                .background_style(WHITE.mix(0.8))
                .border_style(RGBColor(200, 200, 200))
                .draw()?;
            root.present()?;
        }
        Ok(svg)
    }
}

/// With so many digits behind the point at most, without a tail of zeros: `12.5`.
pub(crate) fn trimmed(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Values as people write them: 1.2k, 3.4M.
pub(crate) fn short(value: f64, digits: usize) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{}M", trimmed(value / 1e6, digits)),
        size if size >= 1e4 => format!("{}k", trimmed(value / 1e3, digits)),
        _ => trimmed(value, digits),
    }
}
