-- Work that goes on after an answer. What is done is deleted; what was given up stays, with its error.
create table jobs (
    id uuid primary key,
    kind text not null check (length(kind) between 1 and 80),
    -- Ids and little else; what is large stands in tables of its own.
    payload jsonb not null check (octet_length(payload::text) <= 65536),
    state text not null default 'READY' check (state in ('READY', 'RUNNING', 'DEAD')),
    -- How often it was begun.
    attempts integer not null default 0 check (attempts >= 0),
    -- When it may be taken: one that waits from here on, one that runs once its lease has ended here.
    due_at timestamptz not null default now(),
    -- Who holds it; a new one each time that it is taken.
    lease uuid,
    unique_key text check (length(unique_key) between 1 and 200),
    -- Of the request that asked for it.
    correlation_id text check (length(correlation_id) <= 64),
    last_error text check (length(last_error) <= 2000),
    created_at timestamptz not null default now(),
    died_at timestamptz,
    constraint jobs_what_runs_is_held check ((state = 'RUNNING') = (lease is not null)),
    constraint jobs_what_is_dead_has_died check ((state = 'DEAD') = (died_at is not null))
);

-- In the order in which they are taken.
create index jobs_due on jobs (due_at, id) where state <> 'DEAD';
create index jobs_dead on jobs (died_at, id) where state = 'DEAD';

-- Of the same thing to do, one waits or runs.
create unique index jobs_unique on jobs (kind, unique_key) where unique_key is not null and state <> 'DEAD';

-- What is done every so often, and the beginning of the last slot that was asked for: each is asked for once, however
-- many instances there are.
create table job_schedules (
    name text primary key check (length(name) between 1 and 80),
    slot timestamptz not null
);
