//! Who sees a picture: whoever sees what it belongs to, by its ID as by the field.

use serde_json::{Value, json};

use super::*;
use crate::accounts::admin::{administrator, id_of, update};
use crate::accounts::{NONE, payload};
use crate::catalogue_of_artists::STATES;
use crate::submissions::moderator;
use crate::support::PASSWORD;
use crate::support::data::{Maker, NewTrack};

struct Shown {
    /// By what it belongs to: its ID, and where the picture stands in it.
    at: (String, &'static str, &'static str),
    image: String,
}

/// An artist, an album and a track with a picture each, of which everybody may see the track by its state.
async fn shelf(app: &TestApp, owner: &Owner, status: &str) -> Vec<Shown> {
    let mut make = Maker::new(app.sql().await);
    let album = make.album(owner.artist, status).await;
    let track = NewTrack {
        album: Some((album, 1)),
        status,
        ..NewTrack::default()
    };
    let track = make.track(owner.artist, track).await;
    let mut shown = Vec::new();
    for (id, uuid, table, column, ty, field) in [
        (
            owner.artist.to_string(),
            owner.artist.0,
            "artists",
            "image_id",
            "Artist",
            "image",
        ),
        (
            album.to_string(),
            album.0,
            "albums",
            "cover_id",
            "Album",
            "cover",
        ),
        (
            track.to_string(),
            track.0,
            "tracks",
            "cover_id",
            "Track",
            "cover",
        ),
    ] {
        let image = row(app).await;
        let set = format!(
            "update {table} set {column} = '{}' where id = '{uuid}'",
            image.0
        );
        execute(app, &set).await;
        shown.push(Shown {
            at: (id, ty, field),
            image: image.to_string(),
        });
    }
    shown
}

/// Which of them somebody finds; by its ID and by the field alike.
async fn found(app: &TestApp, access: Option<&str>, shelf: &[Shown]) -> Vec<&'static str> {
    let mut found = Vec::new();
    for Shown {
        at: (id, ty, field),
        image,
    } in shelf
    {
        let query = format!(
            "{{ node(id: \"{image}\") {{ id ... on Image {IMAGE} }} nodes(ids: [\"{image}\"]) {{ id }}
                of: node(id: \"{id}\") {{ ... on {ty} {{ {field} {IMAGE} }} }} }}"
        );
        let data = crate::catalogue_of_artists::data_of(app, access, &query).await;
        let by_field = &data["of"][*field];
        assert_eq!(&data["node"], by_field, "{ty}");
        assert_eq!(data["nodes"][0]["id"], by_field["id"], "{ty}");
        if !by_field.is_null() {
            assert_eq!(by_field["id"], **image);
            found.push(*ty);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_found_where_what_it_belongs_to_is() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    let ben = Owner::new(&app, "ben@example.org").await;
    app.member("lis@example.org").await;
    let listener = app.sign_in("lis@example.org").await.access;
    let admin = administrator(&app, "admin@example.org").await;
    let moderator = moderator(&app, "mod@example.org").await.access;
    let everything = ["Artist", "Album", "Track"];
    for status in STATES {
        let shelf = shelf(&app, &ana, status).await;
        let public = match status {
            "PUBLISHED" => &everything[..],
            _ => &["Artist"],
        };
        for (who, access, expected) in [
            ("nobody", None, public),
            ("a listener", Some(&listener), public),
            ("another artist", Some(&ben.access), public),
            ("its artist", Some(&ana.access), &everything[..]),
            ("a moderator", Some(&moderator), &everything[..]),
            ("an administrator", Some(&admin.access), &everything[..]),
        ] {
            let found = found(&app, access.map(String::as_str), &shelf).await;
            assert_eq!(found, expected, "{who}, {status}");
        }
    }
    // Of nothing at all, and of none that there is.
    let alone = row(&app).await.to_string();
    for image in [&alone, "image_01h455vb4pex5vsknk084sn02q"] {
        for access in [None, Some(admin.access.as_str())] {
            assert_eq!(node(&app, access, image).await, Value::Null);
        }
    }
    // Of somebody who is suspended, for reviewers alone.
    let shelf = shelf(&app, &ana, "PUBLISHED").await;
    let avatar = row(&app).await;
    let account = id_of(&app, &ana.email).await;
    let set = format!(
        "update accounts set avatar_id = '{}' where email = 'ana@example.org'",
        avatar.0
    );
    execute(&app, &set).await;
    assert_eq!(
        node(&app, None, &avatar.to_string()).await["id"],
        avatar.to_string()
    );
    for suspended in [true, false] {
        let changed = update(&app, &admin, &account, json!({ "suspended": suspended })).await;
        assert_eq!(mistakes(&changed), NONE);
        let (public, has_avatar) = match suspended {
            true => (&NONE[..], false),
            false => (&everything[..], true),
        };
        assert_eq!(found(&app, None, &shelf).await, public);
        assert_eq!(found(&app, Some(&admin.access), &shelf).await, everything);
        let seen = node(&app, None, &avatar.to_string()).await;
        assert_eq!(!seen.is_null(), has_avatar);
    }
    let closing = "mutation ($input: DeleteAccountInput!) { deleteAccount(input: $input) { errors { code path } } }";
    let back = app.sign_in(&ana.email).await.access;
    let closed = payload(&app, Some(&back), closing, json!({ "password": PASSWORD })).await;
    assert_eq!(mistakes(&closed), NONE);
    assert_eq!(found(&app, None, &shelf).await, NONE);
    assert_eq!(node(&app, None, &avatar.to_string()).await, Value::Null);
}

/// However many there are on a page.
#[tokio::test(flavor = "multi_thread")]
async fn the_pictures_of_a_page_are_one_statement() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    let query = |cover: &str| format!("{{ tracks(first: 20) {{ nodes {{ title {cover} }} }} }}");
    let with = query("cover { id url(size: SMALL) placeholder width height }");
    for tracks in [2, 20] {
        for _ in 0..tracks {
            shelf(&app, &ana, "PUBLISHED").await;
        }
        let page = app.data(&with).await;
        let nodes = page["tracks"]["nodes"].as_array().unwrap();
        assert!(nodes.len() >= tracks);
        assert!(
            nodes.iter().all(|node| node["cover"]["url"].is_string()),
            "{page}"
        );
        assert_eq!(
            (
                app.statements(&query("")).await,
                app.statements(&with).await
            ),
            (1, 2)
        );
    }
    // Of each kind, a statement for all together with those of their parents.
    let all = "{ tracks(first: 20) { nodes { cover { url } artist { image { url } } album { cover { url } } } } }";
    assert_eq!(app.statements(all).await, 2);
    let albums =
        "{ artists { nodes { image { id } albums(first: 20) { nodes { cover { url } } } } } }";
    app.data(albums).await;
    let many = app.statements(albums).await;
    execute(
        &app,
        "delete from tracks; delete from albums where title <> 'x'",
    )
    .await;
    shelf(&app, &ana, "PUBLISHED").await;
    assert_eq!(app.statements(albums).await, many);
    let ids: Vec<String> = {
        let sql = app.sql().await;
        let rows = sql.query("select image_id::text from artists where image_id is not null union select cover_id::text from tracks", &[]);
        let ids = rows.await.unwrap();
        ids.iter()
            .map(|id| format!("\"{}\"", ImageId(id.get::<_, &str>(0).parse().unwrap())))
            .collect()
    };
    let one = format!(
        "{{ nodes(ids: [{}]) {{ id ... on Image {{ url }} }} }}",
        ids[0]
    );
    let both = format!(
        "{{ nodes(ids: [{}]) {{ id ... on Image {{ url }} }} }}",
        ids.join(", ")
    );
    assert_eq!(
        (app.statements(&one).await, app.statements(&both).await),
        (3, 3)
    );
}
