drop index accounts_by_role, accounts_by_tier, accounts_by_status, accounts_search, accounts_by_name, accounts_by_created_at;
alter table accounts drop column search_letters, drop column search_text;
drop function search_form;
drop extension if exists pg_trgm;
