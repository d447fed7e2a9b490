-- Files of music that their sender stores part by part, past the API.
create table direct_uploads (
  -- Also of the file that it becomes.
  id uuid primary key,
  account_id uuid references accounts (id) on delete set null,
  status text not null check (status in ('OPEN', 'VERIFYING', 'READY', 'FAILED', 'EXPIRED')),
  -- What the storage knows its parts by.
  handle text not null,
  byte_size bigint not null check (byte_size > 0),
  -- Of each part but the last.
  part_size bigint not null check (part_size > 0),
  -- What it is to be, where its sender knew.
  sha256 bytea check (octet_length(sha256) = 32),
  -- Why it can't be used.
  failure text check (failure in ('INCOMPLETE', 'UNSUPPORTED', 'CHECKSUM_MISMATCH', 'NO_ROOM', 'NOT_READ')),
  -- When it was handed in, which is done once.
  claimed_at timestamptz check (isfinite(claimed_at)),
  created_at timestamptz not null check (isfinite(created_at)),
  expires_at timestamptz not null check (isfinite(expires_at)),
  check ((status = 'FAILED') = (failure is not null)),
  check (claimed_at is null or status = 'READY')
);

create index direct_uploads_of_account on direct_uploads (account_id, status);
create index direct_uploads_by_end on direct_uploads (expires_at, id);
