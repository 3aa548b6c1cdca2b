//! Times as RFC 3339 writes them.

use crate::types::Timestamp;

const DAY_SECONDS: i64 = 24 * 3_600;

/// The moment that a text such as `2023-11-14T22:13:20.5Z` or `2023-11-14T23:13:20+01:00` names, to the millisecond, rounded
/// down. A leap second is the second after it, as in Unix time.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let mut rest = text.as_bytes();
    let (year, month, day) = (number(&mut rest, 4)?, after(&mut rest, b"-")?, after(&mut rest, b"-")?);
    take(&mut rest, b"Tt ")?;
    let (hour, minute, second) = (number(&mut rest, 2)?, after(&mut rest, b":")?, after(&mut rest, b":")?);
    let ms = if take(&mut rest, b".").is_some() { fraction_ms(&mut rest)? } else { 0 };
    let offset_minutes = offset_minutes(&mut rest)?;
    let is_there = (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !is_there || !rest.is_empty() {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * DAY_SECONDS + hour * 3_600 + minute * 60 + second;
    Some(Timestamp::from_unix_ms((seconds - offset_minutes * 60) * 1_000 + ms))
}

fn take(rest: &mut &[u8], any_of: &[u8]) -> Option<u8> {
    let (&first, others) = rest.split_first()?;
    if !any_of.contains(&first) {
        return None;
    }
    *rest = others;
    Some(first)
}

fn number(rest: &mut &[u8], n_digits: usize) -> Option<i64> {
    let (digits, others) = rest.split_at_checked(n_digits)?;
    *rest = others;
    digits
        .iter()
        .try_fold(0, |value, digit| digit.is_ascii_digit().then(|| value * 10 + i64::from(digit - b'0')))
}

/// Two digits after a separator.
fn after(rest: &mut &[u8], separator: &[u8]) -> Option<i64> {
    take(rest, separator)?;
    number(rest, 2)
}

/// As many digits as there are, and at least one; those after the third count nothing.
fn fraction_ms(rest: &mut &[u8]) -> Option<i64> {
    let n_digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, others) = rest.split_at(n_digits);
    *rest = others;
    let place = |(digit, worth): (&u8, i64)| i64::from(digit - b'0') * worth;
    (n_digits > 0).then(|| digits.iter().zip([100, 10, 1]).map(place).sum())
}

fn offset_minutes(rest: &mut &[u8]) -> Option<i64> {
    let sign = match take(rest, b"Zz+-")? {
        b'+' => 1,
        b'-' => -1,
        _ => return Some(0),
    };
    let (hours, minutes) = (number(rest, 2)?, after(rest, b":")?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the proleptic Gregorian calendar. A year begins in March here, so that the leap day is its last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    const DAYS_TO_1970: i64 = 719_468;
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + (153 * month + 2) / 5 + day - 1 - DAYS_TO_1970
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> Option<i64> {
        parse(text).map(Timestamp::unix_ms)
    }

    #[test]
    fn every_day_from_year_0_to_9999_is_one_after_the_other() {
        // Counted day by day from the first, which `date -u -d 0000-01-01 +%s` knows.
        let mut seconds = -62_167_219_200;
        for year in 0..=9_999 {
            for month in 1..=12 {
                for day in 1..=days_of(year, month) {
                    let text = format!("{year:04}-{month:02}-{day:02}T00:00:00Z");
                    assert_eq!(ms(&text), Some(seconds * 1_000), "{text}");
                    seconds += DAY_SECONDS;
                }
            }
        }
        // `date -u -d 10000-01-01 +%s`
        assert_eq!(seconds, 253_402_300_800);
    }

    #[test]
    fn times_are_what_the_system_says_they_are() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2023-11-14T22:13:20Z", 1_700_000_000_000),
            ("2023-11-14t22:13:20.1239z", 1_700_000_000_123),
            ("2023-11-14 23:13:20.5+01:00", 1_700_000_000_500),
            ("2023-11-14T16:43:20-05:30", 1_700_000_000_000),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
            ("1969-12-31T23:59:59.999Z", -1),
        ] {
            assert_eq!(ms(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_time() {
        for text in [
            "",
            "2023",
            "2023-11-14",
            "2023-11-14T22:13:20",
            "2023-11-14T22:13Z",
            "2023-11-14T22:13:20.Z",
            "2023-11-14T22:13:20Zx",
            "2023-13-14T22:13:20Z",
            "2023-00-14T22:13:20Z",
            "2023-02-29T22:13:20Z",
            "1900-02-29T00:00:00Z",
            "2023-11-31T22:13:20Z",
            "2023-11-14T24:13:20Z",
            "2023-11-14T22:60:20Z",
            "2023-11-14T22:13:61Z",
            "2023-11-14T22:13:20+24:00",
            "2023-11-14T22:13:20+0100",
            "+023-11-14T22:13:20Z",
            "２023-11-14T22:13:20Z",
            " 2023-11-14T22:13:20Z",
        ] {
            assert_eq!(ms(text), None, "{text:?}");
        }
    }
}
