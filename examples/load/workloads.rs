//! What is asked, of the service and, for the same rows, of PostgreSQL.
//!
//! The SQL is the least that a program written by hand would send: only the columns that the answer needs, one round
//! trip, every value a parameter, and the shape that was fastest where there was a choice. It is held to what the
//! service must do for the answer to be right (what is published, in which order, whether there is a next page), and
//! to nothing of how the service does it.

use anyhow::Context;
use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

use super::Bench;
use super::accounts;
use super::database::{Place, Samples};
use super::http::{Connection, Request};
use super::pgbench::Script;
use super::service::Service;

/// The start page's own operation.
const PAGE: &str = include_str!("../../tests/operations/tracks.graphql");
const PAGE_SIZE: usize = 20;

const TRACK: &str = "query Track($id: ID!) {
  track(id: $id) { id title durationMs isExplicit playCount publishedAt }
}";

/// What a client asks first: whose token it holds.
const ME: &str = "query Me {
  me { id email emailVerifiedAt roles tier status createdAt user { id displayName } }
}";

const ARTIST: &str = "query Artist($slug: String!) {
  artist(slug: $slug) {
    id
    slug
    name
    tracks(first: 10) { nodes { id title durationMs playCount } }
    albums(first: 5) { nodes { id title kind releasedOn } }
  }
}";

#[derive(Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Name {
    /// The least that can be asked: no row is read, so there is nothing beside it.
    Typename,
    /// The caller's account, by an access token. Nothing of it but what the token says may be remembered, so that a
    /// session that ends counts at once.
    Me,
    /// One of many tracks, by its id.
    Track,
    /// The newest 20 tracks, each with its artist and album.
    Page,
    /// The same, three quarters down the list.
    DeepPage,
    /// One of many artists by the name in its address, with 10 tracks and 5 albums.
    Artist,
}

impl Name {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Typename => "typename",
            Self::Me => "me",
            Self::Track => "track",
            Self::Page => "page",
            Self::DeepPage => "deep-page",
            Self::Artist => "artist",
        }
    }
}

pub struct Workload {
    pub name: Name,
    pub requests: Vec<Request>,
    pub script: Option<Script>,
}

/// Those that were asked for.
pub async fn wanted(
    bench: &Bench,
    service: &Service,
    samples: &Samples,
) -> anyhow::Result<Vec<Workload>> {
    let tokens = match bench.wants(Name::Me) {
        true => accounts::access_tokens(bench).await?,
        false => Vec::new(),
    };
    let all = all(service, samples, &tokens).await?;
    let wanted = all.into_iter();
    Ok(wanted.filter(|one| bench.wants(one.name)).collect())
}

/// All of them. The service is asked for the place of the deep page.
async fn all(
    service: &Service,
    samples: &Samples,
    tokens: &[String],
) -> anyhow::Result<Vec<Workload>> {
    let mut connection = Connection::open(service.address).await?;
    let deep = deep_cursor(&mut connection, &samples.deep).await?;
    Ok(vec![
        Workload {
            name: Name::Typename,
            requests: vec![Request::query("{ __typename }", json!({}), |data| {
                data["__typename"] == "Query"
            })],
            script: None,
        },
        Workload {
            name: Name::Me,
            requests: tokens.iter().map(|token| me(token)).collect(),
            script: Some(me_script(tokens.len())),
        },
        Workload {
            name: Name::Track,
            requests: samples.tracks.iter().map(track).collect(),
            script: Some(track_script(samples.tracks.len())),
        },
        Workload {
            name: Name::Page,
            requests: vec![page()],
            script: Some(page_script(None)),
        },
        Workload {
            name: Name::DeepPage,
            requests: vec![page_with(json!({ "after": deep }))],
            script: Some(page_script(Some(&samples.deep))),
        },
        Workload {
            name: Name::Artist,
            requests: samples.slugs.iter().map(|slug| artist(slug)).collect(),
            script: Some(artist_script(samples.slugs.len())),
        },
    ])
}

fn me(token: &str) -> Request {
    Request::query_as(token, ME, |data| data["me"]["id"].is_string())
}

fn track(id: &empulse::catalogue::TrackId) -> Request {
    Request::query(TRACK, json!({ "id": id.to_string() }), |data| {
        data["track"]["id"].is_string()
    })
}

/// The first page; a real query, and no more.
pub fn page() -> Request {
    page_with(json!({}))
}

fn page_with(variables: Value) -> Request {
    Request::query(PAGE, variables, |data| {
        nodes(&data["tracks"]) == Some(PAGE_SIZE)
    })
}

fn artist(slug: &str) -> Request {
    Request::query(ARTIST, json!({ "slug": slug }), |data| {
        let artist = &data["artist"];
        nodes(&artist["tracks"]) == Some(10) && nodes(&artist["albums"]) == Some(5)
    })
}

fn nodes(connection: &Value) -> Option<usize> {
    connection["nodes"].as_array().map(Vec::len)
}

/// The cursor of a track far down: it is the last one that is newer than the one after it.
async fn deep_cursor(connection: &mut Connection, place: &Place) -> anyhow::Result<String> {
    const LAST: &str = "query Deep($newerThan: DateTime!) {
      tracks(last: 1, filter: { publishedAfter: $newerThan }) { nodes { id } pageInfo { endCursor } }
    }";
    let request = Request::query(LAST, json!({ "newerThan": place.newer_than }), |data| {
        nodes(&data["tracks"]) == Some(1)
    });
    let answer = connection.ask(&request.bytes).await?;
    request.check(&answer)?;
    let body: Value = serde_json::from_slice(answer.body)?;
    let tracks = &body["data"]["tracks"];
    anyhow::ensure!(
        tracks["nodes"][0]["id"] == place.id.to_string(),
        "the service and PostgreSQL don't have the same track {} down",
        place.depth
    );
    let cursor = tracks["pageInfo"]["endCursor"].as_str();
    Ok(cursor.context("a page without a cursor")?.to_owned())
}

fn me_script(sessions: usize) -> Script {
    Script::new(format!(
        "\\set k random(1, {sessions})
         select a.id, a.email, a.email_verified_at, a.roles, a.tier, a.status, a.created_at, a.display_name
         from load.sessions s join accounts a on a.id = s.account_id
         where s.k = :k and s.ended_at is null and s.expires_at > now() and a.status = 'ACTIVE';"
    ))
}

fn track_script(tracks: usize) -> Script {
    Script::new(format!(
        "\\set k random(1, {tracks})
         select id, title, duration_ms, is_explicit, play_count, published_at
         from load.tracks where k = :k and status = 'PUBLISHED';"
    ))
}

/// Limited first and joined then, which is nearly twice as fast as to join and limit in one. A row more than the page
/// has, as the answer tells whether there is a next page.
fn page_script(after: Option<&Place>) -> Script {
    let within = match after {
        Some(_) => "and (published_at, id) < (:published_at, :id)",
        None => "",
    };
    let script = Script::new(format!(
        "select t.id, t.title, t.duration_ms, t.is_explicit, t.play_count, t.published_at,
                a.id, a.slug, a.name, al.id, al.title
         from (
           select id, title, duration_ms, is_explicit, play_count, published_at, artist_id, album_id
           from tracks where status = 'PUBLISHED' {within}
           order by published_at desc, id desc limit {}
         ) t
         join artists a on a.id = t.artist_id
         left join albums al on al.id = t.album_id
         order by t.published_at desc, t.id desc;",
        PAGE_SIZE + 1
    ));
    match after {
        Some(place) => script
            .with("published_at", &place.published_at)
            .with("id", &place.id.0.to_string()),
        None => script,
    }
}

/// Three statements sent at once. One after the other, the second waiting for the first one's answer, they reach two
/// thirds of that, and one statement that returns the tracks and albums as JSON nine tenths.
fn artist_script(artists: usize) -> Script {
    const ARTIST_ID: &str = "(select id from load.artists where k = :k)";
    Script::new(format!(
        "\\set k random(1, {artists})
         \\startpipeline
         select id, slug, name from load.artists where k = :k;
         select id, title, duration_ms, play_count from tracks
         where status = 'PUBLISHED' and artist_id = {ARTIST_ID}
         order by published_at desc, id desc limit 10;
         select id, title, kind, released_on from albums
         where artist_id = {ARTIST_ID}
           and exists (select from tracks t where t.album_id = albums.id and t.status = 'PUBLISHED')
         order by created_at desc, id desc limit 5;
         \\endpipeline"
    ))
}
