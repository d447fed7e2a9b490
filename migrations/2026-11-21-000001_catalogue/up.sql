-- The catalogue. What must always be true stands here as constraints, so that no code path can break it. Times are finite:
-- PostgreSQL's "infinity" is no time that the API could tell.

create table genres (
  id smallint primary key,
  slug text not null unique check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
  name text not null unique
);

insert into genres (id, slug, name) values
  (1, 'acoustic', 'Acoustic'),
  (2, 'afrobeat', 'Afrobeat'),
  (3, 'alternative', 'Alternative'),
  (4, 'ambient', 'Ambient'),
  (5, 'blues', 'Blues'),
  (6, 'classical', 'Classical'),
  (7, 'country', 'Country'),
  (8, 'dance', 'Dance'),
  (9, 'drum-and-bass', 'Drum and Bass'),
  (10, 'electronic', 'Electronic'),
  (11, 'experimental', 'Experimental'),
  (12, 'folk', 'Folk'),
  (13, 'funk', 'Funk'),
  (14, 'gospel', 'Gospel'),
  (15, 'hip-hop', 'Hip-Hop'),
  (16, 'house', 'House'),
  (17, 'indie', 'Indie'),
  (18, 'jazz', 'Jazz'),
  (19, 'latin', 'Latin'),
  (20, 'lo-fi', 'Lo-Fi'),
  (21, 'metal', 'Metal'),
  (22, 'pop', 'Pop'),
  (23, 'punk', 'Punk'),
  (24, 'r-and-b', 'R&B'),
  (25, 'reggae', 'Reggae'),
  (26, 'rock', 'Rock'),
  (27, 'singer-songwriter', 'Singer-Songwriter'),
  (28, 'soul', 'Soul'),
  (29, 'soundtrack', 'Soundtrack'),
  (30, 'techno', 'Techno'),
  (31, 'trance', 'Trance'),
  (32, 'world', 'World');

create table artists (
  id uuid primary key,
  -- The name in an artist's address. It never changes, so that links stay good.
  slug text not null unique check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and length(slug) <= 80),
  name text not null check (length(name) between 1 and 80),
  -- The name as it is sorted: folded by the service, since what a database takes for the same letter differs by
  -- engine and platform. "C" for the same reason.
  sort_name text collate "C" not null check (length(sort_name) between 1 and 200),
  biography text not null default '' check (length(biography) <= 5000),
  links text[] not null default '{}' check (cardinality(links) <= 10 and array_position(links, null) is null),
  created_at timestamptz not null default now() check (isfinite(created_at)),
  updated_at timestamptz not null default now() check (isfinite(updated_at))
);

create index artists_by_created_at on artists (created_at, id);
create index artists_by_name on artists (sort_name, id);

create table albums (
  id uuid primary key,
  artist_id uuid not null references artists (id),
  title text not null check (length(title) between 1 and 200),
  kind text not null check (kind in ('ALBUM', 'EP', 'SINGLE')),
  released_on date check (isfinite(released_on)),
  created_at timestamptz not null default now() check (isfinite(created_at)),
  updated_at timestamptz not null default now() check (isfinite(updated_at)),
  -- For the tracks' foreign key: a track can only stand on an album of its own artist.
  unique (id, artist_id)
);

create index albums_by_artist on albums (artist_id, created_at, id);

create table tracks (
  id uuid primary key,
  artist_id uuid not null references artists (id),
  album_id uuid,
  track_number int check (track_number > 0),
  genre_id smallint not null references genres (id),
  title text not null check (length(title) between 1 and 200),
  -- As artists.sort_name.
  sort_title text collate "C" not null check (length(sort_title) between 1 and 200),
  is_explicit boolean not null,
  isrc text check (isrc ~ '^[A-Z]{2}[A-Z0-9]{3}[0-9]{7}$'),
  status text not null check (status in (
    'PROCESSING', 'FAILED', 'IN_REVIEW', 'CHANGES_REQUESTED', 'REJECTED', 'PUBLISHED', 'WITHDRAWN', 'TAKEN_DOWN'
  )),
  duration_ms int check (duration_ms > 0),
  play_count bigint not null default 0 check (play_count >= 0),
  published_at timestamptz check (isfinite(published_at)),
  created_at timestamptz not null default now() check (isfinite(created_at)),
  updated_at timestamptz not null default now() check (isfinite(updated_at)),
  foreign key (album_id, artist_id) references albums (id, artist_id),
  check ((album_id is null) = (track_number is null)),
  check (status <> 'PUBLISHED' or (published_at is not null and duration_ms is not null)),
  -- Deferred, so that an album's order can change within one transaction.
  unique (album_id, track_number) deferrable initially deferred
);

-- What everybody can see is listed by three orders: all of it, of a genre, of an artist. Partial, so that what waits
-- for a review costs these nothing.
create index tracks_by_published_at on tracks (published_at, id) where status = 'PUBLISHED';
create index tracks_by_play_count on tracks (play_count, id) where status = 'PUBLISHED';
create index tracks_by_title on tracks (sort_title, id) where status = 'PUBLISHED';
create index tracks_of_genre_by_published_at on tracks (genre_id, published_at, id) where status = 'PUBLISHED';
create index tracks_of_genre_by_play_count on tracks (genre_id, play_count, id) where status = 'PUBLISHED';
create index tracks_of_genre_by_title on tracks (genre_id, sort_title, id) where status = 'PUBLISHED';
create index tracks_of_artist_by_published_at on tracks (artist_id, published_at, id) where status = 'PUBLISHED';
create index tracks_of_artist_by_play_count on tracks (artist_id, play_count, id) where status = 'PUBLISHED';
create index tracks_of_artist_by_title on tracks (artist_id, sort_title, id) where status = 'PUBLISHED';
-- An album's tracks in their order, whether it has one that is published, their number and length.
create index tracks_of_album on tracks (album_id, track_number, id) include (duration_ms) where status = 'PUBLISHED';
-- Foreign keys without an index of their own make deletes scan the table.
create index tracks_artist on tracks (artist_id);
create index tracks_genre on tracks (genre_id);
