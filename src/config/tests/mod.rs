//! The settings as the outside meets them: through `read`, with everything passed in.

mod commands;
mod production;
mod sources;
mod values;

use std::path::PathBuf;

use super::*;

const CANARY: &str = "canary-5f1d";

fn run(args: &[&str], env: &[(&str, &str)]) -> Result<Invocation, Problem> {
    read(
        std::iter::once("empulse")
            .chain(args.iter().copied())
            .map(OsString::from),
        env.iter().map(|(name, value)| (name.into(), value.into())),
    )
}

fn config(env: &[(&str, &str)]) -> Config {
    run(&[], env).unwrap().config
}

fn problems(args: &[&str], env: &[(&str, &str)]) -> Vec<String> {
    match run(args, env) {
        Err(Problem::Settings(problems)) => problems,
        other => panic!("expected wrong settings, got {other:?}"),
    }
}

fn key(digit: char) -> String {
    digit.to_string().repeat(64)
}

/// A file of its own for a test, gone with it.
struct SecretFile(PathBuf);

impl SecretFile {
    fn new(name: &str, text: &[u8]) -> Self {
        let path =
            std::env::temp_dir().join(format!("empulse-config-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

fn production() -> Vec<(&'static str, String)> {
    vec![
        ("EMPULSE_ENV", "production".into()),
        (
            "DATABASE_URL",
            format!("postgres://u:{CANARY}@h/d?sslmode=require"),
        ),
        (
            "DATABASE_REPLICA_URL",
            format!("postgresql://u:{CANARY}@h/d"),
        ),
        (
            "REDIS_URL",
            format!("redis-cluster://u:{CANARY}@h:6379?node=i:6379"),
        ),
        ("EMPULSE_STORAGE_URL", "s3://bucket/prefix".into()),
        ("AWS_ACCESS_KEY_ID", CANARY.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", CANARY.to_owned()),
        ("AWS_SESSION_TOKEN", CANARY.to_owned()),
        ("SMTP_URL", format!("smtp://u:{CANARY}@h:587")),
        (
            "EMPULSE_SIGNING_KEYS",
            format!("a:{}", "c0ffee00".repeat(8)),
        ),
        (
            "EMPULSE_ENCRYPTION_KEYS",
            format!("b:{}", "c0ffee00".repeat(8)),
        ),
        ("EMPULSE_CHALLENGE", format!("hcaptcha:site:{CANARY}")),
        ("EMPULSE_PUBLIC_URL", "https://api.example.org".into()),
        ("EMPULSE_ALLOWED_ORIGINS", "https://www.example.org".into()),
    ]
}

fn production_but(variable: &'static str, value: &str) -> Result<Invocation, Problem> {
    let mut env = production();
    env.retain(|(name, _)| *name != variable);
    env.push((variable, value.to_owned()));
    let env: Vec<(&str, &str)> = env
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    run(&[], &env)
}
