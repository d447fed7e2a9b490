-- People. What must always be true stands here as constraints. Secrets stand here as hashes alone.

create table accounts (
  id uuid primary key,
  -- As its owner writes it, and as it is compared: without case, its host as name servers know it.
  email text not null check (length(email) between 3 and 320),
  email_key text not null constraint accounts_email_key unique check (length(email_key) between 3 and 320),
  display_name text not null check (length(display_name) between 1 and 80),
  password_hash text not null,
  roles text[] not null default '{LISTENER}' check (
    roles <@ array['LISTENER', 'ARTIST', 'MODERATOR', 'ADMIN'] and 'LISTENER' = any(roles)
  ),
  tier text not null default 'FREE' check (tier in ('FREE', 'PREMIUM')),
  status text not null check (status in ('UNVERIFIED', 'ACTIVE', 'SUSPENDED', 'CLOSED')),
  email_verified_at timestamptz check (isfinite(email_verified_at)),
  created_at timestamptz not null check (isfinite(created_at)),
  updated_at timestamptz not null check (isfinite(updated_at)),
  -- Nobody uses an account whose address was never shown to be theirs.
  check (status <> 'ACTIVE' or email_verified_at is not null)
);

-- What nobody confirmed is forgotten after a while.
create index accounts_unverified on accounts (updated_at) where status = 'UNVERIFIED';

-- One sign-in on one device: a family of refresh tokens of which the newest counts.
create table sessions (
  id uuid primary key,
  account_id uuid not null references accounts (id) on delete cascade,
  generation int not null default 0 check (generation >= 0),
  token_hash bytea not null check (length(token_hash) = 32),
  -- Of the generation before, which may be repeated for a moment after it was used.
  previous_hash bytea check (length(previous_hash) = 32),
  rotated_at timestamptz check (isfinite(rotated_at)),
  is_remembered boolean not null,
  by_cookie boolean not null,
  user_agent text check (length(user_agent) <= 400),
  ip_address text check (length(ip_address) <= 64),
  created_at timestamptz not null check (isfinite(created_at)),
  last_used_at timestamptz not null check (isfinite(last_used_at)),
  expires_at timestamptz not null check (isfinite(expires_at)),
  ended_at timestamptz check (isfinite(ended_at)),
  ended_because text check (
    ended_because in ('SIGNED_OUT', 'REVOKED', 'TOKEN_REUSED', 'PASSWORD_CHANGED', 'ADDRESS_RESTORED', 'TOO_MANY', 'SUSPENDED')
  ),
  check ((ended_at is null) = (ended_because is null)),
  check ((generation = 0) = (previous_hash is null) and (generation = 0) = (rotated_at is null))
);

create index sessions_of_account on sessions (account_id, last_used_at, id) where ended_at is null;
-- For a foreign key, deletes look here.
create index sessions_account on sessions (account_id);
create index sessions_by_end on sessions (expires_at);

-- Devices that have signed in before.
create table known_devices (
  id uuid primary key,
  account_id uuid not null references accounts (id) on delete cascade,
  token_hash bytea not null unique check (length(token_hash) = 32),
  user_agent text check (length(user_agent) <= 400),
  created_at timestamptz not null check (isfinite(created_at)),
  last_used_at timestamptz not null check (isfinite(last_used_at))
);

create index known_devices_of_account on known_devices (account_id, last_used_at, id);
create index known_devices_by_use on known_devices (last_used_at);

-- Links that went out by mail. One that is used is deleted in the statement that reads it, so that it counts once.
create table mailed_tokens (
  id uuid primary key,
  account_id uuid not null references accounts (id) on delete cascade,
  purpose text not null check (purpose in ('VERIFY', 'RESET_PASSWORD', 'CHANGE_EMAIL', 'UNDO_EMAIL')),
  token_hash bytea not null unique check (length(token_hash) = 32),
  -- The address that it is about, in both forms.
  email text not null check (length(email) between 3 and 320),
  email_key text not null check (length(email_key) between 3 and 320),
  created_at timestamptz not null check (isfinite(created_at)),
  expires_at timestamptz not null check (isfinite(expires_at))
);

create index mailed_tokens_of_account on mailed_tokens (account_id, purpose, created_at);
create index mailed_tokens_by_end on mailed_tokens (expires_at);

-- Wrong passwords, by a hash of the address that was tried, whether or not there is an account, or of a device that is
-- known. An attempt is counted before its password is looked at, so that attempts side by side can't outrun the count.
create table sign_in_failures (
  subject bytea primary key check (length(subject) = 32),
  failures int not null check (failures >= 0),
  last_at timestamptz not null check (isfinite(last_at)),
  locked_until timestamptz check (isfinite(locked_until)),
  -- The owner was told of this lock.
  is_told boolean not null default false
);

create index sign_in_failures_by_time on sign_in_failures (last_at);

-- Solutions of challenges that have counted: each counts once.
create table used_challenges (
  solution bytea primary key check (length(solution) = 32),
  expires_at timestamptz not null check (isfinite(expires_at))
);

create index used_challenges_by_end on used_challenges (expires_at);
