drop index artists_names;
alter table artists drop column account_id;
