//! Arrows go one way: main → http → graphql → domains → app → platform. A room imports those below it and none above,
//! and another domain only by its front door.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The rooms, highest first. Each may import what stands below it. A domain sees the domains before it: accounts ←
/// media ← catalogue ← playlists.
const ROOMS: &[&str] = &[
    "main",
    "serve",
    "check",
    "install",
    "locksmith",
    "http",
    "worker",
    "graphql",
    "demo",
    "catalogue",
    "media",
    "accounts",
    "audit",
    "idempotency",
    "app",
    "storage",
    "mail",
    "jobs",
    "vault",
    "limits",
    "cache",
    "events",
    "redis",
    "db",
    "telemetry",
    "keys",
    "clock",
    "config",
];
/// Rooms of the domain, whose insides are nobody else's business.
const DOMAINS: &[&str] = &["catalogue", "media", "accounts", "audit"];

#[test]
fn imports_point_down_and_domains_are_entered_by_their_front_door() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&source, &mut files);
    assert!(files.len() > 30, "found {} files", files.len());
    let mut wrong = BTreeSet::new();
    let mut arrows = 0;
    for file in files {
        let relative = file.strip_prefix(&source).unwrap();
        let room = relative
            .iter()
            .next()
            .unwrap()
            .to_str()
            .unwrap()
            .trim_end_matches(".rs");
        if room == "lib" {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        for path in imports(&text) {
            let mut parts = path.split("::");
            let target = parts.next().unwrap();
            let inside = parts.next();
            if target == room || !target.chars().next().is_some_and(char::is_lowercase) {
                continue;
            }
            let Some(below) = ROOMS.iter().position(|known| *known == target) else {
                // A macro of ours at the crate's root.
                assert!(
                    matches!(target, "typed_id" | "stored_enum"),
                    "{}: {target} is no room; add it to the list",
                    relative.display()
                );
                continue;
            };
            arrows += 1;
            let here = ROOMS
                .iter()
                .position(|known| *known == room)
                .unwrap_or_else(|| panic!("{room} is no room; add it to the list"));
            if below < here {
                wrong.insert(format!("{}: {room} → {target} goes up", relative.display()));
            }
            let is_module =
                inside.is_some_and(|inside| inside.chars().next().is_some_and(char::is_lowercase));
            if DOMAINS.contains(&target) && is_module && parts.next().is_some() {
                wrong.insert(format!(
                    "{}: {path} goes past the front door of {target}",
                    relative.display()
                ));
            }
            if target == "graphql" && !matches!(room, "http" | "main" | "check") {
                wrong.insert(format!(
                    "{}: only http and the commands import graphql",
                    relative.display()
                ));
            }
        }
    }
    assert!(
        arrows > 40,
        "only {arrows} imports were found: does this test still read them?"
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !path.ends_with("tests.rs")
        {
            files.push(path);
        }
    }
}

/// Every path behind `crate::` (in `main.rs` behind `empulse::`), groups taken apart; tests at a file's end are left
/// out.
fn imports(text: &str) -> Vec<String> {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let mut found = Vec::new();
    for root in ["crate::", "empulse::"] {
        for (start, _) in text.match_indices(root) {
            if text[..start].ends_with(['_', ':', '"'])
                || text[..start].ends_with(char::is_alphanumeric)
            {
                continue;
            }
            expand("", &text[start + root.len()..], &mut found);
        }
    }
    found
}

/// `a::{b, c::d}` as `a::b` and `a::c::d`.
fn expand(prefix: &str, rest: &str, found: &mut Vec<String>) {
    let end = rest
        .find(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == ':'))
        .unwrap_or(rest.len());
    let path = format!("{prefix}{}", &rest[..end]);
    if !rest[end..].starts_with('{') {
        found.push(path);
        return;
    }
    let mut depth = 0;
    let mut from = end + 1;
    for (at, letter) in rest[end..]
        .char_indices()
        .map(|(at, letter)| (end + at, letter))
    {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && letter == ',') {
            let item = rest[from..at].trim();
            if !item.is_empty() {
                expand(&path, item, found);
            }
            from = at + 1;
        }
        if depth == 0 {
            return;
        }
    }
}
