-- The second factor: one-time codes, recovery codes, the second step of a sign-in, and devices that are spared it.

alter table accounts
  -- What the codes are computed from, sealed under the ring; waiting to be confirmed, or in use.
  add column totp_secret bytea check (length(totp_secret) between 1 and 1024),
  add column totp_begun_at timestamptz check (isfinite(totp_begun_at)),
  -- Of the code that was used last: each counts once, and none after a later one.
  add column totp_last_step bigint check (totp_last_step >= 0),
  -- Since when a second factor is asked for.
  add column two_factor_at timestamptz check (isfinite(two_factor_at)),
  add check ((totp_secret is null) = (totp_begun_at is null)),
  add check ((two_factor_at is null) = (totp_last_step is null)),
  add check (two_factor_at is null or totp_secret is not null);

-- What nobody confirmed is forgotten after a while.
create index accounts_pending_factor on accounts (totp_begun_at) where two_factor_at is null and totp_begun_at is not null;

-- Each counts once: one that is used is deleted in the statement that finds it.
create table recovery_codes (
  account_id uuid not null references accounts (id) on delete cascade,
  code_hash bytea not null check (length(code_hash) = 32),
  primary key (account_id, code_hash)
);

-- Whether a session was begun, or gone on with, by a second factor that is still the account's.
alter table sessions add column has_second_factor boolean not null default false;

-- Devices that their owner chose to trust are spared the second factor until then.
alter table known_devices
  add column trusted_at timestamptz check (isfinite(trusted_at)),
  add column trusted_until timestamptz check (isfinite(trusted_until)),
  add check ((trusted_at is null) = (trusted_until is null));

-- Sign-ins whose password was right, and that wait for their second factor. A try is counted before its code is looked
-- at, so that tries side by side can't outrun the count.
create table second_steps (
  id uuid primary key,
  account_id uuid not null references accounts (id) on delete cascade,
  token_hash bytea not null unique check (length(token_hash) = 32),
  -- The known device that it comes from, and what was chosen with the password.
  device_id uuid references known_devices (id) on delete set null,
  is_remembered boolean not null,
  by_cookie boolean not null,
  tries int not null default 0 check (tries >= 0),
  created_at timestamptz not null check (isfinite(created_at)),
  expires_at timestamptz not null check (isfinite(expires_at))
);

-- For foreign keys, deletes look here.
create index second_steps_account on second_steps (account_id);
create index second_steps_device on second_steps (device_id);
create index second_steps_by_end on second_steps (expires_at);
