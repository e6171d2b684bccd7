//! The stack, the memo, and the texts in them. Bounded: values are eight bytes, and texts have a budget.

use std::collections::HashMap;

use super::{Ended, MOST_IMPORTS, malformed};

/// Values on the stack, and in the memo.
const MOST_VALUES: usize = 8 << 20;
/// Bytes of texts that are kept, with what it takes to find one. Past it a text is a value like any other, so that an
/// import by it is one under a computed name.
const MOST_TEXT: usize = 64 << 20;
const TEXT_OVERHEAD: usize = 16;

/// A value, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    Mark,
    Text(u32),
    Import(u32),
    Other,
}

#[derive(Debug, Default)]
pub(super) struct Values {
    stack: Vec<Item>,
    memo: Vec<Option<Item>>,
    /// How many of them are there.
    memoized: usize,
    texts: String,
    places: Vec<(usize, u16)>,
    imports: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Values {
    pub fn check(&self) -> Result<(), Ended> {
        if self.stack.len() > MOST_VALUES { Err(Ended::Limit("it holds too many values")) } else { Ok(()) }
    }

    pub fn push(&mut self, item: Item) {
        self.stack.push(item);
    }

    /// A value; a mark here is an underflow, as in Python.
    pub fn pop(&mut self) -> Result<Item, Ended> {
        match self.stack.pop() {
            Some(Item::Mark) | None => Err(malformed("its stack is empty")),
            Some(item) => Ok(item),
        }
    }

    pub fn pop_any(&mut self) -> Result<(), Ended> {
        self.stack.pop().map(|_| ()).ok_or_else(|| malformed("its stack is empty"))
    }

    pub fn top(&self) -> Result<Item, Ended> {
        match self.stack.last() {
            Some(Item::Mark) | None => Err(malformed("its stack is empty")),
            Some(item) => Ok(*item),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.stack.is_empty()
    }

    pub fn replace(&mut self, count: usize) -> Result<(), Ended> {
        for _ in 0..count {
            self.pop()?;
        }
        self.push(Item::Other);
        Ok(())
    }

    /// Takes all above the last mark, and it; gives the first of them.
    pub fn pop_mark(&mut self) -> Result<Option<Item>, Ended> {
        let mark = self.stack.iter().rposition(|item| *item == Item::Mark);
        let mark = mark.ok_or_else(|| malformed("it has no mark"))?;
        let first = self.stack.get(mark + 1).copied();
        self.stack.truncate(mark);
        Ok(first)
    }

    // ---- the memo

    pub fn get(&mut self, index: u64) -> Result<(), Ended> {
        let item = usize::try_from(index).ok().and_then(|index| self.memo.get(index).copied().flatten());
        self.push(item.ok_or_else(|| malformed("it takes from the memo what is not there"))?);
        Ok(())
    }

    pub fn put(&mut self, index: u64) -> Result<(), Ended> {
        let top = self.top()?;
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        if index >= MOST_VALUES {
            return Err(Ended::Limit("it numbers more values than are kept"));
        }
        if self.memo.len() <= index {
            self.memo.resize(index + 1, None);
        }
        if let Some(place) = self.memo.get_mut(index) {
            self.memoized += usize::from(place.is_none());
            *place = Some(top);
        }
        Ok(())
    }

    /// Under the number of what is there already, as Python counts.
    pub fn memoize(&mut self) -> Result<(), Ended> {
        self.put(self.memoized as u64)
    }

    // ---- what values stand for

    /// Pushes a text that may be a name.
    pub fn push_text(&mut self, text: &str) {
        let used = self.texts.len() + self.places.len() * TEXT_OVERHEAD;
        let length = u16::try_from(text.len()).ok();
        let number = u32::try_from(self.places.len()).ok();
        let item = match length.zip(number) {
            Some((length, number)) if used + text.len() + TEXT_OVERHEAD <= MOST_TEXT => {
                self.places.push((self.texts.len(), length));
                self.texts.push_str(text);
                Item::Text(number)
            }
            _ => Item::Other,
        };
        self.push(item);
    }

    pub fn text(&self, item: Item) -> Option<&str> {
        let Item::Text(number) = item else { return None };
        let (start, length) = *self.places.get(usize::try_from(number).ok()?)?;
        self.texts.get(start..start + usize::from(length))
    }

    /// The value of an import.
    pub fn imported(&mut self, name: &str) -> Result<Item, Ended> {
        if let Some(number) = self.numbers.get(name) {
            return Ok(Item::Import(*number));
        }
        let number = u32::try_from(self.imports.len()).ok().filter(|_| self.imports.len() <= MOST_IMPORTS);
        let number = number.ok_or(Ended::Limit("it imports too much"))?;
        self.imports.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        Ok(Item::Import(number))
    }

    pub fn any_import(&self) -> bool {
        !self.imports.is_empty()
    }

    pub fn import_name(&self, import: u32) -> &str {
        usize::try_from(import).ok().and_then(|at| self.imports.get(at)).map_or("an import", String::as_str)
    }
}
