-- Whose an artist is: an account has one at most. Those of the demo are nobody's.
alter table artists add column account_id uuid unique references accounts (id) on delete cascade;

-- No two that are somebody's are called alike, whatever the case and the accents: who listens must know who is who.
create unique index artists_names on artists (sort_name) where account_id is not null;
