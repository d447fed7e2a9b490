//! Tokens as we give them; as a holder, and as a forger, would make them.

mod api_tokens;
mod forgeries;
mod narrowing;

use biscuit_auth::UnverifiedBiscuit;
use biscuit_auth::builder::BlockBuilder;
use chrono::TimeDelta;

use super::*;
use crate::keys::tests::ring;

const HERE: &str = "https://api.example.org";
const ACCOUNT: AccountId = AccountId(Uuid::from_u128(0x0188_bac7_4afa_78aa_bc3b_bd1e_ef28_d881));
const SESSION: SessionId = SessionId(Uuid::from_u128(0x0188_bac7_4afa_78aa_bc3b_bd1e_ef28_d882));
const GRANT: Grant = Grant::Session(SESSION);
const API_TOKEN: ApiTokenId =
    ApiTokenId(Uuid::from_u128(0x0188_bac7_4afa_78aa_bc3b_bd1e_ef28_d883));

/// Of those that an API token of the tests is made with.
const SCOPES: [Scope; 3] = [
    Scope::AccountRead,
    Scope::CatalogueWrite,
    Scope::PlaylistsRead,
];

fn tokens(letters: &str) -> AccessTokens {
    AccessTokens::new(ring(letters), HERE.to_owned())
}

fn now() -> DateTime<Utc> {
    "2030-01-02T03:04:05Z".parse().unwrap()
}

fn later(seconds: i64) -> DateTime<Utc> {
    now() + TimeDelta::seconds(seconds)
}

fn claims() -> Claims<'static> {
    Claims {
        account: ACCOUNT,
        made_for: MadeFor::Session(SESSION, &[Role::Listener, Role::Artist]),
        expires_at: later(900),
    }
}

fn minted() -> String {
    tokens("a").mint(&claims()).unwrap()
}

fn minted_api_token(scopes: &[Scope]) -> String {
    let made_for = MadeFor::ApiToken(API_TOKEN, scopes);
    tokens("a")
        .mint(&Claims {
            made_for,
            ..claims()
        })
        .unwrap()
}

fn bytes(token: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(token).unwrap()
}

fn text(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    format!("hex:{}", digits.collect::<String>())
}

/// What a token of ours says, as whoever writes it by hand would.
fn said_by_hand() -> String {
    format!(
        r#"user({}); session({}); audience("{HERE}"); expires(2030-01-02T04:00:00Z);"#,
        hex(ACCOUNT.0.as_bytes()),
        hex(SESSION.0.as_bytes()),
    )
}

/// As its holder does, without our keys.
fn narrowed(token: &str, block: &str) -> String {
    let block = BlockBuilder::new().code(block).unwrap();
    appended(token, block)
}

fn appended(token: &str, block: BlockBuilder) -> String {
    let held = UnverifiedBiscuit::from(bytes(token)).unwrap();
    text(held.append(block).unwrap().to_vec().unwrap())
}

fn verify(token: &str) -> Result<Arc<Access>, AccessFault> {
    verify_from(token, None)
}

fn verify_from(token: &str, address: Option<&str>) -> Result<Arc<Access>, AccessFault> {
    let address = address.map(|address| address.parse().unwrap());
    tokens("a").verify(token, later(1), address)
}

fn opens(token: &str) -> Result<Vec<&'static str>, AccessFault> {
    opens_from(token, None)
}

fn opens_from(token: &str, address: Option<&str>) -> Result<Vec<&'static str>, AccessFault> {
    let access = verify_from(token, address)?;
    let scopes = access.scopes.as_ref().expect("the whole session");
    Ok(scopes.iter().map(|scope| scope.as_str()).collect())
}

const INVALID: Result<Vec<&str>, AccessFault> = Err(AccessFault::Invalid);

#[test]
fn a_token_says_what_was_asked_for() {
    let access = verify(&minted()).unwrap();
    assert_eq!((access.account, access.grant), (ACCOUNT, GRANT));
    assert_eq!(access.expires_at, later(900));
    assert_eq!(access.scopes, None);
    assert_eq!(access.revocation_ids.len(), 1);
    assert_ne!(
        access.revocation_ids,
        verify(&minted()).unwrap().revocation_ids
    );
}

#[test]
fn a_token_is_not_long() {
    let length = minted().len();
    assert!(length < 450, "{length}");
}

#[test]
fn parts_of_a_second_are_cut_off() {
    let tokens = tokens("a");
    let claims = Claims {
        expires_at: later(900) + TimeDelta::milliseconds(999),
        ..claims()
    };
    let token = tokens.mint(&claims).unwrap();
    let last = later(900) - TimeDelta::milliseconds(1);
    assert_eq!(
        tokens.verify(&token, last, None).unwrap().expires_at,
        later(900)
    );
    assert_eq!(
        tokens.verify(&token, later(900), None),
        Err(AccessFault::Expired)
    );
}

#[test]
fn an_expired_one_is_told_apart_also_when_it_was_known() {
    let (tokens, token) = (tokens("a"), minted());
    assert_eq!(
        tokens.verify(&token, later(900), None),
        Err(AccessFault::Expired)
    );
    assert!(tokens.verify(&token, later(899), None).is_ok());
    assert!(
        tokens
            .known
            .contains_key(&<[u8; 32]>::from(Sha256::digest(&token)))
    );
    assert!(tokens.verify(&token, later(899), None).is_ok());
    assert_eq!(
        tokens.verify(&token, later(900), None),
        Err(AccessFault::Expired)
    );
    let token = narrowed(&token, "check if true");
    assert_eq!(
        tokens.verify(&token, later(900), None),
        Err(AccessFault::Expired)
    );
}

#[test]
fn only_tokens_as_we_gave_them_are_remembered() {
    let tokens = tokens("a");
    let token = minted();
    let own = narrowed(&token, "check if time($t), $t < 2030-01-02T03:05:00Z");
    for token in [&token, &own] {
        tokens.verify(token, now(), None).unwrap();
    }
    tokens.known.run_pending_tasks();
    assert_eq!(tokens.known.entry_count(), 1);
    assert_eq!(
        tokens.verify(&own, later(60), None),
        Err(AccessFault::Invalid)
    );
}

#[test]
fn keys_may_come_and_go() {
    let token = minted();
    for (letters, expected) in [("a", true), ("ba", true), ("ab", true), ("b", false)] {
        let judged = tokens(letters).verify(&token, now(), None);
        assert_eq!(judged.is_ok(), expected, "{letters}");
    }
    let new = tokens("ba").mint(&claims()).unwrap();
    assert!(tokens("b").verify(&new, now(), None).is_ok());
    assert!(tokens("a").verify(&new, now(), None).is_err());
}

#[test]
fn another_services_token_is_refused() {
    for elsewhere in [
        "https://api.example.com",
        "https://api.example.org.evil",
        "",
    ] {
        let token = AccessTokens::new(ring("a"), elsewhere.to_owned());
        let token = token.mint(&claims()).unwrap();
        assert_eq!(verify(&token), Err(AccessFault::Invalid), "{elsewhere}");
    }
}

#[test]
fn no_time_is_no_word_on_the_token() {
    let mut tokens = tokens("a");
    tokens.limits.max_time = Duration::ZERO;
    let own = narrowed(&minted(), "check if true");
    for token in [minted(), own] {
        let judged = tokens.verify(&token, now(), None);
        assert_eq!(judged, Err(AccessFault::Unavailable));
    }
    tokens.known.run_pending_tasks();
    assert_eq!(tokens.known.entry_count(), 0);
}
