//! Accounts as programs use them: each mutation by its name, with bearer tokens and without cookies.

use serde_json::{Value, json};

use super::service::{Answer, Service};

/// Neither among the commonest, nor like a name or an address of these tests.
pub const PASSWORD: &str = "kettle-orbit-velvet-9";
pub const WRONG: &str = "lantern-gravel-opera-4";

/// What a client presents from a sign-in on.
#[derive(Debug, Clone)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

impl Tokens {
    /// Of a sign-in or a refresh that must have succeeded.
    #[track_caller]
    pub fn of(payload: &Value) -> Self {
        let text = |name: &str| match payload["credentials"][name].as_str() {
            Some(text) => text.to_owned(),
            None => panic!("no {name}: {payload:#}"),
        };
        Self {
            access: text("accessToken"),
            refresh: text("refreshToken"),
        }
    }
}

/// A mutation that takes an input, with all that these tests look at.
pub fn mutation(name: &str) -> String {
    let selection = match name {
        "register" => "accepted",
        "verifyEmail" => "verified",
        "login" | "refreshSession" => {
            "account { email status roles } credentials { accessToken refreshToken }"
        }
        "resetPassword" => "changed",
        "changePassword" => "account { email }",
        _ => "",
    };
    let input = format!("{}{}Input!", name[..1].to_uppercase(), &name[1..]);
    format!(
        "mutation ($input: {input}) {{ {name}(input: $input) {{ {selection} errors {{ code message path retryAt }} }} }}"
    )
}

pub fn sign_in(email: &str, password: &str) -> Value {
    json!({ "email": email, "password": password, "delivery": "BODY" })
}

pub fn registration(email: &str) -> Value {
    json!({ "email": email, "password": PASSWORD, "displayName": "Somebody" })
}

pub fn bearer(tokens: &Tokens) -> String {
    format!("Bearer {}", tokens.access)
}

impl Service {
    /// A mutation, whatever comes of it.
    pub async fn tries(&self, name: &str, input: Value, headers: &[(&str, &str)]) -> Answer {
        let body = json!({ "query": mutation(name), "variables": { "input": input } });
        let mut request = self
            .client()
            .post(self.url("/graphql"))
            .header("accept", "application/graphql-response+json")
            .json(&body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::to(request).await.unwrap()
    }

    /// The payload of a mutation that must run.
    pub async fn does(&self, name: &str, input: Value) -> Value {
        self.tries(name, input, &[]).await.payload(name)
    }

    pub async fn signs_in(&self, email: &str, password: &str) -> Tokens {
        Tokens::of(&self.does("login", sign_in(email, password)).await)
    }

    /// The caller's account, as its token opens it.
    pub async fn me(&self, tokens: &Tokens) -> Answer {
        let request = self
            .client()
            .post(self.url("/graphql"))
            .header("accept", "application/graphql-response+json")
            .header("authorization", bearer(tokens))
            .json(&json!({ "query": "{ me { email status roles } }" }));
        Answer::to(request).await.unwrap()
    }
}

impl Answer {
    /// Of a mutation that ran, whether or not there were mistakes in its input.
    #[track_caller]
    pub fn payload(mut self, name: &str) -> Value {
        assert_eq!(self.body.get("errors"), None, "{self:#?}");
        assert_eq!(self.status, 200, "{self:#?}");
        self.body["data"][name].take()
    }

    /// The code of the only mistake.
    #[track_caller]
    pub fn mistake(self, name: &str) -> String {
        only_mistake(&self.payload(name))
    }
}

#[track_caller]
pub fn only_mistake(payload: &Value) -> String {
    let errors = payload["errors"].as_array().map_or(0, Vec::len);
    assert_eq!(errors, 1, "{payload:#}");
    payload["errors"][0]["code"].as_str().unwrap().to_owned()
}
