-- What the files of a mutation were that was sent under a key: by a hash of theirs, once all of them were read.
alter table idempotency_keys add column files bytea check (length(files) = 32);
