//! Addresses under which a file of the folder can be fetched for a while, by whoever has them. All that they promise
//! stands in them, under a MAC, so that nothing has to be kept, and no part of one fits another.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use url::Url;

use super::parts::{Handle, PartAdmission};
use super::shown::{ContentType, Shown};
use super::{Key, StorageError};
use crate::keys::Keys;

/// What stands before a key; the route is below it.
const PATH: &str = "/media/";
/// What stands before a part that is sent.
const PARTS: &str = "/media/upload/";
/// Under the MAC, where a key stands else: no key has capitals.
const PART: &[u8] = b"PUT";

pub struct Addresses {
    base: String,
    keys: Keys,
}

/// Why an address opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAdmitted {
    /// Made by somebody else, or altered.
    Forged,
    /// One of ours, whose time is over.
    Expired,
}

/// What an address of ours promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    pub key: Key,
    pub shown: Shown,
    pub ends: DateTime<Utc>,
}

impl Addresses {
    pub fn new(public_url: &Url, keys: Keys) -> Self {
        Self {
            base: public_url.as_str().trim_end_matches('/').to_owned(),
            keys,
        }
    }

    /// Good until then, that second not included.
    pub fn signed(
        &self,
        key: &Key,
        shown: &Shown,
        ends: DateTime<Utc>,
    ) -> Result<Url, StorageError> {
        let ends = ends.timestamp().to_string();
        let signature = self.keys.media().mac(&parts(key, shown, &ends));
        let mut url = self.url(&format!("{PATH}{key}"))?;
        url.query_pairs_mut()
            .append_pair("name", &shown.file_name)
            .append_pair("type", shown.content_type.as_str())
            .append_pair("as", kind(shown))
            .append_pair("expires", &ends)
            .append_pair("signature", &URL_SAFE_NO_PAD.encode(signature));
        Ok(url)
    }

    fn url(&self, path: &str) -> Result<Url, StorageError> {
        let url = format!("{}{path}", self.base).parse();
        url.map_err(|_| StorageError::Refused("EMPULSE_PUBLIC_URL can't be gone on from".into()))
    }

    /// Where a part is sent to.
    pub fn signed_part(&self, part: &PartAdmission) -> Result<Url, StorageError> {
        let PartAdmission { handle, number, .. } = part;
        let mut url = self.url(&format!("{PARTS}{}/{number}", handle.0))?;
        let signature = part_texts(part).mac(&self.keys);
        url.query_pairs_mut()
            .append_pair("length", &part.length.to_string())
            .append_pair("expires", &part.ends.timestamp().to_string())
            .append_pair("signature", &URL_SAFE_NO_PAD.encode(signature));
        Ok(url)
    }

    /// The same as [`Self::admit`] of a part that is sent.
    pub fn admit_part(
        &self,
        path: &str,
        query: &str,
        now: DateTime<Utc>,
    ) -> Result<PartAdmission, NotAdmitted> {
        let (part, signature) = read_part(path, query).ok_or(NotAdmitted::Forged)?;
        if !part_texts(&part).verify(&self.keys, &signature) {
            return Err(NotAdmitted::Forged);
        }
        match now < part.ends {
            true => Ok(part),
            false => Err(NotAdmitted::Expired),
        }
    }

    /// By the address' path, as it was sent, and its query.
    pub fn admit(
        &self,
        path: &str,
        query: &str,
        now: DateTime<Utc>,
    ) -> Result<Admission, NotAdmitted> {
        let (admission, signature) = read(path, query).ok_or(NotAdmitted::Forged)?;
        let ends = admission.ends.timestamp().to_string();
        let parts = parts(&admission.key, &admission.shown, &ends);
        if !self.keys.media().verify(&parts, &signature) {
            return Err(NotAdmitted::Forged);
        }
        match now < admission.ends {
            true => Ok(admission),
            false => Err(NotAdmitted::Expired),
        }
    }
}

fn kind(shown: &Shown) -> &'static str {
    if shown.attachment {
        "attachment"
    } else {
        "inline"
    }
}

fn parts<'a>(key: &'a Key, shown: &'a Shown, ends: &'a str) -> [&'a [u8]; 5] {
    [
        key.as_str().as_bytes(),
        shown.file_name.as_bytes(),
        shown.content_type.as_str().as_bytes(),
        kind(shown).as_bytes(),
        ends.as_bytes(),
    ]
}

/// What is signed of a part.
struct PartTexts<'a> {
    handle: &'a str,
    numbers: [String; 3],
}

fn part_texts(part: &PartAdmission) -> PartTexts<'_> {
    let ends = part.ends.timestamp();
    PartTexts {
        handle: &part.handle.0,
        numbers: [
            part.number.to_string(),
            part.length.to_string(),
            ends.to_string(),
        ],
    }
}

impl PartTexts<'_> {
    fn parts(&self) -> [&[u8]; 5] {
        let [number, length, ends] = self.numbers.each_ref().map(String::as_bytes);
        [PART, self.handle.as_bytes(), number, length, ends]
    }

    fn mac(&self, keys: &Keys) -> [u8; 32] {
        keys.media().mac(&self.parts())
    }

    fn verify(&self, keys: &Keys, signature: &[u8]) -> bool {
        keys.media().verify(&self.parts(), signature)
    }
}

fn read_part(path: &str, query: &str) -> Option<(PartAdmission, Vec<u8>)> {
    let (handle, number) = path.strip_prefix(PARTS)?.split_once('/')?;
    // It is one of ours, and nothing that leads elsewhere.
    let id = uuid::Uuid::try_parse(handle).ok()?;
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let mut next = |name: &str| {
        let (found, value) = pairs.next()?;
        (found == name).then(|| value.into_owned())
    };
    let (length, expires) = (next("length")?, next("expires")?);
    let signature = URL_SAFE_NO_PAD.decode(next("signature")?).ok()?;
    let part = PartAdmission {
        handle: Handle(handle.to_owned()),
        number: number.parse().ok()?,
        length: length.parse().ok()?,
        ends: DateTime::from_timestamp(expires.parse().ok()?, 0)?,
    };
    let texts = part_texts(&part).numbers;
    let is_ours = pairs.next().is_none()
        && id.simple().to_string() == handle
        && texts == [number, &*length, &*expires];
    is_ours.then_some((part, signature))
}

/// Everything once, and nothing else: there is one way to write an address.
fn read(path: &str, query: &str) -> Option<(Admission, Vec<u8>)> {
    // No key has a letter that is written in another way, so nothing is decoded here.
    let key = path.strip_prefix(PATH)?.parse().ok()?;
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let mut next = |name: &str| {
        let (found, value) = pairs.next()?;
        (found == name).then(|| value.into_owned())
    };
    let shown = Shown {
        file_name: next("name")?,
        content_type: ContentType::read(&next("type")?)?,
        attachment: match next("as")?.as_str() {
            "attachment" => true,
            "inline" => false,
            _ => return None,
        },
    };
    let expires = next("expires")?;
    let ends = DateTime::from_timestamp(expires.parse().ok()?, 0)?;
    let signature = URL_SAFE_NO_PAD.decode(next("signature")?).ok()?;
    let is_ours = pairs.next().is_none() && expires == ends.timestamp().to_string();
    is_ours.then_some((Admission { key, shown, ends }, signature))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::keys::tests::ring;

    fn addresses(letters: &str) -> Addresses {
        let base = "https://api.example.org/base/".parse().unwrap();
        Addresses::new(&base, ring(letters))
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_900_000_000, 0).unwrap()
    }

    fn shown() -> Shown {
        let audio = ContentType::read("audio/mpeg").unwrap();
        Shown::new("Über & Co.mp3", audio, false)
    }

    fn made(letters: &str) -> Url {
        let key = "tracks/1/a.mp3".parse().unwrap();
        let ends = now() + TimeDelta::minutes(5);
        addresses(letters).signed(&key, &shown(), ends).unwrap()
    }

    fn admitted(letters: &str, url: &Url, at: DateTime<Utc>) -> Result<Admission, NotAdmitted> {
        let path = url.path().strip_prefix("/base").unwrap();
        addresses(letters).admit(path, url.query().unwrap(), at)
    }

    #[test]
    fn an_address_is_good_until_its_end() {
        let url = made("a");
        assert!(
            url.as_str()
                .starts_with("https://api.example.org/base/media/tracks/1/a.mp3?name=")
        );
        let admission = admitted("a", &url, now()).unwrap();
        assert_eq!(admission.key.as_str(), "tracks/1/a.mp3");
        assert_eq!(admission.shown, shown());
        let end = now() + TimeDelta::minutes(5);
        assert_eq!(admission.ends, end);
        assert!(admitted("a", &url, end - TimeDelta::milliseconds(1)).is_ok());
        assert_eq!(admitted("a", &url, end), Err(NotAdmitted::Expired));
    }

    #[test]
    fn keys_may_come_and_go() {
        let url = made("a");
        assert!(admitted("ba", &url, now()).is_ok());
        assert_eq!(admitted("b", &url, now()), Err(NotAdmitted::Forged));
    }

    #[test]
    fn no_letter_can_be_altered() {
        let url = made("a");
        let path = url.path().strip_prefix("/base").unwrap();
        let query = url.query().unwrap();
        let addresses = addresses("a");
        let whole = format!("{path}?{query}");
        let mut tried = 0;
        for at in 0..whole.len() {
            for other in ["", "0", "a", "A", "%", "/", "&", "=", "+", ".", "aa"] {
                let altered = format!("{}{other}{}", &whole[..at], &whole[at + 1..]);
                let Some((path, query)) = altered.split_once('?') else {
                    continue;
                };
                if altered == whole {
                    continue;
                }
                match addresses.admit(path, query, now()) {
                    Err(NotAdmitted::Forged) => tried += 1,
                    // The same said in another way: a space is `+` or `%20`, and hex has two cases.
                    Ok(admission) => assert_eq!(admission.shown, shown(), "{altered}"),
                    Err(NotAdmitted::Expired) => panic!("{altered}"),
                }
            }
        }
        assert!(tried > 1000, "{tried}");
    }

    #[test]
    fn there_is_one_way_to_write_an_address() {
        let url = made("a");
        let (path, query) = (
            url.path().strip_prefix("/base").unwrap(),
            url.query().unwrap(),
        );
        let addresses = addresses("a");
        assert!(addresses.admit(path, query, now()).is_ok());
        for (path, query) in [
            (path, ""),
            (path, &format!("{query}&a=b")[..]),
            (path, &format!("a=b&{query}")),
            (path, &query.replace("as=inline", "as=inline&as=attachment")),
            (path, &query.replace("as=inline", "as=attachment")),
            (path, &query.replace("expires=19", "expires=20")),
            (path, &query.replace("expires=19", "expires=-19")),
            (path, &query.replace("expires=19", "expires=+19")),
            (path, &query.replace("expires=19", "expires=019")),
            (
                path,
                &query.replace("expires=19", "expires=99999999999999999919"),
            ),
            (path, &query.replace("signature=", "signature=A")),
            (path, query.split("&signature").next().unwrap()),
            (path, &format!("{query}=")),
            ("/media/tracks/1/b.mp3", query),
            ("/media/tracks/1/./a.mp3", query),
            ("/media//tracks/1/a.mp3", query),
            ("/media/tracks%2f1/a.mp3", query),
            ("/media/tracks/1/%61.mp3", query),
            ("/media/", query),
            ("/other/tracks/1/a.mp3", query),
        ] {
            assert_eq!(
                addresses.admit(path, query, now()),
                Err(NotAdmitted::Forged),
                "{path}?{query}"
            );
        }
    }

    #[test]
    fn an_address_of_a_part_lets_in_that_part_until_its_end() {
        let part = PartAdmission {
            handle: Handle("0188bac74afa78aabc3bbd1eef28d881".into()),
            number: 7,
            length: 16_777_216,
            ends: now() + TimeDelta::hours(1),
        };
        let url = addresses("a").signed_part(&part).unwrap();
        let whole = url.as_str().strip_prefix("https://api.example.org/base");
        let whole = whole.unwrap();
        assert!(whole.starts_with("/media/upload/0188bac74afa78aabc3bbd1eef28d881/7?length="));
        let admit = |letters: &str, address: &str, at| {
            let (path, query) = address.split_once('?').unwrap_or((address, ""));
            addresses(letters).admit_part(path, query, at)
        };
        assert_eq!(admit("ba", whole, now()), Ok(part.clone()));
        assert_eq!(admit("b", whole, now()), Err(NotAdmitted::Forged));
        let end = part.ends;
        assert!(admit("a", whole, end - TimeDelta::milliseconds(1)).is_ok());
        assert_eq!(admit("a", whole, end), Err(NotAdmitted::Expired));
        let mut tried = 0;
        for at in 0..whole.len() {
            for other in ["", "0", "a", "A", "%", "/", "..", "&", "=", "+", "1"] {
                let altered = format!("{}{other}{}", &whole[..at], &whole[at + 1..]);
                if altered != whole {
                    assert_eq!(
                        admit("a", &altered, now()),
                        Err(NotAdmitted::Forged),
                        "{altered}"
                    );
                    tried += 1;
                }
            }
        }
        assert!(tried > 1000, "{tried}");
        // Neither opens the other.
        let (path, query) = whole.split_once('?').unwrap();
        assert_eq!(
            addresses("a").admit(path, query, now()),
            Err(NotAdmitted::Forged)
        );
        let read = made("a");
        let read = read
            .as_str()
            .strip_prefix("https://api.example.org/base")
            .unwrap();
        assert_eq!(admit("a", read, now()), Err(NotAdmitted::Forged));
    }

    #[test]
    fn what_is_for_another_use_opens_nothing() {
        let keys = ring("a");
        let key: Key = "a".parse().unwrap();
        let shown = shown();
        let parts = parts(&key, &shown, "1900000300");
        assert_ne!(keys.media().mac(&parts), keys.csrf().mac(&parts));
    }
}
