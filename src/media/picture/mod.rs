//! What is made of a picture that came in: itself and three smaller squares, written anew from its pixels.
//!
//! Nothing else of the file is kept, so whatever stood beside the picture is gone without a list of what that may be: where
//! it was taken and by which camera, the picture as it was before it was cut, a program behind its end.
//!
//! - What can be seen through stays so, as PNG; all else becomes JPEG, in a quality at which nobody sees a difference.
//! - It stands upright, and its colours are brought to sRGB: what needs a profile to be shown right is not.
//! - A square is cut out of the middle. Nothing is made larger than it came: a picture of 200 × 300 has 200 × 200 where
//!   320 × 320 are asked for.
//! - Of an animation the first picture is taken.
//!
//! A picture is work and memory for whoever opens it, and its sender says how much. So its size is read before anything
//! else of it, few are opened at once, and what a decoder does not survive is a picture that can't be used.

mod colour;
mod flaw;
mod jpeg;
mod turn;

use std::io::Cursor;

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, ImageResult, Limits};
use sha2::{Digest, Sha256};

pub use self::flaw::Flaw;
use self::turn::Turn;
pub use self::turn::next as next_turn;
use super::kind::PictureKind;
use super::model::ImageSize;
use crate::storage::ContentType;

const MOST_PIXELS: u64 = 40_000_000;
/// What is longer is no picture that anybody looks at. A JPEG, which most become, can say no more than 65,535.
const LONGEST_SIDE: u32 = 20_000;
/// What a decoder may take: the most pixels at sixteen bits for each of four colours, and half of that to work with.
const MOST_MEMORY: u64 = MOST_PIXELS * 8 * 3 / 2;
/// Of 100.
const QUALITY: u8 = 90;

/// A picture as it is kept.
pub struct Picture {
    pub content_type: ContentType,
    /// In the order of [`ImageSize::ALL`].
    pub sizes: [Bytes; ImageSize::ALL.len()],
    /// Of the original.
    pub sha256: [u8; 32],
    pub width: u32,
    pub height: u32,
    /// Of the squares.
    pub thumb_hash: Vec<u8>,
}

/// Works on a thread where work may take long, in a turn that was waited for.
pub async fn make(turn: Turn, kind: PictureKind, bytes: Bytes) -> Result<Picture, Flaw> {
    let made = tokio::task::spawn_blocking(move || {
        // Held to the end of the work, which nothing can stop, also where nobody waits for it any more.
        let _turn = turn;
        made_of(kind, &bytes)
    });
    made.await.unwrap_or_else(|error| {
        tracing::warn!(%error, "a decoder did not survive a picture");
        Err(Flaw::Unreadable)
    })
}

fn made_of(kind: PictureKind, bytes: &[u8]) -> Result<Picture, Flaw> {
    let original = opened(kind, bytes)?;
    let (width, height) = (original.width(), original.height());
    let format = match original.color().has_alpha() {
        true => ImageFormat::Png,
        false => ImageFormat::Jpeg,
    };
    let kept = written(&original, format)?;
    let square = squared(original);
    // Each from the next larger one.
    let large = shrunk(&square, ImageSize::Large);
    drop(square);
    let medium = shrunk(&large, ImageSize::Medium);
    let small = shrunk(&medium, ImageSize::Small);
    let shown = |square: &DynamicImage| written(&clear(square), format);
    let tiny = clear(&small).into_rgba8();
    let (across, down) = (tiny.width() as usize, tiny.height() as usize);
    Ok(Picture {
        content_type: ContentType::of(format.to_mime_type()),
        sha256: Sha256::digest(&kept).into(),
        sizes: [shown(&small)?, shown(&medium)?, shown(&large)?, kept],
        width,
        height,
        thumb_hash: thumbhash::rgba_to_thumb_hash(across, down, &tiny),
    })
}

/// Its pixels, upright and in sRGB: eight bits for each colour, and of how far they can be seen through only where they can.
fn opened(kind: PictureKind, bytes: &[u8]) -> Result<DynamicImage, Flaw> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), kind.format());
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(Flaw::TooManyPixels { width, height });
    }
    if width.max(height) > LONGEST_SIDE {
        return Err(Flaw::TooLong { width, height });
    }
    if kind == PictureKind::Jpeg && !jpeg::is_whole(bytes) {
        return Err(Flaw::Truncated);
    }
    // What is wrong with what is only said of the picture does not make it worse.
    let orientation = decoder.orientation();
    let profile = decoder.icc_profile().ok().flatten();
    let mut picture = DynamicImage::from_decoder(decoder)?;
    if let Ok(orientation) = orientation {
        picture.apply_orientation(orientation);
    }
    let can_be_seen_through = picture.color().has_alpha();
    picture = match can_be_seen_through {
        true => {
            let pixels = picture.into_rgba8();
            match pixels
                .as_raw()
                .chunks_exact(4)
                .all(|pixel| pixel[3] == u8::MAX)
            {
                true => DynamicImage::from(pixels).into_rgb8().into(),
                false => pixels.into(),
            }
        }
        false => picture.into_rgb8().into(),
    };
    colour::to_srgb(&mut picture, profile.as_deref());
    Ok(picture)
}

fn written(picture: &DynamicImage, format: ImageFormat) -> ImageResult<Bytes> {
    let mut bytes = Vec::new();
    match format {
        ImageFormat::Jpeg => {
            picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY))?;
        }
        format => picture.write_to(&mut Cursor::new(&mut bytes), format)?,
    }
    Ok(bytes.into())
}

/// The largest square in the middle; of what can be seen through, with its colours as dark as they are thin: else what is
/// not seen of a picture would be mixed into its edges when it is made smaller.
fn squared(picture: DynamicImage) -> DynamicImage {
    let (width, height) = (picture.width(), picture.height());
    let side = width.min(height);
    let mut square = match width == height {
        true => picture,
        false => picture.crop_imm((width - side) / 2, (height - side) / 2, side, side),
    };
    if let DynamicImage::ImageRgba8(pixels) = &mut square {
        for pixel in pixels.chunks_exact_mut(4) {
            let alpha = u32::from(pixel[3]);
            for colour in &mut pixel[..3] {
                let dark = (u32::from(*colour) * alpha + 127) / 255;
                *colour = u8::try_from(dark).unwrap_or(u8::MAX);
            }
        }
    }
    square
}

/// Takes back how dark the thin is.
fn clear(square: &DynamicImage) -> DynamicImage {
    let mut square = square.clone();
    if let DynamicImage::ImageRgba8(pixels) = &mut square {
        for pixel in pixels.chunks_exact_mut(4) {
            let alpha = u32::from(pixel[3]).max(1);
            for colour in &mut pixel[..3] {
                let light = (u32::from(*colour) * 255 + alpha / 2) / alpha;
                *colour = u8::try_from(light).unwrap_or(u8::MAX);
            }
        }
    }
    square
}

fn shrunk(square: &DynamicImage, size: ImageSize) -> DynamicImage {
    match size.side() {
        Some(side) if side < square.width() => {
            square.resize_exact(side, side, FilterType::Lanczos3)
        }
        _ => square.clone(),
    }
}

#[cfg(test)]
mod tests;
