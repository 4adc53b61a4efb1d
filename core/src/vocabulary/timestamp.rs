//! Instants of wall time in whole microseconds, the resolution that every store keeps.

use std::fmt;
use std::ops::{Add, RangeInclusive};
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An instant: microseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
///
/// In human-readable formats it is written as it is printed, in others as a number of microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text that is no [`Timestamp`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an instant; write it in UTC as in 2026-11-21T06:55:00.000000Z")]
pub struct InvalidTimestamp(String);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// Later than everything.
    pub const MAX: Self = Self(i64::MAX);

    /// The instant so many microseconds after the epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The time from `earlier` to this instant; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0).max(0).unsigned_abs())
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    /// Adds, cutting to whole microseconds; ends at [`Timestamp::MAX`] instead of overflowing.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self::EPOCH + after,
            Err(before) => Self(-i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX)),
        }
    }
}

impl From<Timestamp> for SystemTime {
    fn from(timestamp: Timestamp) -> Self {
        let micros = Duration::from_micros(timestamp.0.unsigned_abs());
        if timestamp.0 < 0 { UNIX_EPOCH - micros } else { UNIX_EPOCH + micros }
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with six decimals, as in `2026-11-21T06:55:00.000000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.0.div_euclid(1_000_000), self.0.rem_euclid(1_000_000));
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    /// Reads what `Display` writes, with up to six decimals.
    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let shown = || text.chars().take(64).collect();
        parse(text).map(Self).ok_or_else(|| InvalidTimestamp(shown()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
        } else {
            Ok(Self(i64::deserialize(deserializer)?))
        }
    }
}

fn parse(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.rsplitn(3, '-');
    let (day, month, year) = (number(date.next()?, 2..=2)?, number(date.next()?, 2..=2)?, date.next()?);
    let year = match year.strip_prefix('-') {
        Some(digits) => -number(digits, 3..=9)?,
        None => number(year, 4..=9)?,
    };
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut time = time.splitn(3, ':').map(|part| number(part, 2..=2));
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    number(fraction, 1..=6)?;
    let micros = number(&format!("{fraction:0<6}"), 6..=6)?;
    let days = days(year, month, day);
    if civil(days) != (year, month, day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = i128::from(days) * 86_400 + i128::from(hour * 3_600 + minute * 60 + second);
    i64::try_from(seconds * 1_000_000 + i128::from(micros)).ok()
}

/// Decimal digits without a sign; few enough that no sum of them overflows.
fn number(digits: &str, lengths: RangeInclusive<usize>) -> Option<i64> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    (plain && lengths.contains(&digits.len())).then(|| digits.parse().ok())?
}

/// Days since the epoch to year, month, day (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Year, month, day to days since the epoch (from the same paper).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_rfc_3339() {
        assert_eq!(Timestamp::EPOCH.to_string(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(Timestamp::from_micros(951_782_400_000_001).to_string(), "2000-02-29T00:00:00.000001Z");
        assert_eq!(Timestamp::from_micros(-1).to_string(), "1969-12-31T23:59:59.999999Z");
    }

    #[test]
    fn what_is_printed_is_read_back() {
        let day = 86_400_000_000;
        let around =
            [i64::MIN, i64::MIN / 3, -day * 719_530, -1, 0, 951_782_400_000_001, i64::MAX / 5, i64::MAX];
        let days = (-800..800).map(|n| n * 97 * day + n);
        for timestamp in around.into_iter().chain(days).map(Timestamp) {
            assert_eq!(timestamp.to_string().parse(), Ok(timestamp), "{timestamp}");
        }
        assert_eq!("2000-02-29T00:00:00.5Z".parse(), Ok(Timestamp(951_782_400_500_000)));
        assert_eq!("2000-02-29T00:00:00Z".parse(), Ok(Timestamp(951_782_400_000_000)));
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in [
            "",
            "Z",
            "T.Z",
            "2026-11-21",
            "2026-11-21T06:55:00+01:00",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-10T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01T00:00:00.1234567Z",
            "2026-01-01T00:00:00.-1Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00.é9Z",
            "2026-1-01T00:00:00Z",
            "2026-01-001T00:00:00Z",
            "--2026-01-01T00:00:00Z",
            "999999999-01-01T00:00:00Z",
            "2026-01-01T00:00:00:00Z",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn adding_never_overflows() {
        assert_eq!(Timestamp::EPOCH + Duration::MAX, Timestamp::MAX);
        assert_eq!(Timestamp::MAX + Duration::from_secs(1), Timestamp::MAX);
    }
}
