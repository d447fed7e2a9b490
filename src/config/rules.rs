//! What must hold between settings. Read from the texts, so that it is said together with what is wrong in any of them.

use super::given::{Given, Source};
use super::parse;
use super::setting::Setting;
use super::settings::SETTINGS;
use super::urls;

/// What the embedded defaults stand in for elsewhere.
const PRODUCTION_NEEDS: [&str; 8] = [
    "DATABASE_URL",
    "REDIS_URL",
    "EMPULSE_STORAGE_URL",
    "SMTP_URL",
    "EMPULSE_SIGNING_KEYS",
    "EMPULSE_ENCRYPTION_KEYS",
    "EMPULSE_PUBLIC_URL",
    "EMPULSE_ALLOWED_ORIGINS",
];

pub(super) fn check(given: &Given, has_embedded_database: bool, problems: &mut Vec<String>) {
    if given.is_production() {
        problems.extend(missing(given));
        problems.extend(unfit_for_production(given));
    } else if !has_embedded_database && !given.is_set("DATABASE_URL") {
        problems.push(
            "DATABASE_URL: this build has no embedded database; \
             set it, such as postgres://user:password@host:5432/empulse"
                .to_owned(),
        );
    }
    if given.is_set("DATABASE_REPLICA_URL") && !given.is_set("DATABASE_URL") {
        problems.push(
            "DATABASE_REPLICA_URL: a copy needs its original; set DATABASE_URL too, or neither"
                .to_owned(),
        );
    }
    for (variable, other) in [
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
        ("AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID"),
    ] {
        if given.is_set(variable) && !given.is_set(other) {
            problems.push(format!(
                "{variable}: it says nothing without {other}; set that too, or neither"
            ));
        }
    }
}

fn missing(given: &Given) -> impl Iterator<Item = String> {
    PRODUCTION_NEEDS
        .iter()
        .filter(|variable| !given.is_set(variable))
        .filter_map(|variable| find(variable))
        .map(|setting| {
            format!(
                "{}: production needs it{}",
                setting.variable,
                setting.such_as_example()
            )
        })
}

fn unfit_for_production(given: &Given) -> impl Iterator<Item = String> {
    let lifts_limits = |text: &str| parse::factor(text).is_ok_and(|factor| factor == 0.0);
    let is_in_clear = |text: &str| urls::base(text).is_ok_and(|url| url.scheme() != "https");
    [
        refuse(
            given,
            "EMPULSE_RATE_FACTOR",
            lifts_limits,
            "0 lifts every limit, which production refuses; such as 1",
        ),
        refuse(
            given,
            "EMPULSE_PUBLIC_URL",
            is_in_clear,
            "production needs https; such as https://api.example.org",
        ),
    ]
    .into_iter()
    .flatten()
}

fn refuse(
    given: &Given,
    variable: &str,
    is_wrong: impl Fn(&str) -> bool,
    why: &str,
) -> Option<String> {
    let setting = find(variable)?;
    let source = given.source(setting);
    // A default that does not fit is named as missing.
    let is_refused = source != Source::Default && is_wrong(&given.effective(setting)?);
    is_refused.then(|| format!("{}: {why}", setting.name_in(source)))
}

fn find(variable: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.variable == variable)
}
