//! The tables as diesel sees them. A test compares this with a database that ran all migrations.

diesel::table! {
    genres (id) {
        id -> SmallInt,
        slug -> Text,
        name -> Text,
    }
}

diesel::table! {
    artists (id) {
        id -> Uuid,
        slug -> Text,
        name -> Text,
        sort_name -> Text,
        biography -> Text,
        links -> Array<Text>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    albums (id) {
        id -> Uuid,
        artist_id -> Uuid,
        title -> Text,
        kind -> Text,
        released_on -> Nullable<Date>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    tracks (id) {
        id -> Uuid,
        artist_id -> Uuid,
        album_id -> Nullable<Uuid>,
        track_number -> Nullable<Integer>,
        genre_id -> SmallInt,
        title -> Text,
        sort_title -> Text,
        is_explicit -> Bool,
        isrc -> Nullable<Text>,
        status -> Text,
        duration_ms -> Nullable<Integer>,
        play_count -> BigInt,
        published_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::joinable!(albums -> artists (artist_id));
diesel::joinable!(tracks -> artists (artist_id));
diesel::joinable!(tracks -> genres (genre_id));
diesel::allow_tables_to_appear_in_same_query!(albums, artists, genres, tracks);
