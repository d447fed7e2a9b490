//! Decisions, and who comes first.

use serde_json::{Value, json};

use super::{ANA, Ana, done, moderator, review, seen};
use crate::accounts::tokens::narrowed;
use crate::accounts::{count, execute};
use crate::media::processing::scanner;
use crate::support::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn of_two_reviewers_at_once_one_decides() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let one = moderator(&app, "one@example.org").await;
    let two = moderator(&app, "two@example.org").await;
    let id = ana.submits_well(&app, "First Light").await;
    app.run_jobs().await;
    let (approved, rejected) = tokio::join!(
        review(&app, &one, &id, "APPROVE", None),
        review(&app, &two, &id, "REJECT", Some("No.")),
    );
    let too_late = json!([{ "code": "INVALID_STATE", "path": ["submissionId"] }]);
    let (won, lost) = match approved["errors"] == json!([]) {
        true => ("APPROVED", rejected),
        false => ("REJECTED", approved),
    };
    assert_eq!(lost["errors"], too_late);
    assert_eq!(seen(&app, &one.access, &id).await["status"], won);
    let decisions = "select count(*) from audit_pending where action in ('submission.approved', 'submission.rejected')";
    let chained = "select count(*) from audit_events where action in ('submission.approved', 'submission.rejected')";
    assert_eq!(count(&app, decisions).await + count(&app, chained).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_withdrawing_and_reviewing_at_once_one_counts() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let mo = moderator(&app, "mo@example.org").await;
    let id = ana.submits_well(&app, "First Light").await;
    app.run_jobs().await;
    let (withdrawn, approved) = tokio::join!(
        ana.withdraws(&app, &id),
        review(&app, &mo, &id, "APPROVE", None),
    );
    let is_done = |payload: &Value| payload["errors"] == json!([]);
    assert_ne!(is_done(&withdrawn), is_done(&approved));
    let status = if is_done(&approved) {
        ("APPROVED", "PUBLISHED")
    } else {
        ("WITHDRAWN", "WITHDRAWN")
    };
    let now = seen(&app, &mo.access, &id).await;
    assert_eq!(
        (now["status"].as_str(), now["track"]["status"].as_str()),
        (Some(status.0), Some(status.1))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_asked_for_with_a_note_and_answered() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let mo = moderator(&app, "mo@example.org").await;
    let id = ana.submits_well(&app, "First Light").await;
    app.run_jobs().await;
    for decision in ["REQUEST_CHANGES", "REJECT"] {
        for nothing in [" \n", "\u{200b}"] {
            let without = review(&app, &mo, &id, decision, Some(nothing)).await;
            assert_eq!(
                without["errors"],
                json!([{ "code": "REQUIRED", "path": ["note"] }])
            );
        }
    }
    let long = "a".repeat(2_001);
    let too_long = review(&app, &mo, &id, "REJECT", Some(&long)).await;
    assert_eq!(
        too_long["errors"],
        json!([{ "code": "TOO_LONG", "path": ["note"] }])
    );
    let note = "The title is a link: https://evil.example/x\nSee www.evil.example, please.";
    let asked = done(review(&app, &mo, &id, "REQUEST_CHANGES", Some(note)).await);
    assert_eq!(asked["track"]["status"], "CHANGES_REQUESTED");
    let mails = app.mails().await;
    let mail = mails
        .iter()
        .find(|mail| mail.subject == "Your track needs changes")
        .unwrap();
    assert!(
        mail.text
            .contains("The title is a link: https evil example x"),
        "{}",
        mail.text
    );
    assert!(!mail.text.contains("evil.example") && !mail.html.contains("evil.example"));
    let again = done(ana.resubmits(&app, &id, "It is not.").await);
    assert_eq!(
        again["submission"],
        json!({ "status": "PENDING", "note": "It is not." })
    );
    assert_eq!(again["track"]["status"], "IN_REVIEW");
    // What was asked for is not forgotten.
    assert_eq!(seen(&app, &mo.access, &id).await["reviewNote"], note);
    done(review(&app, &mo, &id, "REQUEST_CHANGES", Some("Louder.")).await);
    // What was said before is said of what was handed in before.
    let again = done(ana.resubmits(&app, &id, "").await);
    assert_eq!(again["submission"]["note"], Value::Null);
    let rejected = done(review(&app, &mo, &id, "REJECT", Some("It is.")).await);
    assert_eq!(rejected["track"]["status"], "REJECTED");
    let late = ana.resubmits(&app, &id, "").await;
    assert_eq!(
        late["errors"],
        json!([{ "code": "INVALID_STATE", "path": ["submissionId"] }])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reviews_their_own_and_nobody_finds_what_is_anothers() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let ben = Ana::new(&app, "ben@example.org").await;
    let id = ana.submits_well(&app, "First Light").await;
    app.run_jobs().await;
    let unknown = json!([{ "code": "NOT_FOUND", "path": ["submissionId"] }]);
    assert_eq!(ben.withdraws(&app, &id).await["errors"], unknown);
    assert_eq!(ben.resubmits(&app, &id, "").await["errors"], unknown);
    assert_eq!(ben.withdraws(&app, "x").await["errors"], unknown);
    assert!(seen(&app, &ben.access, &id).await.is_null());
    execute(
        &app,
        "update accounts set roles = '{LISTENER,ARTIST,MODERATOR}' where email = 'ana@example.org'",
    )
    .await;
    let own = app.sign_in(ANA).await;
    let query = format!(
        "mutation {{ reviewSubmission(input: {{ submissionId: \"{id}\", decision: APPROVE }}) {{ errors {{ code }} }} }}"
    );
    let refused = crate::accounts::query(&app, &format!("Bearer {}", own.access), &query).await;
    assert_eq!(refused.code(), "FORBIDDEN");
    assert_eq!(seen(&app, &own.access, &id).await["status"], "PENDING");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_narrowed_to_one_thing_withdraws_that_alone() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let one = ana.submits_well(&app, "One").await;
    let two = ana.submits_well(&app, "Two").await;
    let narrow = narrowed(
        &ana.access,
        &format!(r#"check if scope("UPLOADS_WRITE"), resource("{one}")"#),
    );
    let withdraw = |id: &str| {
        format!(
            "mutation {{ withdrawSubmission(input: {{ submissionId: \"{id}\" }}) {{ errors {{ code }} }} }}"
        )
    };
    let authorization = format!("Bearer {narrow}");
    let refused = crate::accounts::query(&app, &authorization, &withdraw(&two)).await;
    assert_eq!(refused.code(), "FORBIDDEN");
    let let_in = crate::accounts::query(&app, &authorization, &withdraw(&one))
        .await
        .data();
    assert_eq!(let_in["withdrawSubmission"]["errors"], json!([]));
}

/// It was read before there was a scanner.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_scanned_is_not_published_once_there_is_a_scanner() {
    for (answer, status) in [
        (&b"stream: OK\0"[..], "PENDING"),
        (b"stream: Eicar-Signature FOUND\0", "FAILED"),
    ] {
        let without = TestApp::new().await;
        let ana = Ana::new(&without, ANA).await;
        let id = ana.submits_well(&without, "First Light").await;
        without.run_jobs().await;
        let scanner = scanner(answer).await;
        let app = without.instance(&[("EMPULSE_CLAMAV", &scanner)]).await;
        let mo = moderator(&app, "mo@example.org").await;
        let refused = review(&app, &mo, &id, "APPROVE", None).await;
        assert_eq!(
            refused["errors"],
            json!([{ "code": "INVALID_STATE", "path": ["submissionId"] }])
        );
        let told = "select (select count(*) from audit_pending where action = 'submission.sent_to_scan')
                         + (select count(*) from audit_events where action = 'submission.sent_to_scan')";
        assert_eq!(crate::accounts::count(&app, told).await, 1);
        let seen_by_mo = seen(&app, &mo.access, &id).await;
        assert_eq!(
            (&seen_by_mo["status"], &seen_by_mo["track"]["status"]),
            (&json!("PROCESSING"), &json!("PROCESSING"))
        );
        app.run_jobs().await;
        assert_eq!(seen(&app, &mo.access, &id).await["status"], status);
        let reviewed = review(&app, &mo, &id, "APPROVE", None).await;
        let is_published = reviewed["track"]["status"] == "PUBLISHED";
        assert_eq!(is_published, status == "PENDING", "{reviewed}");
    }
}
