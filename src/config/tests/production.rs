//! What must be set together, and what production asks for.

use secrecy::ExposeSecret;

use super::*;

#[test]
fn production_refuses_what_only_suits_development() {
    let config = production_but("EMPULSE_JOBS", "on").unwrap().config;
    assert_eq!(config.environment, Environment::Production);
    assert!(!config.introspection);
    assert!(
        production_but("EMPULSE_INTROSPECTION", "on")
            .unwrap()
            .config
            .introspection
    );

    for (variable, value, message) in [
        (
            "EMPULSE_RATE_FACTOR",
            "0",
            "EMPULSE_RATE_FACTOR: 0 lifts every limit, which production refuses; such as 1",
        ),
        (
            "EMPULSE_PUBLIC_URL",
            "http://a.example",
            "EMPULSE_PUBLIC_URL: production needs https; such as https://api.example.org",
        ),
        (
            "REDIS_URL",
            "",
            "REDIS_URL: production needs it; such as rediss://user:password@host:6379",
        ),
    ] {
        let problem = production_but(variable, value).unwrap_err();
        assert_eq!(problem.to_string(), message);
        assert_eq!(problem.exit_code(), 1);
    }
}

#[test]
fn a_build_without_an_embedded_database_asks_for_one() {
    let mut found = Vec::new();
    rules::check(&Given::default(), false, &mut found);
    assert_eq!(
        found,
        [
            "DATABASE_URL: this build has no embedded database; set it, such as postgres://user:password@host:5432/empulse"
        ]
    );
    found.clear();
    rules::check(&Given::default(), true, &mut found);
    assert!(found.is_empty());
}

#[test]
fn a_copy_of_the_database_needs_its_original() {
    let found = problems(&[], &[("DATABASE_REPLICA_URL", "postgres://h/d")]);
    assert_eq!(
        found,
        ["DATABASE_REPLICA_URL: a copy needs its original; set DATABASE_URL too, or neither"]
    );
}

#[test]
fn parts_of_credentials_come_together() {
    for (given, other) in [
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
        ("AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID"),
    ] {
        assert_eq!(
            problems(&[], &[(given, "x")]),
            [format!(
                "{given}: it says nothing without {other}; set that too, or neither"
            )]
        );
    }
    let file = SecretFile::new("aws", b"from-a-file\n");
    let config = config(&[
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY_FILE", file.path()),
    ]);
    let secret = config.aws_secret_access_key.unwrap();
    assert_eq!(secret.expose_secret(), "from-a-file");
}

#[test]
fn aws_own_names_are_taken_as_they_are() {
    let config = config(&[
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/run/token"),
        ("AWS_ALLOW_INVALID_CERTIFICATES", "true"),
        ("AWS_SKIP_SIGNATURE", "true"),
    ]);
    assert_eq!(
        config.aws,
        [
            ("AWS_DEFAULT_REGION", "eu-west-1".to_owned()),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/run/token".to_owned()),
        ]
    );
}
