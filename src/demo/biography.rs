//! What artists say of themselves, and where they can be found.

use chrono::Datelike;

use super::dice::Dice;
use super::genres::Affinity;
use super::rows::Album;
use super::titles::Language;

pub(super) struct Subject<'a> {
    pub name: &'a str,
    pub language: Language,
    pub affinity: Affinity,
    pub since: i32,
    pub albums: &'a [Album],
}

/// One to four sentences, or nothing, as of many.
pub(super) fn draw_biography(dice: &mut Dice, subject: &Subject<'_>) -> String {
    let sentences = dice.below(9);
    let mut text = String::new();
    if sentences >= 2 {
        text.push_str(&origin(dice, subject));
    }
    if sentences >= 4 {
        text.push_str(&sound(dice, subject));
    }
    if sentences >= 6 {
        text.push_str(&past(dice, subject));
    }
    if sentences >= 8 {
        text.push_str(&present(dice));
    }
    text
}

fn origin(dice: &mut Dice, subject: &Subject<'_>) -> String {
    let Subject { name, since, .. } = subject;
    let home = dice.pick(homes(subject.language));
    let genre = subject.affinity.main.name;
    match dice.below(5) {
        0 => format!("{name} started out in {home} in {since}."),
        1 => format!("Born in a rehearsal room in {home}, {name} has been around since {since}."),
        2 => format!("{name}: {genre} from {home}, since {since}."),
        3 => format!("{genre} made in {home}, mostly at night."),
        _ => format!("What began in {since} as a favour to a friend in {home} became {name}."),
    }
}

fn sound(dice: &mut Dice, subject: &Subject<'_>) -> String {
    let main = subject.affinity.main.name;
    let other = subject.affinity.other.name;
    let instrument = dice.pick(INSTRUMENTS);
    match dice.below(4) {
        0 => format!(" Somewhere between {main} and {other}, with {instrument} never far away."),
        1 => format!(" The songs lean on {instrument} and on long silences."),
        2 => format!(" {main} at heart, {other} at weekends."),
        _ => format!(" Recorded with {instrument}, one microphone and patience."),
    }
}

fn past(dice: &mut Dice, subject: &Subject<'_>) -> String {
    let town = dice.pick(homes(Language::English));
    match subject.albums.first() {
        Some(Album {
            title,
            released_on: Some(day),
            ..
        }) if dice.per_mille(600) => {
            format!(" “{title}” came out in {}.", day.year())
        }
        _ => match dice.below(3) {
            0 => format!(" A winter in {town} changed everything."),
            1 => " Two tours were cancelled, the third one never ended.".to_owned(),
            _ => format!(" The first concert, in {town}, had eleven guests."),
        },
    }
}

fn present(dice: &mut Dice) -> String {
    let text = dice.pick(&[
        " New music is being written.",
        " Concerts when the ferry runs.",
        " Bookings by pigeon only.",
        " Now at work on something longer.",
        " Thank you for listening.",
        " Still looking for a drummer.",
    ]);
    text.to_owned()
}

const INSTRUMENTS: &[&str] = &[
    "a borrowed piano",
    "a broken accordion",
    "a cheap drum machine",
    "a choir of neighbours",
    "a detuned guitar",
    "a kora",
    "a cello",
    "a shortwave radio",
    "an oud",
    "field recordings",
    "four trombones",
    "old tape loops",
    "one bass line",
    "two synthesisers",
];

fn homes(language: Language) -> &'static [&'static str] {
    match language {
        Language::Arabic => &["Amman", "Beirut", "Cairo", "Casablanca", "Tunis"],
        Language::English => &[
            "Accra",
            "Bristol",
            "Cape Town",
            "Chicago",
            "Cork",
            "Glasgow",
            "Hobart",
            "Kingston",
            "Lagos",
            "Nashville",
            "Portland",
            "Wellington",
        ],
        Language::French => &[
            "Brussels",
            "Dakar",
            "Lyon",
            "Marseille",
            "Montréal",
            "Nantes",
        ],
        Language::German => &["Berlin", "Graz", "Hamburg", "Leipzig", "Zürich"],
        Language::Japanese => &["Fukuoka", "Kyoto", "Osaka", "Sapporo", "Tokyo"],
        Language::Portuguese => &["Belém", "Lisbon", "Luanda", "Porto", "Recife", "São Paulo"],
        Language::Russian => &["Almaty", "Riga", "Tbilisi", "Vladivostok", "Yerevan"],
        Language::Spanish => &[
            "Bogotá",
            "Buenos Aires",
            "Guadalajara",
            "Lima",
            "Sevilla",
            "Valencia",
        ],
    }
}

/// Up to four addresses, on hosts that are reserved for examples.
pub(super) fn draw_links(dice: &mut Dice, slug: &str) -> Vec<String> {
    let wanted = dice.below(16);
    [
        format!("https://example.com/{slug}"),
        format!("https://example.org/artists/{slug}"),
        format!("https://example.net/@{slug}"),
        format!("https://example.com/shop/{slug}"),
    ]
    .into_iter()
    .enumerate()
    .filter_map(|(index, link)| ((wanted >> index) & 1 == 1).then_some(link))
    .collect()
}
