//! Tokens that we narrow ourselves.

use super::*;

#[test]
fn an_api_token_says_whose_it_is_and_what_it_opens() {
    let access = verify(&minted_api_token(&SCOPES)).unwrap();
    assert_eq!(access.account, ACCOUNT);
    assert_eq!(access.grant, Grant::ApiToken(API_TOKEN));
    assert_eq!(access.expires_at, later(900));
    assert_eq!(access.scopes, Some(SCOPES.into()));
    assert_eq!(access.session(), None);
    for scope in Scope::ALL {
        let token = minted_api_token(&[*scope]);
        assert_eq!(opens(&token), Ok(vec![scope.as_str()]));
    }
    // All of them are still no session.
    let all = verify(&minted_api_token(Scope::ALL)).unwrap();
    assert_eq!(
        all.scopes.as_ref().map(BTreeSet::len),
        Some(Scope::ALL.len())
    );
    assert_eq!(all.session(), None);
    assert_eq!(opens(&minted_api_token(&[])), INVALID);
}

#[test]
fn an_api_token_is_not_long() {
    let length = minted_api_token(Scope::ALL).len();
    assert!(length < 600, "{length}");
}

#[test]
fn an_api_token_is_known_until_it_ends() {
    let (tokens, token) = (tokens("a"), minted_api_token(&SCOPES));
    for _ in 0..2 {
        let access = tokens.verify(&token, later(899), None).unwrap();
        assert_eq!(access.scopes, Some(SCOPES.into()));
    }
    tokens.known.run_pending_tasks();
    assert_eq!(tokens.known.entry_count(), 1);
    let over = tokens.verify(&token, later(900), None);
    assert_eq!(over, Err(AccessFault::Expired));
}

/// What stands in the first block is asked for by that block, whatever comes after it.
#[test]
fn its_scopes_are_not_escaped() {
    let token = minted_api_token(&[Scope::AccountRead]);
    for block in [
        r#"scope("UPLOADS_WRITE")"#,
        r#"scope($s) <- scope($s)"#,
        r#"scope("UPLOADS_WRITE") <- time($t)"#,
        &format!("session({})", hex(SESSION.0.as_bytes())),
        &format!("api_token({})", hex(&[9; 16])),
        "check if scope(\"ACCOUNT_READ\") trusting previous",
        r#"check if scope("UPLOADS_WRITE")"#,
    ] {
        assert_eq!(opens(&narrowed(&token, block)), INVALID, "{block}");
    }
    for block in [
        "",
        "check if true",
        r#"check if scope("ACCOUNT_READ") or scope("UPLOADS_WRITE")"#,
        r#"check if scope("ACCOUNT_READ") or true"#,
    ] {
        let own = narrowed(&token, block);
        assert_eq!(opens(&own), Ok(vec!["ACCOUNT_READ"]), "{block}");
        let access = verify(&own).unwrap();
        assert_eq!(
            (access.account, access.grant),
            (ACCOUNT, Grant::ApiToken(API_TOKEN))
        );
        assert_eq!(access.session(), None);
    }
}
