//! The scanner against Python: what `tests/python/pickles.py` wrote down (the file says how to make it anew, and how to try
//! many more).

use std::collections::BTreeSet;

use crate::making::*;

#[test]
fn imports_are_those_that_python_makes() {
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pickles.txt");
    let file = std::env::var("STOA_PICKLES").unwrap_or_else(|_| kept.to_owned());
    let lines = std::fs::read_to_string(file).unwrap();
    let (mut honest, mut used) = (0, 0);
    for line in lines.lines() {
        let mut words = line.split(' ');
        let (sign, hex) = (words.next().unwrap(), words.next().unwrap());
        let bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        let imports: BTreeSet<String> = words.map(str::to_owned).collect();
        let found = scanned(&bytes);
        if sign == "=" {
            honest += 1;
            // A list that begins with a protocol-0 opcode and imports nothing is no pickle to the scanner, and harmless.
            assert_eq!(found.imports, imports, "{}", bytes.escape_ascii());
            assert!(found.problems.is_empty() || !imports.is_empty(), "{}: {found:?}", bytes.escape_ascii());
        } else {
            used += 1;
            let told = !found.problems.is_empty() || (!imports.is_empty() && imports.is_subset(&found.imports));
            assert!(told, "{}: {imports:?}, {found:?}", bytes.escape_ascii());
        }
    }
    assert!(honest > 300 && used > 300, "{honest} made, {used} by chance");
}
