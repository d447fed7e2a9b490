//! What is known of a setting before any value is given, and how a value becomes a field.

use std::borrow::Cow;

use super::given::{Given, Source, quoted};
use super::parse::{Parsed, Wrong};

/// One setting: a flag and a variable with one meaning.
#[derive(Clone, Copy)]
pub struct Setting {
    /// The environment's name for it, and ours in messages.
    pub variable: &'static str,
    /// What stands for the value in `--help`.
    pub placeholder: &'static str,
    pub(super) otherwise: Otherwise,
    /// A value that is right; left out where the message lists all there are.
    pub example: Option<&'static str>,
    pub secret: bool,
    /// The heading that it stands under.
    pub group: &'static str,
    meaning: &'static str,
}

/// What holds when nothing is given.
#[derive(Clone, Copy)]
pub(super) enum Otherwise {
    /// This text, read like any other.
    Value(&'static str),
    /// No value, and what that means.
    Unset(&'static str),
    /// What other settings lead to, and how to say it.
    Follows(&'static str, fn(&Given) -> String),
}

impl Setting {
    pub(super) const fn new(variable: &'static str, placeholder: &'static str) -> Self {
        Self {
            variable,
            placeholder,
            otherwise: Otherwise::Unset("unset"),
            example: None,
            secret: false,
            group: "",
            meaning: "",
        }
    }

    pub(super) const fn or(mut self, default: &'static str) -> Self {
        self.otherwise = Otherwise::Value(default);
        self
    }

    pub(super) const fn or_unset(mut self, means: &'static str) -> Self {
        self.otherwise = Otherwise::Unset(means);
        self
    }

    pub(super) const fn or_follows(
        mut self,
        says: &'static str,
        value: fn(&Given) -> String,
    ) -> Self {
        self.otherwise = Otherwise::Follows(says, value);
        self
    }

    pub(super) const fn such_as(mut self, example: &'static str) -> Self {
        self.example = Some(example);
        self
    }

    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    pub(super) const fn documented(mut self, group: &'static str, meaning: &'static str) -> Self {
        self.group = group;
        self.meaning = meaning;
        self
    }

    pub fn meaning(&self) -> &'static str {
        // It is made of doc comments, whose lines begin with a space.
        self.meaning.trim()
    }

    /// The flag without its dashes: the variable without our prefix.
    pub fn flag(&self) -> String {
        ["EMPULSE_", "RUST_"]
            .iter()
            .find_map(|prefix| self.variable.strip_prefix(prefix))
            .unwrap_or(self.variable)
            .to_ascii_lowercase()
            .replace('_', "-")
    }

    /// The variable that names a file with the value.
    pub fn file_variable(&self) -> Option<String> {
        self.secret.then(|| format!("{}_FILE", self.variable))
    }

    pub fn default_shown(&self) -> &'static str {
        match self.otherwise {
            Otherwise::Value(text) | Otherwise::Unset(text) | Otherwise::Follows(text, _) => text,
        }
    }

    pub(super) fn default_text(&self, given: &Given) -> Option<Cow<'static, str>> {
        match self.otherwise {
            Otherwise::Value(text) => Some(text.into()),
            Otherwise::Unset(_) => None,
            Otherwise::Follows(_, value) => Some(value(given).into()),
        }
    }

    /// How a person would have named it where they set it.
    pub(super) fn name_in(&self, source: Source) -> String {
        match source {
            Source::Flag => format!("--{}", self.flag()),
            Source::File => format!("{}_FILE", self.variable),
            Source::Environment | Source::Default => self.variable.to_owned(),
        }
    }

    /// The end of a message: what would be right.
    pub(super) fn such_as_example(&self) -> String {
        self.example
            .map(|example| format!("; such as {example}"))
            .unwrap_or_default()
    }
}

/// A setting as it was read, fit to be shown.
#[derive(Debug, Clone)]
pub struct Described {
    pub name: &'static str,
    /// The value as given, or what its absence means; for a secret only that it is `set`.
    pub value: String,
    pub source: Source,
}

/// Makes fields of what was given, and notes what is wrong and what was found.
pub(super) struct Reader<'a> {
    given: &'a Given,
    problems: &'a mut Vec<String>,
    described: Vec<Described>,
}

impl<'a> Reader<'a> {
    pub fn new(given: &'a Given, problems: &'a mut Vec<String>) -> Self {
        Self {
            given,
            problems,
            described: Vec::new(),
        }
    }

    /// `None` when the value is wrong, which is noted, so that the rest can be read on and all be said at once.
    pub fn field<T>(
        &mut self,
        setting: &Setting,
        parse: impl Fn(Option<&str>) -> Parsed<T>,
    ) -> Option<T> {
        let source = self.given.source(setting);
        let text = self.given.effective(setting);
        match parse(text.as_deref()) {
            Ok(field) => {
                self.described.push(Described {
                    name: setting.variable,
                    value: match (source, text) {
                        (Source::Default, None) => setting.default_shown().to_owned(),
                        (Source::Default, Some(text)) => text.into_owned(),
                        _ if setting.secret => "set".to_owned(),
                        (_, text) => text.unwrap_or_default().into_owned(),
                    },
                    source,
                });
                Some(field)
            }
            Err(wrong) => {
                // A default is wrong only by what it follows, which is named for itself.
                if source != Source::Default {
                    self.problems
                        .push(refusal(setting, source, &text.unwrap_or_default(), wrong));
                }
                None
            }
        }
    }

    pub fn described(self) -> Vec<Described> {
        self.described
    }
}

fn refusal(setting: &Setting, source: Source, text: &str, wrong: Wrong) -> String {
    let subject = if setting.secret {
        "its value".to_owned()
    } else {
        quoted(wrong.part.as_deref().unwrap_or(text))
    };
    format!(
        "{}: {subject} {}{}",
        setting.name_in(source),
        wrong.why,
        setting.such_as_example()
    )
}
