//! The few pages for people: what this is, the console, where mailed links lead, and in development the mails. Each
//! carries its style and script within and a policy that names both by hash, so that nothing else can load or run in it,
//! whatever finds its way into its text.

pub mod links;
pub mod mail;
mod sheet;
pub mod verify;

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::STANDARD};
use poem::Response;
use poem::http::header;
use sha2::{Digest, Sha256};

const INDEX: &str = include_str!("pages/index.html");
const CONSOLE: &str = include_str!("pages/console.html");

const PAGE_STYLE: &str = include_str!("pages/page.css");
const CONSOLE_STYLE: &str = include_str!("pages/console.css");

/// One script out of several rooms; the last one uses all before it.
const CONSOLE_SCRIPTS: [&str; 8] = [
    include_str!("pages/console/dom.js"),
    include_str!("pages/console/json.js"),
    include_str!("pages/console/language.js"),
    include_str!("pages/console/editor.js"),
    include_str!("pages/console/answer.js"),
    include_str!("pages/console/memory.js"),
    include_str!("pages/console/explorer.js"),
    include_str!("pages/console/examples.js"),
];
const CONSOLE_START: &str = include_str!("pages/console.js");

/// A page and the `Content-Security-Policy` that it must be sent with.
#[derive(Clone, Debug)]
pub struct Page {
    pub html: String,
    pub csp: String,
}

impl Page {
    pub fn response(&self) -> Response {
        Response::builder()
            .header(header::CONTENT_TYPE, "text/html; charset=utf-8")
            .header(header::CONTENT_SECURITY_POLICY, &self.csp)
            .body(self.html.clone())
    }
}

/// Where to write a query, run it and browse the schema.
pub fn console() -> Page {
    static PAGE: LazyLock<Page> = LazyLock::new(|| {
        let style = as_parsed(&[PAGE_STYLE, CONSOLE_STYLE]);
        let script = as_parsed(&[&CONSOLE_SCRIPTS[..], &[CONSOLE_START]].concat());
        Page {
            html: fill(CONSOLE, &[("style", &style), ("script", &script)]),
            csp: policy_with_script(&style, &script),
        }
    });
    PAGE.clone()
}

/// What this service is, and where to go from here; to the mails too, where they can be read here.
pub fn index(shows_mail: bool) -> Page {
    const MAIL: &str = "<li><a href=\"/dev/mail\"><strong>Mail</strong> <span>What is written instead of being \
                        sent.</span> <code>/dev/mail</code></a></li>";
    let style = as_parsed(&[PAGE_STYLE]);
    let mail = if shows_mail { MAIL } else { "" };
    Page {
        html: fill(INDEX, &[("style", &style), ("mail", mail)]),
        csp: policy(&style),
    }
}

fn policy(style: &str) -> String {
    policy_with_forms(style, "'none'")
}

/// Trusted types: the browser itself refuses to turn text into markup or code.
fn policy_with_script(style: &str, script: &str) -> String {
    format!(
        "{}; connect-src 'self'; script-src {}; require-trusted-types-for 'script'; trusted-types 'none'",
        policy(style),
        source(script),
    )
}

/// The icon is the one picture, and stands in the page as data.
fn policy_with_forms(style: &str, forms: &str) -> String {
    format!(
        "default-src 'none'; style-src {}; img-src data:; base-uri 'none'; form-action {forms}; frame-ancestors 'none'",
        source(style),
    )
}

fn source(content: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(content)))
}

/// The text as a browser has it once parsed, which is what it hashes: there, a line ends with a line feed, also where a
/// checkout wrote two characters.
fn as_parsed(files: &[&str]) -> String {
    files.join("\n").replace("\r\n", "\n")
}

/// Puts each part in place of `{{name}}`. One pass from left to right: what a part holds is never looked at again.
fn fill(template: &str, parts: &[(&str, &str)]) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, marked)) = rest.split_once("{{") {
        filled.push_str(before);
        let part = marked.split_once("}}").and_then(|(name, after)| {
            let (_, content) = parts.iter().find(|(known, _)| *known == name)?;
            Some((content, after))
        });
        match part {
            Some((content, after)) => {
                filled.push_str(content);
                rest = after;
            }
            None => {
                filled.push_str("{{");
                rest = marked;
            }
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_page() -> Vec<Page> {
        let mut pages = vec![console(), index(false), index(true)];
        pages.extend(links::every_page());
        pages
    }

    /// What stands between the only opening and closing tag of a name, if there is one.
    fn inside<'a>(html: &'a str, open: &str, close: &str) -> Option<&'a str> {
        assert!(
            html.matches(open).count() <= 1,
            "{open} stands more than once"
        );
        assert_eq!(html.matches(close).count(), html.matches(open).count());
        let (_, rest) = html.split_once(open)?;
        Some(rest.split_once(close)?.0)
    }

    fn style(page: &Page) -> &str {
        inside(&page.html, "<style>", "</style>").expect("every page has a style")
    }

    fn script(page: &Page) -> Option<&str> {
        inside(&page.html, "<script type=\"module\">", "</script>")
    }

    /// The page without its style and script.
    fn markup(page: &Page) -> String {
        page.html
            .replace(style(page), "")
            .replace(script(page).unwrap_or("\0"), "")
    }

    #[test]
    fn the_policy_names_exactly_the_bytes_between_the_tags() {
        for page in every_page() {
            let directives: Vec<_> = page.csp.split("; ").collect();
            assert!(directives.contains(&format!("style-src {}", source(style(&page))).as_str()));
            let script_source =
                script(&page).map(|script| format!("script-src {}", source(script)));
            assert_eq!(
                directives
                    .iter()
                    .find(|directive| directive.starts_with("script-src"))
                    .copied(),
                script_source.as_deref(),
            );
        }
    }

    #[test]
    fn the_hash_is_the_one_that_browsers_compute() {
        // The example of the specification of Content Security Policy.
        assert_eq!(
            source("alert('Hello, world.');"),
            "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='",
        );
    }

    #[test]
    fn nothing_is_allowed_that_is_not_named() {
        for page in every_page() {
            assert!(page.csp.starts_with("default-src 'none'; "));
            for directive in [
                "base-uri 'none'",
                "form-action 'none'",
                "frame-ancestors 'none'",
            ] {
                assert!(page.csp.contains(directive));
            }
            assert!(!page.csp.contains("unsafe"));
        }
    }

    #[test]
    fn the_index_has_no_script() {
        assert!(!index(true).html.contains("<script"));
        assert!(
            every_page()
                .iter()
                .all(|page| page.html.contains("<script") == script(page).is_some())
        );
    }

    #[test]
    fn a_script_runs_under_trusted_types_and_calls_nobody_else() {
        for page in every_page() {
            if script(&page).is_some() {
                assert!(page.csp.contains("; connect-src 'self'; "));
                assert!(
                    page.csp
                        .ends_with("; require-trusted-types-for 'script'; trusted-types 'none'")
                );
            }
        }
    }

    #[test]
    fn nothing_comes_from_elsewhere() {
        for page in every_page() {
            let html = page.html.to_lowercase();
            // Covers attributes, imports, fonts and requests alike.
            for reference in [
                "http://", "https://", "@import", "src=", "\"//", "'//", "`//",
            ] {
                assert!(!html.contains(reference), "{reference} stands in a page");
            }
            assert!(!style(&page).contains("url("));
            for target in html.split("href=\"").skip(1) {
                let (target, _) = target.split_once('"').unwrap();
                let leads_here = !target.contains(':') && !target.starts_with("//");
                assert!(
                    leads_here || target.starts_with("data:image/svg+xml,"),
                    "{target}"
                );
            }
        }
    }

    #[test]
    fn only_the_hashed_script_and_style_act() {
        for page in every_page() {
            let markup = markup(&page);
            for word in markup
                .split(|character: char| character.is_whitespace() || "<>\"'".contains(character))
            {
                let attribute = word.trim_end_matches('=');
                let handles =
                    attribute.len() > 2 && attribute.starts_with("on") && word.ends_with('=');
                assert!(!handles, "{word} is an inline handler");
                assert!(!word.starts_with("style="), "a style attribute");
                assert!(!word.starts_with("javascript:"), "a script as an address");
            }
        }
    }

    #[test]
    fn text_never_becomes_markup_or_code() {
        let pages = every_page();
        for script in pages.iter().filter_map(script) {
            for sink in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "Function(",
                "'style'",
            ] {
                assert!(!script.contains(sink), "{sink} stands in a script");
            }
            // Either would end or upset the element early, and the hash would be of other bytes.
            assert!(!script.contains("<!--") && !script.contains("<script"));
        }
    }

    #[test]
    fn every_marker_is_replaced() {
        for page in every_page() {
            for name in ["style", "script", "title", "text", "mail"] {
                assert!(!page.html.contains(&format!("{{{{{name}}}}}")));
            }
        }
    }

    #[test]
    fn a_checkout_with_other_line_ends_is_served_alike() {
        assert_eq!(as_parsed(&["a\r\nb", "c"]), "a\nb\nc");
    }
}
