-- The audit trail: what happened, by whom, in one chain. Nothing of it is ever changed. An event waits where its action
-- wrote it until it is chained, which is a moment later; then it moves over, never to be touched again.

-- No action waits for another here, as it would if each had to know what came before.
create table audit_pending (
  -- What an action writes after another's has committed comes after it in the chain.
  position bigint generated always as identity primary key,
  id uuid not null,
  action text not null check (length(action) <= 80 and action ~ '^[a-z_]+(\.[a-z_]+)+$'),
  -- Whoever acted, if they were known. No foreign key: an account goes, what it did stays.
  actor_id uuid,
  subject_id text collate "C" check (length(subject_id) between 1 and 100),
  -- Whose account it concerns: with it goes what is personal in it.
  person_id uuid,
  correlation_id text check (length(correlation_id) between 1 and 64),
  -- JSON, byte for byte as it is hashed.
  details text not null check (octet_length(details) <= 65536 and json_typeof(details::json) = 'object'),
  -- Hashes of what is personal in it, with a salt: see audit_personal.
  origin_commitment bytea check (length(origin_commitment) = 32),
  facts_commitment bytea check (length(facts_commitment) = 32),
  created_at timestamptz not null check (isfinite(created_at))
)
-- Everything in it is deleted soon, which leaves much to be cleared away of a table that is small.
with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);

create table audit_events (
  -- From 1, without gaps.
  sequence bigint primary key check (sequence > 0),
  id uuid not null unique,
  action text not null,
  actor_id uuid,
  subject_id text collate "C",
  person_id uuid,
  correlation_id text,
  details text not null,
  origin_commitment bytea check (length(origin_commitment) = 32),
  facts_commitment bytea check (length(facts_commitment) = 32),
  created_at timestamptz not null,
  -- The hash of the event before.
  previous bytea not null check (length(previous) = 32),
  hash bytea not null check (length(hash) = 32)
);

-- The list, newest first, and narrowed by who, what and about what.
create index audit_events_by_time on audit_events (created_at, id);
create index audit_events_of_action on audit_events (action, created_at, id);
create index audit_events_of_actor on audit_events (actor_id, created_at, id) where actor_id is not null;
create index audit_events_of_actor_and_action on audit_events (actor_id, action, created_at, id) where actor_id is not null;
-- For who takes along what is kept of them.
create index audit_events_of_person on audit_events (person_id) where person_id is not null;
create index audit_events_of_subject on audit_events (subject_id, created_at, id) where subject_id is not null;
create index audit_events_of_subject_and_action on audit_events (subject_id, action, created_at, id) where subject_id is not null;

-- What is personal in an event, apart from it: the chain holds its hash alone, with a salt that stands here, so that
-- once this row is deleted nobody can find out what it said, not even by trying all addresses that there are.
create table audit_personal (
  event_id uuid not null,
  -- Where it came from, or what it says.
  part text not null check (part in ('ORIGIN', 'FACTS')),
  -- Whose it is, and with whose account it is deleted; none where nobody is known.
  whose uuid,
  salt bytea not null check (length(salt) = 32),
  content text not null check (octet_length(content) <= 8192 and json_typeof(content::json) = 'object'),
  primary key (event_id, part)
);

-- Of nobody's too: what is written of an address that nobody has must not take less time. The oldest of it goes first.
create index audit_personal_whose on audit_personal (whose, event_id);

-- Against mistakes, and against whoever may write to these tables and no more. Their owner can lift it; that is what the
-- chain and its signed heads are for.
create function audit_refuse() returns trigger language plpgsql as $$
begin
  raise exception 'the audit trail is only added to: % of % is refused', lower(tg_op), tg_table_name
    using errcode = 'restrict_violation';
end
$$;

create function audit_refuse_loss() returns trigger language plpgsql as $$
begin
  if exists (select from gone where not exists (select from audit_events e where e.id = gone.id)) then
    raise exception 'the audit trail is only added to: an event that is not chained yet is not deleted'
      using errcode = 'restrict_violation';
  end if;
  return null;
end
$$;

create trigger audit_events_stand before update or delete or truncate on audit_events
  for each statement execute function audit_refuse();
create trigger audit_pending_stands before update or truncate on audit_pending
  for each statement execute function audit_refuse();
create trigger audit_pending_moves after delete on audit_pending
  referencing old table as gone for each statement execute function audit_refuse_loss();
create trigger audit_personal_stands before update or truncate on audit_personal
  for each statement execute function audit_refuse();
