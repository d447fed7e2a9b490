//! Accounts to ask and to sign in as. The first is made by the service's own command, the others are copies of its row:
//! so their password is kept as the service keeps one, and as costly to compare. Each has all the sessions that an account
//! may have, so that whoever signs in ends one of them.

use std::process::Stdio;

use anyhow::Context;
use empulse::catalogue::ArtistId;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio_postgres::Client;

use super::Bench;
use super::http::{Connection, Request};
use super::service::{self, Service};
use super::workloads;

/// One that nobody objects to.
const PASSWORD: &str = "kettle-orbit-velvet-9";

/// So many that PostgreSQL finds one of them by an index.
pub const COUNT: u32 = 10_000;

/// Whoever asks as somebody is one of these.
pub const SIGNED_IN: u32 = 64;

/// As many as an account may have.
pub const MOST_SESSIONS: i32 = 10;

/// All in one message, and so in one transaction.
fn copies(count: u32) -> String {
    format!(
        "
        insert into accounts (id, email, email_key, display_name, password_hash, status, email_verified_at, created_at,
                              updated_at)
          select gen_random_uuid(), 'listener' || n || '@example.org', 'listener' || n || '@example.org', display_name,
                 password_hash, status, email_verified_at, created_at, updated_at
          from accounts, generate_series(1, {count} - 1) n where email_key = 'listener0@example.org';

        insert into sessions (id, account_id, token_hash, is_remembered, by_cookie, created_at, last_used_at, expires_at)
          select gen_random_uuid(), id, sha256(gen_random_uuid()::text::bytea), true, false, now(), now(),
                 now() + interval '30 days'
          from accounts, generate_series(1, {MOST_SESSIONS});

        -- As those of tracks, see where they are made.
        create table load.sessions as
          select * from (select row_number() over (order by random())::int as k, s.* from sessions s) numbered order by id;
        alter table load.sessions add primary key (k);
        "
    )
}

const LOGIN: &str = "mutation Login($input: LoginInput!) {
  login(input: $input) { credentials { accessToken refreshToken deviceToken } errors { code } }
}";

/// Makes them, where they are not there yet.
pub async fn make(bench: &Bench) -> anyhow::Result<()> {
    let client = bench.database.client().await?;
    const ARE_MADE: &str = "select to_regclass('load.sessions') is not null";
    if client.query_one(ARE_MADE, &[]).await?.try_get(0)? {
        return Ok(());
    }
    eprintln!("making {COUNT} accounts …");
    create_first(bench).await?;
    client.batch_execute(&copies(COUNT)).await?;
    for table in ["accounts", "sessions", "load.sessions"] {
        let statement = format!("vacuum (analyze) {table}");
        client.batch_execute(&statement).await?;
    }
    Ok(())
}

async fn create_first(bench: &Bench) -> anyhow::Result<()> {
    let database = ("DATABASE_URL", bench.database.url().as_str());
    let mut command = service::command(&bench.binary, &bench.scratch, &[database])
        .args(["admin", "create", "--email", &address(0)])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = command.stdin.take().context("the command asks nothing")?;
    stdin.write_all(format!("{PASSWORD}\n").as_bytes()).await?;
    drop(stdin);
    let done = command.wait_with_output().await?;
    anyhow::ensure!(
        done.status.success(),
        "`empulse admin create` failed: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(())
}

/// The hash of their password, as the service keeps it.
pub async fn password_hash(client: &Client) -> anyhow::Result<String> {
    const KEPT: &str = "select password_hash from accounts where email_key = $1";
    Ok(client.query_one(KEPT, &[&address(0)]).await?.try_get(0)?)
}

/// The access tokens of [`SIGNED_IN`] accounts. They are good for 15 minutes, on every instance; another than the one that
/// is measured gives them out, so that what it takes to sign in is in no other figure. It has none of the settings that
/// were given: both may not listen at one address.
pub async fn access_tokens(bench: &Bench) -> anyhow::Result<Vec<String>> {
    make(bench).await?;
    let database = ("DATABASE_URL", bench.database.url().as_str());
    let mut service = Service::start(&bench.binary, &bench.scratch, &[database]).await?;
    service.first_answer(&workloads::page()).await?;
    let mut connection = Connection::open(service.address).await?;
    let mut tokens = Vec::new();
    for number in 0..SIGNED_IN {
        let request = login(number);
        let answer = connection.ask(&request.bytes).await?;
        request.check(&answer)?;
        let body: Value = serde_json::from_slice(answer.body)?;
        let token = body["data"]["login"]["credentials"]["accessToken"].as_str();
        tokens.push(token.context("a sign-in without a token")?.to_owned());
    }
    drop(connection);
    service.stop().await?;
    Ok(tokens)
}

/// Whoever hands in music.
pub struct Artist {
    pub id: String,
}

/// Makes the first account an artist, and the account where there is none.
pub async fn artist(bench: &Bench) -> anyhow::Result<Artist> {
    let client = bench.database.client().await?;
    const IS_MADE: &str = "select exists (select from accounts where email_key = $1)";
    if !client
        .query_one(IS_MADE, &[&address(0)])
        .await?
        .try_get::<_, bool>(0)?
    {
        create_first(bench).await?;
    }
    const GIVE: &str = "update accounts set roles = '{LISTENER,ARTIST}' where email_key = $1";
    client.execute(GIVE, &[&address(0)]).await?;
    const MAKE: &str = "insert into artists (id, slug, name, sort_name, links, account_id, created_at, updated_at) \
                        select id, 'first-light', 'First Light', 'first light', '{}', id, now(), now() from accounts \
                        where email_key = $1 on conflict do nothing";
    client.execute(MAKE, &[&address(0)]).await?;
    const FIND: &str = "select a.id::text from artists a join accounts ac on ac.id = a.account_id where email_key = $1";
    let id: String = client.query_one(FIND, &[&address(0)]).await?.try_get(0)?;
    let id = ArtistId(id.parse()?);
    Ok(Artist { id: id.to_string() })
}

/// An access token of the first account, good for 15 minutes.
pub async fn access_token(service: &Service) -> anyhow::Result<String> {
    let mut connection = Connection::open(service.address).await?;
    let request = login(0);
    let answer = connection.ask(&request.bytes).await?;
    request.check(&answer)?;
    let body: Value = serde_json::from_slice(answer.body)?;
    let token = body["data"]["login"]["credentials"]["accessToken"].as_str();
    Ok(token.context("a sign-in without a token")?.to_owned())
}

/// Signs in to one of the accounts, on a device that is new to it.
pub fn login(number: u32) -> Request {
    login_from(number, None)
}

/// Signs in to one of the accounts, on a device that has done so before.
pub fn login_from(number: u32, device: Option<&str>) -> Request {
    let input = json!({
        "email": address(number), "password": PASSWORD, "delivery": "BODY", "deviceToken": device,
    });
    Request::query(LOGIN, json!({ "input": input }), |data| {
        data["login"]["credentials"]["accessToken"].is_string()
    })
}

/// The marks of devices that the first accounts know from now on.
pub async fn devices(service: &Service, count: u32) -> anyhow::Result<Vec<String>> {
    let mut connection = Connection::open(service.address).await?;
    let mut devices = Vec::new();
    for number in 0..count {
        let request = login(number);
        let answer = connection.ask(&request.bytes).await?;
        request.check(&answer)?;
        let body: Value = serde_json::from_slice(answer.body)?;
        let device = body["data"]["login"]["credentials"]["deviceToken"].as_str();
        devices.push(device.context("a sign-in without a device")?.to_owned());
    }
    Ok(devices)
}

/// Gives the first accounts so many sessions each.
pub async fn set_sessions(client: &Client, accounts: u32, count: i32) -> anyhow::Result<()> {
    let emails: Vec<String> = (0..accounts).map(address).collect();
    const FORGET: &str = "delete from sessions where account_id in (select id from accounts where email_key = any($1))";
    client.execute(FORGET, &[&emails]).await?;
    const GIVE: &str = "insert into sessions (id, account_id, token_hash, is_remembered, by_cookie, created_at, \
                        last_used_at, expires_at) \
                        select gen_random_uuid(), id, sha256(gen_random_uuid()::text::bytea), true, false, now(), now(), \
                        now() + interval '30 days' \
                        from accounts, generate_series(1, $2) where email_key = any($1)";
    client.execute(GIVE, &[&emails, &count]).await?;
    Ok(())
}

fn address(number: u32) -> String {
    format!("listener{number}@example.org")
}
