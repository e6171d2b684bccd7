//! A bounded, repeatable run of what the fuzz target checks: its corpus, and others made from it.

use std::path::Path;

use crate::driving;

fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../fuzz/corpus/frames"));
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| std::fs::read(file).unwrap()).collect()
}

#[test]
fn the_corpus_and_what_is_made_of_it() {
    let seeds = corpus();
    assert!(seeds.len() >= 3);
    // xorshift: the same bytes on every machine.
    let mut state = 0x5EED_0002_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    for nth in 0..600 {
        let mut data = seeds[nth % seeds.len()].clone();
        driving::opening(&data);
        for _ in 0..1 + next() % 4 {
            let at = next() % data.len().max(1);
            match next() % 3 {
                0 => data.truncate(at.max(24)),
                1 => data.splice(at..at, [next() as u8; 30]).for_each(drop),
                _ => data.iter_mut().skip(at).take(1).for_each(|byte| *byte = next() as u8),
            }
        }
        driving::opening(&data);
    }
}

/// What the corpus holds besides plain bytes: blobs that do open.
#[test]
fn the_corpus_has_blobs_that_open() {
    let head = |size: u64| [size.to_le_bytes(), 0_u64.to_le_bytes(), u64::MAX.to_le_bytes()].concat();
    for (name, size) in [("empty", 0), ("short", 100), ("two-frames", 65_636)] {
        let plain: Vec<u8> = (0..size).map(|at| (at * 31 % 251) as u8).collect();
        let made = [head(size as u64), driving::sealed(&plain, 4096).unwrap()].concat();
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../fuzz/corpus/frames")).join(name);
        if std::env::var_os("STOA_MAKE_CORPUS").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        assert!(std::fs::read(&path).unwrap() == made, "{name}: made anew with STOA_MAKE_CORPUS=1");
    }
}
