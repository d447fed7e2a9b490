//! What nobody but us can have made.

use biscuit_auth::builder::Fact;
use biscuit_auth::{Algorithm, BiscuitBuilder, KeyPair};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::*;

/// What whoever has our key could sign, and we never do.
fn signed(block: BiscuitBuilder) -> String {
    let keys = ring("a");
    let key = keys.signing().unwrap();
    let token = block.root_key_id(key.number).build(&key.pair).unwrap();
    text(token.to_vec().unwrap())
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
    let api_token = bytes(&minted_api_token(&SCOPES));
    let tokens = tokens("a");
    for token in [whole, own, api_token] {
        assert!(verify(&text(&token)).is_ok());
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
        assert_eq!((access.account, access.grant), (ACCOUNT, GRANT), "{block}");
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
        let of_api_token = all.replace("session", "api_token");
        assert!(
            !judged(&of_api_token.replace(missing, "else")) || missing == "session",
            "{missing}"
        );
    }
    // Of an API token it is never more than its scopes, even if it does not say which.
    let unsaid = signed(
        BiscuitBuilder::new()
            .code(all.replace("session", "api_token"))
            .unwrap(),
    );
    let unsaid = verify(&unsaid).unwrap();
    assert_eq!(
        (unsaid.grant, unsaid.session()),
        (Grant::ApiToken(ApiTokenId(SESSION.0)), None)
    );
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
                (access.account, access.grant),
                (ACCOUNT, GRANT),
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
