//! A bounded, repeatable run of what the fuzz target checks: its corpus, files of every sort, and others made from them.

use std::path::Path;

use crate::driving;
use crate::making::*;

/// The files of the target's corpus.
fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../fuzz/corpus/artifacts"));
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// xorshift: the same bytes on every machine.
struct Bytes(u64);

impl Bytes {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A copy with a few bytes changed, cut, repeated, or taken from another.
    fn changed(&mut self, of: &[u8], other: &[u8]) -> Vec<u8> {
        let mut made = of.to_vec();
        for _ in 0..1 + self.next() % 4 {
            if made.is_empty() {
                break;
            }
            let at = self.next() as usize % made.len();
            match self.next() % 5 {
                0 => made[at] = self.next() as u8,
                1 => drop(made.remove(at)),
                2 => made.truncate(at),
                3 => made[at] ^= 1 << (self.next() % 8),
                _ => {
                    let from = self.next() as usize % other.len();
                    let piece: Vec<u8> = other[from..].iter().take(40).copied().collect();
                    made.splice(at..at, piece);
                }
            }
        }
        made
    }
}

#[test]
fn the_corpus_and_what_is_made_of_it() {
    let mut seeds = corpus();
    assert!(seeds.len() >= 10, "{}", seeds.len());
    let torch = zip_of(&[("m/data.pkl", PROTOCOL_4), ("m/data/0", &[0; 8])], true);
    let plain = array("'<f4'", &[0; 4]);
    seeds.extend([
        torch.clone(),
        plain.clone(),
        tar_of(&[("a", &torch), ("b", &plain)]),
        gzip_of(&tar_of(&[("a", &torch)])),
    ]);
    let mut bytes = Bytes(0x5EED_0001);
    for seed in &seeds {
        driving::scanning(seed);
    }
    for nth in 0..1500 {
        let (one, other) = (&seeds[nth % seeds.len()], &seeds[bytes.next() as usize % seeds.len()]);
        driving::scanning(&bytes.changed(one, other));
    }
}
