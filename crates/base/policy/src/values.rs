//! Typed values of conditions: numbers, dates, addresses, base64, booleans. Every parser is total and returns `None` for
//! text that is not of the type. No state, so nothing can be lost.

use std::net::{IpAddr, Ipv6Addr};

/// A decimal number, exact to twelve places, so that comparing does not round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number(i128);

const PLACES: usize = 12;

/// Reads an integer or decimal number.
pub(crate) fn number(text: &str) -> Option<Number> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
        return scientific(text);
    }
    if whole.len() > 24 || fraction.len() > PLACES {
        return scientific(text);
    }
    let mut value: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()).chain(std::iter::repeat_n(b'0', PLACES - fraction.len())) {
        value = value * 10 + i128::from(digit - b'0');
    }
    Some(Number(if negative { -value } else { value }))
}

/// Numbers with an exponent or more digits than fit: as near as a double gets.
fn scientific(text: &str) -> Option<Number> {
    if !text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E')) {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    // A float-to-integer `as` saturates, so this cannot overflow.
    value.is_finite().then_some(Number((value * 1e12) as i128))
}

/// An instant, as nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(i128);

/// Reads a date in one of the W3C forms of ISO 8601, or seconds since 1970.
pub(crate) fn date(text: &str) -> Option<Instant> {
    let text = text.trim();
    // Four digits alone are a year; longer runs of digits are epoch seconds.
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.len() != 4 && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return number(text).map(|seconds| Instant(seconds.0 / 1000));
    }
    let (day, clock) = match text.split_once(['T', 't']) {
        Some((day, clock)) => (day, Some(clock)),
        None => (text, None),
    };
    let mut fields = day.split('-');
    let year = digits_of(fields.next()?, 4)?;
    let month = fields.next().map_or(Some(1), |field| digits_of(field, 2))?;
    let date = fields.next().map_or(Some(1), |field| digits_of(field, 2))?;
    if fields.next().is_some() || !(1..=12).contains(&month) || date < 1 || date > days_in(year, month) {
        return None;
    }
    let nanos = match clock {
        None => 0,
        Some(clock) => time_of_day(clock)?,
    };
    Some(Instant(i128::from(days_from_epoch(year, month, date)) * 86_400_000_000_000 + nanos))
}

/// Nanoseconds since midnight UTC of `hh:mm[:ss[.f]](Z|±hh:mm|±hhmm)`.
fn time_of_day(text: &str) -> Option<i128> {
    let (clock, offset) = if let Some(clock) = text.strip_suffix(['Z', 'z']) {
        (clock, 0)
    } else {
        let at = text.rfind(['+', '-'])?;
        let (clock, zone) = (text.get(..at)?, text.get(at..)?);
        let sign = if zone.starts_with('-') { -1 } else { 1 };
        let zone: String = zone.chars().filter(char::is_ascii_digit).collect();
        let (hours, minutes) = (digits_of(zone.get(..2)?, 2)?, digits_of(zone.get(2..)?, 2)?);
        if hours > 23 || minutes > 59 {
            return None;
        }
        (clock, sign * (hours * 60 + minutes))
    };
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut fields = whole.split(':');
    let hours = digits_of(fields.next()?, 2)?;
    let minutes = digits_of(fields.next()?, 2)?;
    let seconds = fields.next().map_or(Some(0), |field| digits_of(field, 2))?;
    if fields.next().is_some() || hours > 23 || minutes > 59 || seconds > 60 || fraction.len() > 9 {
        return None;
    }
    let mut nanos: i128 = 0;
    for digit in fraction.bytes().chain(std::iter::repeat_n(b'0', 9 - fraction.len())) {
        nanos = nanos * 10 + i128::from(char::from(digit).to_digit(10)?);
    }
    let minutes_utc = hours * 60 + minutes - offset;
    Some((i128::from(minutes_utc) * 60 + i128::from(seconds)) * 1_000_000_000 + nanos)
}

fn digits_of(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar; years 0-9999 only, so nothing overflows.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    // Count from 1 March, so that the leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

impl Number {
    /// This number and its two neighbours at a distance of one, as text.
    pub fn around(self) -> [String; 3] {
        let one = 10i128.pow(PLACES as u32);
        [self.0, self.0.saturating_sub(one), self.0.saturating_add(one)].map(|value| {
            let (whole, fraction) =
                (value.unsigned_abs() / one.unsigned_abs(), value.unsigned_abs() % one.unsigned_abs());
            let sign = if value < 0 { "-" } else { "" };
            let text = format!("{sign}{whole}.{fraction:0PLACES$}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        })
    }
}

impl Instant {
    /// This instant and those a second before and after, as seconds since 1970.
    pub fn around(self) -> [String; 3] {
        Number(self.0.saturating_mul(1000)).around()
    }
}

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    base: u128,
    mask: u128,
    v6: bool,
}

/// Reads `address` or `address/length`, version 4 or 6.
pub(crate) fn range(text: &str) -> Option<Range> {
    let (address, length) = match text.trim().split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text.trim(), None),
    };
    let (bits, v6) = address_bits(address)?;
    let width: u32 = if v6 { 128 } else { 32 };
    let length = match length {
        None => width,
        Some(length) if !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()) => {
            length.parse().ok()?
        }
        Some(_) => return None,
    };
    if length > width {
        return None;
    }
    let ones = if v6 { u128::MAX } else { u128::from(u32::MAX) };
    let mask = ones & ones.checked_shl(width - length).unwrap_or(0);
    Some(Range { base: bits & mask, mask, v6 })
}

/// The bits of an address, and whether it is version 6. A version 4 address mapped into version 6 counts as version 4.
pub(crate) fn address_bits(text: &str) -> Option<(u128, bool)> {
    match text.trim().parse::<IpAddr>().ok()? {
        IpAddr::V4(v4) => Some((u128::from(u32::from(v4)), false)),
        IpAddr::V6(v6) => Some(v6_bits(v6)),
    }
}

fn v6_bits(v6: Ipv6Addr) -> (u128, bool) {
    match v6.to_ipv4_mapped() {
        Some(v4) => (u128::from(u32::from(v4)), false),
        None => (u128::from(v6), true),
    }
}

impl Range {
    /// Its first address.
    pub fn first(&self) -> String {
        if self.v6 {
            Ipv6Addr::from(self.base).to_string()
        } else {
            std::net::Ipv4Addr::from(self.base as u32).to_string()
        }
    }

    /// Whether an address, taken apart by [`address_bits`], is inside.
    pub fn contains(&self, (bits, v6): (u128, bool)) -> bool {
        self.v6 == v6 && bits & self.mask == self.base
    }
}

/// Reads `true` or `false` in any case.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Decodes standard base64; padding may be left out.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    let body = text.trim().trim_end_matches('=');
    if text.trim().len() - body.len() > 2 || body.len() % 4 == 1 {
        return None;
    }
    let mut out = Vec::with_capacity(body.len() / 4 * 3 + 2);
    let (mut bits, mut count) = (0u32, 0u32);
    for byte in body.bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(six)) & 0xFFFF;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 0xFF) as u8);
        }
    }
    Some(out)
}

/// Standard base64 with padding.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().chain(&[0, 0]).take(3).fold(0usize, |bits, byte| bits << 8 | usize::from(*byte));
        for place in 0..4 {
            let letter = LETTERS.get(bits >> (18 - 6 * place) & 63).copied().unwrap_or(b'A');
            out.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

/// Whether two strings are equal without regard to case.
pub(crate) fn equal_fold(left: &str, right: &str) -> bool {
    if left.is_ascii() && right.is_ascii() {
        return left.eq_ignore_ascii_case(right);
    }
    left.chars().flat_map(char::to_lowercase).eq(right.chars().flat_map(char::to_lowercase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(number("1.50"), number("1.5"));
        assert_eq!(number("1e3"), number("1000"));
        assert!(number("-2") < number("-1.999"));
        assert!(number("9007199254740993") > number("9007199254740992"), "no rounding to doubles");
        for bad in ["", "-", ".", "x", "1.2.3", "0x10", "inf", "NaN", "1 2"] {
            assert_eq!(number(bad), None, "{bad}");
        }
    }

    #[test]
    fn neighbours() {
        assert_eq!(number("-0.5").unwrap().around(), ["-0.5", "-1.5", "0.5"]);
        assert_eq!(number("10").unwrap().around(), ["10", "9", "11"]);
        assert_eq!(date("1970-01-02").unwrap().around(), ["86400", "86399", "86401"]);
    }

    #[test]
    fn dates() {
        assert_eq!(date("1970-01-01T00:00:00Z"), Some(Instant(0)));
        assert_eq!(date("2024-02-29T12:00:00Z"), date("2024-02-29T14:00:00+02:00"));
        assert_eq!(date("2024-02-29T12:00Z"), date("2024-02-29T10:30:00-0130"));
        assert_eq!(date("1709208000"), date("2024-02-29T12:00:00Z"));
        assert_eq!(date("2024"), date("2024-01-01"));
        assert_eq!(date("2024-03"), date("2024-03-01T00:00:00.000Z"));
        assert!(date("2024-02-29T12:00:00.001Z") > date("2024-02-29T12:00:00Z"));
        for bad in ["", "2023-02-29", "2024-13-01", "2024-01-01T25:00Z", "2024-01-01T00:00:00", "yesterday", "2024-1-1"]
        {
            assert_eq!(date(bad), None, "{bad}");
        }
    }

    #[test]
    fn ranges() {
        let inside = |net: &str, address: &str| range(net).unwrap().contains(address_bits(address).unwrap());
        assert!(inside("192.0.2.0/24", "192.0.2.255"));
        assert!(!inside("192.0.2.0/24", "192.0.3.0"));
        assert!(inside("0.0.0.0/0", "8.8.8.8"));
        assert!(!inside("0.0.0.0/0", "::1"));
        assert!(inside("2001:db8::/32", "2001:db8:ffff::1"));
        assert!(inside("::/0", "2001:db8::1"));
        assert!(inside("203.0.113.5", "203.0.113.5"));
        assert!(inside("203.0.113.0/24", "::ffff:203.0.113.9"));
        for bad in ["192.0.2.0/33", "::/129", "x", "1.2.3", "1.2.3.4/", "1.2.3.4/-1", "1.2.3.4/+8"] {
            assert_eq!(range(bad), None, "{bad}");
        }
    }

    #[test]
    fn base64_text() {
        assert_eq!(base64("QmluYXJ5").as_deref(), Some(&b"Binary"[..]));
        assert_eq!(base64("QQ=="), base64("QQ"));
        assert_eq!(base64(""), Some(vec![]));
        for text in ["", "QQ==", "QUI=", "QUJD", "QUJDRA=="] {
            assert_eq!(to_base64(&base64(text).unwrap()), text);
        }
        for bad in ["Q", "Q===", "a b", "é"] {
            assert_eq!(base64(bad), None, "{bad}");
        }
    }

    #[test]
    fn folding() {
        assert!(equal_fold("Straße", "STRAßE"));
        assert!(equal_fold("ABC", "abc"));
        assert!(!equal_fold("abc", "abcd"));
    }
}
