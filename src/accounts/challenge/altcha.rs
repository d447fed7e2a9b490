//! ALTCHA's proof of work, as its widget speaks it since version 3 ("PoW v2").
//!
//! A puzzle is half of a key that PBKDF2 derives from a nonce and a counter; to find the counter, a browser derives a key
//! for each in turn. The service does it once to make a puzzle and once to check a solution, and keeps nothing: what it
//! offers is signed. PBKDF2 is native code in browsers, so that whoever builds a solver of their own gains little.

use anyhow::ensure;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{ChallengeFault, LIFE, Offer, Provider, Solved};

const ALGORITHM: &str = "PBKDF2/SHA-256";

/// Bytes of a derived key, and of its beginning, which the puzzle tells.
const KEY: usize = 32;
const PREFIX: usize = 16;

/// Bytes of a response at most; a widget's has about 600.
const LONGEST: usize = 4 << 10;

/// What a puzzle costs. Usually three million rounds of PBKDF2 on average: about a second for a phone, whose widget
/// works with several threads, and no phone is unlucky, as twice as many as at best are the most there can be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    /// Rounds of PBKDF2 a try.
    cost: u32,
    /// Tries until the solution.
    fewest: u32,
    most: u32,
}

impl Effort {
    pub(super) const USUAL: Self = Self {
        cost: 2_000,
        fewest: 1_000,
        most: 2_000,
    };
}

pub(super) struct Altcha {
    /// The first signs; all are accepted.
    keys: Vec<Hmac<Sha256>>,
    effort: Effort,
}

/// In the order of the alphabet, and all of what we offer: what is signed is this as JSON, as ALTCHA has it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Parameters {
    algorithm: String,
    cost: u32,
    expires_at: i64,
    key_length: u32,
    key_prefix: String,
    nonce: String,
    salt: String,
}

#[derive(Serialize, Deserialize)]
struct Challenge {
    parameters: Parameters,
    signature: String,
}

#[derive(Deserialize)]
struct Response {
    challenge: Challenge,
    solution: Solution,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Solution {
    counter: u32,
    derived_key: String,
}

impl Altcha {
    pub(super) fn new(secrets: Vec<[u8; 32]>, effort: Effort) -> anyhow::Result<Self> {
        let keys: Vec<_> = secrets.iter().map(keyed).collect();
        ensure!(!keys.is_empty(), "there is no key to sign challenges with");
        Ok(Self { keys, effort })
    }

    pub(super) fn create(&self, now: DateTime<Utc>) -> Offer {
        let nonce: [u8; 16] = rand::random();
        let salt: [u8; 16] = rand::random();
        let counter = rand::random_range(self.effort.fewest..=self.effort.most);
        let key = derive(&nonce, &salt, counter, self.effort.cost);
        let expires_at = (now + LIFE).timestamp();
        let parameters = Parameters {
            algorithm: ALGORITHM.to_owned(),
            cost: self.effort.cost,
            expires_at,
            key_length: KEY as u32,
            key_prefix: hex(&key[..PREFIX]),
            nonce: hex(&nonce),
            salt: hex(&salt),
        };
        let signature = self
            .keys
            .first()
            .map(|key| sign(key, &parameters).finalize().into_bytes());
        let challenge = Challenge {
            parameters,
            signature: signature
                .map(|signature| hex(&signature))
                .unwrap_or_default(),
        };
        Offer {
            provider: Provider::Altcha,
            site_key: None,
            parameters: serde_json::to_value(challenge).ok(),
            expires_at: DateTime::from_timestamp(expires_at, 0),
        }
    }

    pub(super) fn verify(
        &self,
        response: &str,
        now: DateTime<Utc>,
    ) -> Result<Solved, ChallengeFault> {
        let Response {
            challenge,
            solution,
        } = read(response).ok_or(ChallengeFault::Wrong)?;
        let Challenge {
            parameters,
            signature,
        } = challenge;
        let signature = bytes::<32>(&signature).ok_or(ChallengeFault::Wrong)?;
        // First of all, so that nothing else that is looked at, or worked with, is anybody's but ours.
        let ours = self
            .keys
            .iter()
            .any(|key| sign(key, &parameters).verify_slice(&signature).is_ok());
        if !ours {
            return Err(ChallengeFault::Wrong);
        }
        let expires_at =
            DateTime::from_timestamp(parameters.expires_at, 0).ok_or(ChallengeFault::Wrong)?;
        if expires_at <= now {
            return Err(ChallengeFault::Expired);
        }
        solves(&parameters, &solution).ok_or(ChallengeFault::Wrong)?;
        let mut once = Sha256::new_with_prefix(b"altcha\0");
        once.update(signature);
        Ok(Solved {
            once_key: once.finalize().into(),
            expires_at,
        })
    }
}

fn read(response: &str) -> Option<Response> {
    if response.len() > LONGEST {
        return None;
    }
    serde_json::from_slice(&BASE64_STANDARD.decode(response.trim()).ok()?).ok()
}

fn solves(parameters: &Parameters, solution: &Solution) -> Option<()> {
    let given = bytes::<KEY>(&solution.derived_key)?;
    // Without its second half a guess is not worth the work.
    if hex(&given[..PREFIX]) != parameters.key_prefix {
        return None;
    }
    let (nonce, salt) = (bytes(&parameters.nonce)?, bytes(&parameters.salt)?);
    (derive(&nonce, &salt, solution.counter, parameters.cost) == given).then_some(())
}

/// PBKDF2 with HMAC and SHA-256, whose one block is as long as the key.
fn derive(nonce: &[u8; 16], salt: &[u8; 16], counter: u32, rounds: u32) -> [u8; KEY] {
    let mut password = [0; 32];
    password[..16].copy_from_slice(nonce);
    password[16..20].copy_from_slice(&counter.to_be_bytes());
    pbkdf2(&keyed(&password), salt, rounds)
}

fn pbkdf2(password: &Hmac<Sha256>, salt: &[u8], rounds: u32) -> [u8; KEY] {
    let first = password
        .clone()
        .chain_update(salt)
        .chain_update(1_u32.to_be_bytes());
    let mut round: [u8; KEY] = first.finalize().into_bytes().into();
    let mut key = round;
    for _ in 1..rounds {
        round = password
            .clone()
            .chain_update(round)
            .finalize()
            .into_bytes()
            .into();
        for (byte, with) in key.iter_mut().zip(round) {
            *byte ^= with;
        }
    }
    key
}

/// HMAC fills a key up with zeros to a block, so those at the end of ours change nothing.
fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    Hmac::new(&block.into())
}

fn sign(key: &Hmac<Sha256>, parameters: &Parameters) -> Hmac<Sha256> {
    // A struct of strings and numbers always has a form in JSON.
    key.clone()
        .chain_update(serde_json::to_vec(parameters).unwrap_or_default())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes<const LENGTH: usize>(hex: &str) -> Option<[u8; LENGTH]> {
    let (pairs, []) = hex.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let mut bytes = [0; LENGTH];
    if pairs.len() != LENGTH {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
        *byte = u8::try_from(high? << 4 | low?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use serde_json::{Value, json};

    use super::*;

    const EASY: Effort = Effort {
        cost: 3,
        fewest: 5,
        most: 30,
    };

    fn altcha(secrets: &[[u8; 32]]) -> Altcha {
        Altcha::new(secrets.to_vec(), EASY).unwrap()
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    /// As the widget does it.
    fn solve(challenge: &Value) -> Value {
        let text = |name: &str| challenge["parameters"][name].as_str().unwrap();
        let (nonce, salt) = (bytes(text("nonce")).unwrap(), bytes(text("salt")).unwrap());
        let cost = challenge["parameters"]["cost"].as_u64().unwrap() as u32;
        let (counter, key) = (0..)
            .map(|counter| (counter, hex(&derive(&nonce, &salt, counter, cost))))
            .find(|(_, key)| key.starts_with(text("keyPrefix")))
            .unwrap();
        json!({ "challenge": challenge, "solution": { "counter": counter, "derivedKey": key, "time": 12.3 } })
    }

    fn encode(response: &Value) -> String {
        BASE64_STANDARD.encode(response.to_string())
    }

    fn solved(altcha: &Altcha) -> Value {
        solve(&altcha.create(now()).parameters.unwrap())
    }

    #[test]
    fn a_solution_is_taken_until_it_expires() {
        let altcha = altcha(&[[1; 32]]);
        let offer = altcha.create(now());
        let expires_at = offer.expires_at.unwrap();
        assert_eq!(expires_at, now() + TimeDelta::minutes(10));
        let response = encode(&solve(&offer.parameters.unwrap()));

        let solved = altcha.verify(&response, now()).unwrap();
        assert_eq!(solved.expires_at, expires_at);
        let late = expires_at - TimeDelta::seconds(1);
        assert_eq!(
            altcha.verify(&response, late).unwrap().once_key,
            solved.once_key
        );
        assert_eq!(
            altcha.verify(&response, expires_at),
            Err(ChallengeFault::Expired)
        );
    }

    #[test]
    fn a_solution_counts_once_however_it_is_written() {
        let altcha = altcha(&[[1; 32]]);
        let mut response = solved(&altcha);
        let first = altcha.verify(&encode(&response), now()).unwrap();
        let signature = response["challenge"]["signature"]
            .as_str()
            .unwrap()
            .to_uppercase();
        response["challenge"]["signature"] = signature.into();
        response["more"] = 1.into();
        assert_eq!(altcha.verify(&encode(&response), now()).unwrap(), first);
        assert_ne!(
            altcha
                .verify(&encode(&solved(&altcha)), now())
                .unwrap()
                .once_key,
            first.once_key
        );
    }

    #[test]
    fn what_was_altered_is_refused() {
        let altcha = altcha(&[[1; 32]]);
        let right = solved(&altcha);
        let alter = |pointer: &str, to: Value| {
            let mut response = right.clone();
            *response.pointer_mut(pointer).unwrap() = to;
            altcha.verify(&encode(&response), now())
        };
        let other = solved(&altcha);
        for (pointer, to) in [
            (
                "/solution/counter",
                json!(right["solution"]["counter"].as_u64().unwrap() + 1),
            ),
            ("/solution/counter", json!(-1)),
            ("/solution/counter", json!(1.5)),
            (
                "/solution/derivedKey",
                other["solution"]["derivedKey"].clone(),
            ),
            ("/solution/derivedKey", json!("")),
            ("/solution/derivedKey", json!("é".repeat(32))),
            ("/challenge/parameters/expiresAt", json!(1_900_000_000)),
            ("/challenge/parameters/cost", json!(1)),
            ("/challenge/parameters/keyPrefix", json!("")),
            (
                "/challenge/parameters/nonce",
                other["challenge"]["parameters"]["nonce"].clone(),
            ),
            ("/challenge/parameters/algorithm", json!("SHA-256")),
            (
                "/challenge/signature",
                other["challenge"]["signature"].clone(),
            ),
            ("/challenge/signature", json!("")),
        ] {
            assert_eq!(
                alter(pointer, to.clone()),
                Err(ChallengeFault::Wrong),
                "{pointer} {to}"
            );
        }
        // The right beginning, which the puzzle tells, with a guess behind it.
        let prefix = right["challenge"]["parameters"]["keyPrefix"]
            .as_str()
            .unwrap();
        let guess = format!("{prefix}{}", "0".repeat(32));
        assert_eq!(
            alter("/solution/derivedKey", json!(guess)),
            Err(ChallengeFault::Wrong)
        );
        let mut more = right.clone();
        more["challenge"]["parameters"]["data"] = json!({ "a": 1 });
        assert_eq!(
            altcha.verify(&encode(&more), now()),
            Err(ChallengeFault::Wrong)
        );
    }

    #[test]
    fn what_is_no_response_is_refused() {
        let altcha = altcha(&[[1; 32]]);
        let long = encode(&json!({ "more": "x".repeat(1 << 20) }));
        for response in [
            "",
            "x",
            "e30=",
            "bnVsbA==",
            &long,
            &"[".repeat(4_000),
            &BASE64_STANDARD.encode("[".repeat(2_000)),
        ] {
            assert_eq!(altcha.verify(response, now()), Err(ChallengeFault::Wrong));
        }
    }

    #[test]
    fn only_our_keys_sign_older_ones_too() {
        let before = altcha(&[[1; 32]]);
        let response = encode(&solved(&before));
        assert!(altcha(&[[2; 32], [1; 32]]).verify(&response, now()).is_ok());
        assert_eq!(
            altcha(&[[2; 32]]).verify(&response, now()),
            Err(ChallengeFault::Wrong)
        );
        assert!(Altcha::new(Vec::new(), EASY).is_err());
    }

    #[test]
    fn the_public_library_s_challenges_and_solutions_are_ours() {
        let fixture: Value =
            serde_json::from_str(include_str!("fixtures/altcha-lib.json")).unwrap();
        let secret: [u8; 32] = fixture["secret"]
            .as_str()
            .unwrap()
            .as_bytes()
            .try_into()
            .unwrap();
        let altcha = altcha(&[secret]);
        let response = fixture["response"].as_str().unwrap();
        let solved = altcha.verify(response, now()).unwrap();
        assert_eq!(solved.expires_at.timestamp(), 1_893_456_600);
        assert_eq!(
            altcha.verify(response, solved.expires_at),
            Err(ChallengeFault::Expired)
        );
        // Ours has the same form, and ours solves theirs.
        let ours = altcha.create(now()).parameters.unwrap();
        let names = |challenge: &Value| {
            let parameters = challenge["parameters"].as_object().unwrap();
            parameters.keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(names(&ours), names(&fixture["challenge"]));
        assert!(
            altcha
                .verify(&encode(&solve(&fixture["challenge"])), now())
                .is_ok()
        );
    }

    #[test]
    fn pbkdf2_is_that_of_rfc_7914() {
        let mut password = [0; 32];
        password[..6].copy_from_slice(b"passwd");
        let key = pbkdf2(&keyed(&password), b"salt", 1);
        assert_eq!(
            hex(&key),
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
        );
        let mut password = [0; 32];
        password[..8].copy_from_slice(b"Password");
        let key = pbkdf2(&keyed(&password), b"NaCl", 80_000);
        assert_eq!(
            hex(&key),
            "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
        );
    }

    #[test]
    fn a_puzzle_costs_what_it_should() {
        let altcha = Altcha::new(vec![[1; 32]], Effort::USUAL).unwrap();
        let parameters = altcha.create(now()).parameters.unwrap();
        assert_eq!(parameters["parameters"]["cost"], 2_000);
        assert_eq!(parameters["parameters"]["algorithm"], ALGORITHM);
    }
}
