drop table used_challenges;
drop table sign_in_failures;
drop table mailed_tokens;
drop table known_devices;
drop table sessions;
drop table accounts;
