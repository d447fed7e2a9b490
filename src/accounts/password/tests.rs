//! Passwords as the rest of the service meets them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;

/// As little work as Argon2 allows, so that the tests of everything else are quick.
fn light() -> Params {
    Params::new(64, 1, 1, Some(argon::OUTPUT)).unwrap()
}

fn passwords(params: Params) -> Passwords {
    Passwords {
        pool: Pool::new(2, Duration::from_secs(10)),
        params,
        breached: Arc::new(Breached::open(None).unwrap()),
    }
}

fn ada() -> EmailAddress {
    EmailAddress::parse("ada.lovelace+music@example.org").unwrap()
}

fn check(password: &str) -> Result<(), PasswordFault> {
    passwords(light())
        .check(password, Some(&ada()), "Ada King")
        .map(drop)
}

async fn hash(passwords: &Passwords, password: &str) -> PasswordHash {
    let new = passwords.check(password, Some(&ada()), "Ada King").unwrap();
    passwords.hash(new).await.unwrap()
}

async fn verify(passwords: &Passwords, password: &str, hash: &str) -> Verified {
    passwords
        .verify(password, Some(&PasswordHash::stored(hash)))
        .await
        .unwrap()
}

#[test]
fn a_password_has_12_to_128_characters_of_any_kind() {
    assert_eq!(check("short"), Err(PasswordFault::TooShort));
    assert_eq!(check("walnutferr1"), Err(PasswordFault::TooShort));
    assert_eq!(check("walnut ferry"), Ok(()));
    assert_eq!(check("🎹🎷🎺🎸🪕🎻🥁🪘🎤🎧📻🎚"), Ok(()));
    assert_eq!(
        check("🎹🎷🎺🎸🪕🎻🥁🪘🎤🎧📻"),
        Err(PasswordFault::TooShort)
    );
    // Twelve code points on the keyboard, eleven characters once composed.
    assert_eq!(check("walnutferre\u{301}"), Err(PasswordFault::TooShort));

    let long: String = "walnut ferry quilt ".chars().cycle().take(128).collect();
    assert_eq!(check(&long), Ok(()));
    assert_eq!(check(&format!("{long}x")), Err(PasswordFault::TooLong));
    assert_eq!(check(&"é".repeat(128)), Ok(()));
    assert_eq!(check(&"e\u{301}".repeat(128)), Ok(()));
    assert_eq!(check(&"e\u{301}".repeat(129)), Err(PasswordFault::TooLong));
    assert_eq!(check(&"x".repeat(1 << 20)), Err(PasswordFault::TooLong));
}

#[test]
fn a_password_holds_neither_name_nor_address() {
    assert_eq!(
        check("ada-KING in the tower"),
        Err(PasswordFault::HoldsName)
    );
    assert_eq!(
        check("my AdaLovelace song"),
        Err(PasswordFault::HoldsAddress)
    );
    assert_eq!(
        check("ada.lovelace+music@example.org!"),
        Err(PasswordFault::HoldsAddress)
    );
    assert_eq!(check("the king of walnuts"), Ok(()));

    // Short names are in too much by chance.
    let passwords = passwords(light());
    let short = EmailAddress::parse("al@example.org").unwrap();
    assert!(
        passwords
            .check("walnut altar ferry", Some(&short), "Al")
            .is_ok()
    );
    assert!(
        passwords
            .check("walnut altar ferry", Some(&short), "🎹🎹🎹🎹")
            .is_ok()
    );
}

#[test]
fn a_password_is_not_among_the_commonest() {
    assert_eq!(check("passwordpassword"), Err(PasswordFault::Compromised));
    assert_eq!(check("Sunshine2031!"), Err(PasswordFault::Compromised));
}

#[tokio::test]
async fn a_hash_is_a_phc_string_and_matches_its_password_alone() {
    let passwords = passwords(argon::params());
    let first = hash(&passwords, "walnut ferry quilt").await;
    assert!(
        first
            .as_str()
            .starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{}",
        first.as_str()
    );
    assert_ne!(first, hash(&passwords, "walnut ferry quilt").await);

    let right = verify(&passwords, "walnut ferry quilt", first.as_str()).await;
    assert!(right.matches && right.renewed.is_none());
    assert!(
        !verify(&passwords, "walnut ferry quill", first.as_str())
            .await
            .matches
    );
    assert!(!verify(&passwords, "", first.as_str()).await.matches);
}

#[tokio::test]
async fn hashes_of_others_are_understood() {
    // The vectors of the reference implementation: "password" with "somesalt".
    let passwords = passwords(light());
    for hash in [
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8",
    ] {
        assert!(verify(&passwords, "password", hash).await.matches, "{hash}");
        assert!(
            !verify(&passwords, "Password", hash).await.matches,
            "{hash}"
        );
    }
}

#[tokio::test]
async fn however_a_letter_is_typed_it_is_the_same() {
    let passwords = passwords(light());
    let kept = hash(&passwords, "Zoe\u{308} spielt Klavier").await;
    assert!(
        verify(&passwords, "Zoë spielt Klavier", kept.as_str())
            .await
            .matches
    );
    assert!(
        verify(&passwords, "Zoe\u{308} spielt Klavier", kept.as_str())
            .await
            .matches
    );
    assert!(
        !verify(&passwords, "Zoe spielt Klavier", kept.as_str())
            .await
            .matches
    );
}

#[tokio::test]
async fn a_weaker_hash_is_renewed_when_it_matches() {
    let kept = hash(&passwords(light()), "walnut ferry quilt").await;
    let stronger = passwords(Params::new(128, 2, 1, Some(argon::OUTPUT)).unwrap());
    assert!(
        verify(&stronger, "something else", kept.as_str())
            .await
            .renewed
            .is_none()
    );
    let renewed = verify(&stronger, "walnut ferry quilt", kept.as_str())
        .await
        .renewed
        .unwrap();
    assert!(
        renewed
            .as_str()
            .starts_with("$argon2id$v=19$m=128,t=2,p=1$")
    );
    let again = verify(&stronger, "walnut ferry quilt", renewed.as_str()).await;
    assert!(again.matches && again.renewed.is_none());
    // One that is stronger than asked for stays.
    let kept = verify(&passwords(light()), "walnut ferry quilt", renewed.as_str()).await;
    assert!(kept.matches && kept.renewed.is_none());
}

#[tokio::test]
async fn bcrypt_of_the_old_system_is_verified_and_renewed() {
    let passwords = passwords(light());
    let old = bcrypt::hash_with_salt("old pass", 12, [7; 16]).unwrap();
    for version in [
        bcrypt::Version::TwoA,
        bcrypt::Version::TwoB,
        bcrypt::Version::TwoY,
    ] {
        let kept = old.format_for_version(version);
        // Shorter than what may be set today; it was right then.
        let right = verify(&passwords, "old pass", &kept).await;
        let renewed = right.renewed.unwrap();
        assert!(right.matches && renewed.as_str().starts_with("$argon2id$"));
        assert!(
            verify(&passwords, "old pass", renewed.as_str())
                .await
                .matches
        );
    }
    let wrong = verify(&passwords, "old past", &old.to_string()).await;
    assert!(!wrong.matches && wrong.renewed.is_none());
}

#[tokio::test]
async fn bcrypt_looked_at_the_first_72_bytes_as_they_were_sent() {
    let passwords = passwords(light());
    let kept = bcrypt::hash_with_salt("e\u{301}".repeat(40), 4, [7; 16])
        .unwrap()
        .to_string();
    assert!(
        verify(&passwords, &"e\u{301}".repeat(40), &kept)
            .await
            .matches
    );
    assert!(
        verify(&passwords, &"e\u{301}".repeat(24), &kept)
            .await
            .matches
    );
    assert!(!verify(&passwords, &"é".repeat(40), &kept).await.matches);

    // Sent composed then, and decomposed by another device now.
    let kept = bcrypt::hash_with_salt("Zoë".repeat(4), 4, [7; 16])
        .unwrap()
        .to_string();
    assert!(
        verify(&passwords, &"Zoe\u{308}".repeat(4), &kept)
            .await
            .matches
    );

    // Renewed, a password that is longer than today's would no longer match.
    let long = "walnut ".repeat(40);
    let kept = bcrypt::hash_with_salt(&long, 4, [7; 16])
        .unwrap()
        .to_string();
    let right = verify(&passwords, &long, &kept).await;
    assert!(right.matches && right.renewed.is_none());
}

#[tokio::test]
async fn what_is_longer_than_allowed_never_matches() {
    let passwords = passwords(light());
    let long: String = "walnut ferry quilt ".chars().cycle().take(128).collect();
    let kept = hash(&passwords, &long).await;
    assert!(verify(&passwords, &long, kept.as_str()).await.matches);
    assert!(
        !verify(&passwords, &format!("{long}x"), kept.as_str())
            .await
            .matches
    );
    assert!(
        !verify(&passwords, &"x".repeat(1 << 20), kept.as_str())
            .await
            .matches
    );
}

#[tokio::test]
async fn what_can_not_be_read_never_matches() {
    let passwords = passwords(light());
    for kept in [
        "",
        "x",
        "$2b$12$short",
        "$2b$31$BwbHBwbHBwbHBwbHBwbHBuJ0MMRHTyVBpH1OABbO8uCM3PEAtF8Zi",
        "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ",
        "$scrypt$ln=16,r=8,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    ] {
        let verified = verify(&passwords, "password", kept).await;
        assert!(!verified.matches && verified.renewed.is_none(), "{kept}");
        assert_eq!(passwords.pool.memories(), 1, "{kept}: no work was done");
    }
}

#[tokio::test]
async fn without_an_account_the_same_work_is_done() {
    let passwords = passwords(argon::params());
    let kept = hash(&passwords, "walnut ferry quilt").await;
    let time = async |against: Option<&PasswordHash>| {
        let mut quickest = Duration::MAX;
        for _ in 0..3 {
            let start = std::time::Instant::now();
            let verified = passwords.verify("something else", against).await.unwrap();
            assert!(!verified.matches && verified.renewed.is_none());
            quickest = quickest.min(start.elapsed());
        }
        quickest.as_secs_f64()
    };
    let ratio = time(None).await / time(Some(&kept)).await;
    // No work at all would be a thousandth; other processes may disturb either.
    assert!((0.25..4.0).contains(&ratio), "{ratio}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_at_once_never_take_more_than_the_places() {
    let passwords = passwords(light());
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let work = (0..200).map(|_| {
        let (pool, now, most) = (passwords.pool.clone(), now.clone(), most.clone());
        tokio::spawn(async move {
            pool.run(move |memory| {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                argon::pretend("password", &light(), memory).unwrap();
                std::thread::sleep(Duration::from_millis(1));
                now.fetch_sub(1, Ordering::SeqCst);
            })
            .await
        })
    });
    for done in futures_util::future::join_all(work).await {
        done.unwrap().unwrap();
    }
    assert_eq!(most.load(Ordering::SeqCst), 2);
    assert!(passwords.pool.memories() <= 2, "memory was not used again");
}

#[tokio::test]
async fn who_waits_too_long_is_told_and_who_leaves_costs_nothing() {
    let pool = Pool::new(1, Duration::from_millis(50));
    let (release, held) = std::sync::mpsc::channel::<()>();
    let holder = tokio::spawn({
        let pool = pool.clone();
        async move { pool.run(move |_| held.recv()).await }
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    let late = pool.run(|_| ()).await;
    assert!(matches!(late, Err(PasswordError::Busy)));

    // Given up while it waits: its work never begins, and the place is whole afterwards.
    let begun = Arc::new(AtomicUsize::new(0));
    let waiting = tokio::spawn({
        let (pool, begun) = (pool.clone(), begun.clone());
        async move {
            pool.run(move |_| begun.fetch_add(1, Ordering::SeqCst))
                .await
        }
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    waiting.abort();
    release.send(()).unwrap();
    holder.await.unwrap().unwrap().unwrap();
    pool.run(|_| ()).await.unwrap();
    assert_eq!(begun.load(Ordering::SeqCst), 0);
}

#[test]
fn nothing_shows_a_password() {
    let passwords = passwords(light());
    let new = passwords
        .check("walnut ferry quilt", Some(&ada()), "Ada King")
        .unwrap();
    assert!(!format!("{new:?}").contains("walnut"));
    assert_eq!(
        format!("{:?}", PasswordHash::stored("$argon2id$")),
        "PasswordHash"
    );
}
