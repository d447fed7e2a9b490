-- When a file is to be read back next, or tried again if it could not be read: that is not first in line each time.
alter table audios add column check_at timestamptz check (isfinite(check_at));
alter table images add column check_at timestamptz check (isfinite(check_at));
update audios set check_at = checked_at + interval '30 days' where checked_at is not null;
update images set check_at = checked_at + interval '30 days' where checked_at is not null;
drop index audios_by_check, images_by_check;
create index audios_by_check_at on audios (check_at nulls first, id);
create index images_by_check_at on images (check_at nulls first, id);

-- What this database calls itself to the storage, which says the same of whose its files are, and how often they were looked
-- through. A storage that has heard of more turns is another's, or this is an old copy.
create table files_owner (
  id uuid not null default gen_random_uuid(),
  turn bigint not null default 0 check (turn >= 0),
  created_at timestamptz not null default now() check (isfinite(created_at)),
  is_only boolean primary key default true check (is_only)
);

insert into files_owner default values;
