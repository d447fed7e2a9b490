//! Tokens as a holder, and as a forger, would make them.

use std::time::Instant;

use biscuit_auth::builder::{BlockBuilder, Fact};
use biscuit_auth::{Algorithm, BiscuitBuilder, KeyPair, UnverifiedBiscuit};
use chrono::TimeDelta;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

use super::*;
use crate::keys::tests::ring;

const HERE: &str = "https://api.example.org";
const ACCOUNT: AccountId = AccountId(Uuid::from_u128(0x0188_bac7_4afa_78aa_bc3b_bd1e_ef28_d881));
const SESSION: SessionId = SessionId(Uuid::from_u128(0x0188_bac7_4afa_78aa_bc3b_bd1e_ef28_d882));

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
        session: SESSION,
        roles: &[Role::Listener, Role::Artist],
        expires_at: later(900),
    }
}

fn minted() -> String {
    tokens("a").mint(&claims()).unwrap()
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

/// What whoever has our key could sign, and we never do.
fn signed(block: BiscuitBuilder) -> String {
    let keys = ring("a");
    let key = keys.signing().unwrap();
    let token = block.root_key_id(key.number).build(&key.pair).unwrap();
    text(token.to_vec().unwrap())
}

const INVALID: Result<Vec<&str>, AccessFault> = Err(AccessFault::Invalid);

#[test]
fn a_token_says_what_was_asked_for() {
    let access = verify(&minted()).unwrap();
    assert_eq!((access.account, access.session), (ACCOUNT, SESSION));
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
fn a_forgery_is_refused() {
    let block = || BiscuitBuilder::new().code(said_by_hand()).unwrap();
    let ours = ring("ab");
    let (a, b) = (&ours.public_keys()[0], &ours.public_keys()[1]);
    let forger = KeyPair::new_with_algorithm(Algorithm::Ed25519);
    let by = |key: &KeyPair, number: Option<u32>| {
        let block = match number {
            Some(number) => block().root_key_id(number),
            None => block(),
        };
        text(block.build(key).unwrap().to_vec().unwrap())
    };
    let tokens = tokens("ab");
    let pair = &ours.signing().unwrap().pair;
    assert!(tokens.verify(&by(pair, a.number), now(), None).is_ok());
    for (why, token) in [
        ("another's key", by(&forger, a.number)),
        ("an unknown number", by(pair, Some(1))),
        ("no number", by(pair, None)),
        ("another key's number", by(pair, b.number)),
        (
            "another algorithm",
            by(&KeyPair::new_with_algorithm(Algorithm::Secp256r1), a.number),
        ),
    ] {
        assert_eq!(
            tokens.verify(&token, now(), None),
            Err(AccessFault::Invalid),
            "{why}"
        );
    }
}

#[test]
fn what_is_no_token_is_refused() {
    let token = minted();
    for wrong in [
        "",
        ".",
        "Bearer",
        "AAAA",
        "é",
        &token[1..],
        &token[..token.len() - 1],
        &format!("{token}="),
        &format!("{token}AAAA"),
        &format!(" {token}"),
        &token.replace('_', "/"),
        &"A".repeat(4 << 10),
        &"A".repeat(10 << 20),
    ] {
        // What replaces nothing is the token itself.
        if *wrong != token {
            assert_eq!(verify(wrong), Err(AccessFault::Invalid), "{:.40}", wrong);
        }
    }
}

#[test]
fn no_bit_can_be_altered() {
    let whole = bytes(&minted());
    let own = bytes(&narrowed(&minted(), r#"check if scope("ACCOUNT_READ")"#));
    assert!(verify(&text(&whole)).is_ok() && verify(&text(&own)).is_ok());
    let tokens = tokens("a");
    for token in [whole, own] {
        for bit in 0..token.len() * 8 {
            let mut altered = token.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            let judged = tokens.verify(&text(&altered), later(1), None);
            assert_eq!(
                judged,
                Err(AccessFault::Invalid),
                "bit {bit} of {}",
                token.len()
            );
        }
    }
}

#[test]
fn the_same_in_other_bytes_is_refused() {
    let token = bytes(&minted());
    // An unknown field at the end, which decoders skip.
    let longer = [&token[..], &[0x78, 0x00]].concat();
    assert!(UnverifiedBiscuit::from(&longer).is_ok());
    assert_eq!(verify(&text(longer)), Err(AccessFault::Invalid));
}

#[test]
fn blocks_can_not_be_taken_away_or_changed_for_others() {
    let whole = minted();
    let once = narrowed(&whole, r#"check if scope("ACCOUNT_READ")"#);
    let twice = narrowed(&once, "check if time($t), $t < 2030-01-02T03:05:00Z");
    let other = narrowed(&whole, "check if true");
    let container = |token: &str| {
        let token = Biscuit::from(bytes(token), ring("a").signing().unwrap().public);
        token.unwrap().container().clone()
    };
    let (first, second, another) = (container(&once), container(&twice), container(&other));

    let mut stripped = first.clone();
    stripped.blocks.clear();
    let mut shorter = second.clone();
    shorter.blocks.pop();
    let mut inner = second.clone();
    inner.blocks.remove(0);
    let mut turned = second.clone();
    turned.blocks.reverse();
    let mut exchanged = first.clone();
    exchanged.blocks = another.blocks.clone();
    let mut proven = first.clone();
    proven.blocks.clear();
    proven.proof = another.proof.clone();
    let mut twofold = first.clone();
    twofold.blocks.push(another.blocks[0].clone());
    twofold.proof = another.proof;
    for (why, forged) in [
        ("stripped", stripped),
        ("the last taken away", shorter),
        ("an inner one taken away", inner),
        ("turned round", turned),
        ("another's blocks", exchanged),
        ("another's proof", proven),
        ("another's block after one's own", twofold),
    ] {
        let forged = text(forged.to_vec().unwrap());
        assert_eq!(verify(&forged), Err(AccessFault::Invalid), "{why}");
    }
}

#[test]
fn a_sealed_token_is_one_all_the_same() {
    let sealed = |token: &str| {
        let held = UnverifiedBiscuit::from(bytes(token)).unwrap();
        text(held.seal().unwrap().to_vec().unwrap())
    };
    assert_eq!(verify(&sealed(&minted())).unwrap().scopes, None);
    let own = narrowed(&minted(), r#"check if scope("ACCOUNT_READ")"#);
    assert_eq!(opens(&sealed(&own)), Ok(vec!["ACCOUNT_READ"]));
}

#[test]
fn a_holder_can_narrow() {
    let whole = minted();
    let playlists =
        r#"check if scope($s), ["PLAYLISTS_READ", "PLAYLISTS_WRITE", "ELSE"].contains($s)"#;
    let own = narrowed(&whole, playlists);
    assert_eq!(opens(&own), Ok(vec!["PLAYLISTS_READ", "PLAYLISTS_WRITE"]));
    assert_eq!(verify(&own).unwrap().revocation_ids.len(), 2);
    assert_eq!(
        verify(&own).unwrap().revocation_ids[0],
        verify(&whole).unwrap().revocation_ids[0]
    );

    let read = narrowed(&own, r#"check if scope($s), $s.ends_with("_READ")"#);
    assert_eq!(opens(&read), Ok(vec!["PLAYLISTS_READ"]));
    let one = r#"check if scope("ACCOUNT_READ") or scope("UPLOADS_WRITE")"#;
    assert_eq!(
        opens(&narrowed(&whole, one)),
        Ok(vec!["ACCOUNT_READ", "UPLOADS_WRITE"])
    );
    let lazy = r#"check if scope($s), $s == "ACCOUNT_READ" || ($s != "CATALOGUE_WRITE" && !$s.starts_with("P"))"#;
    assert_eq!(
        opens(&narrowed(&whole, lazy)),
        Ok(vec!["ACCOUNT_READ", "UPLOADS_WRITE"])
    );
    // Nothing is left.
    assert_eq!(opens(&narrowed(&read, one)), INVALID);
}

#[test]
fn a_narrowed_token_is_never_the_whole_session() {
    let empty = appended(&minted(), BlockBuilder::new());
    assert_eq!(opens(&empty).unwrap().len(), Scope::ALL.len());
    let all = narrowed(&minted(), "check if true");
    assert_eq!(opens(&all).unwrap().len(), Scope::ALL.len());
}

#[test]
fn an_earlier_end_can_be_set() {
    let tokens = tokens("a");
    let own = narrowed(&minted(), "check if time($t), $t < 2030-01-02T03:05:00Z");
    assert!(tokens.verify(&own, later(54), None).is_ok());
    assert_eq!(
        tokens.verify(&own, later(55), None),
        Err(AccessFault::Invalid)
    );
    // A later one than ours is none.
    let own = narrowed(&minted(), "check if time($t), $t < 2031-01-01T00:00:00Z");
    assert_eq!(
        tokens.verify(&own, later(900), None),
        Err(AccessFault::Expired)
    );
}

#[test]
fn addresses_can_be_set() {
    let ok = Ok(Scope::ALL
        .iter()
        .map(|scope| scope.as_str())
        .collect::<Vec<_>>());
    let one = narrowed(&minted(), r#"check if ip("203.0.113.7")"#);
    let range = narrowed(
        &minted(),
        r#"check if networks($n), $n.contains("203.0.113.0/24")"#,
    );
    let six = narrowed(
        &minted(),
        r#"check if networks($n), $n.contains("2001:db8::/32")"#,
    );
    for (token, address, expected) in [
        (&one, Some("203.0.113.7"), &ok),
        (&one, Some("::ffff:203.0.113.7"), &ok),
        (&one, Some("203.0.113.8"), &INVALID),
        (&one, None, &INVALID),
        (&range, Some("203.0.113.8"), &ok),
        (&range, Some("203.0.114.8"), &INVALID),
        (&range, Some("2001:db8::1"), &INVALID),
        (&range, None, &INVALID),
        (&six, Some("2001:db8::1"), &ok),
        (&six, Some("2001:db9::1"), &INVALID),
    ] {
        assert_eq!(&opens_from(token, address), expected, "{address:?}");
    }
}

#[test]
fn what_a_later_block_says_of_its_holder_does_not_count() {
    let other = AccountId(Uuid::from_u128(9));
    for block in [
        format!(r#"user("{other}")"#),
        format!(r#"session("{}")"#, SessionId(Uuid::from_u128(9))),
        "expires(2031-01-01T00:00:00Z)".to_owned(),
        r#"role("ADMIN")"#.to_owned(),
        r#"scope("ACCOUNT_READ")"#.to_owned(),
        "time(2030-01-01T00:00:00Z)".to_owned(),
        format!(r#"user("{other}") <- user($u)"#),
    ] {
        let token = narrowed(&minted(), &block);
        assert_eq!(opens(&token), INVALID, "{block}");
        // Were it let in, it would still not be seen.
        let tokens = tokens("a");
        let parsed = tokens.parse(&token).unwrap();
        let mut authorizer = tokens.ambient(now()).unwrap().build(&parsed).unwrap();
        let (access, _) = said(&mut authorizer).unwrap().unwrap();
        assert_eq!(
            (access.account, access.session),
            (ACCOUNT, SESSION),
            "{block}"
        );
        assert_eq!(access.expires_at, later(900), "{block}");
        let roles: Vec<Fact> = authorizer.query(rule!("r($r) <- role($r)")).unwrap();
        assert_eq!(roles.len(), 2, "{block}");
    }
}

#[test]
fn a_first_block_that_says_too_little_or_too_much_is_refused() {
    let all = said_by_hand();
    let judged = |code: &str| verify(&signed(BiscuitBuilder::new().code(code).unwrap())).is_ok();
    assert!(judged(&all));
    for missing in ["user", "session", "audience", "expires"] {
        assert!(!judged(&all.replace(missing, "else")), "{missing}");
    }
    assert!(!judged(&format!("{all} user({});", hex(&[9; 16]))));
    assert!(!judged(&format!("{all} expires(2031-01-02T04:00:00Z);")));
    assert!(!judged(&format!(
        r#"{all} audience("https://else.example.org");"#
    )));
    let account = hex(ACCOUNT.0.as_bytes());
    for wrong in [hex(&[9; 15]), hex(&[9; 17]), format!("\"{ACCOUNT}\"")] {
        assert!(!judged(&all.replace(&account, &wrong)), "{wrong}");
    }
    assert!(!judged(&all.replace("2030-01-02T04:00:00Z", "\"never\"")));
    assert!(!judged(&format!("{all} check if false;")));
}

#[test]
fn what_is_not_understood_is_refused() {
    let deep = format!("check if {}true{}", "(".repeat(12), ")".repeat(12));
    assert!(opens(&narrowed(&minted(), &deep)).is_ok());
    let many = vec!["check if true"; 41].join(";");
    for block in [
        r#"reject if scope("ACCOUNT_READ")"#,
        r#"check if scope($s), $s.matches("ACCOUNT.*")"#,
        r#"check if scope($s), $s + "" == "ACCOUNT_READ""#,
        r#"check if scope($s), ["ACCOUNT_READ"].any($x -> $x == $s)"#,
        r#"check if scope($s), $s.length() > 1"#,
        r#"check if scope($s), $s.type() == "string""#,
        r#"check if scope($s), (true === 12).try_or(true)"#,
        r#"check if scope($s), $s.extern::open()"#,
        "check if 1 + 1 == 2",
        "check if scope($a), scope($b), scope($c), scope($d)",
        "check if scope($s) trusting previous",
        // What can't be evaluated.
        "check if scope($s), $s < 3",
        "check if scope($s), $s",
        "check if album(\"one\")",
        &many,
    ] {
        assert_eq!(opens(&narrowed(&minted(), block)), INVALID, "{block:.80}");
    }
    let mut token = minted();
    for _ in 0..8 {
        token = appended(&token, BlockBuilder::new());
    }
    assert!(opens(&token).is_ok());
    assert_eq!(opens(&appended(&token, BlockBuilder::new())), INVALID);
}

#[test]
fn a_third_partys_block_is_refused() {
    let third = KeyPair::new_with_algorithm(Algorithm::Ed25519);
    let root = ring("a").signing().unwrap().public;
    let held = Biscuit::from(bytes(&minted()), root).unwrap();
    let block = BlockBuilder::new().code("check if true").unwrap();
    let block = held
        .third_party_request()
        .unwrap()
        .create_block(&third.private(), block)
        .unwrap();
    let token = held.append_third_party(third.public(), block).unwrap();
    assert_eq!(opens(&text(token.to_vec().unwrap())), INVALID);
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

/// Writes blocks of all that the language has, right and wrong.
struct Writer(Xoshiro256PlusPlus);

impl Writer {
    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices.choose(&mut self.0).unwrap()
    }

    fn block(&mut self) -> String {
        let count = self.0.random_range(0..4);
        (0..count).map(|_| self.statement() + ";").collect()
    }

    fn statement(&mut self) -> String {
        match self.0.random_range(0..12) {
            0 => self.fact(),
            1 => format!(
                "{} <- {}",
                self.of(&["scope($x)", "user($x)", "role($x)", "made($x)"]),
                self.way()
            ),
            2 => format!("reject if {}", self.way()),
            3 => format!("check all {}", self.way()),
            4 => format!(
                "check if {} trusting {}",
                self.way(),
                self.of(&["previous", "authority"])
            ),
            _ => {
                let ways: Vec<_> = (0..self.0.random_range(1..3)).map(|_| self.way()).collect();
                format!("check if {}", ways.join(" or "))
            }
        }
    }

    fn fact(&mut self) -> String {
        let name = self.of(&[
            "scope", "user", "session", "role", "audience", "service", "expires", "time", "ip",
        ]);
        format!("{name}({})", self.value())
    }

    fn value(&mut self) -> &'static str {
        self.of(&[
            r#""ACCOUNT_READ""#,
            r#""PLAYLISTS_READ""#,
            r#""UPLOADS_WRITE""#,
            r#""ADMIN""#,
            r#""https://api.example.org""#,
            r#""203.0.113.7""#,
            "2030-01-02T03:04:00Z",
            "2040-01-01T00:00:00Z",
            "1",
            "true",
            "null",
            r#"["ACCOUNT_READ", "PLAYLISTS_READ"]"#,
            r#"{"ACCOUNT_READ", "CATALOGUE_WRITE"}"#,
        ])
    }

    fn way(&mut self) -> String {
        if self.0.random_ratio(1, 2) {
            let sound = [
                r#"scope($s), ["ACCOUNT_READ", "PLAYLISTS_READ"].contains($s)"#,
                r#"scope($s), $s.ends_with("_WRITE")"#,
                r#"scope("UPLOADS_WRITE")"#,
                r#"scope($s), $s != "ACCOUNT_READ""#,
                r#"time($t), $t < 2030-01-02T03:10:00Z"#,
                r#"networks($n), $n.contains("203.0.113.0/24")"#,
                r#"ip("2001:db8::7")"#,
                r#"role("ARTIST")"#,
            ];
            return self.of(&sound).to_owned();
        }
        let facts = [
            "scope($x)",
            "time($t)",
            "role($r)",
            "ip($x)",
            "networks($n)",
            "user($x)",
            "expires($t)",
            "else($x)",
        ];
        let mut parts: Vec<String> = (0..self.0.random_range(0..4))
            .map(|_| self.of(&facts).to_owned())
            .collect();
        for _ in 0..self.0.random_range(0..3) {
            parts.push(self.expression(2));
        }
        if parts.is_empty() {
            parts.push("true".to_owned());
        }
        parts.join(", ")
    }

    fn expression(&mut self, depth: u8) -> String {
        let side = |writer: &mut Self| match writer.0.random_range(0..3) {
            0 => writer.value().to_owned(),
            1 => writer.of(&["$x", "$x", "$t", "$r", "$n"]).to_owned(),
            _ if depth > 0 => format!("({})", writer.expression(depth - 1)),
            _ => "true".to_owned(),
        };
        let (left, right) = (side(self), side(self));
        match self.0.random_range(0..9) {
            0 => format!("!{left}"),
            1 => format!("{left}.contains({right})"),
            2 => format!("{left}.starts_with({right})"),
            3 => format!("{left}.matches({right})"),
            4 => format!("{left}.any($q -> $q == {right})"),
            5 => format!("{left}.length() > 1"),
            _ => {
                let operator = self.of(&["==", "!=", "===", "<", ">=", "&&", "||", "+", "&"]);
                format!("{left} {operator} {right}")
            }
        }
    }
}

#[test]
fn no_block_widens() {
    let seed = rand::random();
    let mut writer = Writer(Xoshiro256PlusPlus::seed_from_u64(seed));
    let tokens = tokens("a");
    let whole = minted();
    let (mut tried, mut believed, mut smaller) = (0, 0, 0);
    while tried < 600 {
        let now = later(writer.0.random_range(-10..910));
        let address = ["203.0.113.7", "2001:db8::7"]
            .choose(&mut writer.0)
            .unwrap();
        let address = Some(address.parse().unwrap()).filter(|_| writer.0.random());
        let mut token = whole.clone();
        let mut before = tokens.verify(&token, now, address);
        for _ in 0..writer.0.random_range(1..4) {
            let source = writer.block();
            let Ok(block) = BlockBuilder::new().code(&source) else {
                continue;
            };
            tried += 1;
            let Ok(Ok(longer)) =
                UnverifiedBiscuit::from(bytes(&token)).map(|held| held.append(block))
            else {
                continue;
            };
            token = text(longer.to_vec().unwrap());
            let after = tokens.verify(&token, now, address);
            let why = || format!("seed {seed}: {source}");
            if let Ok(after) = &after {
                let before = before.as_ref().unwrap_or_else(|_| panic!("{}", why()));
                assert_eq!(
                    (after.account, after.session),
                    (before.account, before.session),
                    "{}",
                    why()
                );
                assert_eq!(after.expires_at, before.expires_at, "{}", why());
                let scopes = after.scopes.as_ref().unwrap_or_else(|| panic!("{}", why()));
                assert!(
                    before
                        .scopes
                        .as_ref()
                        .is_none_or(|before| scopes.is_subset(before)),
                    "{}",
                    why()
                );
                assert!(
                    after.revocation_ids.starts_with(&before.revocation_ids),
                    "{}",
                    why()
                );
                believed += 1;
                smaller += usize::from(scopes.len() < Scope::ALL.len());
            }
            before = after;
        }
    }
    // Else it would show nothing.
    assert!(
        believed > 50 && smaller > 10,
        "of {tried} {believed} were believed, {smaller} of them for less"
    );
}

/// A holder can sign any bytes as a block, also some that no builder would write.
#[test]
fn a_block_of_any_bytes_does_no_harm() {
    let seed = rand::random();
    let mut dice = Xoshiro256PlusPlus::seed_from_u64(seed);
    let tokens = tokens("a");
    let narrow = r#"check if scope($s), {"ACCOUNT_READ"}.contains($s) && (true || $s == "A");
                    check all time($t), $t < 2040-01-01T00:00:00Z, ["a", 1, null].contains(1)"#;
    let whole = tokens.parse(&minted()).unwrap();
    let sound = tokens.parse(&narrowed(&minted(), narrow)).unwrap();
    // The blocks are a token's third field, and what is signed is a block's first.
    let sound = sound.to_vec().unwrap();
    let block = field(field(&sound, 3), 1);
    let mut believed = 0;
    for _ in 0..300 {
        let mut block = block.to_vec();
        for _ in 0..dice.random_range(0..4) {
            let at = dice.random_range(0..block.len());
            match dice.random_range(0..4) {
                0 => block[at] = dice.random(),
                1 => block[at] ^= 1 << dice.random_range(0..8),
                2 => block.insert(at, dice.random()),
                _ => drop(block.remove(at)),
            }
        }
        let next = KeyPair::new_with_algorithm(Algorithm::Ed25519);
        let longer = whole.container().append_serialized(&next, block, None);
        let token = text(longer.unwrap().to_vec().unwrap());
        if let Ok(access) = tokens.verify(&token, now(), None) {
            assert_eq!(
                (access.account, access.session),
                (ACCOUNT, SESSION),
                "seed {seed}"
            );
            assert_eq!(access.expires_at, later(900), "seed {seed}");
            assert!(access.scopes.is_some(), "seed {seed}");
            believed += 1;
        }
    }
    assert!(believed > 30, "{believed}");
}

/// The first field of this number in a message of protocol buffers; it holds bytes.
fn field(mut message: &[u8], number: u8) -> &[u8] {
    let varint = |message: &mut &[u8]| {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = message.split_off_first().unwrap();
            value |= usize::from(byte & 127) << shift;
            shift += 7;
            if byte & 128 == 0 {
                return value;
            }
        }
    };
    loop {
        let tag = varint(&mut message);
        let length = varint(&mut message);
        if tag & 7 == 2 {
            let value = message.split_off(..length).unwrap();
            if tag >> 3 == usize::from(number) {
                return value;
            }
        }
    }
}

#[test]
fn the_dearest_token_costs_little() {
    let claims = Claims {
        roles: Role::ALL,
        ..claims()
    };
    let tokens = tokens("a");
    let mut dear = tokens.mint(&claims).unwrap();
    let way = "role($a), role($b), role($c), $a == \"\"";
    for ways in 1.. {
        let block = vec![way; ways].join(" or ");
        let longer = narrowed(
            &tokens.mint(&claims).unwrap(),
            &format!("check if {block} or true"),
        );
        if longer.len() > LONGEST {
            break;
        }
        dear = longer;
    }
    let parsed = tokens.parse(&dear).unwrap();
    let start = Instant::now();
    let judged = tokens.judge(&parsed, now(), None);
    let taken = start.elapsed();
    assert!(judged.is_ok() || judged == Err(AccessFault::Unavailable));
    println!("{taken:?}, believed: {}", judged.is_ok());
    assert!(taken < Duration::from_secs(2), "{taken:?}");
}
