-- Mutations that were sent under a key of their sender's: each runs once, and its answer is had again for a day.
create table idempotency_keys (
  account_id uuid not null references accounts (id) on delete cascade,
  -- By hashes: a key may say anything, and what was asked for may hold a password.
  key bytea not null check (length(key) = 32),
  input bytea not null check (length(input) = 32),
  -- Which of all who came with this key may run it, and until when it need not show again that it lives.
  attempt uuid not null,
  held_until timestamptz not null check (isfinite(held_until)),
  -- Set in the transaction of whatever the mutation writes, so that it is true whenever that stands.
  is_done boolean not null default false,
  answer bytea check (length(answer) <= 131072),
  expires_at timestamptz not null check (isfinite(expires_at)),
  primary key (account_id, key)
);

create index idempotency_keys_by_end on idempotency_keys (expires_at);
