//! The demo items, drawn.
#![allow(clippy::unreadable_literal, reason = "0xRRGGBB is how colours are written")]

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::{ImageResult, RgbImage};

use super::canvas::{Canvas, Shape, fade, flat};

/// As JPEG.
pub(super) fn encode(picture: &RgbImage) -> ImageResult<Bytes> {
    let mut bytes = Vec::new();
    picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 88))?;
    Ok(Bytes::from(bytes))
}

pub(super) fn camera() -> RgbImage {
    let mut c = Canvas::new(fade(0xe9dcc6, 0xd9c4a2), fade(0xa9825a, 0x7d5a3a), 430.0);
    c.shadow((400.0, 478.0), (300.0, 40.0));
    c.plate((300.0, 168.0), (44.0, 16.0), 8.0, fade(0xd6d8da, 0x9c9fa3));
    c.plate((545.0, 172.0), (30.0, 14.0), 6.0, fade(0xd6d8da, 0x9c9fa3));
    c.disc((216.0, 180.0), 26.0, fade(0xe4e6e8, 0x8f9296));
    c.plate((400.0, 325.0), (260.0, 148.0), 34.0, fade(0xe2e4e6, 0xa4a7ab));
    c.plate((400.0, 340.0), (260.0, 92.0), 6.0, fade(0x3a2f2a, 0x241c19));
    for row in 0..11_u8 {
        let y = 256.0 + f32::from(row) * 17.0;
        c.line((142.0, y), (658.0, y), 1.2, flat(0x4d403a).at(0.55));
    }
    c.plate((400.0, 214.0), (74.0, 24.0), 7.0, fade(0x2a2e33, 0x15181b));
    c.plate((400.0, 214.0), (58.0, 15.0), 4.0, fade(0x7fa3b8, 0x30495a));
    c.plate((590.0, 214.0), (34.0, 19.0), 5.0, fade(0x23272b, 0x111316));
    c.plate((590.0, 214.0), (26.0, 12.0), 3.0, fade(0x9fc0cf, 0x456070));
    lens(&mut c, (400.0, 340.0));
    c.disc((640.0, 268.0), 8.0, flat(0xb3262e));
    c.into_image()
}

fn lens(c: &mut Canvas, centre: (f32, f32)) {
    c.shadow((centre.0 + 8.0, centre.1 + 14.0), (150.0, 150.0));
    c.disc(centre, 124.0, fade(0xf0f1f2, 0x85888c));
    c.disc(centre, 108.0, fade(0x3b3e42, 0x17191b));
    for notch in 0..36_u8 {
        let (sin, cos) = (f32::from(notch) * 10.0).to_radians().sin_cos();
        let at = |radius: f32| (centre.0 + cos * radius, centre.1 + sin * radius);
        c.line(at(98.0), at(106.0), 2.4, flat(0x6d7074));
    }
    c.ring(centre, 84.0, 3.0, flat(0x8d9094));
    c.disc(centre, 70.0, fade(0x1b2230, 0x0a0d13));
    c.disc(centre, 54.0, fade(0x3f3566, 0x131a3a));
    c.disc(centre, 32.0, fade(0x2f5f7c, 0x0c1626));
    c.draw(Shape::Glow { centre: (centre.0 - 22.0, centre.1 - 26.0), radii: (26.0, 18.0) }, flat(0xffffff).at(0.9));
    c.draw(Shape::Glow { centre: (centre.0 + 24.0, centre.1 + 24.0), radii: (14.0, 10.0) }, flat(0xd8a0ff).at(0.6));
}

pub(super) fn vase() -> RgbImage {
    let mut c = Canvas::new(fade(0x55606b, 0x38424b), fade(0x7a6248, 0x513f2d), 468.0);
    c.draw(Shape::Glow { centre: (330.0, 220.0), radii: (460.0, 380.0) }, flat(0xd8dfd2).at(0.45));
    c.shadow((424.0, 520.0), (210.0, 30.0));
    let body = [
        (86.0, 52.0),
        (104.0, 40.0),
        (138.0, 34.0),
        (190.0, 62.0),
        (262.0, 148.0),
        (330.0, 152.0),
        (430.0, 92.0),
        (492.0, 66.0),
        (522.0, 76.0),
    ];
    c.lathe(400.0, &body, fade(0xb4cdb8, 0x7fa48d));
    c.ellipse((400.0, 88.0), (52.0, 9.0), flat(0x5f7d6b));
    c.ellipse((400.0, 90.0), (44.0, 6.0), flat(0x2f4338));
    for (y, half) in [(206.0, 76.0), (216.0, 88.0), (404.0, 108.0), (414.0, 102.0)] {
        c.line((400.0 - half, y), (400.0 + half, y), 2.5, flat(0xf0f5ea).at(0.65));
    }
    for (x, y) in [(330.0, 290.0), (404.0, 270.0), (474.0, 296.0), (364.0, 350.0), (442.0, 354.0)] {
        crane(&mut c, (x, y));
    }
    c.draw(Shape::Glow { centre: (332.0, 262.0), radii: (34.0, 84.0) }, flat(0xffffff).at(0.75));
    c.into_image()
}

fn crane(c: &mut Canvas, (x, y): (f32, f32)) {
    c.ring((x, y), 25.0, 2.0, flat(0xf4f7ee).at(0.8));
    c.line((x - 13.0, y - 8.0), (x, y + 2.0), 4.0, flat(0xf4f7ee));
    c.line((x, y + 2.0), (x + 14.0, y - 10.0), 4.0, flat(0xf4f7ee));
    c.line((x, y + 2.0), (x + 4.0, y + 14.0), 3.0, flat(0xf4f7ee));
    c.disc((x + 5.0, y + 15.0), 2.2, flat(0x30382f));
}

pub(super) fn guitar() -> RgbImage {
    let mut c = Canvas::new(fade(0x2d3f4c, 0x1b2831), fade(0x4a3527, 0x2e2018), 520.0);
    c.draw(Shape::Glow { centre: (400.0, 300.0), radii: (430.0, 360.0) }, flat(0x88a5b3).at(0.35));
    c.shadow((410.0, 566.0), (190.0, 26.0));
    c.lathe(400.0, &guitar_body(7.0), fade(0x6b3416, 0x4d230d));
    c.lathe(400.0, &guitar_body(0.0), fade(0xe2a55f, 0xc57f3a));
    for grain in 0..13_u8 {
        let x = 292.0 + f32::from(grain) * 18.0;
        c.line((x, 420.0), (x, 530.0), 1.0, flat(0xa8662a).at(0.35));
    }
    c.disc((400.0, 350.0), 48.0, flat(0x4a2812));
    c.disc((400.0, 350.0), 41.0, fade(0x180d07, 0x2b1709));
    c.ring((400.0, 350.0), 53.0, 2.0, flat(0xf2dfb4));
    c.plate((400.0, 196.0), (17.0, 152.0), 3.0, fade(0x3a2318, 0x241409));
    for fret in 0..13_u8 {
        let y = 62.0 + f32::from(fret) * 21.0;
        c.line((384.0, y), (416.0, y), 1.6, flat(0xcfc7b4));
    }
    for y in [114.0, 156.0, 198.0, 261.0] {
        c.disc((400.0, y), 3.0, flat(0xf3ead4));
    }
    c.plate((400.0, 30.0), (26.0, 30.0), 7.0, fade(0x4a2a17, 0x301a0d));
    for peg in 0..3_u8 {
        let y = 14.0 + f32::from(peg) * 17.0;
        c.disc((368.0, y), 6.0, fade(0xf5ecd6, 0xb9a678));
        c.disc((432.0, y), 6.0, fade(0xf5ecd6, 0xb9a678));
    }
    c.plate((400.0, 470.0), (50.0, 8.0), 4.0, flat(0x2a160b));
    for string in 0..6_u8 {
        let step = f32::from(string) - 2.5;
        c.line((400.0 + step * 4.6, 58.0), (400.0 + step * 8.0, 468.0), 1.1, flat(0xf1ead9).at(0.85));
    }
    c.into_image()
}

/// Half widths of the body from the top down: two bouts with a waist between them, all `grow` wider.
fn guitar_body(grow: f32) -> Vec<(f32, f32)> {
    let bout = |y: f32, centre: f32, (wide, high): (f32, f32)| {
        let part = (y - centre) / (high + grow);
        (wide + grow) * (1.0 - part * part).max(0.0).sqrt()
    };
    let rows = (0..=90_u8).map(|row| 216.0 + f32::from(row) * 4.0);
    rows.map(|y| {
        let waist = 76.0 * (-((y - 372.0) / 46.0).powi(2)).exp();
        let widths = [bout(y, 298.0, (98.0, 70.0)), waist, bout(y, 462.0, (140.0, 98.0))];
        (y, widths.iter().map(|width| width.powi(4)).sum::<f32>().powf(0.25))
    })
    .collect()
}

pub(super) fn bicycle() -> RgbImage {
    let mut c = Canvas::new(fade(0xcfe3e6, 0xeef2e6), fade(0xb9ae9b, 0x93876f), 470.0);
    for (x, top, width) in [(70.0, 210.0, 60.0), (190.0, 150.0, 52.0), (600.0, 180.0, 70.0), (735.0, 120.0, 60.0)] {
        c.plate((x, f32::midpoint(top, 470.0)), (width, (470.0 - top) / 2.0), 3.0, fade(0xbfd3d3, 0xd5dfd6));
    }
    c.shadow((400.0, 512.0), (330.0, 22.0));
    let (rear, front) = ((236.0, 394.0), (566.0, 394.0));
    for hub in [rear, front] {
        wheel(&mut c, hub);
    }
    let (crank, seat, head) = ((382.0, 402.0), (338.0, 232.0), (526.0, 236.0));
    let frame = fade(0x2f8f86, 0x1d655f);
    for (from, to) in [
        (rear, crank),
        (crank, (344.0, 262.0)),
        (rear, (342.0, 254.0)),
        ((341.0, 252.0), head),
        (crank, (534.0, 272.0)),
    ] {
        c.line(from, to, 9.0, frame);
    }
    c.line((520.0, 206.0), (540.0, 296.0), 10.0, frame);
    c.line((540.0, 296.0), front, 8.0, frame);
    c.line((344.0, 262.0), seat, 6.0, flat(0xc9ccd0));
    c.plate((330.0, 224.0), (46.0, 9.0), 9.0, fade(0x8a4f2b, 0x5e3219));
    c.line((520.0, 206.0), (514.0, 182.0), 7.0, flat(0xc9ccd0));
    c.line((514.0, 182.0), (468.0, 176.0), 7.0, flat(0xc9ccd0));
    c.line((474.0, 177.0), (446.0, 186.0), 11.0, flat(0x6e3d20));
    c.ring(crank, 30.0, 5.0, flat(0x3c4145));
    c.line(crank, (410.0, 442.0), 7.0, flat(0x55595d));
    c.line((396.0, 444.0), (426.0, 444.0), 8.0, flat(0x2c2f32));
    c.line((236.0, 384.0), (382.0, 372.0), 2.0, flat(0x3c4145));
    c.line((236.0, 406.0), (382.0, 432.0), 2.0, flat(0x3c4145));
    c.disc((560.0, 232.0), 14.0, fade(0xf8f4da, 0xc5bb8b));
    c.plate((590.0, 262.0), (42.0, 26.0), 7.0, fade(0xc79a5f, 0x9a6f3a));
    for slat in 0..5_u8 {
        let y = 244.0 + f32::from(slat) * 9.0;
        c.line((550.0, y), (630.0, y), 2.0, flat(0x7e5728));
    }
    c.into_image()
}

fn wheel(c: &mut Canvas, hub: (f32, f32)) {
    c.ring(hub, 108.0, 13.0, flat(0x2a2724));
    c.ring(hub, 99.0, 5.0, flat(0xc6c9cc));
    for spoke in 0..18_u8 {
        let (sin, cos) = (f32::from(spoke) * 20.0).to_radians().sin_cos();
        c.line(hub, (hub.0 + cos * 98.0, hub.1 + sin * 98.0), 1.3, flat(0x8d9194));
    }
    c.disc(hub, 10.0, fade(0xe4e6e8, 0x7d8185));
}

pub(super) fn watch() -> RgbImage {
    let mut c = Canvas::new(fade(0x3b2a24, 0x281b17), fade(0x4a352b, 0x2a1d17), 0.0);
    c.draw(Shape::Glow { centre: (330.0, 220.0), radii: (500.0, 420.0) }, flat(0x9a7a62).at(0.4));
    c.shadow((414.0, 320.0), (230.0, 330.0));
    c.plate((400.0, 70.0), (74.0, 130.0), 12.0, fade(0x8b4a24, 0x6f3818));
    c.plate((400.0, 530.0), (74.0, 130.0), 12.0, fade(0x6f3818, 0x8b4a24));
    for x in [336.0, 464.0] {
        c.line((x, 0.0), (x, 140.0), 2.0, flat(0xd9a877).at(0.8));
        c.line((x, 460.0), (x, 600.0), 2.0, flat(0xd9a877).at(0.8));
    }
    for (y, x) in [(150.0, 330.0), (150.0, 470.0), (450.0, 330.0), (450.0, 470.0)] {
        c.plate((x, y), (17.0, 36.0), 9.0, fade(0xe3e5e8, 0x989ca1));
    }
    c.plate((590.0, 300.0), (20.0, 19.0), 6.0, fade(0xe9ebed, 0x8b8f94));
    let middle = (400.0, 300.0);
    c.disc(middle, 182.0, fade(0xf4f5f6, 0x8b8f94));
    c.ring(middle, 168.0, 4.0, flat(0xa7abb0));
    c.disc(middle, 158.0, fade(0xf7f1e2, 0xe8dcc2));
    for minute in 0..60_u8 {
        let (sin, cos) = (f32::from(minute) * 6.0).to_radians().sin_cos();
        let at = |radius: f32| (middle.0 + cos * radius, middle.1 + sin * radius);
        let (inner, width) = if minute % 5 == 0 { (124.0, 6.0) } else { (140.0, 1.8) };
        c.line(at(inner), at(148.0), width, flat(0x3a2d24));
    }
    c.disc((400.0, 372.0), 38.0, fade(0xe9dcc1, 0xf6eedd));
    c.ring((400.0, 372.0), 38.0, 1.5, flat(0x8f7f68));
    c.line((400.0, 372.0), (422.0, 354.0), 2.5, flat(0x2b3f66));
    c.line(middle, (324.0, 254.0), 9.0, flat(0x2b3f66));
    c.line(middle, (474.0, 202.0), 6.0, flat(0x2b3f66));
    c.line((388.0, 330.0), (446.0, 178.0), 2.2, flat(0xb3262e));
    c.disc(middle, 9.0, fade(0x3d5688, 0x1b2a48));
    c.draw(Shape::Glow { centre: (344.0, 224.0), radii: (110.0, 70.0) }, flat(0xffffff).at(0.5));
    c.into_image()
}

pub(super) fn turntable() -> RgbImage {
    let mut c = Canvas::new(fade(0xe3d6c9, 0xd2bfae), fade(0xd2bfae, 0xb59c86), 300.0);
    c.shadow((410.0, 330.0), (390.0, 290.0));
    c.plate((400.0, 300.0), (330.0, 226.0), 20.0, fade(0x8d5a34, 0x683d20));
    for grain in 0..15_u8 {
        let y = 92.0 + f32::from(grain) * 30.0;
        c.line((80.0, y), (720.0, y + 7.0), 2.0, flat(0x5a331a).at(0.28));
    }
    let middle = (344.0, 300.0);
    c.disc(middle, 208.0, fade(0xd9dbdd, 0x8f9397));
    c.disc(middle, 198.0, fade(0x22201f, 0x121110));
    for groove in 0..14_u8 {
        c.ring(middle, 84.0 + f32::from(groove) * 8.0, 1.2, flat(0x45413e).at(0.8));
    }
    for (turn, opacity) in [(-38.0_f32, 0.30), (142.0, 0.30)] {
        let (sin, cos) = turn.to_radians().sin_cos();
        let centre = (middle.0 + cos * 128.0, middle.1 + sin * 128.0);
        c.draw(Shape::Glow { centre, radii: (62.0, 62.0) }, flat(0xffffff).at(opacity));
    }
    c.disc(middle, 66.0, fade(0xd2593a, 0xa93c22));
    c.ring(middle, 50.0, 2.0, flat(0xf7dfc4));
    c.line((304.0, 284.0), (384.0, 284.0), 5.0, flat(0xf7dfc4));
    c.line((318.0, 318.0), (370.0, 318.0), 3.0, flat(0xf7dfc4));
    c.disc(middle, 6.0, fade(0xf2f3f4, 0x8b8f94));
    c.disc((640.0, 150.0), 46.0, fade(0x3a3633, 0x1b1918));
    c.disc((640.0, 150.0), 26.0, fade(0xe4e6e8, 0x8f9397));
    c.line((640.0, 150.0), (628.0, 356.0), 9.0, fade(0xf0f1f2, 0xa4a8ac));
    c.line((628.0, 356.0), (508.0, 420.0), 9.0, fade(0xf0f1f2, 0xa4a8ac));
    c.draw(Shape::Plate { centre: (494.0, 426.0), half: (26.0, 13.0), round: 4.0, turn: -28.0 }, flat(0x2a2725));
    c.disc((640.0, 452.0), 24.0, fade(0xe4e6e8, 0x8f9397));
    c.line((640.0, 452.0), (650.0, 434.0), 4.0, flat(0x3a3633));
    c.into_image()
}

pub(super) fn painting() -> RgbImage {
    let mut c = Canvas::new(fade(0xd5cfc4, 0xc2bab0), fade(0xb3aa9d, 0x968c7e), 566.0);
    c.shadow((410.0, 318.0), (380.0, 290.0));
    c.plate((400.0, 290.0), (332.0, 246.0), 5.0, fade(0xc79a4a, 0x8f6724));
    c.plate((400.0, 290.0), (314.0, 228.0), 3.0, fade(0x8a6424, 0xd7b066));
    c.plate((400.0, 290.0), (298.0, 212.0), 2.0, fade(0x5d4216, 0x7a5a22));
    c.plate((400.0, 290.0), (290.0, 204.0), 0.0, fade(0xf3b27a, 0xf9e3b4));
    c.draw(Shape::Glow { centre: (490.0, 236.0), radii: (220.0, 180.0) }, flat(0xfff4cf).at(0.85));
    c.disc((490.0, 236.0), 46.0, fade(0xf6593c, 0xf3873f));
    let far = [
        (110.0, 300.0),
        (190.0, 236.0),
        (260.0, 282.0),
        (360.0, 206.0),
        (450.0, 288.0),
        (560.0, 244.0),
        (690.0, 316.0),
    ];
    c.draw(Shape::Ridge { points: &far, bottom: 494.0 }, fade(0x9a7f9c, 0xc7a3a6));
    let middle = [
        (110.0, 356.0),
        (210.0, 306.0),
        (320.0, 362.0),
        (430.0, 318.0),
        (540.0, 372.0),
        (620.0, 330.0),
        (690.0, 366.0),
    ];
    c.draw(Shape::Ridge { points: &middle, bottom: 494.0 }, fade(0x5f6b8c, 0x8d8fa6));
    let near = [(110.0, 420.0), (230.0, 386.0), (350.0, 428.0), (500.0, 396.0), (690.0, 440.0)];
    c.draw(Shape::Ridge { points: &near, bottom: 494.0 }, fade(0x2f4858, 0x1e2f3c));
    for (x, y) in [(176.0, 404.0), (206.0, 396.0), (238.0, 392.0), (560.0, 408.0), (596.0, 416.0)] {
        c.draw(
            Shape::Lathe { axis: x, profile: &[(y - 46.0, 0.0), (y, 13.0), (y + 8.0, 2.0), (y + 14.0, 2.0)] },
            flat(0x16242d),
        );
    }
    for (x, y) in [(300.0, 160.0), (336.0, 176.0), (268.0, 182.0)] {
        c.line((x - 12.0, y - 5.0), (x, y), 2.4, flat(0x5c4a52));
        c.line((x, y), (x + 12.0, y - 5.0), 2.4, flat(0x5c4a52));
    }
    c.into_image()
}

pub(super) fn lamp() -> RgbImage {
    let mut c = Canvas::new(fade(0x24343a, 0x1a262b), fade(0x6a4a31, 0x402b1b), 452.0);
    c.draw(Shape::Glow { centre: (520.0, 330.0), radii: (340.0, 300.0) }, flat(0xffe0a0).at(0.62));
    c.draw(Shape::Glow { centre: (520.0, 486.0), radii: (290.0, 70.0) }, flat(0xffe9bd).at(0.85));
    c.shadow((278.0, 512.0), (140.0, 22.0));
    let brass = fade(0xe8c47c, 0x9a7433);
    c.line((278.0, 480.0), (226.0, 300.0), 12.0, brass);
    c.line((226.0, 300.0), (440.0, 156.0), 12.0, brass);
    c.disc((226.0, 300.0), 19.0, fade(0xf4dca6, 0x8a652a));
    c.lathe(278.0, &[(462.0, 20.0), (478.0, 40.0), (492.0, 104.0), (512.0, 108.0)], brass);
    c.lathe(
        500.0,
        &[(128.0, 20.0), (150.0, 30.0), (196.0, 70.0), (252.0, 128.0), (262.0, 130.0)],
        fade(0x2f7463, 0x1c4d41),
    );
    c.ellipse((500.0, 262.0), (129.0, 18.0), fade(0xfff7dd, 0xffe3a1));
    c.lathe(500.0, &[(108.0, 8.0), (128.0, 22.0)], brass);
    c.disc((440.0, 156.0), 15.0, fade(0xf4dca6, 0x8a652a));
    c.plate((610.0, 470.0), (84.0, 12.0), 3.0, fade(0xa33b3b, 0x7c2a2a));
    c.plate((602.0, 448.0), (74.0, 11.0), 3.0, fade(0x3f6a8f, 0x2c4d69));
    c.plate((616.0, 428.0), (66.0, 9.0), 3.0, fade(0xd8b25f, 0xb08a3c));
    c.into_image()
}
