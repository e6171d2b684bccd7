//! Time-based one-time passwords (RFC 6238: HMAC-SHA-1, thirty seconds, six digits), and which of them to accept.
//!
//! Pure. INVARIANT: a code is accepted once: only steps after the last accepted one count.

use std::ops::RangeInclusive;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use stoa_types::Timestamp;
use subtle::ConstantTimeEq;

const STEP_SECONDS: i64 = 30;
/// How many steps a device may be off for one code, beyond the drift that is known.
const WINDOW: i64 = 1;
/// How many steps a device may be off when it is enabled: five minutes.
pub(super) const ENABLE_WINDOW: i64 = 10;
/// How many steps a device may be off when it is synchronized anew: a day.
pub(super) const RESYNC_WINDOW: i64 = 2_880;

/// The step that a time is in.
pub(super) fn step_of(now: Timestamp) -> i64 {
    now.seconds().div_euclid(STEP_SECONDS)
}

/// The code of a step.
pub(super) fn code(seed: &[u8], step: i64) -> String {
    let mut mac = match <Hmac<Sha1> as KeyInit>::new_from_slice(seed) {
        Ok(mac) => mac,
        Err(_) => unreachable!("HMAC takes keys of any length"),
    };
    mac.update(&step.to_be_bytes());
    let digest: [u8; 20] = mac.finalize().into_bytes().into();
    let offset = usize::from(digest.last().copied().unwrap_or_default() & 0x0f);
    let mut four = [0_u8; 4];
    for (to, from) in four.iter_mut().zip(digest.iter().skip(offset)) {
        *to = *from;
    }
    format!("{:06}", (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000)
}

fn same(seed: &[u8], step: i64, given: &str) -> bool {
    bool::from(code(seed, step).as_bytes().ct_eq(given.as_bytes()))
}

/// The step of a single code, where the device knows it and it was not used before.
pub(super) fn find(seed: &[u8], given: &str, now: i64, drift: i64, last: i64) -> Option<i64> {
    let steps = now + drift - WINDOW..=now + drift + WINDOW;
    // Every step is looked at, so that the time taken tells nothing.
    steps.filter(|step| *step > last).filter(|step| same(seed, *step, given)).max()
}

/// The step of the second of two consecutive codes.
pub(super) fn find_pair(seed: &[u8], first: &str, second: &str, steps: RangeInclusive<i64>) -> Option<i64> {
    steps.filter(|step| same(seed, step - 1, first) && same(seed, *step, second)).max()
}

#[cfg(test)]
mod tests {
    //! The published vectors, and what is accepted.

    use super::*;

    const SEED: &[u8] = b"12345678901234567890";

    #[test]
    fn the_vectors_of_rfc_6238() {
        let vectors = [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ];
        for (seconds, expected) in vectors {
            assert_eq!(code(SEED, step_of(Timestamp::from_millis(seconds * 1000))), expected, "{seconds}");
        }
    }

    #[test]
    fn a_code_counts_within_a_step_and_once() {
        for (step, found) in [(98, None), (99, Some(99)), (100, Some(100)), (101, Some(101)), (102, None)] {
            assert_eq!(find(SEED, &code(SEED, step), 100, 0, 0), found, "{step}");
        }
        assert_eq!(find(SEED, &code(SEED, 100), 100, 0, 99), Some(100));
        assert_eq!(find(SEED, &code(SEED, 100), 100, 0, 100), None);
        assert_eq!(find(SEED, &code(SEED, 99), 100, 0, 100), None);
        assert_eq!(find(SEED, &code(SEED, 105), 100, 5, 0), Some(105));
        assert_eq!(find(SEED, "", 100, 0, 0), None);
    }

    #[test]
    fn a_pair_is_two_codes_in_a_row() {
        let (first, second, third) = (code(SEED, 99), code(SEED, 100), code(SEED, 101));
        assert_eq!(find_pair(SEED, &first, &second, 90..=110), Some(100));
        assert_eq!(find_pair(SEED, &second, &first, 90..=110), None);
        assert_eq!(find_pair(SEED, &first, &third, 90..=110), None);
        assert_eq!(find_pair(SEED, &first, &first, 90..=110), None);
        assert_eq!(find_pair(SEED, &first, &second, 101..=110), None);
    }
}
