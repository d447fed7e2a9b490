drop table submissions;
drop index tracks_of_artist_by_created_at, tracks_by_published_at, tracks_by_play_count, tracks_by_title,
  tracks_of_genre_by_published_at, tracks_of_genre_by_play_count, tracks_of_genre_by_title,
  tracks_of_artist_by_published_at, tracks_of_artist_by_play_count, tracks_of_artist_by_title, tracks_of_album;
create index tracks_by_published_at on tracks (published_at, id) where status = 'PUBLISHED';
create index tracks_by_play_count on tracks (play_count, id) where status = 'PUBLISHED';
create index tracks_by_title on tracks (sort_title, id) where status = 'PUBLISHED';
create index tracks_of_genre_by_published_at on tracks (genre_id, published_at, id) where status = 'PUBLISHED';
create index tracks_of_genre_by_play_count on tracks (genre_id, play_count, id) where status = 'PUBLISHED';
create index tracks_of_genre_by_title on tracks (genre_id, sort_title, id) where status = 'PUBLISHED';
create index tracks_of_artist_by_published_at on tracks (artist_id, published_at, id) where status = 'PUBLISHED';
create index tracks_of_artist_by_play_count on tracks (artist_id, play_count, id) where status = 'PUBLISHED';
create index tracks_of_artist_by_title on tracks (artist_id, sort_title, id) where status = 'PUBLISHED';
create index tracks_of_album on tracks (album_id, track_number, id) include (duration_ms) where status = 'PUBLISHED';
drop trigger artists_show_their_tracks on artists;
drop function tracks_follow_artists();
alter table tracks drop column artist_is_shown, drop column audio_id, drop column cover_id;
alter table albums drop column cover_id;
alter table artists drop column image_id;
alter table accounts drop column avatar_id;
drop table images;
drop table audios;
drop function files_are_gone();
drop table gone_files;
