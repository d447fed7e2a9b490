//! Somebody with an account, signed in as a client would.

use empulse::accounts::{AccountId, accounts_by_ids};
use empulse::catalogue::{ArtistId, artist_of_account};
use serde_json::{Value, json};

use super::{Answer, TestApp};

/// One that nobody objects to.
pub const PASSWORD: &str = "kettle-orbit-velvet-9";

/// Somebody who has signed in with the refresh token in the answer.
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub email: String,
    pub access: String,
    pub refresh: String,
    pub device: Option<String>,
}

pub const REGISTER: &str = "mutation ($input: RegisterInput!) { register(input: $input) {
    accepted errors { code message path retryAt } } }";
pub const VERIFY: &str = "mutation ($input: VerifyEmailInput!) { verifyEmail(input: $input) {
    verified errors { code path } } }";
pub const LOGIN: &str = "mutation ($input: LoginInput!) { login(input: $input) {
    account { id email status roles }
    credentials { accessToken accessTokenExpiresAt refreshToken refreshTokenExpiresAt csrfToken deviceToken }
    errors { code message path retryAt } } }";

impl TestApp {
    /// An operation with an input, as somebody or nobody.
    pub async fn call(&self, access: Option<&str>, query: &str, input: Value) -> Answer {
        let mut request = self
            .client
            .post(self.url("/graphql"))
            .header("accept", "application/graphql-response+json")
            .json(&json!({ "query": query, "variables": { "input": input } }));
        if let Some(access) = access {
            request = request.bearer_auth(access);
        }
        Answer::of(request.send().await.unwrap()).await
    }

    /// Registers and confirms; the mails of that are out.
    pub async fn member(&self, email: &str) {
        let input = json!({ "email": email, "password": PASSWORD, "displayName": "Kim Doe" });
        let registered = self.call(None, REGISTER, input).await.data();
        assert_eq!(registered["register"]["accepted"], true, "{registered}");
        let mails = self.mails().await;
        let link = mails.iter().rev().find(|mail| mail.to == email).unwrap();
        let input = json!({ "token": link.token() });
        let verified = self.call(None, VERIFY, input).await.data();
        assert_eq!(verified["verifyEmail"]["verified"], true, "{verified}");
        self.run_jobs().await;
    }

    /// Makes an artist of somebody, as an administrator does.
    pub async fn artist(&self, email: &str) -> ArtistId {
        let sql = self.sql().await;
        let set =
            "update accounts set roles = '{LISTENER,ARTIST}' where email = $1 returning id::text";
        let account: &str = &sql
            .query_one(set, &[&email])
            .await
            .unwrap()
            .get::<_, String>(0);
        let id = AccountId(account.parse().unwrap());
        let account = accounts_by_ids(&self.app, &[id]).await.unwrap()[&id].clone();
        let mut tx = self.app.db.begin().await.unwrap();
        let now = self.app.clock.now();
        artist_of_account(&mut tx, &account, now).await.unwrap();
        tx.commit().await.unwrap();
        let read = "select id::text from artists where account_id = $1::text::uuid";
        let artist = sql.query_one(read, &[&id.0.to_string()]).await.unwrap();
        ArtistId(artist.get::<_, &str>(0).parse().unwrap())
    }

    /// Signs in by the answer's body.
    pub async fn sign_in(&self, email: &str) -> SignedIn {
        let input = json!({ "email": email, "password": PASSWORD, "delivery": "BODY" });
        let login = self.call(None, LOGIN, input).await.data()["login"].clone();
        assert_eq!(login["errors"], json!([]), "{login}");
        let credentials = &login["credentials"];
        let text = |name: &str| credentials[name].as_str().map(str::to_owned);
        SignedIn {
            email: email.to_owned(),
            access: text("accessToken").unwrap(),
            refresh: text("refreshToken").unwrap(),
            device: text("deviceToken"),
        }
    }

    /// The data of a query that must succeed, as somebody.
    pub async fn data_as(&self, access: &str, query: &str) -> Value {
        let request = self.client.post(self.url("/graphql"));
        let request = request
            .header("accept", "application/graphql-response+json")
            .bearer_auth(access)
            .json(&json!({ "query": query }));
        Answer::of(request.send().await.unwrap()).await.data()
    }
}
