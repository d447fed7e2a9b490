//! Every setting: what it is called, what it means, and what was given for it, read once at the start.
//! A setting is one entry in `settings.rs`; the flag, the variable, the help text and the typed field come from there.
//! Nothing is taken from the process: arguments and environment are passed in.

mod arguments;
mod given;
mod parse;
mod rules;
mod secrets;
mod setting;
mod settings;
mod urls;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

pub use arguments::{Command, KeyKind, command};
pub use given::Source;
pub use parse::{Environment, LogFormat};
pub use secrets::{Challenge, Key, KeyRing, is_key_id};
pub use setting::{Described, Setting};
pub use settings::{Config, SETTINGS};
pub use urls::Clamav;

use given::Given;

/// What the program was asked to do, and with which settings.
#[derive(Debug)]
pub struct Invocation {
    pub command: Command,
    pub config: Config,
}

/// Why the program does not start, or has nothing more to do.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The command line is not one of ours, or asked for help or the version.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// Settings are wrong or missing: all of them, one line each.
    #[error("{}", .0.join("\n"))]
    Settings(Vec<String>),
}

impl Problem {
    /// 0 for help and version, 2 for bad usage, 1 for settings: a flag's wrong value counts as a setting, as the same
    /// value in the environment would.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(error) if error.use_stderr() => 2,
            Self::Usage(_) => 0,
            Self::Settings(_) => 1,
        }
    }

    /// Prints it where it belongs and says how to exit.
    pub fn report(&self) -> ExitCode {
        let printed = match self {
            Self::Usage(error) => error.print(),
            Self::Settings(_) => writeln!(std::io::stderr(), "{self}"),
        };
        // With the stream closed there is nobody left to tell; the exit code still says it.
        let _ = printed;
        ExitCode::from(self.exit_code())
    }
}

/// Reads the command line (`args` begins with the program's name) and the environment.
pub fn read(
    args: impl Iterator<Item = OsString>,
    env: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Invocation, Problem> {
    let matches = command().try_get_matches_from(args)?;
    let command = Command::of(&matches);

    let mut problems = Vec::new();
    // The schema is the same whatever is set: whoever prints it in a build should not need a database's address; and keys
    // are made before they can be set.
    let given = match command {
        Command::Schema | Command::GenerateKeys { .. } => Given::default(),
        _ => {
            let given = Given::collect(&matches, env, &mut problems);
            rules::check(&given, cfg!(feature = "embedded"), &mut problems);
            given
        }
    };
    match Config::from_given(&given, &mut problems) {
        Some(config) if problems.is_empty() => Ok(Invocation { command, config }),
        _ => Err(Problem::Settings(problems)),
    }
}

/// Each setting in the order of `--help`, without the secrets, for `empulse check`.
pub fn describe(config: &Config) -> impl Iterator<Item = &Described> {
    config.described.iter()
}
