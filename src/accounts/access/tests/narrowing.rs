//! What a holder can make of a token, and what never becomes of it.

use std::time::Instant;

use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::*;

const ONE: &str = "album_01h455vb4pex5vsknk084sn02q";
const OTHER: &str = "album_01h2xcejqtf2nbrexx3vqjhp41";
const TRACK: &str = "track_01h455vb4pex5vsknk084sn02q";

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

/// Whether a token opens a scope for a thing of those ids.
fn opens_for(token: &str, scope: Scope, touched: &[&str]) -> Result<bool, AccessFault> {
    let touched: Vec<String> = touched.iter().map(|id| (*id).to_owned()).collect();
    verify(token)?.opens(scope, &touched)
}

#[test]
fn one_album_is_all_that_is_left() {
    const WRITE: Scope = Scope::CatalogueWrite;
    for whole in [minted(), minted_api_token(&SCOPES)] {
        assert_eq!(opens_for(&whole, WRITE, &[OTHER]), Ok(true));
        let album = narrowed(&whole, &format!("check if resource(\"{ONE}\")"));
        // For nothing in particular it opens nothing, but it is not worthless.
        assert_eq!(opens(&album), Ok(vec![]));
        for (touched, expected) in [
            (&[][..], false),
            (&[ONE], true),
            (&[TRACK, ONE], true),
            (&[OTHER], false),
            (&[TRACK], false),
            (&[TRACK, OTHER], false),
            (&[""], false),
        ] {
            assert_eq!(
                opens_for(&album, WRITE, touched),
                Ok(expected),
                "{touched:?}"
            );
        }
        let read = narrowed(&album, r#"check if scope("ACCOUNT_READ")"#);
        assert_eq!(opens_for(&read, WRITE, &[ONE]), Ok(false));
        assert_eq!(opens_for(&read, Scope::AccountRead, &[ONE]), Ok(true));
        let both = narrowed(&album, &format!("check if resource(\"{OTHER}\")"));
        assert_eq!(opens_for(&both, WRITE, &[ONE]), Ok(false));
        assert_eq!(opens_for(&both, WRITE, &[OTHER]), Ok(false));
    }
    // What the token was not given for stays shut.
    let reads = minted_api_token(&[Scope::AccountRead]);
    let album = narrowed(&reads, &format!("check if resource(\"{ONE}\")"));
    assert_eq!(opens_for(&album, WRITE, &[ONE]), Ok(false));
}

#[test]
fn things_can_be_named_in_other_ways() {
    const WRITE: Scope = Scope::CatalogueWrite;
    let whole = minted();
    for (check, one, track_of_one, other, track) in [
        (
            format!("check if resource(\"{ONE}\") or resource(\"{OTHER}\")"),
            true,
            true,
            true,
            false,
        ),
        (
            format!("check if resource($r), [\"{ONE}\", \"else\"].contains($r)"),
            true,
            true,
            false,
            false,
        ),
        (
            r#"check if resource($r), $r.starts_with("track_")"#.to_owned(),
            false,
            true,
            false,
            true,
        ),
        (
            r#"check all resource($r), $r.starts_with("album_")"#.to_owned(),
            true,
            false,
            true,
            false,
        ),
        (
            format!("check if resource($r), $r != \"{ONE}\""),
            false,
            true,
            true,
            true,
        ),
    ] {
        let token = narrowed(&whole, &check);
        for (touched, expected) in [
            (&[ONE][..], one),
            (&[TRACK, ONE], track_of_one),
            (&[OTHER], other),
            (&[TRACK], track),
        ] {
            assert_eq!(
                opens_for(&token, WRITE, touched),
                Ok(expected),
                "{check} {touched:?}"
            );
        }
    }
    // Some things with any scope, and one scope for all else.
    let either = format!("check if resource(\"{ONE}\") or scope(\"ACCOUNT_READ\")");
    let either = narrowed(&whole, &either);
    assert_eq!(opens(&either), Ok(vec!["ACCOUNT_READ"]));
    assert_eq!(opens_for(&either, WRITE, &[ONE]), Ok(true));
    assert_eq!(opens_for(&either, WRITE, &[OTHER]), Ok(false));
    assert_eq!(opens_for(&either, Scope::AccountRead, &[OTHER]), Ok(true));
}

/// Whatever it could still be used for, its own end is its end.
#[test]
fn what_a_thing_can_not_mend_is_refused_before_one_is_touched() {
    let tokens = tokens("a");
    let album = narrowed(&minted(), &format!("check if resource(\"{ONE}\")"));
    let short = narrowed(&album, "check if time($t), $t < 2030-01-02T03:05:00Z");
    assert!(tokens.verify(&short, later(54), None).is_ok());
    let over = tokens.verify(&short, later(55), None);
    assert_eq!(over, Err(AccessFault::Invalid));
    let network = r#"check if networks($n), $n.contains("203.0.113.0/24")"#;
    let there = narrowed(&album, network);
    assert_eq!(opens_from(&there, Some("203.0.113.9")), Ok(vec![]));
    assert_eq!(opens_from(&there, Some("203.0.114.9")), INVALID);
    let neither = narrowed(&album, r#"check if scope("ELSE")"#);
    assert_eq!(opens(&neither), INVALID);
    // What can't be evaluated opens nothing; that is found only when there is something.
    let wrong = narrowed(&minted(), "check if resource($r), $r < 3");
    let judged = opens_for(&wrong, Scope::CatalogueWrite, &[ONE]);
    assert_eq!(judged, Err(AccessFault::Invalid));
}

#[test]
fn what_decides_by_things_shows_nothing_of_the_token() {
    let album = narrowed(&minted(), &format!("check if resource(\"{ONE}\")"));
    let shown = format!("{:?}", verify(&album).unwrap().touching);
    assert_eq!(shown, "Some(Touching)");
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
                self.of(&[
                    "scope($x)",
                    "user($x)",
                    "role($x)",
                    "resource($x)",
                    "made($x)"
                ]),
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
            "scope",
            "resource",
            "user",
            "session",
            "api_token",
            "role",
            "audience",
            "service",
            "expires",
            "time",
            "ip",
        ]);
        format!("{name}({})", self.value())
    }

    fn value(&mut self) -> &'static str {
        self.of(&[
            r#""ACCOUNT_READ""#,
            r#""PLAYLISTS_READ""#,
            r#""UPLOADS_WRITE""#,
            r#""ADMIN""#,
            r#""album_01h455vb4pex5vsknk084sn02q""#,
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
                r#"resource("album_01h455vb4pex5vsknk084sn02q")"#,
                r#"resource($r), $r.starts_with("track_")"#,
            ];
            return self.of(&sound).to_owned();
        }
        let facts = [
            "scope($x)",
            "resource($x)",
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

/// All that a token opens: of each scope for nothing in particular, an album, another, a track of the first.
fn all_that_is_opened(access: &Access) -> BTreeSet<(Scope, usize)> {
    let things = [&[][..], &[ONE], &[OTHER], &[TRACK, ONE]];
    let things = things.map(|ids| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>());
    let asked = Scope::ALL
        .iter()
        .flat_map(|scope| (0..things.len()).map(|at| (*scope, at)));
    asked
        .filter(|(scope, at)| access.opens(*scope, &things[*at]) == Ok(true))
        .collect()
}

#[test]
fn no_block_widens() {
    let seed = rand::random();
    let mut writer = Writer(Xoshiro256PlusPlus::seed_from_u64(seed));
    let tokens = tokens("a");
    let wholes = [minted(), minted_api_token(&SCOPES)];
    let (mut tried, mut believed, mut smaller) = (0, 0, 0);
    while tried < 800 {
        let now = later(writer.0.random_range(-10..910));
        let address = ["203.0.113.7", "2001:db8::7"]
            .choose(&mut writer.0)
            .unwrap();
        let address = Some(address.parse().unwrap()).filter(|_| writer.0.random());
        let mut token = wholes.choose(&mut writer.0).unwrap().clone();
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
            if let Ok(after) = &after {
                let why = format!("seed {seed}: {source}");
                let before = before.as_ref().unwrap_or_else(|_| panic!("{why}"));
                let said = |access: &Access| (access.account, access.grant, access.expires_at);
                assert_eq!(said(after), said(before), "{why}");
                assert_eq!(after.session(), None, "{why}");
                let (opened, before_that) = (all_that_is_opened(after), all_that_is_opened(before));
                assert!(opened.is_subset(&before_that), "{why}");
                assert!(
                    after.revocation_ids.starts_with(&before.revocation_ids),
                    "{why}"
                );
                believed += 1;
                smaller += usize::from(opened.len() < before_that.len());
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

#[test]
fn the_dearest_token_costs_little() {
    let claims = Claims {
        made_for: MadeFor::Session(SESSION, Role::ALL),
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

#[test]
fn two_open_the_same_only_if_nothing_tells_them_apart() {
    let opened = |token: &str| verify(token).unwrap().opened();
    let reads = r#"check if scope("PLAYLISTS_READ")"#;
    let album = format!("check if resource(\"{ONE}\")");
    let one = narrowed(&minted(), reads);
    assert_eq!(opened(&one), opened(&narrowed(&minted(), reads)));
    let by_api_token = minted_api_token(&[Scope::PlaylistsRead]);
    assert_eq!(opened(&one), opened(&by_api_token));
    let of_album = narrowed(&one, &album);
    let others = [
        narrowed(&minted(), r#"check if scope("PLAYLISTS_WRITE")"#),
        narrowed(&minted(), ""),
        of_album.clone(),
        narrowed(&one, &format!("check if resource(\"{OTHER}\")")),
        narrowed(&of_album, &album),
    ];
    let all: BTreeSet<_> = others
        .iter()
        .chain([&one])
        .map(|token| opened(token))
        .collect();
    assert_eq!(all.len(), 6);
    assert_eq!(opened(&of_album), opened(&of_album));
}
