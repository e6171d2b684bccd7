//! Numbers: integers given as floats, floats that are no numbers, seconds since the epoch.

use stoa_types::Timestamp;

/// The last second of the year 9999 and the first of year 1: beyond, no text form of a time exists.
const LAST_SECOND: f64 = 253_402_300_799.999;
const FIRST_SECOND: f64 = -62_135_596_800.0;

/// A float without a fraction as an integer.
pub(crate) fn whole(number: f64) -> Option<i64> {
    // 2^63 is a float; i64::MAX is not. Below it and from -2^63 on, a whole float is an i64.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    (number.fract() == 0.0 && (-LIMIT..LIMIT).contains(&number)).then_some(number as i64)
}

/// A time from seconds since the epoch.
pub(crate) fn timestamp(seconds: f64) -> Option<Timestamp> {
    (FIRST_SECOND..=LAST_SECOND).contains(&seconds).then(|| Timestamp::from_seconds_f64(seconds))
}

/// `NaN`, `Infinity`, `-Infinity`, or a decimal number.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        // Rust also reads `inf` and `nan` in any case, which no protocol knows.
        _ => text.parse().ok().filter(|number: &f64| number.is_finite()),
    }
}

/// The text that JSON (in quotes), XML and queries use for floats that are no numbers.
pub(crate) fn special(number: f64) -> Option<&'static str> {
    if number.is_nan() {
        Some("NaN")
    } else if number.is_infinite() {
        Some(if number > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        None
    }
}

/// A float as text.
pub(crate) fn write_float(number: f64) -> String {
    special(number).map_or_else(|| number.to_string(), str::to_owned)
}

/// Seconds since the epoch with as many decimals as there are.
pub(crate) fn epoch_seconds(time: Timestamp) -> String {
    let millis = time.millis();
    let (whole, rest) = (millis / 1000, (millis % 1000).unsigned_abs());
    if rest == 0 {
        return whole.to_string();
    }
    let sign = if millis < 0 { "-" } else { "" };
    format!("{sign}{}.{rest:03}", whole.unsigned_abs()).trim_end_matches('0').to_owned()
}
