-- Whose an artist is: an account has one at most. Those of the demo are nobody's.
alter table artists add column account_id uuid unique references accounts (id) on delete cascade;

-- No two that are somebody's are called alike, whatever the case and the accents: who listens must know who is who.
create unique index artists_names on artists (sort_name) where account_id is not null;

-- Nobody sees them while the account is closed or suspended, whichever way that came about.
alter table artists add column is_shown boolean not null default true;

create function artists_follow_accounts() returns trigger language plpgsql as $$
begin
  update artists set is_shown = (new.status = 'ACTIVE') where account_id = new.id;
  return null;
end
$$;

create trigger accounts_show_their_artists after update of status on accounts
  for each row when (old.status is distinct from new.status) execute function artists_follow_accounts();
