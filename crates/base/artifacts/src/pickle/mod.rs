//! Follows a pickle's opcodes without executing them.
//!
//! The machine is Python's, with its stack, marks and memo, over values of three sorts: a short string, an import, and
//! anything else. So a STACK_GLOBAL's module and name are known however they came onto the stack, and where they are not
//! (they were computed), that is a problem. INVARIANT: an import that Python's unpickler (the one in C, or the one in
//! Python that joblib and dill use) would make and then use is in `imports`, or `acts` is set and there is a problem. It
//! ends without either only where both of Python's would end as well; an end that is only this machine's, for its limits,
//! acts.

mod arguments;
mod values;

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read};

use crate::is_of_system;
use values::{Item, Values};

/// Longer strings are no names.
const LONGEST_NAME: usize = 512;
/// Imports of one pickle, and of one file.
pub(crate) const MOST_IMPORTS: usize = 1000;
/// What torch before 1.6 begins its files with: five pickles and then raw bytes.
const LEGACY_TORCH: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// What a stream of pickles holds.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub imports: BTreeSet<String>,
    pub problems: BTreeSet<String>,
    /// Whether the first one was read to its end.
    pub complete: bool,
    /// Whether anything imported would have been called or changed before the end, or might have been.
    pub acts: bool,
}

impl Found {
    /// Whether a loader that takes the bytes for a pickle would get anything out of them, be it harm.
    pub fn is_pickle(&self, begins_with_proto: bool) -> bool {
        self.acts || (self.complete && (begins_with_proto || !self.imports.is_empty()))
    }
}

/// Why the reading of a pickle ended before its STOP.
enum Ended {
    /// Python would go no further either.
    Malformed(String),
    /// Python would go on.
    Limit(&'static str),
    Io(io::Error),
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Ended {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => malformed("it ends in the middle"),
            _ => Ended::Io(error),
        }
    }
}

fn malformed(why: &str) -> Ended {
    Ended::Malformed(why.to_owned())
}

/// Reads pickle after pickle. What cannot be unpacked to its end is a problem; an error is one of the disk.
pub(crate) fn read(reader: &mut dyn Read) -> io::Result<Found> {
    let mut found = Found::default();
    let mut reader = BufReader::new(reader);
    let mut number = 0_usize;
    let mut legacy_torch = false;
    loop {
        let mut machine =
            Machine { reader: &mut reader, values: Values::default(), found: &mut found, legacy_torch: false };
        let ended = match machine.run() {
            Ok(()) => {
                legacy_torch |= number == 0 && machine.legacy_torch;
                reader.fill_buf().map(|rest| rest.first().copied()).map_err(Ended::Io)
            }
            Err(ended) => return found.ended(ended),
        };
        found.complete = true;
        number += 1;
        match ended {
            Err(ended) => return found.ended(ended),
            Ok(None) => return Ok(found),
            Ok(Some(_)) if legacy_torch && number == 5 => return Ok(found),
            Ok(Some(0x80)) => {}
            Ok(Some(_)) => {
                found.problems.insert("bytes follow the pickle's end that are no pickle".to_owned());
                return Ok(found);
            }
        }
    }
}

impl Found {
    fn ended(mut self, ended: Ended) -> io::Result<Found> {
        let why = match ended {
            Ended::Malformed(why) => why,
            Ended::Limit(why) => {
                self.acts = true;
                why.to_owned()
            }
            Ended::Io(error) if is_of_system(&error) => return Err(error),
            Ended::Io(error) => {
                // Python reads from a stream that breaks off later as far as it goes.
                error.to_string()
            }
        };
        self.problems.insert(format!("the pickle cannot be read to its end: {why}"));
        Ok(self)
    }
}

struct Machine<'r, R> {
    reader: &'r mut R,
    values: Values,
    found: &'r mut Found,
    legacy_torch: bool,
}

impl<R: BufRead> Machine<'_, R> {
    fn run(&mut self) -> Result<(), Ended> {
        loop {
            let opcode = self.number(1)? as u8;
            if opcode == b'.' {
                return self.values.pop().map(|_| ());
            }
            self.step(opcode)?;
            self.values.check()?;
        }
    }

    fn step(&mut self, opcode: u8) -> Result<(), Ended> {
        let values = &mut self.values;
        match opcode {
            b'(' => values.push(Item::Mark),
            b'0' => return values.pop_any(),
            b'1' => return values.pop_mark().map(|_| ()),
            b'2' => {
                let top = values.top()?;
                values.push(top);
            }
            b'F' | b'I' | b'L' | b'P' => {
                self.whole_line()?;
                self.values.push(Item::Other);
            }
            b'J' | b'K' | b'M' | b'G' => return self.fixed(opcode),
            b'N' | b'}' | b']' | b')' | 0x88 | 0x89 | 0x8f | 0x97 => values.push(Item::Other),
            b'Q' | 0x85 => return values.replace(1),
            0x86 => return values.replace(2),
            0x87 => return values.replace(3),
            b'S' | b'V' => return self.text_line(opcode == b'S'),
            b'T' | b'U' | b'X' | 0x8c | 0x8d => return self.text(opcode),
            b'B' | b'C' | 0x8a | 0x8b | 0x8e | 0x96 => return self.bytes(opcode),
            b'a' | b's' | b'e' | b'u' | 0x90 | b'b' => return self.change(opcode),
            b'd' | b'l' | b't' | 0x91 => {
                values.pop_mark()?;
                values.push(Item::Other);
            }
            b'g' | b'h' | b'j' => {
                let index = self.index(opcode, b'g', b'h')?;
                return self.values.get(index);
            }
            b'p' | b'q' | b'r' => {
                let index = self.index(opcode, b'p', b'q')?;
                return self.values.put(index);
            }
            0x94 => return values.memoize(),
            0x80 => {
                if self.number(1)? > 5 {
                    return Err(malformed("its protocol is unknown"));
                }
            }
            0x95 => drop(self.number(8)?),
            0x98 => drop(values.top()?),
            b'c' | b'i' | b'o' | b'R' | 0x81 | 0x82 | 0x83 | 0x84 | 0x92 | 0x93 => return self.act(opcode),
            _ => return Err(Ended::Malformed(format!("0x{opcode:02x} is no opcode"))),
        }
        Ok(())
    }

    /// The opcodes that import or call.
    fn act(&mut self, opcode: u8) -> Result<(), Ended> {
        match opcode {
            b'c' => {
                let import = self.import_lines(true)?;
                self.values.push(import);
            }
            0x93 => {
                let (name, module) = (self.values.pop()?, self.values.pop()?);
                let texts = self.values.text(module).zip(self.values.text(name));
                let Some((module, name)) = texts.map(|(module, name)| (module.to_owned(), name.to_owned())) else {
                    self.found.acts = true;
                    return Err(malformed("it imports under a computed name"));
                };
                let import = self.import(&module, &name)?;
                self.values.push(import);
            }
            b'i' => {
                let import = self.import_lines(false)?;
                self.values.pop_mark()?;
                self.called(import);
                self.values.push(Item::Other);
            }
            b'o' => {
                let class = self.values.pop_mark()?.ok_or_else(|| malformed("OBJ has no class"))?;
                self.called(class);
                self.values.push(Item::Other);
            }
            b'R' | 0x81 | 0x92 => {
                for _ in 0..if opcode == 0x92 { 2 } else { 1 } {
                    self.values.pop()?;
                }
                let callee = self.values.pop()?;
                self.called(callee);
                self.values.push(Item::Other);
            }
            _ => {
                self.number(match opcode {
                    0x82 => 1,
                    0x83 => 2,
                    _ => 4,
                })?;
                self.found.acts = true;
                self.found.problems.insert("the pickle imports by a code of the extension registry".to_owned());
                self.values.push(Item::Other);
            }
        }
        Ok(())
    }

    /// The opcodes that change what lies below their arguments: by attributes, items or the methods of lists and sets,
    /// which an import may have too.
    fn change(&mut self, opcode: u8) -> Result<(), Ended> {
        match opcode {
            b'a' | b'b' => drop(self.values.pop()?),
            b's' => {
                self.values.pop()?;
                self.values.pop()?;
            }
            _ => drop(self.values.pop_mark()?),
        }
        if let Item::Import(import) = self.values.top()? {
            self.found.acts = true;
            let name = self.values.import_name(import);
            self.found.problems.insert(format!("the pickle changes {name} itself"));
        }
        Ok(())
    }

    fn called(&mut self, callee: Item) {
        match callee {
            Item::Import(_) => self.found.acts = true,
            _ if !self.values.any_import() && self.found.imports.is_empty() => {}
            _ => {
                self.found.acts = true;
                self.found.problems.insert("the pickle calls a computed value".to_owned());
            }
        }
    }

    /// An import by its names. What could not be the name of any usual module is noted as a problem, not as an import: a
    /// text that begins with `c` looks like one.
    fn import(&mut self, module: &str, name: &str) -> Result<Item, Ended> {
        if module.is_empty() || name.is_empty() {
            return Err(malformed("it imports without a name"));
        }
        let is_plain = |text: &str| text.chars().all(|letter| letter.is_alphanumeric() || "._<>-".contains(letter));
        let is_short = |text: &str| text.len() <= LONGEST_NAME;
        let plain = is_plain(module) && is_plain(name);
        if !plain || !is_short(module) || !is_short(name) {
            if plain {
                return Err(Ended::Limit("a name in it is too long"));
            }
            self.found.problems.insert("the pickle imports what is no name".to_owned());
            return self.values.imported("something without a name");
        }
        // A dot in the name is a way through attributes: kept apart, so that no rule about modules covers it.
        let full = if name.contains('.') { format!("{module}:{name}") } else { format!("{module}.{name}") };
        if self.found.imports.len() >= MOST_IMPORTS && !self.found.imports.contains(&full) {
            return Err(Ended::Limit("it imports too much"));
        }
        if module.ends_with("joblib.numpy_pickle") && name == "NumpyArrayWrapper" {
            // joblib reads an array's bytes from between the opcodes: where they end is not known here.
            self.found.problems.insert("arrays of joblib lie between the opcodes and are not looked past".to_owned());
        }
        let item = self.values.imported(&full)?;
        self.found.imports.insert(full);
        Ok(item)
    }
}
