-- Administrators look for accounts: by a part of the name or of the address, in any order, among very many.

create extension if not exists pg_trgm;

-- A text without accents and case.
create function search_form(text) returns text language sql immutable strict parallel safe
  return lower(regexp_replace(normalize($1, NFKD), '[\u0300-\u036F]+', '', 'g'));

-- PostgreSQL makes these of name and address itself, so that they are never out of date, nor stay behind when those are
-- erased. A few signs stand for many letters: what would be longer than an index takes is cut.
alter table accounts
  -- What an account is compared with when it is looked for, and where it stands among names. Neither part holds a line's
  -- end, so nothing matches across it, and nothing sorts before it.
  add column search_text text collate "C" not null generated always as (
    left(search_form(display_name), 240) || E'\n' || left(search_form(email), 320)
  ) stored,
  -- What it is looked up by, three letters in a row. Without what parts words: of `ana@example.org` no more than three
  -- words would be looked up else, each of which many have.
  add column search_letters text collate "C" not null generated always as (
    translate(left(search_form(display_name), 240) || left(search_form(email), 320), E' !"#$%&''()*+,-./:;<=>?@[\\]^_`{|}~', '')
  ) stored;

create index accounts_by_created_at on accounts (created_at, id);
create index accounts_by_name on accounts (search_text, id);
-- By address there is one already, that of accounts_email_key: no two accounts share a place in it.

-- What was added of late is looked through one by one until it is sorted in; for no more than this many kB.
create index accounts_search on accounts using gin (search_letters gin_trgm_ops) with (gin_pending_list_limit = 256);

-- What few accounts are. What most are is found by reading along an order.
create index accounts_by_status on accounts (status) where status <> 'ACTIVE';
create index accounts_by_tier on accounts (tier) where tier <> 'FREE';
create index accounts_by_role on accounts using gin (roles) where roles <> '{LISTENER}';
