//! A picture for a track, an album or an artist: a few shapes over two colours that run into each other. The same for the
//! same id each time, as [`Dice`] has it.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, ImageResult, Rgb, RgbImage};
use uuid::Uuid;

use super::dice::Dice;

const SIDE: u32 = 640;

type Colour = [f32; 3];

enum Shape {
    Disc {
        at: [f32; 2],
        radius: f32,
    },
    Ring {
        at: [f32; 2],
        radius: f32,
        width: f32,
    },
    Band {
        across: [f32; 2],
        at: f32,
        width: f32,
    },
}

/// As PNG.
pub(super) fn cover(of: Uuid) -> ImageResult<Vec<u8>> {
    let mut dice = Dice::new(of.as_u64_pair().1, 0x4c_4f_4f_4b);
    let hue = dice.fraction() as f32;
    let near = hue + 0.05 + 0.15 * dice.fraction() as f32;
    let (from, to) = (colour(hue, 0.35, 0.25), colour(near, 0.75, 0.6));
    let along = direction(&mut dice);
    let shapes: Vec<(Shape, Colour)> = (0..dice.between(2, 5))
        .map(|place| {
            let other = hue + 0.4 + 0.08 * place as f32;
            let bright = 0.6 + 0.4 * dice.fraction() as f32;
            (Shape::draw(&mut dice), colour(other, bright, 0.55))
        })
        .collect();
    let picture = RgbImage::from_fn(SIDE, SIDE, |x, y| {
        let at = [x, y].map(|place| (place as f32 + 0.5) / SIDE as f32);
        let way = 0.5 + (at[0] - 0.5) * along[0] + (at[1] - 0.5) * along[1];
        let mut shown = mixed(from, to, way.clamp(0.0, 1.0));
        for (shape, colour) in &shapes {
            // A pixel at the edge is partly of it.
            let covers = (shape.depth(at) * SIDE as f32 + 0.5).clamp(0.0, 1.0);
            shown = mixed(shown, *colour, covers * 0.85);
        }
        Rgb(shown.map(|part| (part * 255.0) as u8))
    });
    let mut png = Cursor::new(Vec::new());
    DynamicImage::from(picture).write_to(&mut png, ImageFormat::Png)?;
    Ok(png.into_inner())
}

impl Shape {
    fn draw(dice: &mut Dice) -> Self {
        let kind = dice.below(3);
        let mut part = || dice.fraction() as f32;
        match kind {
            0 => Self::Disc {
                at: [part(), part()],
                radius: 0.08 + 0.25 * part(),
            },
            1 => Self::Ring {
                at: [part(), part()],
                radius: 0.15 + 0.35 * part(),
                width: 0.01 + 0.05 * part(),
            },
            _ => Self::Band {
                at: part() - 0.5,
                width: 0.02 + 0.1 * part(),
                across: direction(dice),
            },
        }
    }

    /// How far within it a place is; below nought outside.
    fn depth(&self, place: [f32; 2]) -> f32 {
        let from = |at: &[f32; 2]| {
            let (x, y) = (place[0] - at[0], place[1] - at[1]);
            (x * x + y * y).sqrt()
        };
        match self {
            Self::Disc { at, radius } => radius - from(at),
            Self::Ring { at, radius, width } => width - (from(at) - radius).abs(),
            Self::Band { across, at, width } => {
                let way = (place[0] - 0.5) * across[0] + (place[1] - 0.5) * across[1];
                width - (way - at).abs()
            }
        }
    }
}

/// Of length one.
fn direction(dice: &mut Dice) -> [f32; 2] {
    let (x, y) = (2.0 * dice.fraction() - 1.0, 2.0 * dice.fraction() - 1.0);
    let length = (x * x + y * y).sqrt().max(0.01);
    [(x / length) as f32, (y / length) as f32]
}

/// A hue of a turn, how bright it is and how pale.
fn colour(hue: f32, bright: f32, pale: f32) -> Colour {
    [0.0, 1.0 / 3.0, 2.0 / 3.0].map(|offset| {
        let turn = (hue + offset).fract();
        // From none to all of it and back, in a third of a turn each.
        let full = (2.0 - (turn * 6.0 - 3.0).abs()).clamp(0.0, 1.0);
        bright * (1.0 - pale + pale * (1.0 - full)).clamp(0.0, 1.0)
    })
}

fn mixed(from: Colour, to: Colour, part: f32) -> Colour {
    [0, 1, 2].map(|place| from[place] + (to[place] - from[place]) * part)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_cover_looks_the_same_each_time_and_like_no_other() {
        let of = |number| cover(Uuid::from_u128(number)).unwrap();
        assert_eq!(of(1), of(1));
        let covers: HashSet<_> = (0..20).map(of).collect();
        assert_eq!(covers.len(), 20);
        let picture = image::load_from_memory(&of(1)).unwrap().into_rgb8();
        assert_eq!(picture.dimensions(), (SIDE, SIDE));
        let colours: HashSet<_> = picture.pixels().collect();
        assert!(colours.len() > 50, "{} colours", colours.len());
    }
}
