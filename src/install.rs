//! The commands that make accounts: `empulse admin create`, and those of the demo.

use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal};

use secrecy::{ExposeSecret, SecretString};

use crate::accounts::{Accounts, Fault, Installation, Role};
use crate::catalogue::artist_of_account;
use crate::config::Environment;
use crate::demo;

/// What is wrong with what was typed, without any of it that is secret.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Mistyped(String);

/// Makes an administrator of an account that is there, or a new one; what to tell whoever asked.
pub async fn create_admin(
    accounts: &Accounts,
    email: String,
    name: String,
) -> anyhow::Result<String> {
    if let Some(account) = accounts.promote(&email, Role::Admin).await.map_err(told)? {
        return Ok(format!(
            "{} is an administrator now; the password stays as it was.{}",
            account.email,
            what_rights_need(accounts)
        ));
    }
    let installation = Installation {
        email,
        display_name: name,
        password: ask_password()?,
        roles: vec![Role::Admin],
    };
    let account = accounts
        .install(installation, artist_of_account)
        .await
        .map_err(told)?;
    Ok(format!(
        "{} can sign in as an administrator.{}",
        account.email,
        what_rights_need(accounts)
    ))
}

fn what_rights_need(accounts: &Accounts) -> &'static str {
    match accounts.app().config.environment {
        Environment::Development => "",
        Environment::Production => {
            " The rights count once two-factor authentication is set up, by beginTwoFactor and confirmTwoFactor."
        }
    }
}

/// An account of each role, with a new password each time: one that is known to everybody would be an open door. What is
/// told is told at once: whatever fails afterwards, whoever asked can sign in.
pub async fn demo(accounts: &Accounts, mut tell: impl FnMut(&str)) -> anyhow::Result<()> {
    let password = SecretString::from(rand::random_iter::<u16>().take(5).fold(
        String::from("demo"),
        |mut text, number| {
            // Writing to a text can't fail.
            let _ = write!(text, "-{number:04x}");
            text
        },
    ));
    tell(&format!(
        "Sign in by the mutation login; the password is {}",
        password.expose_secret()
    ));
    let mut made = Vec::new();
    for (mailbox, name, role) in [
        ("listener", "Lin Hart", Role::Listener),
        ("artist", "Ari Moss", Role::Artist),
        ("moderator", "Mo Field", Role::Moderator),
        ("admin", "Ada Stone", Role::Admin),
    ] {
        let email = format!("{mailbox}@example.org");
        let installation = Installation {
            email: email.clone(),
            display_name: name.into(),
            password: password.clone(),
            roles: vec![role],
        };
        let account = accounts.install(installation, artist_of_account).await;
        made.push(account.map_err(told)?);
        tell(&format!("  {email}"));
    }
    if let [_, artist, moderator, _] = made.as_slice() {
        demo::make_music(accounts.app(), artist, moderator).await?;
        tell(
            "The artist has an album, a track that was published and one that waits for the moderator.\n",
        );
    }
    Ok(())
}

fn ask_password() -> anyhow::Result<SecretString> {
    let asked = match io::stdin().is_terminal() {
        true => {
            let password = rpassword::prompt_password("Password: ")?;
            anyhow::ensure!(
                rpassword::prompt_password("Again: ")? == password,
                "the two passwords differ; nothing was changed"
            );
            password
        }
        false => {
            let mut line = String::new();
            io::stdin().lock().read_line(&mut line)?;
            line.trim_end_matches(['\r', '\n']).to_owned()
        }
    };
    anyhow::ensure!(
        !asked.is_empty(),
        "no password was given; type it when asked, or send it on the standard input"
    );
    Ok(asked.into())
}

fn told(fault: Fault) -> anyhow::Error {
    match fault {
        Fault::Mistakes(mistakes) => {
            let messages: Vec<_> = mistakes.iter().map(|mistake| &*mistake.message).collect();
            Mistyped(messages.join(" ")).into()
        }
        Fault::Database(error) => error.into(),
        Fault::Limited { .. } => anyhow::anyhow!("asked for too often"),
        Fault::Conflict(message) | Fault::Csrf(message) => anyhow::anyhow!(message),
        Fault::BadInput(message) => anyhow::anyhow!(message),
        Fault::Refused(_) => anyhow::anyhow!("this may not be done"),
        Fault::Unavailable(reason) | Fault::Internal(reason) => anyhow::anyhow!(reason),
    }
}
