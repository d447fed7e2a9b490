//! A believable catalogue for trying the service: made from a seed, the same each time, in any size.

mod artist;
mod biography;
mod copy_text;
mod cover;
mod dice;
mod fill;
mod first;
mod flac;
mod generate;
mod genres;
mod load;
mod names;
mod phrase;
mod releases;
mod rows;
mod seen;
mod sound;
mod store;
mod titles;

use std::fmt;

pub use artist::make_music;
pub use fill::{Filled, fill};
pub use first::{begin, register_jobs};
pub use generate::{Catalogue, MAX_TRACKS};
pub use load::{DemoError, Progress, Summary, Target, load};

/// The seed of the catalogue that everybody gets who does not ask for another.
pub const DEFAULT_SEED: u64 = 1;

/// Enough to page through, and there at once.
pub const DEFAULT_TRACKS: u32 = 2_000;

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} artists, {} albums and {} tracks, {} of them published.",
            Thousands(self.artists.into()),
            Thousands(self.albums.into()),
            Thousands(self.tracks.into()),
            Thousands(self.published_tracks.into()),
        )?;
        let seconds = self.elapsed.as_secs_f64();
        if self.already_there {
            writeln!(
                f,
                "All of it was there already; nothing changed ({seconds:.1} s)."
            )?;
        } else {
            let added = Thousands(self.added_tracks);
            writeln!(f, "Added {added} tracks in {seconds:.1} s.")?;
        }
        if let Some(slug) = &self.example_slug {
            write!(f, "\nTry this in the console:\n\n{}", example_query(slug))?;
        }
        Ok(())
    }
}

impl fmt::Display for Filled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Made music for {} tracks and {} pictures, {} MB.",
            Thousands(self.tracks as u64),
            Thousands(self.pictures as u64),
            Thousands(self.bytes.div_ceil(1_000_000)),
        )
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tracks { done, of } => write!(
                f,
                "{} of {} tracks",
                Thousands((*done).into()),
                Thousands((*of).into())
            ),
            Self::Indexes { built, of } => write!(f, "{built} of {of} indexes"),
            Self::Statistics => write!(f, "statistics"),
            Self::Sounds { done, of } => write!(
                f,
                "{} of {} tracks can be heard",
                Thousands((*done).into()),
                Thousands((*of).into())
            ),
        }
    }
}

fn example_query(slug: &str) -> String {
    format!(
        r#"query {{
  artist(slug: "{slug}") {{
    name
    biography
    albums(first: 3) {{ nodes {{ title kind releasedOn trackCount }} }}
    tracks(first: 5, orderBy: {{ field: PLAY_COUNT, direction: DESC }}) {{
      nodes {{ title durationMs playCount genre {{ name }} }}
    }}
  }}
}}
"#
    )
}

/// A number as people read it.
struct Thousands(u64);

impl fmt::Display for Thousands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0..1_000 => write!(f, "{}", self.0),
            large => write!(f, "{},{:03}", Self(large / 1_000), large % 1_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn summary() -> Summary {
        Summary {
            artists: 51_021,
            albums: 126_400,
            tracks: 1_000_000,
            published_tracks: 970_007,
            added_tracks: 998_000,
            already_there: false,
            elapsed: Duration::from_millis(12_345),
            example_slug: Some("mira-vale".into()),
        }
    }

    #[test]
    fn a_summary_says_what_is_there_and_what_to_try() {
        let text = summary().to_string();
        assert!(text.starts_with(
            "51,021 artists, 126,400 albums and 1,000,000 tracks, 970,007 of them published.\n\
             Added 998,000 tracks in 12.3 s.\n"
        ));
        assert!(text.contains(r#"artist(slug: "mira-vale")"#));
    }

    #[test]
    fn a_second_time_is_told_from_the_first() {
        let text = Summary {
            already_there: true,
            added_tracks: 0,
            ..summary()
        }
        .to_string();
        assert!(text.contains("nothing changed"));
        assert!(!text.contains("Added"));
    }

    #[test]
    fn the_query_can_be_run_as_it_stands() {
        async_graphql_parser::parse_query(example_query("mira-vale")).unwrap();
    }
}
