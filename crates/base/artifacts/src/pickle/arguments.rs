//! What follows an opcode: numbers, lines, texts and bytes.

use std::io::{self, BufRead, Read};

use super::values::Item;
use super::{Ended, LEGACY_TORCH, LONGEST_NAME, Machine, malformed};

/// What is kept of a line; it is read to its end.
const LONGEST_LINE: usize = 1 << 20;

#[derive(Default)]
pub(super) struct Line {
    bytes: Vec<u8>,
    /// Whether it is longer than what was kept.
    cut: bool,
    ended: bool,
}

impl<R: BufRead> Machine<'_, R> {
    pub(super) fn number(&mut self, width: usize) -> Result<u64, Ended> {
        let mut bytes = [0_u8; 8];
        self.reader.read_exact(bytes.get_mut(..width).unwrap_or_default())?;
        Ok(u64::from_le_bytes(bytes))
    }

    pub(super) fn fixed(&mut self, opcode: u8) -> Result<(), Ended> {
        self.number(match opcode {
            b'K' => 1,
            b'M' => 2,
            b'J' => 4,
            _ => 8,
        })?;
        self.values.push(Item::Other);
        Ok(())
    }

    /// An index of the memo.
    pub(super) fn index(&mut self, opcode: u8, line: u8, byte: u8) -> Result<u64, Ended> {
        if opcode != line {
            return self.number(if opcode == byte { 1 } else { 4 });
        }
        let line = self.whole_line()?;
        if line.cut {
            return Err(Ended::Limit("an index of the memo is too long"));
        }
        python_int(&line.bytes)
    }

    pub(super) fn import_lines(&mut self, whole: bool) -> Result<Item, Ended> {
        let module = self.whole_line()?;
        let mut name = self.line()?;
        if !name.ended {
            if whole {
                return Err(malformed("a line does not end"));
            }
            // The unpickler that is written in Python takes the last letter for the line's end.
            name.bytes.pop();
        }
        self.import(&plain(module)?, &plain(name)?)
    }

    pub(super) fn whole_line(&mut self) -> Result<Line, Ended> {
        let line = self.line()?;
        if line.ended { Ok(line) } else { Err(malformed("a line does not end")) }
    }

    fn line(&mut self) -> Result<Line, Ended> {
        let mut line = Line::default();
        while !line.ended {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                break;
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let piece = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
            let room = LONGEST_LINE - line.bytes.len();
            line.bytes.extend(piece.iter().take(room));
            line.cut |= piece.len() > room;
            line.ended = end.is_some();
            let used = piece.len() + usize::from(line.ended);
            self.reader.consume(used);
        }
        Ok(line)
    }

    /// S has quotes, V none. One with escapes is no name that is known here.
    pub(super) fn text_line(&mut self, quoted: bool) -> Result<(), Ended> {
        let line = self.whole_line()?;
        let text = String::from_utf8(line.bytes).ok();
        let text = text.filter(|text| !line.cut && !text.contains('\\') && text.len() <= LONGEST_NAME + 2);
        let text = match (text.as_deref(), quoted) {
            (Some(text), true) => {
                let inside = text.trim();
                inside
                    .strip_prefix('\'')
                    .and_then(|text| text.strip_suffix('\''))
                    .or_else(|| inside.strip_prefix('"')?.strip_suffix('"'))
            }
            (text, _) => text,
        };
        match text {
            Some(text) => self.values.push_text(text),
            None => self.values.push(Item::Other),
        }
        Ok(())
    }

    pub(super) fn text(&mut self, opcode: u8) -> Result<(), Ended> {
        let length = self.number(match opcode {
            b'U' | 0x8c => 1,
            0x8d => 8,
            _ => 4,
        })?;
        let mut bytes = [0_u8; LONGEST_NAME];
        let Some(bytes) = usize::try_from(length).ok().and_then(|length| bytes.get_mut(..length)) else {
            self.skip(length)?;
            self.values.push(Item::Other);
            return Ok(());
        };
        self.reader.read_exact(bytes)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => self.values.push_text(text),
            Err(_) => self.values.push(Item::Other),
        }
        Ok(())
    }

    pub(super) fn bytes(&mut self, opcode: u8) -> Result<(), Ended> {
        let length = self.number(match opcode {
            b'C' | 0x8a => 1,
            b'B' | 0x8b => 4,
            _ => 8,
        })?;
        if opcode == 0x8a && length == LEGACY_TORCH.len() as u64 {
            let mut bytes = [0_u8; LEGACY_TORCH.len()];
            self.reader.read_exact(&mut bytes)?;
            self.legacy_torch = self.values.is_empty() && bytes == LEGACY_TORCH;
        } else {
            self.skip(length)?;
        }
        self.values.push(Item::Other);
        Ok(())
    }

    fn skip(&mut self, length: u64) -> Result<(), Ended> {
        let skipped = io::copy(&mut (&mut *self.reader).take(length), &mut io::sink())?;
        if skipped < length { Err(malformed("it ends in the middle")) } else { Ok(()) }
    }
}

fn plain(line: Line) -> Result<String, Ended> {
    match String::from_utf8(line.bytes) {
        Ok(text) => Ok(text),
        Err(error) if line.cut => Ok(String::from_utf8_lossy(error.as_bytes()).into_owned()),
        Err(_) => Err(malformed("a name is not UTF-8")),
    }
}

/// What Python's `int` makes of a line, which ends for it at a NUL. Negative ones are no index.
fn python_int(line: &[u8]) -> Result<u64, Ended> {
    let none = || malformed("an index of the memo is no number");
    let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
    let text = std::str::from_utf8(line).map_err(|_| none())?.trim().replace('_', "");
    let negative = text.starts_with('-');
    let digits = text.strip_prefix(['+', '-']).unwrap_or(&text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(none());
    }
    let number = digits.parse().map_err(|_| Ended::Limit("an index of the memo is too large"))?;
    if negative && number != 0 { Err(none()) } else { Ok(number) }
}
