//! Colours as everybody shows them: sRGB, without a profile beside them.

use image::{DynamicImage, ImageBuffer, Pixel};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

/// Brings the colours that a profile describes to sRGB. A profile that can't be used is left out, as most viewers do.
pub fn to_srgb(picture: &mut DynamicImage, profile: Option<&[u8]>) {
    let Some(profile) = profile.and_then(|bytes| ColorProfile::new_from_slice(bytes).ok()) else {
        return;
    };
    // Grey was made to red, green and blue alike, and inks were by the decoder; their profiles speak of what was before.
    if profile.color_space != DataColorSpace::Rgb {
        return;
    }
    match picture {
        DynamicImage::ImageRgb8(pixels) => transform(pixels, &profile, Layout::Rgb),
        DynamicImage::ImageRgba8(pixels) => transform(pixels, &profile, Layout::Rgba),
        _ => {}
    }
}

fn transform<P: Pixel<Subpixel = u8>>(
    pixels: &mut ImageBuffer<P, Vec<u8>>,
    profile: &ColorProfile,
    layout: Layout,
) {
    let srgb = ColorProfile::new_srgb();
    let options = TransformOptions::default();
    let Ok(transform) = profile.create_transform_8bit(layout, &srgb, layout, options) else {
        return;
    };
    let width = usize::try_from(pixels.width()).unwrap_or_default();
    let row = width * usize::from(P::CHANNEL_COUNT);
    let mut before = vec![0; row];
    for row in pixels.chunks_exact_mut(row.max(1)) {
        before.copy_from_slice(row);
        // It fails by the first row or by none.
        if transform.transform(&before, row).is_err() {
            row.copy_from_slice(&before);
            return;
        }
    }
}
