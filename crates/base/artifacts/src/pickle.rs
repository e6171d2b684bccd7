//! Follows a pickle's opcodes without executing them.
//!
//! The machine is Python's, with its stack, marks and memo, over values of three sorts: a short string, an import, and
//! anything else. So a STACK_GLOBAL's module and name are known however they came onto the stack, and where they are not
//! (they were computed), that is a problem. INVARIANT: an import that Python's unpickler would make is in `imports` or
//! the reading ended with a problem before it.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

/// Longer strings are no names.
const LONGEST_NAME: u64 = 512;
/// The longest line of an opcode with a line.
const LONGEST_LINE: u64 = 1 << 20;
/// Values on the stack, and in the memo.
const MOST_VALUES: usize = 8 << 20;
const MOST_IMPORTS: usize = 1000;
/// What torch before 1.6 begins its files with: five pickles and then raw bytes.
const LEGACY_TORCH: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

#[derive(Debug, Clone)]
enum Item {
    Mark,
    Text(Rc<str>),
    Import(Rc<str>),
    Other,
}

/// What a stream of pickles holds.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub imports: BTreeSet<String>,
    pub problems: BTreeSet<String>,
    /// Whether the first one was read to its end.
    pub complete: bool,
    /// Whether anything imported would have been called or changed before the end.
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
    Malformed(String),
    Io(io::Error),
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Ended {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Ended::Malformed("it ends in the middle".to_owned()),
            _ => Ended::Io(error),
        }
    }
}

/// Reads pickle after pickle.
pub(crate) fn read(reader: &mut dyn Read) -> io::Result<Found> {
    let mut found = Found::default();
    let mut reader = BufReader::new(reader);
    let mut number = 0_usize;
    let mut legacy_torch = false;
    loop {
        let mut machine = Machine {
            reader: &mut reader,
            stack: Vec::new(),
            memo: HashMap::new(),
            found: &mut found,
            legacy_torch: false,
        };
        match machine.run() {
            Ok(()) => legacy_torch |= number == 0 && machine.legacy_torch,
            Err(Ended::Malformed(why)) => {
                found.problems.insert(format!("the pickle cannot be read to its end: {why}"));
                return Ok(found);
            }
            Err(Ended::Io(error)) => return Err(error),
        }
        found.complete = true;
        number += 1;
        let next = reader.fill_buf()?.first().copied();
        match next {
            None => return Ok(found),
            Some(_) if legacy_torch && number == 5 => return Ok(found),
            Some(0x80) => {}
            Some(_) => {
                found.problems.insert("bytes follow the pickle's end that are no pickle".to_owned());
                return Ok(found);
            }
        }
    }
}

struct Machine<'r, R> {
    reader: &'r mut R,
    stack: Vec<Item>,
    memo: HashMap<u64, Item>,
    found: &'r mut Found,
    legacy_torch: bool,
}

fn malformed(why: &str) -> Ended {
    Ended::Malformed(why.to_owned())
}

impl<R: BufRead> Machine<'_, R> {
    fn run(&mut self) -> Result<(), Ended> {
        loop {
            let opcode = self.number(1)? as u8;
            if opcode == b'.' {
                return self.pop().map(|_| ());
            }
            self.step(opcode)?;
            if self.stack.len() > MOST_VALUES || self.memo.len() > MOST_VALUES {
                return Err(malformed("it holds too many values"));
            }
        }
    }

    fn step(&mut self, opcode: u8) -> Result<(), Ended> {
        match opcode {
            b'(' => self.push(Item::Mark),
            b'0' => return self.pop_any(),
            b'1' | b'e' | b'u' | 0x90 => return self.pop_mark().map(|_| ()),
            b'2' => {
                let top = self.top()?;
                self.push(top);
            }
            b'F' | b'I' | b'L' | b'P' => {
                self.line()?;
                self.push(Item::Other);
            }
            b'J' | b'K' | b'M' | b'G' => return self.fixed(opcode),
            b'N' | b'}' | b']' | b')' | 0x88 | 0x89 | 0x8f | 0x97 => self.push(Item::Other),
            b'Q' | 0x85 => return self.replace(1),
            0x86 => return self.replace(2),
            0x87 => return self.replace(3),
            b'S' | b'V' => return self.text_line(opcode == b'S'),
            b'T' | b'U' | b'X' | 0x8c | 0x8d => return self.text(opcode),
            b'B' | b'C' | 0x8a | 0x8b | 0x8e | 0x96 => return self.bytes(opcode),
            b'a' => return self.pop().map(|_| ()),
            b's' => {
                self.pop()?;
                return self.pop().map(|_| ());
            }
            b'd' | b'l' | b't' | 0x91 => {
                self.pop_mark()?;
                self.push(Item::Other);
            }
            b'g' | b'h' | b'j' => return self.get(opcode),
            b'p' | b'q' | b'r' | 0x94 => return self.put(opcode),
            0x80 => {
                let protocol = self.number(1)?;
                if protocol > 5 {
                    return Err(malformed("its protocol is unknown"));
                }
            }
            0x95 => drop(self.number(8)?),
            0x98 => drop(self.top()?),
            b'c' | b'i' | b'o' | b'b' | b'R' | 0x81 | 0x82 | 0x83 | 0x84 | 0x92 | 0x93 => return self.act(opcode),
            _ => return Err(Ended::Malformed(format!("0x{opcode:02x} is no opcode"))),
        }
        Ok(())
    }

    /// The opcodes that import, call or change.
    fn act(&mut self, opcode: u8) -> Result<(), Ended> {
        match opcode {
            b'c' => {
                let import = self.import_lines()?;
                self.push(import);
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Item::Text(module), Item::Text(name)) = (module, name) else {
                    self.found.acts = true;
                    return Err(malformed("it imports under a computed name"));
                };
                let import = self.import(&module, &name)?;
                self.push(import);
            }
            b'i' => {
                let import = self.import_lines()?;
                self.pop_mark()?;
                self.called(&import);
                self.push(Item::Other);
            }
            b'o' => {
                let items = self.pop_mark()?;
                let class = items.first().ok_or_else(|| malformed("OBJ has no class"))?;
                self.called(class);
                self.push(Item::Other);
            }
            b'R' | 0x81 | 0x92 => {
                for _ in 0..if opcode == 0x92 { 2 } else { 1 } {
                    self.pop()?;
                }
                let callee = self.pop()?;
                self.called(&callee);
                self.push(Item::Other);
            }
            b'b' => {
                self.pop()?;
                if let Item::Import(name) = self.top()? {
                    self.found.acts = true;
                    self.found.problems.insert(format!("the pickle changes {name} itself"));
                }
            }
            _ => {
                self.number(match opcode {
                    0x82 => 1,
                    0x83 => 2,
                    _ => 4,
                })?;
                self.found.acts = true;
                self.found.problems.insert("the pickle imports by a code of the extension registry".to_owned());
                self.push(Item::Other);
            }
        }
        Ok(())
    }

    fn called(&mut self, callee: &Item) {
        match callee {
            Item::Import(_) => self.found.acts = true,
            _ if self.found.imports.is_empty() => {}
            _ => {
                self.found.acts = true;
                self.found.problems.insert("the pickle calls a computed value".to_owned());
            }
        }
    }

    fn import_lines(&mut self) -> Result<Item, Ended> {
        let (module, name) = (self.line()?, self.line()?);
        let plain = |line: Vec<u8>| String::from_utf8(line).map_err(|_| malformed("a name is not UTF-8"));
        self.import(&plain(module)?, &plain(name)?)
    }

    fn import(&mut self, module: &str, name: &str) -> Result<Item, Ended> {
        let is_name = |text: &str| {
            !text.is_empty()
                && text.len() as u64 <= LONGEST_NAME
                && text.chars().all(|letter| letter.is_alphanumeric() || "._<>".contains(letter))
        };
        if !is_name(module) || !is_name(name) {
            return Err(malformed("it imports what is no name"));
        }
        // A dot in the name is a way through attributes: kept apart, so that no rule about modules covers it.
        let full = if name.contains('.') { format!("{module}:{name}") } else { format!("{module}.{name}") };
        if self.found.imports.len() >= MOST_IMPORTS {
            return Err(malformed("it imports too much"));
        }
        self.found.imports.insert(full.clone());
        Ok(Item::Import(full.into()))
    }

    // ---- the stack and the memo

    fn push(&mut self, item: Item) {
        self.stack.push(item);
    }

    /// A value; a mark here is an underflow, as in Python.
    fn pop(&mut self) -> Result<Item, Ended> {
        match self.stack.pop() {
            Some(Item::Mark) | None => Err(malformed("its stack is empty")),
            Some(item) => Ok(item),
        }
    }

    fn pop_any(&mut self) -> Result<(), Ended> {
        self.stack.pop().map(|_| ()).ok_or_else(|| malformed("its stack is empty"))
    }

    fn top(&self) -> Result<Item, Ended> {
        match self.stack.last() {
            Some(Item::Mark) | None => Err(malformed("its stack is empty")),
            Some(item) => Ok(item.clone()),
        }
    }

    fn replace(&mut self, count: usize) -> Result<(), Ended> {
        for _ in 0..count {
            self.pop()?;
        }
        self.push(Item::Other);
        Ok(())
    }

    /// Everything above the last mark, which goes too.
    fn pop_mark(&mut self) -> Result<Vec<Item>, Ended> {
        let mark = self.stack.iter().rposition(|item| matches!(item, Item::Mark));
        let mark = mark.ok_or_else(|| malformed("it has no mark"))?;
        let above = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(above)
    }

    fn get(&mut self, opcode: u8) -> Result<(), Ended> {
        let index = self.index(opcode, b'g', b'h')?;
        let item =
            self.memo.get(&index).cloned().ok_or_else(|| malformed("it takes from the memo what is not there"))?;
        self.push(item);
        Ok(())
    }

    fn put(&mut self, opcode: u8) -> Result<(), Ended> {
        let index = if opcode == 0x94 { self.memo.len() as u64 } else { self.index(opcode, b'p', b'q')? };
        let top = self.top()?;
        self.memo.insert(index, top);
        Ok(())
    }

    fn index(&mut self, opcode: u8, line: u8, byte: u8) -> Result<u64, Ended> {
        if opcode != line {
            return self.number(if opcode == byte { 1 } else { 4 });
        }
        let digits = self.line()?;
        let text = std::str::from_utf8(&digits).unwrap_or_default();
        text.trim().parse().map_err(|_| malformed("an index of the memo is no number"))
    }

    // ---- arguments

    fn number(&mut self, width: usize) -> Result<u64, Ended> {
        let mut bytes = [0_u8; 8];
        self.reader.read_exact(bytes.get_mut(..width).unwrap_or_default())?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn fixed(&mut self, opcode: u8) -> Result<(), Ended> {
        self.number(match opcode {
            b'K' => 1,
            b'M' => 2,
            b'J' => 4,
            _ => 8,
        })?;
        self.push(Item::Other);
        Ok(())
    }

    fn line(&mut self) -> Result<Vec<u8>, Ended> {
        let mut line = Vec::new();
        (&mut *self.reader).take(LONGEST_LINE).read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Err(malformed("a line does not end"));
        }
        Ok(line)
    }

    /// S has quotes, V none. One with escapes is no name that is known here.
    fn text_line(&mut self, quoted: bool) -> Result<(), Ended> {
        let line = self.line()?;
        let text =
            String::from_utf8(line).ok().filter(|text| !text.contains('\\') && text.len() as u64 <= LONGEST_NAME);
        let text = match (text, quoted) {
            (Some(text), true) => {
                let inside = text.trim();
                let inside = inside
                    .strip_prefix('\'')
                    .and_then(|text| text.strip_suffix('\''))
                    .or_else(|| inside.strip_prefix('"')?.strip_suffix('"'));
                inside.map(str::to_owned)
            }
            (text, _) => text,
        };
        self.push(text.map_or(Item::Other, |text| Item::Text(text.into())));
        Ok(())
    }

    fn text(&mut self, opcode: u8) -> Result<(), Ended> {
        let length = self.number(match opcode {
            b'U' | 0x8c => 1,
            0x8d => 8,
            _ => 4,
        })?;
        if length > LONGEST_NAME {
            self.skip(length)?;
            self.push(Item::Other);
            return Ok(());
        }
        let mut bytes = vec![0_u8; usize::try_from(length).unwrap_or(0)];
        self.reader.read_exact(&mut bytes)?;
        self.push(String::from_utf8(bytes).map_or(Item::Other, |text| Item::Text(text.into())));
        Ok(())
    }

    fn bytes(&mut self, opcode: u8) -> Result<(), Ended> {
        let length = self.number(match opcode {
            b'C' | 0x8a => 1,
            b'B' | 0x8b => 4,
            _ => 8,
        })?;
        if opcode == 0x8a && length == LEGACY_TORCH.len() as u64 {
            let mut bytes = [0_u8; LEGACY_TORCH.len()];
            self.reader.read_exact(&mut bytes)?;
            self.legacy_torch = self.stack.is_empty() && bytes == LEGACY_TORCH;
        } else {
            self.skip(length)?;
        }
        self.push(Item::Other);
        Ok(())
    }

    fn skip(&mut self, length: u64) -> Result<(), Ended> {
        let skipped = io::copy(&mut (&mut *self.reader).take(length), &mut io::sink())?;
        if skipped < length { Err(malformed("it ends in the middle")) } else { Ok(()) }
    }
}
