-- Tokens that people make for scripts and other services. A token is signed, and its row holds nothing that works: it
-- decides whether the token still counts.
create table api_tokens (
  id uuid primary key,
  account_id uuid not null references accounts (id) on delete cascade,
  name text not null check (length(name) between 1 and 80),
  scopes text[] not null check (
    cardinality(scopes) > 0
    and scopes <@ array['ACCOUNT_READ', 'CATALOGUE_WRITE', 'PLAYLISTS_READ', 'PLAYLISTS_WRITE', 'UPLOADS_WRITE']
  ),
  created_at timestamptz not null check (isfinite(created_at)),
  last_used_at timestamptz check (isfinite(last_used_at)),
  expires_at timestamptz not null check (isfinite(expires_at)),
  ended_at timestamptz check (isfinite(ended_at))
);

create index api_tokens_of_account on api_tokens (account_id, created_at, id) where ended_at is null;
-- For a foreign key, deletes look here.
create index api_tokens_account on api_tokens (account_id);
create index api_tokens_by_end on api_tokens (least(ended_at, expires_at));
