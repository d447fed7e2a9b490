//! What a genre's music is like: how common it is, how long, how explicit, and what its artists also play.

use super::dice::Dice;

pub(super) struct Genre {
    /// As the migration that made the table numbered it.
    pub id: i16,
    pub name: &'static str,
    /// Share of artists who call it theirs.
    weight: u32,
    pub explicit_per_mille: u32,
    pub median_seconds: u32,
    near: &'static [i16],
}

const fn genre(
    (id, name): (i16, &'static str),
    weight: u32,
    explicit_per_mille: u32,
    median_seconds: u32,
    near: &'static [i16],
) -> Genre {
    Genre {
        id,
        name,
        weight,
        explicit_per_mille,
        median_seconds,
        near,
    }
}

/// By id, from 1 on without a gap.
static GENRES: [Genre; 32] = [
    genre((1, "Acoustic"), 18, 10, 205, &[12, 17, 27]),
    genre((2, "Afrobeat"), 20, 60, 225, &[8, 13, 32]),
    genre((3, "Alternative"), 45, 70, 222, &[17, 23, 26]),
    genre((4, "Ambient"), 22, 0, 290, &[10, 11, 20]),
    genre((5, "Blues"), 16, 15, 245, &[18, 26, 28]),
    genre((6, "Classical"), 24, 0, 285, &[4, 29]),
    genre((7, "Country"), 30, 20, 208, &[12, 22, 27]),
    genre((8, "Dance"), 40, 40, 200, &[10, 16, 22]),
    genre((9, "Drum and Bass"), 16, 60, 262, &[8, 10]),
    genre((10, "Electronic"), 55, 25, 235, &[4, 8, 16, 30]),
    genre((11, "Experimental"), 14, 20, 265, &[4, 10, 18]),
    genre((12, "Folk"), 30, 12, 215, &[1, 27, 32]),
    genre((13, "Funk"), 18, 35, 228, &[24, 28]),
    genre((14, "Gospel"), 14, 0, 250, &[24, 28]),
    genre((15, "Hip-Hop"), 85, 520, 185, &[20, 24]),
    genre((16, "House"), 34, 25, 290, &[8, 10, 30]),
    genre((17, "Indie"), 70, 60, 214, &[3, 22, 26, 27]),
    genre((18, "Jazz"), 32, 5, 275, &[5, 13, 28]),
    genre((19, "Latin"), 55, 150, 205, &[8, 22, 32]),
    genre((20, "Lo-Fi"), 22, 10, 145, &[4, 10, 15]),
    genre((21, "Metal"), 30, 140, 258, &[23, 26]),
    genre((22, "Pop"), 110, 75, 198, &[8, 17, 24]),
    genre((23, "Punk"), 22, 230, 155, &[3, 21, 26]),
    genre((24, "R&B"), 45, 260, 208, &[15, 22, 28]),
    genre((25, "Reggae"), 16, 60, 228, &[2, 32]),
    genre((26, "Rock"), 80, 60, 226, &[3, 5, 17]),
    genre((27, "Singer-Songwriter"), 36, 30, 212, &[1, 12, 17]),
    genre((28, "Soul"), 24, 35, 222, &[13, 14, 24]),
    genre((29, "Soundtrack"), 16, 0, 168, &[4, 6]),
    genre((30, "Techno"), 30, 10, 345, &[10, 16]),
    genre((31, "Trance"), 14, 0, 370, &[8, 10, 30]),
    genre((32, "World"), 18, 5, 240, &[2, 12, 19]),
];

/// What an artist plays mostly, and what else.
#[derive(Clone, Copy)]
pub(super) struct Affinity {
    pub main: &'static Genre,
    pub other: &'static Genre,
}

impl Affinity {
    pub fn draw(dice: &mut Dice) -> Self {
        let main = dice.pick_weighted(&GENRES, |genre| genre.weight);
        let other = dice.pick(main.near);
        Self {
            main,
            other: &GENRES[other as usize - 1],
        }
    }

    pub fn of_track(self, dice: &mut Dice) -> &'static Genre {
        if dice.per_mille(820) {
            self.main
        } else {
            self.other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn genres_are_those_of_the_database() {
        let migration = include_str!("../../migrations/2026-11-21-000001_catalogue/up.sql");
        for (index, genre) in GENRES.iter().enumerate() {
            assert_eq!(genre.id as usize, index + 1);
            let (start, end) = (format!("({}, '", genre.id), format!("', '{}')", genre.name));
            let mut rows = migration.lines().map(str::trim);
            assert!(
                rows.any(|row| row.starts_with(&start) && row.contains(&end)),
                "{} is not genre {} of the migration",
                genre.name,
                genre.id
            );
        }
    }

    #[test]
    fn nearby_genres_exist_and_are_others() {
        for genre in &GENRES {
            for near in genre.near {
                assert!((1..=32).contains(near) && *near != genre.id);
            }
        }
    }
}
