drop trigger accounts_show_their_artists on accounts;
drop function artists_follow_accounts();
alter table artists drop column is_shown;
drop index artists_names;
alter table artists drop column account_id;
