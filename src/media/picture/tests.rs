use image::metadata::Orientation;
use image::{ExtendedColorType, ImageEncoder, Rgb, RgbImage, Rgba, RgbaImage};

use super::*;

async fn make(kind: PictureKind, bytes: Bytes) -> Result<Picture, Flaw> {
    super::make(turn::waited(None).await.unwrap(), kind, bytes).await
}

/// Red on the left, blue on the right.
fn halves(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, _| match x < width / 2 {
        true => Rgb([250, 10, 10]),
        false => Rgb([10, 10, 250]),
    })
}

fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    let picture = picture.into();
    picture
        .write_to(&mut Cursor::new(&mut bytes), format)
        .unwrap();
    bytes
}

fn read(bytes: &[u8]) -> DynamicImage {
    image::load_from_memory(bytes).unwrap()
}

fn is_about(found: Rgb<u8>, wanted: [u8; 3]) -> bool {
    let pairs = found.0.iter().zip(wanted);
    pairs
        .into_iter()
        .all(|(found, wanted)| found.abs_diff(wanted) < 20)
}

/// The metadata of a camera: where it was held, and where it was.
fn exif(orientation: u8) -> Vec<u8> {
    let mut exif = b"II*\0\x08\0\0\0\x02\0".to_vec();
    exif.extend_from_slice(b"\x12\x01\x03\0\x01\0\0\0");
    exif.extend_from_slice(&[orientation, 0, 0, 0]);
    exif.extend_from_slice(b"\x0e\x01\x02\0\x0c\0\0\0\x26\0\0\0\0\0\0\0");
    exif.extend_from_slice(b"LAT 52.5170\0");
    exif
}

fn jpeg_with_exif(picture: &RgbImage, orientation: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
    encoder.set_exif_metadata(exif(orientation)).unwrap();
    let (width, height) = picture.dimensions();
    encoder
        .write_image(picture, width, height, ExtendedColorType::Rgb8)
        .unwrap();
    bytes
}

#[tokio::test]
async fn each_kind_becomes_four_sizes() {
    for (kind, format) in [
        (PictureKind::Jpeg, ImageFormat::Jpeg),
        (PictureKind::Png, ImageFormat::Png),
        (PictureKind::Webp, ImageFormat::WebP),
    ] {
        let bytes = encoded(halves(1200, 1100), format);
        let made = make(kind, bytes.into()).await.unwrap();
        assert_eq!((made.width, made.height), (1200, 1100));
        assert_eq!(made.content_type.as_str(), "image/jpeg");
        let sizes = [(64, 64), (320, 320), (1000, 1000), (1200, 1100)];
        for (bytes, (width, height)) in made.sizes.iter().zip(sizes) {
            assert_eq!(image::guess_format(bytes).unwrap(), ImageFormat::Jpeg);
            let picture = read(bytes).into_rgb8();
            assert_eq!(picture.dimensions(), (width, height));
            assert!(is_about(
                *picture.get_pixel(width / 4, height / 2),
                [250, 10, 10]
            ));
            assert!(is_about(
                *picture.get_pixel(width * 3 / 4, height / 2),
                [10, 10, 250]
            ));
        }
        assert_eq!(made.sha256[..], Sha256::digest(&made.sizes[3])[..]);
        assert!((5..=40).contains(&made.thumb_hash.len()));
        let (_, _, tiny) = thumbhash::thumb_hash_to_rgba(&made.thumb_hash).unwrap();
        assert!(tiny[0] > tiny[2], "red on the left");
    }
}

#[tokio::test]
async fn nothing_is_made_larger_than_it_came() {
    for (width, height, sides) in [
        (200, 300, [64, 200, 200]),
        (1, 1, [1, 1, 1]),
        (3, 90, [3, 3, 3]),
    ] {
        let bytes = encoded(halves(width, height), ImageFormat::Png);
        let made = make(PictureKind::Png, bytes.into()).await.unwrap();
        for (bytes, side) in made.sizes.iter().zip(sides) {
            let picture = read(bytes);
            assert_eq!((picture.width(), picture.height()), (side, side));
        }
        let original = read(&made.sizes[3]);
        assert_eq!((original.width(), original.height()), (width, height));
    }
}

#[tokio::test]
async fn squares_are_cut_out_of_the_middle() {
    let striped = RgbImage::from_fn(300, 100, |x, _| match x / 100 {
        1 => Rgb([10, 250, 10]),
        _ => Rgb([250, 10, 10]),
    });
    let made = make(PictureKind::Png, encoded(striped, ImageFormat::Png).into());
    let square = read(&made.await.unwrap().sizes[1]).into_rgb8();
    assert_eq!(square.dimensions(), (100, 100));
    for (x, y) in [(5, 5), (94, 5), (50, 50), (94, 94)] {
        assert!(is_about(*square.get_pixel(x, y), [10, 250, 10]));
    }
}

#[tokio::test]
async fn what_can_be_seen_through_stays_so_without_a_dark_edge() {
    // Bright in the middle; black where nothing is seen.
    let ring = RgbaImage::from_fn(640, 640, |x, y| {
        match x.abs_diff(320).pow(2) + y.abs_diff(320).pow(2) < 200 * 200 {
            true => Rgba([250, 240, 10, 255]),
            false => Rgba([0, 0, 0, 0]),
        }
    });
    for (kind, format) in [
        (PictureKind::Png, ImageFormat::Png),
        (PictureKind::Webp, ImageFormat::WebP),
    ] {
        let made = make(kind, encoded(ring.clone(), format).into())
            .await
            .unwrap();
        assert_eq!(made.content_type.as_str(), "image/png");
        assert_eq!(read(&made.sizes[3]).into_rgba8(), ring);
        let small = read(&made.sizes[0]).into_rgba8();
        assert_eq!(small.get_pixel(0, 0).0[3], 0);
        assert_eq!(small.get_pixel(32, 32).0, [250, 240, 10, 255]);
        for Rgba([red, .., alpha]) in small.pixels() {
            assert!(*alpha < 30 || *red > 235, "{red} at {alpha}");
        }
    }
    // Nothing of it can be seen through, whatever it says.
    let solid = RgbaImage::from_pixel(10, 10, Rgba([1, 2, 3, 255]));
    let made = make(PictureKind::Png, encoded(solid, ImageFormat::Png).into());
    assert_eq!(made.await.unwrap().content_type.as_str(), "image/jpeg");
}

#[tokio::test]
async fn a_picture_stands_upright_and_says_nothing_of_its_camera() {
    let upright = halves(160, 80);
    for orientation in 1..=8 {
        // As a camera would keep it that was held so.
        let mut kept = DynamicImage::from(upright.clone());
        kept.apply_orientation(match Orientation::from_exif(orientation).unwrap() {
            Orientation::Rotate90 => Orientation::Rotate270,
            Orientation::Rotate270 => Orientation::Rotate90,
            same => same,
        });
        let bytes = jpeg_with_exif(&kept.into_rgb8(), orientation);
        assert!(bytes.windows(11).any(|text| text == b"LAT 52.5170"));
        let made = make(PictureKind::Jpeg, bytes.into()).await.unwrap();
        assert_eq!((made.width, made.height), (160, 80), "{orientation}");
        let original = read(&made.sizes[3]).into_rgb8();
        assert!(
            is_about(*original.get_pixel(20, 40), [250, 10, 10]),
            "{orientation}"
        );
        assert!(
            is_about(*original.get_pixel(140, 40), [10, 10, 250]),
            "{orientation}"
        );
        for bytes in &made.sizes {
            let said = |what: &[u8]| bytes.windows(what.len()).any(|text| text == what);
            assert!(!said(b"Exif") && !said(b"LAT"), "{orientation}");
        }
    }
}

#[tokio::test]
async fn what_stands_behind_the_picture_is_not_kept() {
    for (kind, format) in [
        (PictureKind::Jpeg, ImageFormat::Jpeg),
        (PictureKind::Png, ImageFormat::Png),
    ] {
        let mut bytes = encoded(halves(40, 40), format);
        bytes.extend_from_slice(b"<script>alert(1)</script>");
        let made = make(kind, bytes.into()).await.unwrap();
        for bytes in &made.sizes {
            assert!(!bytes.windows(8).any(|text| text == b"<script>"));
        }
    }
}

#[tokio::test]
async fn colours_are_brought_to_srgb() {
    let wide = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::png::PngEncoder::new(&mut bytes);
    encoder.set_icc_profile(wide).unwrap();
    let picture = RgbImage::from_pixel(40, 40, Rgb([200, 100, 100]));
    encoder
        .write_image(&picture, 40, 40, ExtendedColorType::Rgb8)
        .unwrap();
    let made = make(PictureKind::Png, bytes.into()).await.unwrap();
    let original = read(&made.sizes[3]).into_rgb8();
    // By ColorSync's calculator: display-p3 (200, 100, 100) is srgb (214, 95, 97) or so.
    let Rgb([red, green, blue]) = *original.get_pixel(20, 20);
    assert!(
        red > 207 && green < 99 && blue < 100,
        "{red} {green} {blue}"
    );
    for bytes in &made.sizes {
        assert!(!bytes.windows(11).any(|text| text == b"ICC_PROFILE"));
    }
}

#[tokio::test]
async fn sixteen_bits_and_greys_are_taken() {
    let grey = image::GrayImage::from_pixel(30, 30, image::Luma([99]));
    let deep: image::ImageBuffer<Rgb<u16>, Vec<u16>> =
        image::ImageBuffer::from_pixel(30, 30, Rgb([99 << 8; 3]));
    for (picture, format, kind) in [
        (
            DynamicImage::from(grey.clone()),
            ImageFormat::Png,
            PictureKind::Png,
        ),
        (
            DynamicImage::from(grey),
            ImageFormat::Jpeg,
            PictureKind::Jpeg,
        ),
        (DynamicImage::from(deep), ImageFormat::Png, PictureKind::Png),
    ] {
        let made = make(kind, encoded(picture, format).into()).await.unwrap();
        let small = read(&made.sizes[0]).into_rgb8();
        assert!(is_about(*small.get_pixel(5, 5), [99; 3]));
    }
}

/// A PNG that says so of its size and holds nothing.
fn lying_png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = encoded(halves(8, 8), ImageFormat::Png);
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let sum = crc(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&sum.to_be_bytes());
    bytes
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| match sum & 1 {
            1 => sum >> 1 ^ 0xedb8_8320,
            _ => sum >> 1,
        })
    })
}

fn lying_jpeg(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = encoded(halves(8, 8), ImageFormat::Jpeg);
    let frame = bytes
        .windows(2)
        .position(|mark| mark == [0xff, 0xc0])
        .unwrap();
    bytes[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    bytes[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    bytes
}

async fn flaw(kind: PictureKind, bytes: Vec<u8>) -> Option<Flaw> {
    make(kind, bytes.into()).await.err()
}

#[tokio::test]
async fn a_size_that_is_too_large_is_refused_before_it_is_believed() {
    let began = std::time::Instant::now();
    for (width, height) in [(100_000, 100_000), (6_325, 6_325)] {
        let bytes = lying_png(width, height);
        assert_eq!(
            flaw(PictureKind::Png, bytes).await,
            Some(Flaw::TooManyPixels { width, height })
        );
    }
    assert_eq!(
        flaw(PictureKind::Png, lying_png(u32::MAX >> 1, 100)).await,
        Some(Flaw::TooCostly)
    );
    let (width, height) = (20_001, 2);
    assert_eq!(
        flaw(PictureKind::Png, lying_png(width, height)).await,
        Some(Flaw::TooLong { width, height })
    );
    assert_eq!(
        flaw(PictureKind::Jpeg, lying_jpeg(65_000, 65_000)).await,
        Some(Flaw::TooManyPixels {
            width: 65_000,
            height: 65_000
        })
    );
    // Within what may be, and not there.
    assert_eq!(
        flaw(PictureKind::Png, lying_png(2_000, 2_000)).await,
        Some(Flaw::Unreadable)
    );
    assert!(began.elapsed().as_secs() < 20);
}

#[tokio::test]
async fn what_was_cut_off_anywhere_is_refused() {
    for (kind, format) in [
        (PictureKind::Jpeg, ImageFormat::Jpeg),
        (PictureKind::Png, ImageFormat::Png),
        (PictureKind::Webp, ImageFormat::WebP),
    ] {
        let noise = RgbImage::from_fn(60, 60, |x, y| {
            let sum = x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503);
            Rgb([(sum >> 8) as u8, (sum >> 16) as u8, sum as u8])
        });
        let bytes = encoded(noise, format);
        // A PNG is whole with the last of its pixels.
        let ends = if kind == PictureKind::Png { 16 } else { 1 };
        for end in (3..bytes.len() - ends)
            .step_by(101)
            .chain([bytes.len() - ends - 1])
        {
            let flaw = flaw(kind, bytes[..end].to_vec()).await;
            assert!(
                flaw.is_some(),
                "{kind:?} of {end} bytes among {}",
                bytes.len()
            );
        }
    }
}

#[tokio::test]
async fn no_bits_that_are_turned_over_do_harm() {
    let began = std::time::Instant::now();
    let mut state = 1_u64;
    for (kind, format) in [
        (PictureKind::Jpeg, ImageFormat::Jpeg),
        (PictureKind::Png, ImageFormat::Png),
        (PictureKind::Webp, ImageFormat::WebP),
    ] {
        let bytes = encoded(halves(50, 40), format);
        for _ in 0..150 {
            let mut bytes = bytes.clone();
            for _ in 0..4 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let place = (state >> 33) as usize % bytes.len();
                bytes[place] ^= 1 << (state >> 20 & 7);
            }
            if let Ok(made) = make(kind, bytes.into()).await {
                assert!(u64::from(made.width) * u64::from(made.height) <= MOST_PIXELS);
            }
        }
    }
    assert!(began.elapsed().as_secs() < 60);
}

#[test]
fn the_end_of_a_jpeg_is_that_of_the_picture_itself() {
    let bytes = encoded(halves(40, 40), ImageFormat::Jpeg);
    assert!(jpeg::is_whole(&bytes));
    assert!(!jpeg::is_whole(&bytes[..bytes.len() - 2]));
    // One within another, as cameras keep them.
    let mut within = bytes[..2].to_vec();
    within.extend_from_slice(&[0xff, 0xe1]);
    within.extend_from_slice(&(bytes.len() as u16 + 2).to_be_bytes());
    within.extend_from_slice(&bytes);
    let begun = within.len();
    within.extend_from_slice(&bytes[2..]);
    assert!(jpeg::is_whole(&within));
    assert!(!jpeg::is_whole(&within[..begun]));
    for bytes in [
        &b""[..],
        b"\xff",
        b"\xff\xd8",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe0",
        b"\xff\xd8\xff\xe0\xff\xff",
    ] {
        assert!(!jpeg::is_whole(bytes));
    }
}
