-- Music that comes in: its files, what is handed in for review, and what everybody may hear of it.

-- A file of music. Its key in the storage is made of its id, so that row and file can be told from each other.
create table audios (
  id uuid primary key,
  -- Whose storage it takes.
  account_id uuid references accounts (id) on delete set null,
  -- By its first bytes, whatever its sender says.
  content_type text not null,
  byte_size bigint not null check (byte_size > 0),
  sha256 bytea not null check (octet_length(sha256) = 32),
  received_at timestamptz not null check (isfinite(received_at)),
  -- When a scanner found nothing in it; null where none is set up, or none has looked yet.
  scanned_at timestamptz check (isfinite(scanned_at)),
  measured_at timestamptz check (isfinite(measured_at)),
  codec text,
  duration_ms int check (duration_ms > 0),
  sample_rate_hz int check (sample_rate_hz > 0),
  channels int check (channels > 0),
  bitrate_kbps int check (bitrate_kbps > 0),
  -- Null where there is nothing but silence.
  loudness_lufs float8,
  true_peak_dbtp float8,
  -- From 0 to 255, the same span of time each.
  peaks bytea,
  -- When its bytes were read back and found to be those that came in, and when they were not.
  checked_at timestamptz check (isfinite(checked_at)),
  damaged_at timestamptz check (isfinite(damaged_at)),
  check ((measured_at is null) = (codec is null)),
  check ((measured_at is null) = (duration_ms is null)),
  check ((measured_at is null) = (sample_rate_hz is null)),
  check ((measured_at is null) = (channels is null)),
  check ((measured_at is null) = (peaks is null))
);

create index audios_of_account on audios (account_id) include (byte_size);
create index audios_by_check on audios (checked_at nulls first, id);

-- A picture, in three sizes beside its own.
create table images (
  id uuid primary key,
  account_id uuid references accounts (id) on delete set null,
  content_type text not null,
  -- Of what is kept of it, all sizes together.
  byte_size bigint not null check (byte_size > 0),
  -- Of the largest that is kept.
  sha256 bytea not null check (octet_length(sha256) = 32),
  width int not null check (width > 0),
  height int not null check (height > 0),
  thumb_hash bytea not null check (octet_length(thumb_hash) between 5 and 40),
  received_at timestamptz not null check (isfinite(received_at)),
  checked_at timestamptz check (isfinite(checked_at)),
  damaged_at timestamptz check (isfinite(damaged_at))
);

create index images_of_account on images (account_id) include (byte_size);
create index images_by_check on images (checked_at nulls first, id);

-- Files whose rows are gone. They stay for a day, so that a copy of the database which is brought back has its files.
create table gone_files (
  kind text not null check (kind in ('AUDIO', 'IMAGE')),
  id uuid not null,
  gone_at timestamptz not null default now() check (isfinite(gone_at)),
  primary key (kind, id)
);

create index gone_files_by_time on gone_files (gone_at);

create function files_are_gone() returns trigger language plpgsql as $$
begin
  insert into gone_files (kind, id) values (tg_argv[0], old.id) on conflict do nothing;
  return null;
end
$$;

create trigger audios_leave_files after delete on audios for each row execute function files_are_gone('AUDIO');
create trigger images_leave_files after delete on images for each row execute function files_are_gone('IMAGE');

alter table accounts add column avatar_id uuid references images (id) on delete set null;
alter table artists add column image_id uuid references images (id) on delete set null;
alter table albums add column cover_id uuid references images (id) on delete set null;
alter table tracks
  add column cover_id uuid references images (id) on delete set null,
  add column audio_id uuid unique references audios (id),
  -- Whether its artist is to be seen: a copy, as lists are found by it.
  add column artist_is_shown boolean not null default true;

create index accounts_avatar on accounts (avatar_id);
create index artists_image on artists (image_id);
create index albums_cover on albums (cover_id);
create index tracks_cover on tracks (cover_id);

create function tracks_follow_artists() returns trigger language plpgsql as $$
begin
  update tracks set artist_is_shown = new.is_shown where artist_id = new.id;
  return null;
end
$$;

create trigger artists_show_their_tracks after update of is_shown on artists
  for each row when (old.is_shown is distinct from new.is_shown) execute function tracks_follow_artists();

update tracks t set artist_is_shown = false from artists a where a.id = t.artist_id and not a.is_shown;

-- The lists of what everybody may see, as before, of artists that are to be seen.
drop index tracks_by_published_at, tracks_by_play_count, tracks_by_title, tracks_of_genre_by_published_at,
  tracks_of_genre_by_play_count, tracks_of_genre_by_title, tracks_of_artist_by_published_at,
  tracks_of_artist_by_play_count, tracks_of_artist_by_title, tracks_of_album;
create index tracks_by_published_at on tracks (published_at, id) where status = 'PUBLISHED' and artist_is_shown;
create index tracks_by_play_count on tracks (play_count, id) where status = 'PUBLISHED' and artist_is_shown;
create index tracks_by_title on tracks (sort_title, id) where status = 'PUBLISHED' and artist_is_shown;
create index tracks_of_genre_by_published_at on tracks (genre_id, published_at, id) where status = 'PUBLISHED' and artist_is_shown;
create index tracks_of_genre_by_play_count on tracks (genre_id, play_count, id) where status = 'PUBLISHED' and artist_is_shown;
create index tracks_of_genre_by_title on tracks (genre_id, sort_title, id) where status = 'PUBLISHED' and artist_is_shown;
create index tracks_of_artist_by_published_at on tracks (artist_id, published_at, id) where status = 'PUBLISHED' and artist_is_shown;
create index tracks_of_artist_by_play_count on tracks (artist_id, play_count, id) where status = 'PUBLISHED' and artist_is_shown;
create index tracks_of_artist_by_title on tracks (artist_id, sort_title, id) where status = 'PUBLISHED' and artist_is_shown;
create index tracks_of_album on tracks (album_id, track_number, id) include (duration_ms) where status = 'PUBLISHED' and artist_is_shown;
-- An artist's own, in every state.
create index tracks_of_artist_by_created_at on tracks (artist_id, created_at, id);

-- What an artist hands in. One of a track that was published can be about its title and cover alone.
create table submissions (
  id uuid primary key,
  track_id uuid references tracks (id) on delete set null,
  artist_id uuid not null references artists (id) on delete cascade,
  submitted_by uuid references accounts (id) on delete set null,
  status text not null check (status in (
    'PROCESSING', 'FAILED', 'PENDING', 'APPROVED', 'REJECTED', 'CHANGES_REQUESTED', 'WITHDRAWN'
  )),
  -- The file that it is about; it may be another than the track's by now.
  audio_id uuid references audios (id) on delete set null,
  -- What the track is to be called, and to look like, once this is approved; null where it stays as it is.
  new_title text check (length(new_title) between 1 and 200),
  new_sort_title text collate "C" check (length(new_sort_title) between 1 and 200),
  new_cover_id uuid references images (id) on delete set null,
  -- Why the file can't be used.
  failure text check (length(failure) <= 500),
  -- The artist's, for whoever reviews it.
  note text check (length(note) <= 2000),
  reviewed_by uuid references accounts (id) on delete set null,
  review_note text check (length(review_note) <= 2000),
  reviewed_at timestamptz check (isfinite(reviewed_at)),
  created_at timestamptz not null check (isfinite(created_at)),
  updated_at timestamptz not null check (isfinite(updated_at)),
  check ((new_title is null) = (new_sort_title is null)),
  check ((status = 'FAILED') = (failure is not null)),
  check (status not in ('APPROVED', 'REJECTED', 'CHANGES_REQUESTED') or reviewed_at is not null)
);

-- A track is in one hand at a time.
create unique index submissions_open on submissions (track_id)
  where status in ('PROCESSING', 'FAILED', 'PENDING', 'CHANGES_REQUESTED');
create index submissions_of_track on submissions (track_id, created_at, id);
create index submissions_of_artist on submissions (artist_id, created_at, id);
create index submissions_of_account on submissions (submitted_by, created_at, id);
create index submissions_by_created_at on submissions (created_at, id);
create index submissions_by_status on submissions (status, created_at, id);
create index submissions_audio on submissions (audio_id);
create index submissions_cover on submissions (new_cover_id);
create index submissions_reviewer on submissions (reviewed_by);
