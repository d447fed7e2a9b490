//! A database of the bench's own: made, filled with the demo catalogue, and dropped.

use anyhow::Context;
use empulse::catalogue::TrackId;
use empulse::db::{Server, Source, migrate};
use empulse::demo;
use secrecy::SecretString;
use tokio_postgres::Client;
use url::Url;

/// As PostgreSQL shows our own connections, to tell them from the service's.
const OWN_NAME: &str = "empulse-load";

/// Things that requests name, so many of a kind at most.
const SAMPLES: i32 = 10_000;

/// What pgbench reads in place of `tracks` and `artists`, where it reads a row of its choice: the same rows, in the same
/// order on disk, under a number as their key, given at random. pgbench can draw a number but knows no list of ids, and
/// to look up an id by a number first would cost it a third of its speed; so it finds its row by one index, as the
/// service does. Artists are those with a full page of tracks and of albums.
const NUMBERED: &str = "
    create schema load;

    create table load.tracks as
      select * from (
        select row_number() over (order by random())::int as k, t.* from tracks t where t.status = 'PUBLISHED'
      ) numbered order by id;
    alter table load.tracks add primary key (k);

    create table load.artists as
      select * from (
        select row_number() over (order by random())::int as k, a.* from artists a
        where 10 = (select count(*) from (
            select from tracks t where t.artist_id = a.id and t.status = 'PUBLISHED' limit 10
          ) tracks)
          and 5 = (select count(*) from (
            select from albums al
            where al.artist_id = a.id
              and exists (select from tracks t where t.album_id = al.id and t.status = 'PUBLISHED')
            limit 5
          ) albums)
      ) numbered order by id;
    alter table load.artists add primary key (k);
";

pub struct Database {
    /// The server, by the database that exists already.
    server: Server,
    name: String,
    url: Url,
    keep: bool,
}

/// What requests are made of.
pub struct Samples {
    pub tracks: Vec<TrackId>,
    pub slugs: Vec<String>,
    pub deep: Place,
}

/// A track three quarters down the list of all, newest first.
pub struct Place {
    pub id: TrackId,
    pub published_at: String,
    /// All that is newer than this, down to the track itself, and nothing else.
    pub newer_than: String,
    pub depth: i64,
}

impl Database {
    pub fn new(server: &str, tracks: u32, keep: bool) -> anyhow::Result<Self> {
        // The parser's own words may repeat the password.
        let mut server = Url::parse(server).map_err(|_| {
            anyhow::anyhow!(
                "the database's address is none, such as postgres://user@host:5432/name"
            )
        })?;
        // To encrypt the way from here to here costs both halves what nobody would pay.
        if !server.query_pairs().any(|(name, _)| name == "sslmode") {
            server.query_pairs_mut().append_pair("sslmode", "disable");
        }
        // A kept one is found again by its name; others don't get in each other's way.
        let name = match keep {
            true => format!("empulse_load_{tracks}"),
            false => format!("empulse_load_{}", uuid::Uuid::now_v7().simple()),
        };
        let mut url = server.clone();
        url.set_path(&name);
        server
            .query_pairs_mut()
            .append_pair("application_name", OWN_NAME);
        Ok(Self {
            server: Server::new(&SecretString::from(String::from(server)))?,
            name,
            url,
            keep,
        })
    }

    /// As the service and pgbench are told it.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// As a part of the service is told it.
    pub fn source(&self) -> Source {
        Source::Server(self.server.clone().database(&self.name))
    }

    pub async fn create(&self) -> anyhow::Result<()> {
        let client = self.server_client().await?;
        const EXISTS: &str = "select exists (select from pg_database where datname = $1)";
        if !client.query_one(EXISTS, &[&self.name]).await?.try_get(0)? {
            // From the template that nobody can be connected to, which would hold this up.
            let statement = format!("create database {} template template0", self.name);
            client.batch_execute(&statement).await?;
        }
        Ok(())
    }

    /// Brings the database up to date, and puts into it what is missing.
    pub async fn fill(&self, tracks: u32) -> anyhow::Result<()> {
        migrate::run(&self.source()).await?;
        let mut client = self.client().await?;
        let count: i64 = client
            .query_one("select count(*) from tracks", &[])
            .await?
            .try_get(0)?;
        if count != i64::from(tracks) {
            eprintln!("filling the database with {tracks} tracks …");
            let catalogue = demo::Catalogue::new(demo::DEFAULT_SEED, tracks);
            let target = demo::Target {
                client: &mut client,
                copy: true,
            };
            demo::load(target, &catalogue, |_| {}).await?;
        }
        let is_numbered: bool = client
            .query_one("select to_regnamespace('load') is not null", &[])
            .await?
            .try_get(0)?;
        if !is_numbered {
            // Several statements in one message are one transaction.
            client.batch_execute(NUMBERED).await?;
            for table in ["load.tracks", "load.artists"] {
                let statement = format!("vacuum (analyze) {table}");
                client.batch_execute(&statement).await?;
            }
            // What was loaded is written to disk now rather than beside the first round. A role that may not ask for it
            // gets figures that are a little less even.
            if let Err(error) = client.batch_execute("checkpoint").await {
                eprintln!("without a checkpoint: {error}");
            }
        }
        Ok(())
    }

    pub async fn samples(&self) -> anyhow::Result<Samples> {
        let client = self.client().await?;
        let mut tracks = Vec::new();
        const TRACKS: &str = "select id::text from load.tracks where k <= $1 order by k";
        for row in client.query(TRACKS, &[&SAMPLES]).await? {
            tracks.push(track_id(row.try_get(0)?)?);
        }
        let mut slugs = Vec::new();
        const SLUGS: &str = "select slug from load.artists where k <= $1 order by k";
        for row in client.query(SLUGS, &[&SAMPLES]).await? {
            slugs.push(row.try_get(0)?);
        }
        anyhow::ensure!(
            !slugs.is_empty(),
            "no artist has a full page of tracks and albums; take more --tracks"
        );
        Ok(Samples {
            tracks,
            slugs,
            deep: deep_place(&client).await?,
        })
    }

    /// When the service last began a statement. That shows at once, where PostgreSQL's count of transactions comes up to
    /// ten seconds late and holds those of its own housekeeping. Asked from another database, so that asking leaves no
    /// trace in this one.
    pub async fn last_asked(&self) -> anyhow::Result<Option<String>> {
        const LAST_ASKED: &str = "
            select max(query_start)::text from pg_stat_activity
            where datname = $1 and backend_type = 'client backend' and application_name <> $2";
        let client = self.server_client().await?;
        let row = client
            .query_one(LAST_ASKED, &[&self.name, &OWN_NAME])
            .await?;
        Ok(row.try_get(0)?)
    }

    pub async fn server_version(&self) -> anyhow::Result<String> {
        let client = self.server_client().await?;
        let row = client.query_one("show server_version", &[]).await?;
        Ok(row.try_get(0)?)
    }

    /// Drops the database, with whatever is still connected to it, unless it is to be kept.
    pub async fn close(&self) -> anyhow::Result<()> {
        if self.keep {
            eprintln!("kept: the database {}", self.name);
            return Ok(());
        }
        let client = self.server_client().await?;
        let statement = format!("drop database if exists {} with (force)", self.name);
        client.batch_execute(&statement).await?;
        Ok(())
    }

    pub async fn client(&self) -> anyhow::Result<Client> {
        connect(&self.server.clone().database(&self.name)).await
    }

    async fn server_client(&self) -> anyhow::Result<Client> {
        connect(&self.server).await
    }
}

async fn connect(server: &Server) -> anyhow::Result<Client> {
    let client = server.connect().await;
    let client = client.context("PostgreSQL does not let us in; DATABASE_URL names it")?;
    // What is made here takes longer than a request may.
    client.batch_execute("set statement_timeout = 0").await?;
    Ok(client)
}

async fn deep_place(client: &Client) -> anyhow::Result<Place> {
    const PUBLISHED: &str = "select count(*) from tracks where status = 'PUBLISHED'";
    let published: i64 = client.query_one(PUBLISHED, &[]).await?.try_get(0)?;
    let depth = published * 3 / 4;
    // The API is given an instant, and finds the last track that is newer; here the same is found by SQL.
    // Through JSON, for the form in which both the API and PostgreSQL read an instant.
    const PLACE: &str = "
        with deep as (
          select published_at from tracks where status = 'PUBLISHED'
          order by published_at desc, id desc offset $1 limit 1
        )
        select place.id::text, to_json(place.published_at) #>> '{}', to_json(deep.published_at) #>> '{}'
        from deep cross join lateral (
          select id, published_at from tracks
          where status = 'PUBLISHED' and published_at > deep.published_at
          order by published_at, id limit 1
        ) place";
    let row = client.query_one(PLACE, &[&depth]).await?;
    Ok(Place {
        id: track_id(row.try_get(0)?)?,
        published_at: row.try_get(1)?,
        newer_than: row.try_get(2)?,
        depth,
    })
}

fn track_id(text: &str) -> anyhow::Result<TrackId> {
    Ok(TrackId(text.parse()?))
}
