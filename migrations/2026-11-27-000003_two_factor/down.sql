drop table second_steps;
alter table known_devices drop column trusted_until, drop column trusted_at;
alter table sessions drop column has_second_factor;
drop table recovery_codes;
drop index accounts_pending_factor;
alter table accounts
  drop column two_factor_at,
  drop column totp_last_step,
  drop column totp_begun_at,
  drop column totp_secret;
