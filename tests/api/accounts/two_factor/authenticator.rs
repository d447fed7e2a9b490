//! What people have on their phones: computed by another library than the service's, from the address that it is given.

use aws_lc_rs::hmac;
use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

use crate::support::TestApp;

const STEP: TimeDelta = TimeDelta::seconds(30);

/// Waits, at all of these, for the step that begins next: what is told of a step now is then not of another one when it is
/// judged.
pub fn begin_step(instances: &[&TestApp]) {
    let step = STEP.num_milliseconds();
    let left = step - instances[0].app.clock.now().timestamp_millis() % step;
    for one in instances {
        one.app.clock.advance(TimeDelta::milliseconds(left));
    }
}

#[derive(Debug, Clone)]
pub struct Authenticator {
    secret: Vec<u8>,
    pub issuer: String,
    pub account: String,
}

impl Authenticator {
    #[track_caller]
    pub fn reading(uri: &str) -> Self {
        let url = Url::parse(uri).unwrap();
        assert_eq!((url.scheme(), url.host_str()), ("otpauth", Some("totp")));
        let told = |name: &str| {
            let mut pairs = url.query_pairs();
            pairs.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
        };
        // What it does not say is what every authenticator takes for granted.
        for (name, usual) in [("algorithm", "SHA1"), ("digits", "6"), ("period", "30")] {
            assert!(told(name).is_none_or(|value| value == usual), "{uri}");
        }
        let label = url.path().trim_start_matches('/');
        let (issuer, account) = label.split_once(':').unwrap();
        let plain = |text: &str| {
            let pair = format!("x={text}");
            let mut pairs = url::form_urlencoded::parse(pair.as_bytes());
            pairs.next().unwrap().1.into_owned()
        };
        assert_eq!(told("issuer").unwrap(), plain(issuer));
        Self {
            secret: base32(&told("secret").unwrap()),
            issuer: plain(issuer),
            account: plain(account),
        }
    }

    pub fn secret_bytes(&self) -> usize {
        self.secret.len()
    }

    /// The secret as a database shows bytes.
    pub fn hex(&self) -> String {
        let digits = self.secret.iter().map(|byte| format!("{byte:02x}"));
        digits.collect()
    }

    /// The code that it shows by the service's clock.
    pub fn code(&self, app: &TestApp) -> String {
        self.code_at(app.app.clock.now())
    }

    /// The same so many steps later, or earlier.
    pub fn code_of_step(&self, app: &TestApp, step: i32) -> String {
        self.code_at(app.app.clock.now() + STEP * step)
    }

    /// The next one, when it has come.
    pub fn next(&self, app: &TestApp) -> String {
        app.app.clock.advance(STEP);
        self.code(app)
    }

    /// One that counts neither now nor soon.
    pub fn wrong(&self, app: &TestApp) -> String {
        let near: Vec<_> = (-3..=3).map(|step| self.code_of_step(app, step)).collect();
        let mut others = (0..).map(|number| format!("{number:06}"));
        others.find(|code| !near.contains(code)).unwrap()
    }

    fn code_at(&self, time: DateTime<Utc>) -> String {
        let step = (time.timestamp() / STEP.num_seconds()).to_be_bytes();
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.secret);
        let tag = hmac::sign(&key, &step);
        let tag = tag.as_ref();
        let offset = usize::from(tag[19] & 15);
        let number = u32::from_be_bytes(tag[offset..offset + 4].try_into().unwrap());
        format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
    }
}

fn base32(text: &str) -> Vec<u8> {
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0u32, 0);
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'2'..=b'7' => letter - b'2' + 26,
            other => panic!("{} is not of base 32", char::from(other)),
        };
        bits = (bits << 5 | u32::from(value)) & 0xfff;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}

/// Those of RFC 6238, appendix B.
#[test]
fn it_computes_as_the_rfc_does() {
    let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    let uri = format!("otpauth://totp/A:b%40c?secret={secret}&issuer=A");
    let authenticator = Authenticator::reading(&uri);
    assert_eq!(authenticator.secret, b"12345678901234567890");
    for (seconds, code) in [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (20_000_000_000, "353130"),
    ] {
        let time = DateTime::from_timestamp(seconds, 0).unwrap();
        assert_eq!(authenticator.code_at(time), code);
    }
}
