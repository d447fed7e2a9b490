//! How long things of accounts last, and how many there may be: the numbers of the contract, in one place.

use std::time::Duration;

use chrono::TimeDelta;

use super::store::AttemptRules;

pub const ACCESS_TOKEN: TimeDelta = TimeDelta::minutes(15);
pub const REMEMBERED: TimeDelta = TimeDelta::days(30);
pub const NOT_REMEMBERED: TimeDelta = TimeDelta::hours(12);
/// How long a refresh token may be presented again after it was used: by another tab, or after a lost answer.
pub const REFRESH_GRACE: TimeDelta = TimeDelta::seconds(10);
pub const VERIFICATION: TimeDelta = TimeDelta::hours(24);
pub const PASSWORD_RESET: TimeDelta = TimeDelta::hours(1);
pub const ADDRESS_CHANGE: TimeDelta = TimeDelta::hours(24);
/// Long enough for somebody who reads mail once a week.
pub const ADDRESS_UNDO: TimeDelta = TimeDelta::days(7);
/// How long a second factor that was begun can be confirmed.
pub const PENDING_FACTOR: TimeDelta = TimeDelta::hours(1);
/// How old a second factor is that whoever takes back a change of address is not asked for.
pub const NEW_FACTOR: TimeDelta = TimeDelta::days(7);
pub const SECOND_STEP: TimeDelta = TimeDelta::minutes(5);
pub const TRUSTED_DEVICE: TimeDelta = TimeDelta::days(30);
pub const API_TOKEN: TimeDelta = TimeDelta::days(30);
/// A year, whichever day it begins on.
pub const LONGEST_API_TOKEN: TimeDelta = TimeDelta::days(366);
/// How exactly it is known when an API token was used last.
pub const NOTED_USE: TimeDelta = TimeDelta::minutes(1);
/// How long it is known of an API token which has ended that there was one.
pub const ENDED_API_TOKEN: TimeDelta = TimeDelta::days(30);
pub const UNVERIFIED_ACCOUNT: TimeDelta = TimeDelta::days(7);
/// From the day that its owner closes it until it is erased.
pub const CLOSED_ACCOUNT: TimeDelta = TimeDelta::days(30);
/// How long an archive can be fetched.
pub const EXPORT: TimeDelta = TimeDelta::days(1);
/// How long one is waited for before another may be asked for.
pub const EXPORT_WAIT: TimeDelta = TimeDelta::days(1);
/// The address that a link to it is traded for: long enough to begin.
pub const EXPORT_ADDRESS: Duration = Duration::from_secs(5 * 60);
/// How long a device is known that is not used.
pub const KNOWN_DEVICE: TimeDelta = TimeDelta::days(365);

/// Longer than any of them counts.
pub const FAILURES: TimeDelta = TimeDelta::days(1);

pub const MOST_SESSIONS: i64 = 10;
pub const MOST_DEVICES: i64 = 20;
/// Codes that may be tried by one token of a second step.
pub const MOST_TRIES: u32 = 5;
pub const RECOVERY_CODES: usize = 10;
/// That go on, at a time.
pub const MOST_API_TOKENS: i64 = 50;

pub const ATTEMPTS: AttemptRules = AttemptRules {
    before_challenge: 3,
    before_lock: 5,
    locked_for: TimeDelta::minutes(15),
    // Few wrong passwords a day are a person's.
    forgotten_after: TimeDelta::hours(1),
};
