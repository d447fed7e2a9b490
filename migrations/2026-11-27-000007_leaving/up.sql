-- Leaving: accounts that their owners closed, and what is kept about somebody, written out for them.

-- When it is erased. One that was closed and is then suspended is erased all the same, and is not reopened by signing in.
alter table accounts add column erase_at timestamptz check (isfinite(erase_at));
-- One that was closed before anybody was told when: its owner has as long as everybody from now on.
update accounts set erase_at = now() + interval '30 days' where status = 'CLOSED';
alter table accounts add constraint accounts_closed_are_erased check (
  case status when 'CLOSED' then erase_at is not null when 'SUSPENDED' then true else erase_at is null end
);
create index accounts_to_erase on accounts (erase_at, id) where erase_at is not null;

alter table sessions drop constraint sessions_ended_because_check;
alter table sessions add constraint sessions_ended_because_check check (
  ended_because in (
    'SIGNED_OUT', 'REVOKED', 'TOKEN_REUSED', 'PASSWORD_CHANGED', 'ADDRESS_RESTORED', 'TOO_MANY', 'SUSPENDED', 'CLOSED'
  )
);

-- Archives of what is kept about an account. The file stands in storage under a name made of the id.
create table data_exports (
  id uuid primary key,
  account_id uuid not null references accounts (id) on delete cascade,
  -- The mailed link is good as often as it is followed, until the archive goes.
  token_hash bytea not null unique check (length(token_hash) = 32),
  requested_at timestamptz not null check (isfinite(requested_at)),
  made_at timestamptz check (isfinite(made_at)),
  -- Until when it is of use; of one that is not made, until when it is waited for.
  expires_at timestamptz not null check (isfinite(expires_at)),
  size_bytes bigint check (size_bytes > 0),
  check ((made_at is null) = (size_bytes is null))
);

-- Of two that are asked for at once, one is made.
create unique index data_exports_being_made on data_exports (account_id) where made_at is null;
create index data_exports_of_account on data_exports (account_id, requested_at);
create index data_exports_by_end on data_exports (expires_at);
