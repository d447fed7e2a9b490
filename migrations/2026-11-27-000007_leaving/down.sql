drop table data_exports;
-- What has ended so ends in a word of before.
update sessions set ended_because = 'SIGNED_OUT' where ended_because = 'CLOSED';
alter table sessions drop constraint sessions_ended_because_check;
alter table sessions add constraint sessions_ended_because_check check (
  ended_because in ('SIGNED_OUT', 'REVOKED', 'TOKEN_REUSED', 'PASSWORD_CHANGED', 'ADDRESS_RESTORED', 'TOO_MANY', 'SUSPENDED')
);
drop index accounts_to_erase;
alter table accounts drop constraint accounts_closed_are_erased, drop column erase_at;
