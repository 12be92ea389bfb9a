//! Pictures that people upload, made safe and small.
//!
//! Whatever came in is decoded within bounds and written anew: no metadata, no trailing data, no
//! format but JPEG and WebP leaves here. Pure and slow: never to be called on a worker thread.

use std::io::Cursor;

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use sha2::{Digest, Sha256};

use crate::limits::{IMAGE_DECODE_BYTES_MAX, IMAGE_PIXELS_MAX, IMAGE_SIDE_MAX, IMAGE_STORED_SIDE_MAX};
use crate::store::StoredImage;

/// Hardly to be told from the original, at a tenth of the size.
const JPEG_QUALITY: u8 = 85;
/// Hexadecimal digits of the content's SHA-256 in an id.
const ID_DIGITS: usize = 32;

/// A picture as it is stored.
#[derive(Debug, Clone)]
pub struct Picture {
    /// Hash of the stored bytes, and the format's extension.
    pub id: String,
    pub image: StoredImage,
}

/// Why a picture was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    #[error("not a PNG, JPEG or WebP picture")]
    Unsupported,
    /// With what would be right.
    #[error("the picture {0}")]
    Unsuitable(String),
}

/// Decodes a PNG, JPEG or WebP picture, known by its content, turns it upright, scales it down to
/// [`IMAGE_STORED_SIDE_MAX`] and encodes it anew: as WebP when it lets something shine through, else as
/// JPEG. The same bytes always give the same id.
///
/// # Errors
/// [`PictureError`] when the bytes are no such picture, are damaged or decode beyond the bounds.
pub fn reencode(bytes: &[u8]) -> Result<Picture, PictureError> {
    let decoded = decode(bytes)?;
    let side = IMAGE_STORED_SIDE_MAX;
    let scaled = if decoded.width().max(decoded.height()) > side {
        decoded.resize(side, side, FilterType::Triangle)
    } else {
        decoded
    };
    let (encoded, media_type, extension) = encode(&scaled)?;
    let hash = Sha256::digest(&encoded).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    let id = format!("{}.{extension}", &hash[..ID_DIGITS]);
    Ok(Picture { id, image: StoredImage { media_type: media_type.into(), bytes: Bytes::from(encoded) } })
}

fn decode(bytes: &[u8]) -> Result<DynamicImage, PictureError> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| damaged(&error))?;
    if !matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP)) {
        return Err(PictureError::Unsupported);
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(IMAGE_SIDE_MAX);
    limits.max_image_height = Some(IMAGE_SIDE_MAX);
    limits.max_alloc = Some(IMAGE_DECODE_BYTES_MAX);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| unreadable(&error))?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if width.max(height) > IMAGE_SIDE_MAX || pixels > IMAGE_PIXELS_MAX || decoder.total_bytes() > IMAGE_DECODE_BYTES_MAX
    {
        return Err(too_large());
    }
    let orientation = decoder.orientation().map_err(|error| unreadable(&error))?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| unreadable(&error))?;
    image.apply_orientation(orientation);
    Ok(image)
}

fn encode(image: &DynamicImage) -> Result<(Vec<u8>, &'static str, &'static str), PictureError> {
    let mut encoded = Cursor::new(Vec::new());
    let written = if shines_through(image) {
        image.to_rgba8().write_to(&mut encoded, ImageFormat::WebP).map(|()| ("image/webp", "webp"))
    } else {
        let jpeg = JpegEncoder::new_with_quality(&mut encoded, JPEG_QUALITY);
        image.to_rgb8().write_with_encoder(jpeg).map(|()| ("image/jpeg", "jpg"))
    };
    let (media_type, extension) = written.map_err(|error| unreadable(&error))?;
    Ok((encoded.into_inner(), media_type, extension))
}

fn shines_through(image: &DynamicImage) -> bool {
    image.color().has_alpha() && image.to_rgba8().pixels().any(|pixel| pixel.0[3] < u8::MAX)
}

fn unreadable(error: &image::ImageError) -> PictureError {
    if matches!(error, image::ImageError::Limits(_)) { too_large() } else { damaged(error) }
}

fn damaged(error: &dyn std::fmt::Display) -> PictureError {
    tracing::debug!(%error, "an uploaded picture could not be read");
    PictureError::Unsuitable("is damaged".to_owned())
}

fn too_large() -> PictureError {
    let millions = IMAGE_PIXELS_MAX / 1_000_000;
    PictureError::Unsuitable(format!("must have at most {millions} megapixels, and {IMAGE_SIDE_MAX} on each side"))
}

#[cfg(test)]
mod tests {
    use image::metadata::Orientation;
    use image::{ImageEncoder, Rgb, RgbImage, Rgba, RgbaImage};

    use super::*;

    fn striped(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, _| if x < width / 2 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) })
    }

    fn written(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.into().write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn read(picture: &Picture) -> DynamicImage {
        image::load_from_memory(&picture.image.bytes).unwrap()
    }

    #[test]
    fn png_jpeg_and_webp_come_out_as_jpeg_under_their_content_hash() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
            let bytes = written(striped(40, 20), format);
            let picture = reencode(&bytes).unwrap();
            assert_eq!(&*picture.image.media_type, "image/jpeg");
            assert_eq!((picture.id.len(), &picture.id[ID_DIGITS..]), (ID_DIGITS + 4, ".jpg"));
            assert_eq!((read(&picture).width(), read(&picture).height()), (40, 20));
            assert_eq!(reencode(&bytes).unwrap().id, picture.id);
        }
    }

    #[test]
    fn a_picture_that_lets_something_shine_through_keeps_doing_so() {
        let clear = RgbaImage::from_pixel(8, 8, Rgba([10, 20, 30, 40]));
        let picture = reencode(&written(clear, ImageFormat::Png)).unwrap();
        assert_eq!(&*picture.image.media_type, "image/webp");
        assert_eq!(read(&picture).to_rgba8().get_pixel(0, 0).0, [10, 20, 30, 40]);
        let solid = RgbaImage::from_pixel(8, 8, Rgba([10, 20, 30, 255]));
        assert_eq!(&*reencode(&written(solid, ImageFormat::Png)).unwrap().image.media_type, "image/jpeg");
    }

    #[test]
    fn a_large_picture_is_scaled_down_in_proportion() {
        let picture = reencode(&written(striped(3_200, 800), ImageFormat::Jpeg)).unwrap();
        assert_eq!((read(&picture).width(), read(&picture).height()), (1_600, 400));
    }

    #[test]
    fn metadata_goes_after_the_picture_was_turned_upright() {
        let mut bytes = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
        encoder.set_exif_metadata(exif_turned_right()).unwrap();
        striped(40, 20).write_with_encoder(encoder).unwrap();
        assert!(bytes.windows(4).any(|window| window == b"Exif"));
        let picture = reencode(&bytes).unwrap();
        assert!(!picture.image.bytes.windows(4).any(|window| window == b"Exif"));
        let upright = read(&picture).to_rgb8();
        assert_eq!(upright.dimensions(), (20, 40));
        assert!(upright.get_pixel(10, 2).0[0] > 200, "red was left and is now on top");
    }

    /// The smallest EXIF block that says "turned by 90 degrees".
    fn exif_turned_right() -> Vec<u8> {
        let mut exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01".to_vec();
        exif.extend([0, Orientation::Rotate90.to_exif(), 0, 0, 0, 0, 0, 0]);
        exif
    }

    #[test]
    fn what_is_no_picture_of_these_formats_is_unsupported() {
        for bytes in [&b""[..], b"hello", b"GIF89a\x01\0\x01\0", b"<svg xmlns='http://www.w3.org/2000/svg'/>"] {
            assert_eq!(reencode(bytes).unwrap_err(), PictureError::Unsupported);
        }
    }

    #[test]
    fn damaged_pictures_are_refused_without_a_panic() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
            let whole = written(striped(60, 40), format);
            for cut in (0..whole.len()).step_by(7) {
                let _ = reencode(&whole[..cut]);
                let mut flipped = whole.clone();
                flipped[cut] ^= 0x55;
                let _ = reencode(&flipped);
            }
        }
        let png = written(striped(60, 40), ImageFormat::Png);
        assert!(matches!(reencode(&png[..40]), Err(PictureError::Unsuitable(_))));
    }

    #[test]
    fn a_small_file_that_decodes_to_a_huge_picture_is_refused() {
        let of_size = |width: u32, height: u32| {
            let mut bytes = Vec::new();
            let pixels = vec![0_u8; width as usize * height as usize];
            image::codecs::png::PngEncoder::new(&mut bytes)
                .write_image(&pixels, width, height, image::ExtendedColorType::L8)
                .unwrap();
            bytes
        };
        for (width, height) in [(9_000, 1), (1, 9_000), (5_001, 5_000)] {
            let refused = reencode(&of_size(width, height));
            assert!(matches!(refused, Err(PictureError::Unsuitable(why)) if why.contains("25 megapixels")));
        }
    }
}
