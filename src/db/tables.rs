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
        account_id -> Nullable<Uuid>,
        is_shown -> Bool,
        image_id -> Nullable<Uuid>,
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
        cover_id -> Nullable<Uuid>,
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
        cover_id -> Nullable<Uuid>,
        audio_id -> Nullable<Uuid>,
        artist_is_shown -> Bool,
    }
}

diesel::table! {
    audios (id) {
        id -> Uuid,
        account_id -> Nullable<Uuid>,
        content_type -> Text,
        byte_size -> BigInt,
        sha256 -> Bytea,
        received_at -> Timestamptz,
        scanned_at -> Nullable<Timestamptz>,
        measured_at -> Nullable<Timestamptz>,
        codec -> Nullable<Text>,
        duration_ms -> Nullable<Integer>,
        sample_rate_hz -> Nullable<Integer>,
        channels -> Nullable<Integer>,
        bitrate_kbps -> Nullable<Integer>,
        loudness_lufs -> Nullable<Double>,
        true_peak_dbtp -> Nullable<Double>,
        peaks -> Nullable<Bytea>,
        checked_at -> Nullable<Timestamptz>,
        damaged_at -> Nullable<Timestamptz>,
        check_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    direct_uploads (id) {
        id -> Uuid,
        account_id -> Nullable<Uuid>,
        status -> Text,
        handle -> Text,
        byte_size -> BigInt,
        part_size -> BigInt,
        sha256 -> Nullable<Bytea>,
        failure -> Nullable<Text>,
        claimed_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    images (id) {
        id -> Uuid,
        account_id -> Nullable<Uuid>,
        content_type -> Text,
        byte_size -> BigInt,
        sha256 -> Bytea,
        width -> Integer,
        height -> Integer,
        thumb_hash -> Bytea,
        received_at -> Timestamptz,
        checked_at -> Nullable<Timestamptz>,
        damaged_at -> Nullable<Timestamptz>,
        check_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    files_owner (is_only) {
        id -> Uuid,
        turn -> BigInt,
        created_at -> Timestamptz,
        is_only -> Bool,
    }
}

diesel::table! {
    gone_files (kind, id) {
        kind -> Text,
        id -> Uuid,
        gone_at -> Timestamptz,
    }
}

diesel::table! {
    submissions (id) {
        id -> Uuid,
        track_id -> Nullable<Uuid>,
        artist_id -> Uuid,
        submitted_by -> Nullable<Uuid>,
        status -> Text,
        audio_id -> Nullable<Uuid>,
        new_title -> Nullable<Text>,
        new_sort_title -> Nullable<Text>,
        new_cover_id -> Nullable<Uuid>,
        failure -> Nullable<Text>,
        note -> Nullable<Text>,
        reviewed_by -> Nullable<Uuid>,
        review_note -> Nullable<Text>,
        reviewed_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    accounts (id) {
        id -> Uuid,
        email -> Text,
        email_key -> Text,
        display_name -> Text,
        password_hash -> Text,
        roles -> Array<Text>,
        tier -> Text,
        status -> Text,
        email_verified_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        totp_secret -> Nullable<Bytea>,
        totp_begun_at -> Nullable<Timestamptz>,
        totp_last_step -> Nullable<BigInt>,
        two_factor_at -> Nullable<Timestamptz>,
        search_text -> Text,
        search_letters -> Text,
        erase_at -> Nullable<Timestamptz>,
        avatar_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    jobs (id) {
        id -> Uuid,
        kind -> Text,
        payload -> Jsonb,
        state -> Text,
        attempts -> Integer,
        due_at -> Timestamptz,
        lease -> Nullable<Uuid>,
        unique_key -> Nullable<Text>,
        correlation_id -> Nullable<Text>,
        last_error -> Nullable<Text>,
        created_at -> Timestamptz,
        died_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    sessions (id) {
        id -> Uuid,
        account_id -> Uuid,
        generation -> Integer,
        token_hash -> Bytea,
        previous_hash -> Nullable<Bytea>,
        rotated_at -> Nullable<Timestamptz>,
        is_remembered -> Bool,
        by_cookie -> Bool,
        user_agent -> Nullable<Text>,
        ip_address -> Nullable<Text>,
        created_at -> Timestamptz,
        last_used_at -> Timestamptz,
        expires_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
        ended_because -> Nullable<Text>,
        has_second_factor -> Bool,
    }
}

diesel::table! {
    api_tokens (id) {
        id -> Uuid,
        account_id -> Uuid,
        name -> Text,
        scopes -> Array<Text>,
        created_at -> Timestamptz,
        last_used_at -> Nullable<Timestamptz>,
        expires_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    known_devices (id) {
        id -> Uuid,
        account_id -> Uuid,
        token_hash -> Bytea,
        user_agent -> Nullable<Text>,
        created_at -> Timestamptz,
        last_used_at -> Timestamptz,
        trusted_at -> Nullable<Timestamptz>,
        trusted_until -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    recovery_codes (account_id, code_hash) {
        account_id -> Uuid,
        code_hash -> Bytea,
    }
}

diesel::table! {
    second_steps (id) {
        id -> Uuid,
        account_id -> Uuid,
        token_hash -> Bytea,
        device_id -> Nullable<Uuid>,
        is_remembered -> Bool,
        by_cookie -> Bool,
        tries -> Integer,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    mailed_tokens (id) {
        id -> Uuid,
        account_id -> Uuid,
        purpose -> Text,
        token_hash -> Bytea,
        email -> Text,
        email_key -> Text,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    sign_in_failures (subject) {
        subject -> Bytea,
        failures -> Integer,
        last_at -> Timestamptz,
        locked_until -> Nullable<Timestamptz>,
        is_told -> Bool,
    }
}

diesel::table! {
    used_challenges (solution) {
        solution -> Bytea,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    data_exports (id) {
        id -> Uuid,
        account_id -> Uuid,
        token_hash -> Bytea,
        requested_at -> Timestamptz,
        made_at -> Nullable<Timestamptz>,
        expires_at -> Timestamptz,
        size_bytes -> Nullable<BigInt>,
    }
}

diesel::table! {
    idempotency_keys (account_id, key) {
        account_id -> Uuid,
        key -> Bytea,
        input -> Bytea,
        attempt -> Uuid,
        held_until -> Timestamptz,
        is_done -> Bool,
        answer -> Nullable<Bytea>,
        expires_at -> Timestamptz,
        files -> Nullable<Bytea>,
    }
}

diesel::table! {
    job_schedules (name) {
        name -> Text,
        slot -> Timestamptz,
    }
}

diesel::table! {
    audit_pending (position) {
        position -> BigInt,
        id -> Uuid,
        action -> Text,
        actor_id -> Nullable<Uuid>,
        subject_id -> Nullable<Text>,
        person_id -> Nullable<Uuid>,
        correlation_id -> Nullable<Text>,
        details -> Text,
        origin_commitment -> Nullable<Bytea>,
        facts_commitment -> Nullable<Bytea>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    audit_events (sequence) {
        sequence -> BigInt,
        id -> Uuid,
        action -> Text,
        actor_id -> Nullable<Uuid>,
        subject_id -> Nullable<Text>,
        person_id -> Nullable<Uuid>,
        correlation_id -> Nullable<Text>,
        details -> Text,
        origin_commitment -> Nullable<Bytea>,
        facts_commitment -> Nullable<Bytea>,
        created_at -> Timestamptz,
        previous -> Bytea,
        hash -> Bytea,
    }
}

diesel::table! {
    audit_personal (event_id, part) {
        event_id -> Uuid,
        part -> Text,
        whose -> Nullable<Uuid>,
        salt -> Bytea,
        content -> Text,
    }
}

diesel::joinable!(albums -> artists (artist_id));
diesel::joinable!(data_exports -> accounts (account_id));
diesel::joinable!(api_tokens -> accounts (account_id));
diesel::joinable!(idempotency_keys -> accounts (account_id));
diesel::joinable!(known_devices -> accounts (account_id));
diesel::joinable!(mailed_tokens -> accounts (account_id));
diesel::joinable!(recovery_codes -> accounts (account_id));
diesel::joinable!(second_steps -> accounts (account_id));
diesel::joinable!(second_steps -> known_devices (device_id));
diesel::joinable!(sessions -> accounts (account_id));
diesel::joinable!(tracks -> artists (artist_id));
diesel::joinable!(tracks -> genres (genre_id));
diesel::allow_tables_to_appear_in_same_query!(albums, artists, genres, tracks);
