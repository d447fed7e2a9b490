//! The command line: the commands, and a flag for each setting.

use std::ffi::OsString;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, value_parser};

use super::secrets::is_key_id;
use super::setting::Setting;
use super::settings::SETTINGS;

const TRACKS: &str = "2000";

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Serve,
    Worker,
    Migrate {
        dry_run: bool,
    },
    Schema,
    Check,
    Demo {
        tracks: u32,
        seed: u64,
        /// How many of them can be heard.
        sound: u32,
    },
    CreateAdmin {
        email: String,
        name: String,
    },
    VerifyAudit,
    GenerateKeys {
        only: Option<KeyKind>,
        id: Option<String>,
    },
    RotateKeys,
}

/// Which ring a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum KeyKind {
    Signing,
    Encryption,
}

impl Command {
    pub(super) fn of(matches: &ArgMatches) -> Self {
        match matches.subcommand() {
            Some(("worker", _)) => Self::Worker,
            Some(("migrate", migrate)) => Self::Migrate {
                dry_run: migrate.get_flag("dry-run"),
            },
            Some(("schema", _)) => Self::Schema,
            Some(("check", _)) => Self::Check,
            Some(("demo", demo)) => Self::Demo {
                tracks: demo.get_one("tracks").copied().unwrap_or_default(),
                seed: demo.get_one("seed").copied().unwrap_or_default(),
                sound: demo.get_one("sound").copied().unwrap_or_default(),
            },
            Some(("admin", admin)) => {
                let create = admin.subcommand().map(|(_, create)| create);
                let text = |name| create?.get_one::<String>(name).cloned();
                Self::CreateAdmin {
                    email: text("email").unwrap_or_default(),
                    name: text("name").unwrap_or_default(),
                }
            }
            Some(("audit", _)) => Self::VerifyAudit,
            Some(("keys", keys)) => match keys.subcommand() {
                Some(("generate", generate)) => Self::GenerateKeys {
                    only: generate.get_one("only").copied(),
                    id: generate.get_one("id").cloned(),
                },
                _ => Self::RotateKeys,
            },
            _ => Self::Serve,
        }
    }
}

pub fn command() -> clap::Command {
    clap::Command::new("empulse")
        .version(env!("CARGO_PKG_VERSION"))
        .about(concat!(env!("CARGO_PKG_DESCRIPTION"), "."))
        .after_help(
            "Without a command it serves; with nothing set it needs nothing else to run.\n\
             A flag counts more than its variable; an empty value counts as none.\n\
             README.md says how to run it, and .env.example lists the settings.",
        )
        .max_term_width(100)
        .subcommands([
            clap::Command::new("serve").about("Starts the service; so does no command at all"),
            clap::Command::new("worker")
                .about("Runs background jobs alone, for deployments that keep them apart"),
            clap::Command::new("migrate")
                .about("Brings the database up to date and says what it ran")
                .arg(
                    Arg::new("dry-run")
                        .long("dry-run")
                        .action(ArgAction::SetTrue)
                        .help("Only says what it would run"),
                ),
            clap::Command::new("schema")
                .about("Prints the schema that it serves, whatever the settings are"),
            clap::Command::new("check").about(
                "Tries every setting and every service it is pointed at, one line each, and exits 1 if any fails",
            ),
            clap::Command::new("demo")
                .about(
                    "Fills a database with a small, believable catalogue and an account of each role, and prints how to sign in",
                )
                .args([
                    Arg::new("tracks")
                        .long("tracks")
                        .value_name("N")
                        .value_parser(value_parser!(u32).range(1..=1_000_000))
                        .default_value(TRACKS)
                        .help("How many tracks, 1 to 1000000"),
                    Arg::new("seed")
                        .long("seed")
                        .value_name("N")
                        .value_parser(value_parser!(u64))
                        .default_value("1")
                        .help("The same seed makes the same catalogue"),
                    Arg::new("sound")
                        .long("sound")
                        .value_name("N")
                        .value_parser(value_parser!(u32).range(0..=100_000))
                        .default_value(TRACKS)
                        .help("How many tracks can be heard, 0 to 100000, beginning with those that are seen first"),
                ]),
            clap::Command::new("admin")
                .about("Looks after administrators")
                .subcommand_required(true)
                .subcommand(
                    clap::Command::new("create")
                        .about(
                            "Makes an administrator, or makes one of an account that is there; asks for the password of a \
                             new one, or reads it from standard input",
                        )
                        .args([
                            Arg::new("email")
                                .long("email")
                                .value_name("ADDRESS")
                                .required(true)
                                .help("Whose account it is"),
                            Arg::new("name")
                                .long("name")
                                .value_name("NAME")
                                .default_value("Administrator")
                                .help("The name of a new account, as others see it"),
                        ]),
                ),
            clap::Command::new("audit")
                .about("Looks after the audit trail")
                .subcommand_required(true)
                .subcommand(clap::Command::new("verify").about(
                    "Walks the trail's chain and its signed heads, names the first event that does not fit, and exits 1 if \
                     there is one",
                )),
            clap::Command::new("keys")
                .about("Looks after keys")
                .subcommand_required(true)
                .subcommands([
                    clap::Command::new("generate")
                        .about(
                            "Prints a new key for each of the two settings, as lines that can be put there, whatever the \
                             settings are",
                        )
                        .args([
                            Arg::new("only")
                                .long("only")
                                .value_name("KIND")
                                .value_parser(value_parser!(KeyKind))
                                .help("Which kind, where not both are wanted"),
                            Arg::new("id")
                                .long("id")
                                .value_name("ID")
                                .value_parser(key_id)
                                .help("What it is called, 1 to 32 of a-z, 0-9 and -; never that of another [default: the day, and a random end]"),
                        ]),
                    clap::Command::new("rotate").about(
                        "Re-encrypts all that is stored under the first of the encryption keys, while the service goes on, \
                         and says which keys are no longer used; ended in the middle, it goes on when it is run again",
                    ),
                ]),
        ])
        .args(SETTINGS.iter().map(flag))
}

fn key_id(text: &str) -> Result<String, &'static str> {
    match is_key_id(text) {
        true => Ok(text.to_owned()),
        false => Err("it is not 1 to 32 of a-z, 0-9 and -"),
    }
}

/// clap's own reading of the environment is not used: it takes it from the process, stops at the first error, and knows
/// nothing of files.
fn flag(setting: &Setting) -> Arg {
    let variables = match setting.file_variable() {
        Some(file) => format!("{}, {file}", setting.variable),
        None => setting.variable.to_owned(),
    };
    Arg::new(setting.variable)
        .long(setting.flag())
        .value_name(setting.placeholder)
        .value_parser(ValueParser::os_string())
        .global(true)
        .help_heading(setting.group)
        .help(format!(
            "{} [default: {}] [env: {variables}]",
            setting.meaning(),
            setting.default_shown(),
        ))
}

/// What the flag of a setting was given.
pub(super) fn flag_value<'a>(matches: &'a ArgMatches, setting: &Setting) -> Option<&'a OsString> {
    matches.get_one(setting.variable)
}
