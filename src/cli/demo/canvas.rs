//! A small canvas for the demo pictures: shapes by their distance, with smooth edges and soft shading.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::many_single_char_names,
    reason = "pixels: small numbers, and x and y are their names"
)]

use image::{Rgb, RgbImage};

pub(super) const WIDTH: u32 = 800;
pub(super) const HEIGHT: u32 = 600;

/// A colour that fades from the top of a shape to its bottom.
#[derive(Clone, Copy)]
pub(super) struct Paint {
    top: [f32; 3],
    bottom: [f32; 3],
    opacity: f32,
}

fn channels(rgb: u32) -> [f32; 3] {
    [rgb >> 16, rgb >> 8, rgb].map(|channel| (channel & 0xff) as f32)
}

/// One colour, `0xRRGGBB`.
pub(super) fn flat(rgb: u32) -> Paint {
    fade(rgb, rgb)
}

/// From one colour at the top to another at the bottom.
pub(super) fn fade(top: u32, bottom: u32) -> Paint {
    Paint { top: channels(top), bottom: channels(bottom), opacity: 1.0 }
}

impl Paint {
    pub(super) fn at(self, opacity: f32) -> Self {
        Self { opacity, ..self }
    }
}

type Point = (f32, f32);

/// What is drawn: negative distance inside.
#[derive(Clone, Copy)]
pub(super) enum Shape<'a> {
    Ellipse {
        centre: Point,
        radii: Point,
    },
    /// `half` is half the width and height; `turn` in degrees, clockwise.
    Plate {
        centre: Point,
        half: Point,
        round: f32,
        turn: f32,
    },
    Line {
        from: Point,
        to: Point,
        width: f32,
    },
    Ring {
        centre: Point,
        radius: f32,
        width: f32,
    },
    /// Turned on a lathe: half widths at heights, from the top down; lit from the left.
    Lathe {
        axis: f32,
        profile: &'a [Point],
    },
    /// All below a line of points, from the left to the right.
    Ridge {
        points: &'a [Point],
        bottom: f32,
    },
    /// Dark in the middle and nothing at the rim.
    Glow {
        centre: Point,
        radii: Point,
    },
}

pub(super) struct Canvas(RgbImage);

impl Canvas {
    /// A canvas filled with `background`, on a table from `horizon` down.
    pub(super) fn new(background: Paint, table: Paint, horizon: f32) -> Self {
        let mut canvas = Self(RgbImage::new(WIDTH, HEIGHT));
        let (width, height) = (WIDTH as f32, HEIGHT as f32);
        let wall = Shape::Plate { centre: (width / 2.0, height / 2.0), half: (width, height), round: 0.0, turn: 0.0 };
        canvas.draw(wall, background);
        canvas.draw(Shape::Ridge { points: &[(0.0, horizon), (width, horizon)], bottom: height }, table);
        canvas
    }

    pub(super) fn draw(&mut self, shape: Shape<'_>, paint: Paint) {
        let (left, top, right, bottom) = bounds(shape);
        let clamp = |value: f32, most: u32| value.clamp(0.0, most as f32) as u32;
        let (low, high) = (top.max(0.0), bottom.min(HEIGHT as f32));
        for y in clamp(top.floor(), HEIGHT)..clamp(bottom.ceil(), HEIGHT) {
            let down = (y as f32 - low) / (high - low).max(1.0);
            for x in clamp(left.floor(), WIDTH)..clamp(right.ceil(), WIDTH) {
                let (cover, light) = coverage(shape, (x as f32 + 0.5, y as f32 + 0.5));
                if cover > 0.0 {
                    self.blend((x, y), paint, down, (cover * paint.opacity, light));
                }
            }
        }
    }

    fn blend(&mut self, (x, y): (u32, u32), paint: Paint, down: f32, (cover, light): (f32, f32)) {
        let Rgb(pixel) = self.0.get_pixel_mut(x, y);
        for (channel, value) in pixel.iter_mut().enumerate() {
            let colour = paint.top[channel] + (paint.bottom[channel] - paint.top[channel]) * down.clamp(0.0, 1.0);
            let mixed = f32::from(*value) + (colour * light - f32::from(*value)) * cover;
            *value = mixed.clamp(0.0, 255.0) as u8;
        }
    }

    pub(super) fn ellipse(&mut self, centre: Point, radii: Point, paint: Paint) {
        self.draw(Shape::Ellipse { centre, radii }, paint);
    }

    pub(super) fn disc(&mut self, centre: Point, radius: f32, paint: Paint) {
        self.ellipse(centre, (radius, radius), paint);
    }

    pub(super) fn plate(&mut self, centre: Point, half: Point, round: f32, paint: Paint) {
        self.draw(Shape::Plate { centre, half, round, turn: 0.0 }, paint);
    }

    pub(super) fn line(&mut self, from: Point, to: Point, width: f32, paint: Paint) {
        self.draw(Shape::Line { from, to, width }, paint);
    }

    pub(super) fn ring(&mut self, centre: Point, radius: f32, width: f32, paint: Paint) {
        self.draw(Shape::Ring { centre, radius, width }, paint);
    }

    pub(super) fn lathe(&mut self, axis: f32, profile: &[Point], paint: Paint) {
        self.draw(Shape::Lathe { axis, profile }, paint);
    }

    pub(super) fn shadow(&mut self, centre: Point, radii: Point) {
        self.draw(Shape::Glow { centre, radii }, flat(0x00_0000).at(0.5));
    }

    pub(super) fn into_image(self) -> RgbImage {
        self.0
    }
}

fn bounds(shape: Shape<'_>) -> (f32, f32, f32, f32) {
    let around = |(x, y): Point, (rx, ry): Point| (x - rx - 1.0, y - ry - 1.0, x + rx + 1.0, y + ry + 1.0);
    match shape {
        Shape::Ellipse { centre, radii } | Shape::Glow { centre, radii } => around(centre, radii),
        Shape::Plate { centre, half, turn: 0.0, .. } => around(centre, half),
        Shape::Plate { centre, half, .. } => {
            let reach = half.0.hypot(half.1);
            around(centre, (reach, reach))
        }
        Shape::Line { from, to, width } => {
            let pad = width / 2.0 + 1.0;
            (from.0.min(to.0) - pad, from.1.min(to.1) - pad, from.0.max(to.0) + pad, from.1.max(to.1) + pad)
        }
        Shape::Ring { centre, radius, width } => around(centre, (radius + width, radius + width)),
        Shape::Lathe { axis, profile } => {
            let widest = profile.iter().map(|(_, half)| *half).fold(0.0, f32::max);
            let (top, bottom) = ends(profile.iter().map(|(y, _)| *y));
            (axis - widest - 1.0, top, axis + widest + 1.0, bottom)
        }
        Shape::Ridge { points, bottom } => {
            let (left, right) = ends(points.iter().map(|(x, _)| *x));
            let top = points.iter().map(|(_, y)| *y).fold(bottom, f32::min);
            (left, top - 1.0, right, bottom)
        }
    }
}

fn ends(values: impl Iterator<Item = f32>) -> (f32, f32) {
    values.fold((f32::MAX, f32::MIN), |(low, high), value| (low.min(value), high.max(value)))
}

/// How much of the pixel at `point` is covered, and how light it is.
fn coverage(shape: Shape<'_>, (x, y): Point) -> (f32, f32) {
    let cover = |distance: f32| (0.5 - distance).clamp(0.0, 1.0);
    match shape {
        Shape::Ellipse { centre, radii } => {
            let (dx, dy) = ((x - centre.0) / radii.0, (y - centre.1) / radii.1);
            (cover((dx.hypot(dy) - 1.0) * radii.0.min(radii.1)), 1.0)
        }
        Shape::Plate { centre, half, round, turn } => {
            let (sin, cos) = (-turn).to_radians().sin_cos();
            let (dx, dy) = (x - centre.0, y - centre.1);
            let (px, py) = ((dx * cos - dy * sin).abs() - half.0 + round, (dx * sin + dy * cos).abs() - half.1 + round);
            (cover(px.max(0.0).hypot(py.max(0.0)) + px.max(py).min(0.0) - round), 1.0)
        }
        Shape::Line { from, to, width } => {
            let (dx, dy) = (to.0 - from.0, to.1 - from.1);
            let along = (((x - from.0) * dx + (y - from.1) * dy) / (dx * dx + dy * dy).max(0.001)).clamp(0.0, 1.0);
            (cover((x - from.0 - dx * along).hypot(y - from.1 - dy * along) - width / 2.0), 1.0)
        }
        Shape::Ring { centre, radius, width } => {
            (cover(((x - centre.0).hypot(y - centre.1) - radius).abs() - width / 2.0), 1.0)
        }
        Shape::Lathe { axis, profile } => {
            let half = curve(profile, y);
            let side = (x - axis) / half.max(1.0);
            let light = 1.16 - 0.34 * (side + 0.35).abs() - 0.22 * side.max(0.0).powi(3);
            (cover((x - axis).abs() - half), light)
        }
        Shape::Ridge { points, .. } => (cover(curve_straight(points, x) - y), 1.0),
        Shape::Glow { centre, radii } => {
            let far = ((x - centre.0) / radii.0).hypot((y - centre.1) / radii.1);
            ((1.0 - far).max(0.0).powf(1.4), 1.0)
        }
    }
}

/// The value at `at` on a smooth curve through `points` (cubic Hermite with the slopes of their neighbours).
fn curve(points: &[Point], at: f32) -> f32 {
    let slope = |index: usize| {
        let (from, to) = (points[index.saturating_sub(1)], points[(index + 1).min(points.len() - 1)]);
        (to.1 - from.1) / (to.0 - from.0).max(0.001)
    };
    between(points, at, |index, part| {
        let ((from, low), (to, high)) = (points[index], points[index + 1]);
        let (rise, span) = (high - low, to - from);
        let (start, end) = (slope(index) * span, slope(index + 1) * span);
        let bend = part * (1.0 - part);
        low + rise * part * part * (3.0 - 2.0 * part) + bend * ((1.0 - part) * start - part * end)
    })
}

fn curve_straight(points: &[Point], at: f32) -> f32 {
    between(points, at, |index, part| points[index].1 + (points[index + 1].1 - points[index].1) * part)
}

/// `value` of the stretch in which `at` lies, and how far along; 0 outside.
fn between(points: &[Point], at: f32, value: impl Fn(usize, f32) -> f32) -> f32 {
    let stretch = points.windows(2).position(|pair| (pair[0].0..=pair[1].0).contains(&at));
    stretch.map_or(0.0, |index| {
        let (from, to) = (points[index].0, points[index + 1].0);
        value(index, (at - from) / (to - from).max(0.001)).max(0.0)
    })
}
