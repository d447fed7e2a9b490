//! What was given for the settings, still as text: by flag, variable or file, and what is no setting at all.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::fmt;

use clap::ArgMatches;

use super::arguments::flag_value;
use super::setting::Setting;
use super::settings::SETTINGS;

const PREFIX: &str = "EMPULSE_";

/// Names of AWS' own that count as AWS has them. None of them holds a secret: they say where one is.
const AWS: [&str; 13] = [
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_STS",
    "AWS_METADATA_ENDPOINT",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SERVER_SIDE_ENCRYPTION",
    "AWS_SSE_KMS_KEY_ID",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
];

/// Where a value was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Flag,
    Environment,
    File,
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => "file",
            Self::Default => "default",
        })
    }
}

/// The texts by variable. Not `Debug`, as secrets are among them.
#[derive(Default)]
pub(super) struct Given {
    texts: HashMap<&'static str, Text>,
    aws: Vec<(&'static str, String)>,
}

enum Text {
    Found(String, Source),
    /// Given in a way that was already refused; so it is neither read nor missing.
    Refused,
}

impl Given {
    pub fn collect(
        matches: &ArgMatches,
        env: impl Iterator<Item = (OsString, OsString)>,
        problems: &mut Vec<String>,
    ) -> Self {
        let env: Environ = env
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
            .collect();
        let mut texts = HashMap::new();
        for setting in SETTINGS {
            let text = match find(setting, flag_value(matches, setting), &env) {
                Ok(None) => continue,
                Ok(Some((text, source))) => Text::Found(text, source),
                Err(problem) => {
                    problems.push(problem);
                    Text::Refused
                }
            };
            texts.insert(setting.variable, text);
        }
        problems.extend(
            env.iter()
                .filter(|(name, value)| is_stray(name, value))
                .map(|(name, _)| unknown(name)),
        );
        let aws = AWS
            .into_iter()
            .filter_map(|name| Some((name, env.get(name)?)))
            .filter_map(|(name, value)| match value.to_str() {
                Some(text) => Some((name, text.to_owned())),
                None => {
                    problems.push(format!("{name}: its value is not UTF-8 text"));
                    None
                }
            })
            .collect();
        Self { texts, aws }
    }

    /// Those of AWS' names that are given and no settings of ours.
    pub fn aws(&self) -> &[(&'static str, String)] {
        &self.aws
    }

    pub fn source(&self, setting: &Setting) -> Source {
        match self.texts.get(setting.variable) {
            Some(Text::Found(_, source)) => *source,
            _ => Source::Default,
        }
    }

    /// What was given, or else the default.
    pub fn effective(&self, setting: &Setting) -> Option<Cow<'_, str>> {
        match self.texts.get(setting.variable) {
            Some(Text::Found(text, _)) => Some(text.into()),
            _ => setting.default_text(self),
        }
    }

    /// The same by name, empty where there is none.
    pub fn effective_of(&self, variable: &str) -> String {
        SETTINGS
            .iter()
            .find(|setting| setting.variable == variable)
            .and_then(|setting| self.effective(setting))
            .unwrap_or_default()
            .into_owned()
    }

    pub fn is_set(&self, variable: &str) -> bool {
        self.texts.contains_key(variable)
    }

    pub fn is_production(&self) -> bool {
        self.effective_of("EMPULSE_ENV") == "production"
    }
}

/// By name and in order, so that messages come in the same order each time.
type Environ = BTreeMap<String, OsString>;

fn find(
    setting: &Setting,
    flag: Option<&OsString>,
    env: &Environ,
) -> Result<Option<(String, Source)>, String> {
    if let Some(value) = flag {
        // An empty flag is how to unset what the environment holds.
        return if value.is_empty() {
            Ok(None)
        } else {
            text(setting, value, Source::Flag).map(Some)
        };
    }
    let file_variable = setting.file_variable();
    let file = file_variable
        .as_ref()
        .and_then(|variable| Some((variable, env.get(variable)?)));
    match (env.get(setting.variable), file) {
        (None, None) => Ok(None),
        (Some(value), None) => text(setting, value, Source::Environment).map(Some),
        (None, Some((variable, path))) => {
            contents(variable, path).map(|text| Some((text, Source::File)))
        }
        (Some(_), Some((variable, _))) => Err(format!(
            "{}: {variable} is set too; only one of them can count",
            setting.variable
        )),
    }
}

fn text(setting: &Setting, value: &OsStr, source: Source) -> Result<(String, Source), String> {
    match value.to_str() {
        Some(text) => Ok((text.to_owned(), source)),
        None => Err(format!(
            "{}: its value is not UTF-8 text{}",
            setting.name_in(source),
            setting.such_as_example()
        )),
    }
}

fn contents(variable: &str, path: &OsStr) -> Result<String, String> {
    let shown = quoted(&path.to_string_lossy());
    match std::fs::read_to_string(path) {
        Ok(text) => match text.trim_end_matches(['\r', '\n']) {
            // Not the same as unset: a secret that was not mounted would start the embedded default in its stead.
            "" => Err(format!("{variable}: the file {shown} is empty")),
            text => Ok(text.to_owned()),
        },
        Err(error) => Err(format!(
            "{variable}: the file {shown} can't be read: {error}"
        )),
    }
}

/// A value for a message, unless it looks like an address with a password in it.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    if text.contains('@') && text.contains(':') {
        return "its value (not shown, as it may hold a password)".to_owned();
    }
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

fn known_names() -> impl Iterator<Item = Cow<'static, str>> {
    SETTINGS.iter().flat_map(|setting| {
        [
            Some(setting.variable.into()),
            setting.file_variable().map(Cow::Owned),
        ]
        .into_iter()
        .flatten()
    })
}

/// Has our prefix, but is not ours.
fn is_stray(name: &str, value: &OsStr) -> bool {
    name.starts_with(PREFIX)
        && !known_names().any(|known| known == name)
        && !is_injected(name, value)
}

fn unknown(name: &str) -> String {
    match nearest(name) {
        Some(known) => format!("{name}: there is no such setting; did you mean {known}?"),
        None => format!("{name}: there is no such setting; `empulse --help` lists those there are"),
    }
}

/// Whether Kubernetes sets it in each pod beside a Service named `empulse` or `empulse-…`.
fn is_injected(name: &str, value: &OsStr) -> bool {
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        // Kubernetes writes an address here; a plain number is somebody's guess at a setting, and worth an answer.
        || name.ends_with("_PORT") && value.to_string_lossy().contains("://")
        || name
            .match_indices("_PORT_")
            .any(|(at, port)| is_numbered_port(&name[at + port.len()..]))
}

/// `8000_TCP` and what goes with it.
fn is_numbered_port(rest: &str) -> bool {
    let Some((number, rest)) = rest.split_once('_') else {
        return false;
    };
    let (protocol, part) = rest.split_once('_').unwrap_or((rest, "PORT"));
    number.parse::<u16>().is_ok()
        && ["TCP", "UDP", "SCTP"].contains(&protocol)
        && ["ADDR", "PORT", "PROTO"].contains(&part)
}

/// The known name that the fewest changes lead to, if they are fewer than half of what was written.
fn nearest(name: &str) -> Option<Cow<'static, str>> {
    // Not all names have the prefix: EMPULSE_DATABASE_URL should lead to DATABASE_URL.
    let bare = name.strip_prefix(PREFIX).unwrap_or(name);
    known_names()
        .map(|known| (changes(name, &known).min(changes(bare, &known)), known))
        .min()
        .filter(|(count, _)| *count <= bare.len() / 2)
        .map(|(_, known)| known)
}

/// Levenshtein's distance, row by row.
fn changes(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}
