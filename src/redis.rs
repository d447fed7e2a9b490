//! The one connection to Redis, shared by limits, cache and events: how long it is waited for, whether it is up, and
//! how many instances share it. What must stay true: a request loses at most [`COMMAND_TIMEOUT`] to a Redis
//! that dies under it, and nothing to one that is known to be away. Beside it stand those that only listen.

mod listener;

use std::{
    fmt::Display,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use fred::{
    clients::WithOptions,
    prelude::{
        Builder, Client, ClientLike, Config, ErrorKind, EventInterface, FromValue, LuaInterface,
        Options, ReconnectPolicy, SortedSetsInterface, TlsConfig, TlsConnector, Value,
    },
    types::{ConnectHandle, config::UnresponsiveConfig},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    sync::{Notify, broadcast::error::TryRecvError, watch},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use listener::{Heard, Listener};

/// The longest that one command may hold up a request.
pub const COMMAND_TIMEOUT: Duration = Duration::from_millis(250);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A silent connection is given up after this long. Longer than a command's time, so that one slow answer does
/// not cost the connection; shorter than [`LOOK_AGAIN`], for fred counts silence from its last write and our own
/// looks would else keep a dead connection alive.
const SILENCE: Duration = Duration::from_millis(750);

const BEAT_EVERY: Duration = Duration::from_secs(5);
/// While Redis is away it is looked at this often. It is also the shortest time that it stays "away", so that a
/// Redis that answers every other command makes two lines of log a second, not two a request.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Three beats missed, and an instance is no longer counted.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(15);
const GOODBYE: Duration = Duration::from_secs(1);

/// An instance says that it lives and hears how many do. It writes and runs a script on purpose: a Redis that
/// only answers PING (a replica, a full one, one that is loading) is of no use to limits or cache.
static BEAT: Script = Script::new(
    r"
    local now = tonumber(redis.call('TIME')[1])
    redis.call('ZADD', KEYS[1], now, ARGV[1])
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
    redis.call('EXPIRE', KEYS[1], ARGV[2])
    return redis.call('ZCARD', KEYS[1])
    ",
);

/// Where a room keeps something in Redis. Others may live in the same one, so that every key says whose it is.
pub fn key(room: &str, name: &str) -> String {
    format!("empulse:{room}:{name}")
}

fn instances_key() -> String {
    key("instances", "seen")
}

#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    #[error("the address of Redis can't be used: {0}")]
    Address(String),
    #[error("Redis over TLS needs this system's certificate authorities: {0}")]
    Trust(String),
    #[error("Redis is away")]
    Away,
    #[error(transparent)]
    Command(fred::error::Error),
}

/// What commands are sent through: fails at once while there is no connection.
pub type Commands = WithOptions<Client>;

/// A Lua script that Redis reads once and is then asked for by its hash.
pub struct Script {
    lua: &'static str,
    sha1: OnceLock<String>,
}

impl Script {
    pub const fn new(lua: &'static str) -> Self {
        Self {
            lua,
            sha1: OnceLock::new(),
        }
    }

    pub async fn call<T: FromValue>(
        &self,
        redis: &Commands,
        key: String,
        arguments: Vec<Value>,
    ) -> Result<T, fred::error::Error> {
        let sha1 = match self.sha1.get() {
            Some(sha1) => sha1,
            None => {
                let sha1 = redis.script_load(self.lua).await?;
                self.sha1.get_or_init(|| sha1)
            }
        };
        let arguments = Value::Array(arguments);
        match redis
            .evalsha(sha1.as_str(), key.as_str(), arguments.clone())
            .await
        {
            // A Redis that has restarted, or another node of the cluster. EVAL leaves the script there as well.
            Err(error) if error.details().starts_with("NOSCRIPT") => {
                redis.eval(self.lua, key, arguments).await
            }
            answer => answer,
        }
    }
}

/// The connection. It comes and goes by itself; dropping this ends it.
pub struct Redis {
    url: SecretString,
    line: Arc<Line>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Redis {
    /// Fails for an address that can never work, not for a Redis that is away: then it goes on without, and the
    /// connection comes about later. `instance` is this process' own name among those that share the Redis.
    pub async fn connect(
        url: &SecretString,
        instance: impl Into<String>,
    ) -> Result<Self, RedisError> {
        let client = client(url.expose_secret())?.build().map_err(refused)?;
        let redis = Self {
            url: url.clone(),
            line: Arc::new(Line {
                commands: client.with_options(&Options {
                    fail_fast: true,
                    // The second is for a cluster that says where the key has moved to: fred counts that as a try.
                    // Failing fast comes first, so that what was under way on a lost connection is not sent twice.
                    max_attempts: Some(2),
                    ..Options::default()
                }),
                standing: watch::Sender::new(Standing::Unknown),
                fell: Notify::new(),
                instance: instance.into(),
                instances: AtomicUsize::new(1),
            }),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        redis
            .tasks
            .spawn(tend(Arc::clone(&redis.line), redis.stop.clone()));
        redis.tasks.close();

        // The first requests should find what there is; the wait is bounded by the connection's own.
        let mut standing = redis.line.standing.subscribe();
        drop(
            standing
                .wait_for(|standing| *standing != Standing::Unknown)
                .await,
        );
        Ok(redis)
    }

    /// Whether a command is worth trying. Costs no round trip.
    pub fn is_up(&self) -> bool {
        self.line.is_up()
    }

    /// How long a round trip takes, for health.
    pub async fn ping(&self) -> Result<Duration, RedisError> {
        let asked = Instant::now();
        self.run(|redis| async move { redis.ping::<()>(None).await })
            .await?;
        Ok(asked.elapsed())
    }

    /// How many instances shared this Redis when it was last seen: at least this one.
    pub fn instances(&self) -> usize {
        self.line.instances.load(Ordering::Relaxed)
    }

    /// Runs commands, or does not even try when Redis is known to be away.
    pub async fn run<T, F, Fut>(&self, ask: F) -> Result<T, RedisError>
    where
        F: FnOnce(Commands) -> Fut,
        Fut: Future<Output = Result<T, fred::error::Error>>,
    {
        if !self.is_up() {
            return Err(RedisError::Away);
        }
        ask(self.line.commands.clone()).await.map_err(|error| {
            if speaks_of_the_connection(&error) {
                self.line.falls(&error);
            }
            RedisError::Command(error)
        })
    }

    /// A connection of its own that hears what is published on a channel.
    pub fn listener(&self, channel: String) -> Result<Listener, RedisError> {
        let client = client(self.url.expose_secret())?
            .with_performance_config(|performance| {
                performance.broadcast_channel_capacity = listener::WAITING;
            })
            .build()
            .map_err(refused)?;
        Ok(Listener::new(client, channel))
    }

    /// Leaves the count of instances and closes the connection.
    pub async fn quit(&self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Standing {
    Unknown,
    Up,
    Away,
}

/// What the callers and the task that tends the connection share.
struct Line {
    commands: Commands,
    standing: watch::Sender<Standing>,
    fell: Notify,
    instance: String,
    instances: AtomicUsize,
}

impl Line {
    fn is_up(&self) -> bool {
        *self.standing.borrow() == Standing::Up
    }

    /// True if it was not so before.
    fn becomes(&self, now: Standing) -> bool {
        self.standing.send_if_modified(|standing| {
            let changed = *standing != now;
            *standing = now;
            changed
        })
    }

    fn falls(&self, error: &dyn Display) {
        if self.becomes(Standing::Away) {
            self.fell.notify_one();
            tracing::warn!(%error, "Redis is away; until it returns limits are shared out, nothing is cached and events stay in their instance");
        }
    }

    fn rises(&self) {
        if self.becomes(Standing::Up) {
            let instances = self.instances.load(Ordering::Relaxed);
            tracing::info!(instances, "Redis is up");
        }
    }

    async fn beat(&self) -> Result<usize, fred::error::Error> {
        BEAT.call(
            &self.commands,
            instances_key(),
            vec![
                self.instance.as_str().into(),
                // Whole seconds, as the script's clock counts them.
                Value::Integer(FORGOTTEN_AFTER.as_secs().cast_signed()),
            ],
        )
        .await
    }
}

/// Keeps the connection, its standing and the count of instances until told to stop.
async fn tend(line: Arc<Line>, stop: CancellationToken) {
    let client: &Client = &line.commands;
    let mut errors = client.error_rx();
    let mut connection = client.connect();
    let mut up_since = Instant::now();
    let mut pause = CONNECT_TIMEOUT + COMMAND_TIMEOUT;

    loop {
        let next_look = sleep(pause);
        tokio::pin!(next_look);
        loop {
            tokio::select! {
                () = stop.cancelled() => return leave(&line, connection).await,
                () = &mut next_look => break,
                Ok(()) = client.wait_for_connect(), if !client.is_connected() => break,
                Ok((error, _)) = errors.recv() => line.falls(&error),
                () = line.fell.notified() => {
                    next_look.as_mut().reset(tokio::time::Instant::now() + LOOK_AGAIN);
                }
            }
        }

        // fred stops for good over what it takes for a wrong setting, for example a cluster that is not one yet.
        if connection.is_finished() {
            connection = client.connect();
        }

        // What was told of the connection before says nothing of how it is after this.
        loop {
            match errors.try_recv() {
                Ok((error, _)) => line.falls(&error),
                Err(TryRecvError::Lagged(_)) => {}
                Err(_) => break,
            }
        }
        pause = match line.beat().await {
            Ok(seen) => {
                if !line.is_up() {
                    up_since = Instant::now();
                }
                // A Redis that came back empty knows only those that have beaten since; believing it at once would
                // give each of them the whole of every limit if it went away again.
                if up_since.elapsed() < FORGOTTEN_AFTER {
                    line.instances.fetch_max(seen, Ordering::Relaxed);
                } else {
                    line.instances.store(seen.max(1), Ordering::Relaxed);
                }
                line.rises();
                BEAT_EVERY
            }
            Err(error) => {
                line.falls(&error);
                LOOK_AGAIN
            }
        };
    }
}

async fn leave(line: &Line, connection: ConnectHandle) {
    let client: &Client = &line.commands;
    let goodbye = async {
        if line.is_up() {
            let gone: Result<(), _> = line
                .commands
                .zrem(instances_key(), line.instance.as_str())
                .await;
            if let Err(error) = gone {
                tracing::debug!(%error, "still counted as an instance for a few seconds");
            }
        }
        client.quit().await
    };
    match timeout(GOODBYE, goodbye).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "the connection to Redis did not close cleanly"),
        Err(_) => tracing::debug!("the connection to Redis did not close in time"),
    }
    line.becomes(Standing::Away);
    connection.abort();
}

/// Errors that say "there is no talking to it", as against those that Redis itself answers.
fn speaks_of_the_connection(error: &fred::error::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Timeout
            | ErrorKind::IO
            | ErrorKind::Canceled
            | ErrorKind::Routing
            | ErrorKind::Cluster
            | ErrorKind::Tls
    )
}

fn client(url: &str) -> Result<Builder, RedisError> {
    let mut builder = Builder::from_config(config(url)?);
    // A bounded command queue (`max_command_buffer_len`) is left alone: fred's order to reconnect goes through the
    // same queue, and one that is full then ends the client for good. Failing fast and the time-out bound it.
    builder
        .with_performance_config(|performance| {
            performance.default_command_timeout = COMMAND_TIMEOUT;
        })
        .with_connection_config(|connection| {
            connection.connection_timeout = CONNECT_TIMEOUT;
            connection.internal_command_timeout = CONNECT_TIMEOUT;
            connection.reconnect_on_auth_error = true;
            connection.tcp.nodelay = Some(true);
            connection.unresponsive = UnresponsiveConfig {
                max_timeout: Some(SILENCE),
                interval: SILENCE / 3,
            };
        })
        .set_policy(reconnects());
    Ok(builder)
}

fn refused(error: fred::error::Error) -> RedisError {
    RedisError::Address(error.to_string())
}

/// For ever, 50 ms doubling up to 5 s. fred caps after it adds the jitter, so that at the cap there is none; what
/// the earlier tries added keeps the instances apart.
fn reconnects() -> ReconnectPolicy {
    let mut policy = ReconnectPolicy::new_exponential(0, 50, 5_000, 2);
    policy.set_jitter(100);
    policy
}

fn config(url: &str) -> Result<Config, RedisError> {
    if !url.starts_with("redis") && !url.starts_with("valkey") {
        return Err(RedisError::Address(
            "it begins with redis:// or rediss://".to_owned(),
        ));
    }
    // Left to itself fred trusts nobody as soon as one of the system's certificates can't be read.
    let secured = ["rediss", "valkeys"].into_iter().find_map(|scheme| {
        let rest = url.strip_prefix(scheme)?;
        rest.starts_with([':', '-'])
            .then(|| format!("{}{rest}", &scheme[..scheme.len() - 1]))
    });
    let mut config = match &secured {
        Some(plain) => Config {
            tls: Some(tls()?),
            ..Config::from_url(plain).map_err(refused)?
        },
        None => Config::from_url(url).map_err(refused)?,
    };
    // fred's name for "give up if the first connection fails".
    config.fail_fast = false;
    Ok(config)
}

fn tls() -> Result<TlsConfig, RedisError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = rustls::RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        let why = found.errors.first().map(ToString::to_string);
        return Err(RedisError::Trust(why.unwrap_or("none found".to_owned())));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| RedisError::Trust(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(config).into())
}

#[cfg(test)]
pub(crate) mod testing {
    //! A Redis for tests: the one that REDIS_URL names, or one of the test's own that it may stop and start.

    use std::{
        net::TcpListener,
        process::{Child, Command, Stdio},
    };

    use super::*;

    /// None, with a line that says so, where no Redis is at hand.
    pub async fn shared(what: &str) -> Option<Redis> {
        let Ok(url) = std::env::var("REDIS_URL") else {
            eprintln!("not run: {what} (REDIS_URL is not set)");
            return None;
        };
        let redis = Redis::connect(&url.into(), unique("test")).await.unwrap();
        eventually("REDIS_URL answers", || redis.is_up()).await;
        Some(redis)
    }

    pub fn unique(name: &str) -> String {
        format!("{name}-{}", uuid::Uuid::now_v7())
    }

    pub async fn eventually(what: &str, mut true_at_last: impl FnMut() -> bool) {
        for _ in 0..300 {
            if true_at_last() {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("not within 15 s: {what}");
    }

    /// Below those that the system gives to outgoing connections, one of which could otherwise sit on it while the
    /// server is away.
    fn free_port() -> u16 {
        (0..1_000)
            .map(|_| rand::random_range(21_000..32_000))
            .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
            .expect("a free port")
    }

    pub struct OwnServer {
        port: u16,
        running: Option<Child>,
    }

    impl OwnServer {
        pub fn start(what: &str) -> Option<Self> {
            let port = free_port();
            let mut server = Self {
                port,
                running: None,
            };
            if server.run() {
                return Some(server);
            }
            eprintln!("not run: {what} (no redis-server is installed)");
            None
        }

        pub fn url(&self) -> SecretString {
            format!("redis://127.0.0.1:{}", self.port).into()
        }

        pub fn run(&mut self) -> bool {
            self.running = Command::new("redis-server")
                .args(["--port", &self.port.to_string()])
                .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .ok();
            self.running.is_some()
        }

        pub fn kill(&mut self) {
            if let Some(mut child) = self.running.take() {
                child.kill().unwrap();
                child.wait().unwrap();
            }
        }

        /// A command in its own words, by a connection of its own.
        pub fn tell(&self, command: &str) {
            use std::io::{Read, Write};
            let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.port)).unwrap();
            stream
                .write_all(format!("{command}\r\n").as_bytes())
                .unwrap();
            let mut answer = [0; 64];
            assert!(stream.read(&mut answer).unwrap() > 0);
            assert_ne!(
                answer[0],
                b'-',
                "{command}: {}",
                String::from_utf8_lossy(&answer)
            );
        }

        /// STOP leaves its connections open and silent, CONT wakes it.
        pub fn signal(&self, signal: &str) {
            let id = self.running.as_ref().unwrap().id().to_string();
            let sent = Command::new("kill").args(["-s", signal, &id]).status();
            assert!(sent.unwrap().success());
        }
    }

    impl Drop for OwnServer {
        fn drop(&mut self) {
            self.kill();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        testing::{OwnServer, eventually, shared, unique},
        *,
    };

    #[test]
    fn addresses_of_every_kind_are_understood() {
        assert!(config("redis://:pass@host").is_ok());
        assert!(config("redis://host:6380/2").unwrap().tls.is_none());
        let cluster = config("redis-cluster://a:7000?node=b:7001").unwrap();
        assert!(cluster.server.is_clustered());
        let sentinel = config("redis-sentinel://a:26379?sentinelServiceName=main").unwrap();
        assert!(sentinel.server.is_sentinel());
        for wrong in ["http://host", "redis://", "not an address", ""] {
            assert!(matches!(config(wrong), Err(RedisError::Address(_))));
        }
    }

    #[test]
    fn a_secure_address_trusts_the_systems_authorities() {
        for (url, clustered) in [("rediss://host", false), ("rediss-cluster://host", true)] {
            match config(url) {
                Ok(config) => {
                    assert!(config.uses_rustls());
                    assert_eq!(config.server.is_clustered(), clustered);
                }
                Err(RedisError::Trust(why)) => eprintln!("not run: rediss:// ({why})"),
                Err(other) => panic!("{other}"),
            }
        }
    }

    #[tokio::test]
    async fn an_error_does_not_repeat_the_password() {
        let url = "redis://user:s3cret@host:99999".into();
        let refused = Redis::connect(&url, "one").await.err().unwrap();
        assert!(!format!("{refused} {refused:?}").contains("s3cret"));
    }

    #[tokio::test]
    async fn a_redis_that_is_not_there_costs_nothing_and_may_come_later() {
        let Some(mut server) = OwnServer::start("a start without Redis") else {
            return;
        };
        server.kill();

        let redis = Redis::connect(&server.url(), "one").await.unwrap();
        assert!(!redis.is_up());
        assert_eq!(redis.instances(), 1);
        let asked = Instant::now();
        for _ in 0..1_000 {
            assert!(matches!(redis.ping().await, Err(RedisError::Away)));
        }
        assert!(asked.elapsed() < COMMAND_TIMEOUT);

        server.run();
        eventually("Redis is found", || redis.is_up()).await;
        redis.ping().await.unwrap();
    }

    #[tokio::test]
    async fn what_fred_gives_up_is_tried_again_until_told_to_quit() {
        let Some(server) = OwnServer::start("a cluster that is none") else {
            return;
        };
        let plain = Redis::connect(&server.url(), "one").await.unwrap();
        eventually("Redis is up", || plain.is_up()).await;
        let url = server
            .url()
            .expose_secret()
            .replace("redis:", "redis-cluster:");

        let cluster = Redis::connect(&url.into(), "two").await.unwrap();
        sleep(LOOK_AGAIN * 2).await;
        assert!(!cluster.is_up());
        let asked = Instant::now();
        cluster.quit().await;
        assert!(asked.elapsed() < GOODBYE * 2);
    }

    #[tokio::test]
    async fn nothing_is_left_running_when_it_is_dropped() {
        let Some(server) = OwnServer::start("dropping the connection") else {
            return;
        };
        let redis = Redis::connect(&server.url(), "one").await.unwrap();
        eventually("Redis is up", || redis.is_up()).await;
        let line = Arc::downgrade(&redis.line);
        drop(redis);
        eventually("the task ends", || line.upgrade().is_none()).await;
    }

    #[tokio::test]
    async fn a_redis_that_falls_silent_costs_one_time_out() {
        let Some(server) = OwnServer::start("a silent Redis") else {
            return;
        };
        let redis = Redis::connect(&server.url(), "one").await.unwrap();
        eventually("Redis is up", || redis.is_up()).await;

        server.signal("STOP");
        let asked = Instant::now();
        for _ in 0..100 {
            assert!(redis.ping().await.is_err());
        }
        assert!(asked.elapsed() < 3 * COMMAND_TIMEOUT);

        server.signal("CONT");
        eventually("Redis is back", || redis.is_up()).await;
    }

    #[tokio::test]
    async fn instances_count_each_other_and_one_that_quits_is_gone() {
        let Some(server) = OwnServer::start("counting instances") else {
            return;
        };
        let first = Redis::connect(&server.url(), "first").await.unwrap();
        eventually("Redis is up", || first.is_up()).await;
        let second = Redis::connect(&server.url(), "second").await.unwrap();
        eventually("the second sees both", || second.instances() == 2).await;
        eventually("the first sees both", || first.instances() == 2).await;

        second.quit().await;
        assert!(!second.is_up());
        let left: u64 = first
            .run(|redis| async move { redis.zcard(instances_key()).await })
            .await
            .unwrap();
        assert_eq!(left, 1);
    }

    #[tokio::test]
    async fn a_script_that_redis_has_forgotten_is_sent_again() {
        let Some(server) = OwnServer::start("a forgotten script") else {
            return;
        };
        static ECHO: Script = Script::new("return ARGV[1]");
        let redis = Redis::connect(&server.url(), "one").await.unwrap();
        eventually("Redis is up", || redis.is_up()).await;
        let echo = || async {
            redis
                .run(|redis| async move { ECHO.call(&redis, key("test", "a"), vec![7.into()]).await })
                .await
        };
        let said: u64 = echo().await.unwrap();
        assert_eq!(said, 7);
        redis
            .run(|redis| async move { redis.script_flush(false).await })
            .await
            .unwrap();
        let said: u64 = echo().await.unwrap();
        assert_eq!(said, 7);
    }

    #[tokio::test]
    async fn an_answer_that_is_an_error_is_not_taken_for_absence() {
        let Some(redis) = shared("errors of Redis").await else {
            return;
        };
        let name = key("test", &unique("error"));
        let wrong: Result<u64, _> = redis
            .run(|redis| async move { redis.evalsha("0".repeat(40), name, ()).await })
            .await;
        assert!(matches!(wrong, Err(RedisError::Command(_))));
        assert!(redis.is_up());
    }
}
