//! What the fuzz target does with a run of bytes, shared with the ordinary tests: `fuzz/` includes this file.

use std::io::Cursor;

use stoa_artifacts::{Format, Limits, MemorySpool, Scan, scan};

use crate::making::{gzip_of, tar_file, tar_with, zip_of};

const SMALL: Limits = Limits { expanded_bytes: 4 << 20, members: 200, depth: 4 };

fn looked_at(data: &[u8]) -> Scan {
    let found = scan(&mut Cursor::new(data), &MemorySpool, SMALL).unwrap();
    assert!(found.problems.len() <= 100 && found.imports.len() <= 1000, "an endless report");
    assert!(!found.cut_short || !found.problems.is_empty(), "cut short, and clean");
    found
}

/// A file, and the same file within archives: bytes make no error, and what is found in it is found within.
pub fn scanning(data: &[u8]) {
    let found = looked_at(data);
    assert_eq!(found, looked_at(data), "by the bytes alone");
    let tar = tar_with(&[tar_file("a", data)]);
    for archive in [zip_of(&[("a", data)], false), zip_of(&[("a", data)], true), gzip_of(&tar), tar] {
        let within = looked_at(&archive);
        assert!(found.imports.is_subset(&within.imports) || !within.problems.is_empty(), "{found:?}, {within:?}");
        assert!(found.problems.is_empty() || !within.problems.is_empty(), "{found:?}, {within:?}");
        let formats = &within.inner;
        assert!(formats.contains(&found.format) || formats.contains(&Format::Unknown), "{found:?}, {within:?}");
    }
}
