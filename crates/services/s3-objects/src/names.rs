//! S3's rules for names of buckets and keys. Pure.

use std::net::Ipv4Addr;

use stoa_kernel::ApiError;

pub(crate) const KEY_BYTES: usize = 1024;
const RESERVED_STARTS: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
const RESERVED_ENDS: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

/// Whether a bucket may be made under this name.
pub(crate) fn check_bucket_name(name: &str) -> Result<(), ApiError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = [name.bytes().next(), name.bytes().last()].into_iter().all(|end| end.is_some_and(plain));
    let valid = (3..=63).contains(&name.len())
        && ends
        && name.bytes().all(|byte| plain(byte) || matches!(byte, b'-' | b'.'))
        && !name.contains("..")
        && name.parse::<Ipv4Addr>().is_err()
        && !RESERVED_STARTS.iter().any(|start| name.starts_with(start))
        && !RESERVED_ENDS.iter().any(|end| name.ends_with(end));
    if valid { Ok(()) } else { Err(ApiError::new("InvalidBucketName", 400, "The specified bucket is not valid.")) }
}

/// Whether an object may be written under this key. Dots and slashes mean nothing here; for clients that make paths of
/// keys, S3 refuses those that climb out of their bucket.
pub(crate) fn check_key(key: &str) -> Result<(), ApiError> {
    match key.len() {
        0 => Err(ApiError::new("InvalidArgument", 400, "An object key must not be empty")),
        1..=KEY_BYTES if climbs(key) => {
            let text = "Couldn't parse the specified URI: the key has more relative path elements (..) than elements \
                        before them.";
            Err(ApiError::new("InvalidURI", 400, text))
        }
        1..=KEY_BYTES => Ok(()),
        _ => Err(ApiError::new("KeyTooLongError", 400, "Your key is too long")),
    }
}

/// Read from left to right, there must never be more `..` than other elements; empty ones and `.` lead nowhere.
fn climbs(key: &str) -> bool {
    let mut depth = 0_u32;
    for element in key.split('/') {
        match element {
            ".." if depth == 0 => return true,
            ".." => depth -= 1,
            "" | "." => {}
            _ => depth += 1,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_names() {
        for good in ["abc", "sagemaker-us-west-2-111122223333", "a.b.c", "0ab", "1.2.3.4.5"] {
            assert!(check_bucket_name(good).is_ok(), "{good}");
        }
        let long = "a".repeat(64);
        for bad in [
            "",
            "ab",
            "Abc",
            "a_b_c",
            "-abc",
            "abc-",
            ".abc",
            "a..b",
            "192.168.1.1",
            "xn--abc",
            "x-s3alias",
            &long,
            "a/b",
        ] {
            assert_eq!(check_bucket_name(bad).unwrap_err().code(), "InvalidBucketName", "{bad}");
        }
    }

    #[test]
    fn keys() {
        for good in ["a/../b", "a/b/../../c", "/etc/passwd", "...", "a/..b", ".", "//", "..\\..\\x"] {
            assert!(check_key(good).is_ok(), "{good}");
        }
        for bad in ["..", "../../etc/passwd", "a/../../b", "a/b/../../../c", "a//../../b", "./.."] {
            assert_eq!(check_key(bad).unwrap_err().code(), "InvalidURI", "{bad}");
        }
        assert!(check_key(&"k".repeat(1024)).is_ok());
        assert_eq!(check_key(&"k".repeat(1025)).unwrap_err().code(), "KeyTooLongError");
        assert_eq!(check_key(&"é".repeat(513)).unwrap_err().code(), "KeyTooLongError");
    }
}
