//! Words to make a catalogue. Only what a test is about is spelled out.

use empulse::catalogue::{AlbumId, ArtistId, TrackId, sort_key};
use tokio_postgres::Client;
use uuid::Uuid;

/// 2026-01-01T00:00:00Z, in milliseconds; what is made n-th is n minutes younger.
const BEGINNING: i64 = 1_767_225_600_000;
const MINUTE: i64 = 60_000;

/// Makes things in an order that their times and ids tell too.
pub struct Maker {
    client: Client,
    made: i64,
}

#[derive(Clone)]
pub struct NewTrack<'a> {
    pub title: &'a str,
    pub album: Option<(AlbumId, i32)>,
    pub genre: &'a str,
    pub is_explicit: bool,
    pub status: &'a str,
    pub duration_ms: Option<i32>,
    pub play_count: i64,
    pub isrc: Option<&'a str>,
}

impl Default for NewTrack<'_> {
    fn default() -> Self {
        Self {
            title: "A Song",
            album: None,
            genre: "pop",
            is_explicit: false,
            status: "PUBLISHED",
            duration_ms: Some(200_000),
            play_count: 0,
            isrc: None,
        }
    }
}

impl Maker {
    pub fn new(client: Client) -> Self {
        Self { client, made: 0 }
    }

    /// The next moment: its time in seconds, and an id of that time.
    fn next(&mut self) -> (f64, Uuid) {
        self.made += 1;
        let millis = BEGINNING + self.made * MINUTE;
        let id = Uuid::new_v7(uuid::Timestamp::from_unix(
            uuid::NoContext,
            (millis / 1_000) as u64,
            0,
        ));
        (millis as f64 / 1_000.0, id)
    }

    pub async fn artist(&mut self, slug: &str, name: &str) -> ArtistId {
        let (time, id) = self.next();
        self.client
            .execute(
                "insert into artists (id, slug, name, sort_name, biography, links, created_at, updated_at) \
                 values ($1::text::uuid, $2, $3, $4, $5, $6, to_timestamp($7), to_timestamp($7))",
                &[
                    &id.to_string(),
                    &slug,
                    &name,
                    &sort_key(name),
                    &format!("{name} makes music."),
                    &vec![format!("https://example.org/{slug}")],
                    &time,
                ],
            )
            .await
            .unwrap();
        ArtistId(id)
    }

    pub async fn album(&mut self, artist: ArtistId, title: &str) -> AlbumId {
        let (time, id) = self.next();
        self.client
            .execute(
                "insert into albums (id, artist_id, title, kind, released_on, created_at, updated_at) \
                 values ($1::text::uuid, $2::text::uuid, $3, 'ALBUM', '2026-01-02', to_timestamp($4), to_timestamp($4))",
                &[&id.to_string(), &artist.0.to_string(), &title, &time],
            )
            .await
            .unwrap();
        AlbumId(id)
    }

    pub async fn track(&mut self, artist: ArtistId, track: NewTrack<'_>) -> TrackId {
        let (time, id) = self.next();
        let album = track.album.map(|(album, _)| album.0.to_string());
        let number = track.album.map(|(_, number)| number);
        self.client
            .execute(
                "insert into tracks (id, artist_id, album_id, track_number, genre_id, title, sort_title, is_explicit, \
                 isrc, status, duration_ms, play_count, published_at, created_at, updated_at) \
                 values ($1::text::uuid, $2::text::uuid, $3::text::uuid, $4, (select id from genres where slug = $5), \
                 $6, $7, $8, $9, $10, $11, $12, case when $10 in ('PUBLISHED', 'TAKEN_DOWN') then to_timestamp($13) end, \
                 to_timestamp($13), to_timestamp($13))",
                &[
                    &id.to_string(),
                    &artist.0.to_string(),
                    &album,
                    &number,
                    &track.genre,
                    &track.title,
                    &sort_key(track.title),
                    &track.is_explicit,
                    &track.isrc,
                    &track.status,
                    &track.duration_ms,
                    &track.play_count,
                    &time,
                ],
            )
            .await
            .unwrap();
        TrackId(id)
    }

    /// Tracks of one artist, one after the other, named by their place.
    pub async fn tracks(&mut self, artist: ArtistId, count: usize) -> Vec<TrackId> {
        let mut tracks = Vec::with_capacity(count);
        for place in 1..=count {
            let title = format!("Song {place:03}");
            let track = NewTrack {
                title: &title,
                play_count: (place as i64 * 7) % 11,
                ..NewTrack::default()
            };
            tracks.push(self.track(artist, track).await);
        }
        tracks
    }
}
