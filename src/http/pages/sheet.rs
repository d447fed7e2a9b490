//! A page with a message or a form, in the frame of `layout.html`. askama fills it in, and escapes what it puts there.

use std::sync::LazyLock;

use askama::Template;

use super::{PAGE_STYLE, Page, as_parsed, policy_with_forms, policy_with_script};

static STYLE: LazyLock<String> =
    LazyLock::new(|| as_parsed(&[PAGE_STYLE, include_str!("sheet.css")]));

/// What stands in a page besides its words.
#[derive(Clone, Copy)]
pub struct Look {
    pub style: &'static str,
    pub script: Option<&'static str>,
}

impl Look {
    pub fn plain() -> Self {
        Self {
            style: &STYLE,
            script: None,
        }
    }

    /// The script as `as_parsed` gives it.
    pub fn with(script: &'static str) -> Self {
        Self {
            style: &STYLE,
            script: Some(script),
        }
    }

    /// The policy of a page whose forms, if it has any, are its script's own.
    pub fn policy(self) -> String {
        match self.script {
            Some(script) => policy_with_script(self.style, script),
            None => policy_with_forms(self.style, "'none'"),
        }
    }

    /// The policy of a page with a form that needs no script.
    pub fn policy_with_forms(self, to: &str) -> String {
        policy_with_forms(self.style, to)
    }
}

/// The page that a template makes.
pub fn page(template: &impl Template, csp: String) -> askama::Result<Page> {
    Ok(Page {
        html: template.render()?,
        csp,
    })
}
