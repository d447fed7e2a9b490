alter table idempotency_keys drop column files;
