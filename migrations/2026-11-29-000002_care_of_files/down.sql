drop table files_owner;
drop index audios_by_check_at, images_by_check_at;
alter table audios drop column check_at;
alter table images drop column check_at;
create index audios_by_check on audios (checked_at nulls first, id);
create index images_by_check on images (checked_at nulls first, id);
