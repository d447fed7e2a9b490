//! The list of all settings. An entry's comment is its help text; what follows the field is how its text is read, and
//! what it is called outside.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

use super::given::Given;
use super::parse::{self, Environment, LogFormat, list, optional, required};
use super::secrets::{self, Challenge, KeyRing};
use super::setting::{Described, Reader, Setting};
use super::urls::{self, Clamav};

/// The entries become the table, the typed fields and their reading, so that none of the three can lack one.
macro_rules! settings {
    ($(
        $group:literal {
            $( $(#[doc = $meaning:literal])+ $field:ident: $type:ty = $parse:expr, $setting:expr; )+
        }
    )+) => {
        /// All settings, in the order of `--help`.
        pub static SETTINGS: &[Setting] = &[$($( $setting.documented($group, concat!($($meaning),+)) ),+),+];

        /// The settings, checked.
        #[derive(Debug, Clone)]
        pub struct Config {
            $($( $(#[doc = $meaning])+ pub $field: $type, )+)+
            /// Further `AWS_*` names, as they were given: where else credentials come from, and how S3 is spoken to.
            pub aws: Vec<(&'static str, String)>,
            pub(super) described: Vec<Described>,
        }

        impl Config {
            /// Reads on after an error, so that `problems` names all there are.
            pub(super) fn from_given(given: &Given, problems: &mut Vec<String>) -> Option<Self> {
                let mut reader = Reader::new(given, problems);
                $($( let $field = reader.field(&$setting, $parse); )+)+
                Some(Self {
                    $($( $field: $field?, )+)+
                    aws: given.aws().to_vec(),
                    described: reader.described(),
                })
            }
        }
    };
}

settings! {
    "Service" {
        /// development, or production, which refuses to start without all that the embedded defaults stand in for.
        environment: Environment = required(parse::environment),
            Setting::new("EMPULSE_ENV", "NAME").or("development");

        /// Folder of everything that the embedded defaults keep.
        data_dir: PathBuf = required(parse::path),
            Setting::new("EMPULSE_DATA_DIR", "FOLDER").or("./data");

        /// Whether this instance runs background jobs too; off: it serves only.
        jobs: bool = required(parse::on_off),
            Setting::new("EMPULSE_JOBS", "on|off").or("on");

        /// Whether the schema can be asked for.
        introspection: bool = required(parse::on_off),
            Setting::new("EMPULSE_INTROSPECTION", "on|off")
                .or_follows("on in development, off in production", |given| {
                    if given.is_production() { "off" } else { "on" }.to_owned()
                });

        /// A manifest of operations; set, no other operation runs.
        trusted_documents: Option<PathBuf> = optional(parse::path),
            Setting::new("EMPULSE_TRUSTED_DOCUMENTS", "FILE").such_as("./operations.json");

        /// Multiplies every rate limit; 0 lifts them, for load tests, and is refused in production.
        rate_factor: f64 = required(parse::factor),
            Setting::new("EMPULSE_RATE_FACTOR", "NUMBER").or("1").such_as("0.5");
    }

    "Addresses" {
        /// Address of the API; port 0 picks a free one, and the log names it.
        listen: SocketAddr = required(parse::address),
            Setting::new("EMPULSE_LISTEN", "ADDRESS").or("127.0.0.1:8000").such_as("127.0.0.1:8000");

        /// How clients reach the API; https in production.
        public_url: Url = required(urls::base),
            Setting::new("EMPULSE_PUBLIC_URL", "URL").or("http://localhost:8000").such_as("https://api.example.org");

        /// Where links in mails lead.
        web_url: Url = required(urls::base),
            Setting::new("EMPULSE_WEB_URL", "URL")
                .or_follows("the public URL", |given| given.effective_of("EMPULSE_PUBLIC_URL"))
                .such_as("https://www.example.org");

        /// Browsers' origins that may call, separated by commas.
        allowed_origins: Vec<String> = list(urls::origin),
            Setting::new("EMPULSE_ALLOWED_ORIGINS", "ORIGINS").or_unset("none").such_as("https://www.example.org");

        /// Networks whose Forwarded and X-Forwarded-For are believed, separated by commas.
        trusted_proxies: Vec<IpNet> = list(parse::network),
            Setting::new("EMPULSE_TRUSTED_PROXIES", "NETWORKS").or_unset("none").such_as("10.0.0.0/8,192.168.1.7");

        /// A built web client to serve.
        web_dir: Option<PathBuf> = optional(parse::path),
            Setting::new("EMPULSE_WEB_DIR", "FOLDER").such_as("./web/dist");
    }

    "Stores" {
        /// PostgreSQL 15 or newer; TLS by sslmode (disable, prefer, require, verify-ca or verify-full).
        database_url: Option<SecretString> = optional(urls::postgres),
            Setting::new("DATABASE_URL", "URL").or_unset("unset: embedded").secret()
                .such_as("postgres://user:password@host:5432/empulse?sslmode=verify-full");

        /// Connections to each database at most, 2 to 500; half are for what writes. One more asks for health, one hears of jobs.
        database_pool: u32 = required(parse::pool),
            Setting::new("EMPULSE_DATABASE_POOL", "NUMBER").or("10").such_as("10");

        /// A copy of the database for reads that may lag.
        database_replica_url: Option<SecretString> = optional(urls::postgres),
            Setting::new("DATABASE_REPLICA_URL", "URL").secret()
                .such_as("postgres://user:password@replica:5432/empulse?sslmode=verify-full");

        /// Redis or Valkey: redis:// or, with TLS, rediss://; redis-cluster:// and redis-sentinel:// for several.
        redis_url: Option<SecretString> = optional(urls::redis),
            Setting::new("REDIS_URL", "URL").or_unset("unset: in process").secret()
                .such_as("rediss://user:password@host:6379");

        /// Where files are kept: file:///… or s3://bucket/prefix; credentials and endpoint by the usual AWS_* names.
        storage_url: Option<Url> = optional(urls::storage),
            Setting::new("EMPULSE_STORAGE_URL", "URL").or_unset("unset: data folder").such_as("s3://bucket/prefix");

        /// The access key of S3; without one it is asked for where AWS_* names say, or else the machine.
        aws_access_key_id: Option<SecretString> = optional(secrets::aws),
            Setting::new("AWS_ACCESS_KEY_ID", "ID").secret().such_as("<20 characters>");

        /// What the access key signs with.
        aws_secret_access_key: Option<SecretString> = optional(secrets::aws),
            Setting::new("AWS_SECRET_ACCESS_KEY", "SECRET").secret().such_as("<40 characters>");

        /// What goes with an access key that is for a while only.
        aws_session_token: Option<SecretString> = optional(secrets::aws),
            Setting::new("AWS_SESSION_TOKEN", "TOKEN").secret().such_as("<token>");

        /// The bucket's region; auto for R2.
        aws_region: Option<String> = optional(parse::region),
            Setting::new("AWS_REGION", "NAME").or_unset("AWS_DEFAULT_REGION, or else us-east-1")
                .such_as("eu-central-1");

        /// Where S3 is spoken to if not at AWS, such as R2 or MinIO; clients fetch files from there too.
        aws_endpoint_url: Option<Url> = optional(urls::base),
            Setting::new("AWS_ENDPOINT_URL", "URL").or_unset("AWS")
                .such_as("https://<account>.r2.cloudflarestorage.com");

        /// Base of public files' addresses.
        cdn_url: Option<Url> = optional(urls::base),
            Setting::new("EMPULSE_CDN_URL", "URL").such_as("https://cdn.example.org");
    }

    "Mail" {
        /// The mail server: smtp:// (STARTTLS) or smtps://.
        smtp_url: Option<SecretString> = optional(urls::smtp),
            Setting::new("SMTP_URL", "URL").or_unset("unset: mail/*.eml in the data folder").secret()
                .such_as("smtp://user:password@host:587");

        /// Whom mails come from.
        mail_from: String = required(parse::mailbox),
            Setting::new("EMPULSE_MAIL_FROM", "MAILBOX").or("Empulse <no-reply@localhost>")
                .such_as("Empulse <no-reply@example.org>");
    }

    "Keys and checks" {
        /// Private keys of access tokens as id:hex, separated by commas; the first signs.
        signing_keys: Option<KeyRing> = optional(secrets::key_ring),
            Setting::new("EMPULSE_SIGNING_KEYS", "KEYS").or_unset("generated into the data folder").secret()
                .such_as("2030-01:<64 digits, by openssl rand -hex 32>");

        /// Keys of 32 bytes as id:hex, separated by commas; the first encrypts.
        encryption_keys: Option<KeyRing> = optional(secrets::key_ring),
            Setting::new("EMPULSE_ENCRYPTION_KEYS", "KEYS").or_unset("generated into the data folder").secret()
                .such_as("2030-01:<64 digits, by openssl rand -hex 32>");

        /// What tells people from robots: altcha, turnstile:SITE:SECRET or hcaptcha:SITE:SECRET.
        challenge: Challenge = required(secrets::challenge),
            Setting::new("EMPULSE_CHALLENGE", "PROVIDER").or("altcha").secret();

        /// A scanner of uploads, tcp://host:3310 or unix:///…; set, a file that can't be scanned is not published.
        clamav: Option<Clamav> = optional(urls::clamav),
            Setting::new("EMPULSE_CLAMAV", "URL").or_unset("unset: not scanned").such_as("tcp://localhost:3310");

        /// A larger list of breached passwords, of SHA-1 or plain lines.
        breached_passwords: Option<PathBuf> = optional(parse::path),
            Setting::new("EMPULSE_BREACHED_PASSWORDS", "FILE").or_unset("unset: the bundled filter")
                .such_as("./breached.txt");
    }

    "Telemetry" {
        /// Where traces, metrics and logs go; the other OTEL_* names count as OpenTelemetry has them.
        otlp_endpoint: Option<Url> = optional(urls::base),
            Setting::new("OTEL_EXPORTER_OTLP_ENDPOINT", "URL").or_unset("unset: no export")
                .such_as("http://localhost:4318");

        /// Address of the Prometheus page.
        metrics_listen: Option<SocketAddr> = optional(parse::address),
            Setting::new("EMPULSE_METRICS_LISTEN", "ADDRESS").such_as("127.0.0.1:9464");

        /// What is logged, as tracing's filters have it.
        log_filter: String = required(parse::log_filter),
            Setting::new("RUST_LOG", "FILTER").or("info").such_as("info,empulse=debug");

        /// How it is logged: text, json, or auto: text on a terminal, JSON lines otherwise.
        log_format: LogFormat = required(parse::log_format),
            Setting::new("EMPULSE_LOG_FORMAT", "FORMAT").or("auto");
    }
}
