//! CBOR (RFC 8949) read and written by shape; what rpcv2Cbor uses of it: no bignums, no tags but epoch times.
//!
//! INVARIANT: a length in the input is never trusted: nothing is allocated for more bytes than there are. Nesting is
//! bounded by [`MAX_DEPTH`], also in what is ignored.

use bytes::Bytes;
use stoa_schema::{Kind, Member, Shape, Value};

use crate::{DecodeError, MAX_DEPTH, number, text};

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const SIMPLE: u8 = 7;
/// What ends an item of indefinite length.
const BREAK: u8 = 0xff;
const EPOCH_TAG: u64 = 1;

/// The start of an item: its major type, the five low bits, and the argument (none: indefinite length).
struct Head {
    major: u8,
    info: u8,
    argument: Option<u64>,
}

/// Reads one item by its shape.
pub(crate) struct Reader<'b> {
    rest: &'b [u8],
    depth: usize,
    path: String,
}

impl<'b> Reader<'b> {
    /// The value of a whole body.
    pub(crate) fn read(shape: &'static Shape, body: &'b [u8]) -> Result<Value, DecodeError> {
        let mut reader = Reader { rest: body, depth: 0, path: String::new() };
        let value =
            reader.value(shape)?.ok_or_else(|| DecodeError::body("the body is null where a map is expected"))?;
        if reader.rest.is_empty() { Ok(value) } else { Err(DecodeError::body("the body goes on after its end")) }
    }

    fn fail<T>(&self, message: &str) -> Result<T, DecodeError> {
        Err(DecodeError::member(&self.path, message))
    }

    fn take(&mut self, count: u64) -> Result<&'b [u8], DecodeError> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => self.fail("the body ends too early"),
        }
    }

    fn number(&mut self, bytes: u64) -> Result<u64, DecodeError> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }

    fn head(&mut self) -> Result<Head, DecodeError> {
        let first = self.number(1)? as u8;
        let (major, info) = (first >> 5, first & 0x1f);
        let argument = match info {
            0..=23 => Some(u64::from(info)),
            24 => Some(self.number(1)?),
            25 => Some(self.number(2)?),
            26 => Some(self.number(4)?),
            27 => Some(self.number(8)?),
            31 if matches!(major, BYTES | TEXT | ARRAY | MAP | SIMPLE) => None,
            _ => return self.fail("the body is not valid CBOR"),
        };
        Ok(Head { major, info, argument })
    }

    /// Whether the item of this length has another element; takes the break of an indefinite one.
    fn another(&mut self, left: &mut Option<u64>) -> Result<bool, DecodeError> {
        match left {
            Some(0) => Ok(false),
            Some(count) => {
                *count -= 1;
                Ok(true)
            }
            None if self.rest.first() == Some(&BREAK) => {
                self.take(1)?;
                Ok(false)
            }
            None => Ok(true),
        }
    }

    fn deeper(&mut self) -> Result<(), DecodeError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { self.fail("nested too deep") } else { Ok(()) }
    }

    /// A value of the shape; null gives none.
    fn value(&mut self, shape: &'static Shape) -> Result<Option<Value>, DecodeError> {
        let head = self.head()?;
        let value = match (&shape.kind, head.major) {
            (_, SIMPLE) if matches!(head.info, 22 | 23) => return Ok(None),
            (Kind::Boolean, SIMPLE) if matches!(head.info, 20 | 21) => Value::Bool(head.info == 21),
            (Kind::Integer { .. }, UNSIGNED | NEGATIVE | SIMPLE) => match self.numeric(&head)? {
                Numeric::Int(number) => Value::Int(number),
                Numeric::Float(number) => match number::whole(number) {
                    Some(number) => Value::Int(number),
                    None => return self.fail(text::expected(shape)),
                },
            },
            (Kind::Float { .. }, UNSIGNED | NEGATIVE | SIMPLE) => Value::Float(self.numeric(&head)?.float()),
            (Kind::Timestamp(_), TAG) if head.argument == Some(EPOCH_TAG) => {
                let inner = self.head()?;
                match number::timestamp(self.numeric(&inner)?.float()) {
                    Some(time) => Value::Timestamp(time),
                    None => return self.fail(text::expected(shape)),
                }
            }
            (Kind::String { .. }, TEXT) => Value::String(self.text(&head)?),
            (Kind::Blob { .. }, BYTES) => Value::Blob(Bytes::from(self.chunks(&head)?)),
            (Kind::List { member, .. }, ARRAY) => self.list(member, head.argument)?,
            (Kind::Map { value, .. }, MAP) => self.map(value, head.argument)?,
            (Kind::Structure(members) | Kind::Union(members), MAP) => self.structure(members, head.argument)?,
            (Kind::Blob { .. }, _) => return self.fail("expected bytes"),
            _ => return self.fail(text::expected(shape)),
        };
        Ok(Some(value))
    }

    fn numeric(&self, head: &Head) -> Result<Numeric, DecodeError> {
        let argument = head.argument.unwrap_or_default();
        match (head.major, head.info) {
            (UNSIGNED, _) => match i64::try_from(argument) {
                Ok(number) => Ok(Numeric::Int(number)),
                Err(_) => self.fail("the number is too large"),
            },
            // -1 - n, which is !n in two's complement.
            (NEGATIVE, _) => match i64::try_from(argument) {
                Ok(number) => Ok(Numeric::Int(!number)),
                Err(_) => self.fail("the number is too small"),
            },
            (SIMPLE, 25) => Ok(Numeric::Float(half(argument as u16))),
            (SIMPLE, 26) => Ok(Numeric::Float(f64::from(f32::from_bits(argument as u32)))),
            (SIMPLE, 27) => Ok(Numeric::Float(f64::from_bits(argument))),
            _ => self.fail("expected a number"),
        }
    }

    /// The bytes of a string, its chunks joined.
    fn chunks(&mut self, head: &Head) -> Result<Vec<u8>, DecodeError> {
        if let Some(length) = head.argument {
            return self.take(length).map(<[u8]>::to_vec);
        }
        let mut joined = Vec::new();
        while self.another(&mut None)? {
            let chunk = self.head()?;
            match chunk.argument {
                Some(length) if chunk.major == head.major => joined.extend_from_slice(self.take(length)?),
                _ => return self.fail("the body is not valid CBOR"),
            }
        }
        Ok(joined)
    }

    fn text(&mut self, head: &Head) -> Result<String, DecodeError> {
        match String::from_utf8(self.chunks(head)?) {
            Ok(text) => Ok(text),
            Err(_) => self.fail("the text is not valid UTF-8"),
        }
    }

    fn key(&mut self) -> Result<String, DecodeError> {
        let head = self.head()?;
        if head.major == TEXT { self.text(&head) } else { self.fail("expected a text as key") }
    }

    fn list(&mut self, element: &'static Shape, mut left: Option<u64>) -> Result<Value, DecodeError> {
        self.deeper()?;
        let length = self.path.len();
        let mut items = Vec::new();
        let mut index = 0;
        while self.another(&mut left)? {
            self.path.push_str(&format!("[{index}]"));
            items.extend(self.value(element)?);
            self.path.truncate(length);
            index += 1;
        }
        self.depth -= 1;
        Ok(Value::List(items))
    }

    fn map(&mut self, shape: &'static Shape, mut left: Option<u64>) -> Result<Value, DecodeError> {
        self.deeper()?;
        let length = self.path.len();
        let mut entries = Vec::new();
        while self.another(&mut left)? {
            let key = self.key()?;
            self.path.push('.');
            self.path.extend(key.chars().take(64));
            if let Some(value) = self.value(shape)? {
                entries.push((key, value));
            }
            self.path.truncate(length);
        }
        self.depth -= 1;
        Ok(Value::Map(entries))
    }

    fn structure(&mut self, members: &'static [Member], mut left: Option<u64>) -> Result<Value, DecodeError> {
        self.deeper()?;
        let length = self.path.len();
        let mut value = Value::empty();
        while self.another(&mut left)? {
            let key = self.key()?;
            let Some(member) = members.iter().find(|member| member.wire() == key) else {
                self.skip()?;
                continue;
            };
            if length > 0 {
                self.path.push('.');
            }
            self.path.push_str(member.name);
            if let Some(inner) = self.value(member.shape)? {
                value.set_member(member.name, inner);
            }
            self.path.truncate(length);
        }
        self.depth -= 1;
        Ok(value)
    }

    /// Passes over one item, whatever it is, without recursion.
    fn skip(&mut self) -> Result<(), DecodeError> {
        let mut open: Vec<Option<u64>> = vec![Some(1)];
        while let Some(mut left) = open.pop() {
            if !self.another(&mut left)? {
                continue;
            }
            open.push(left);
            let head = self.head()?;
            match (head.major, head.argument) {
                (BYTES | TEXT, _) => {
                    self.chunks(&head)?;
                }
                (ARRAY, length) => open.push(length),
                (MAP, Some(length)) => open.push(Some(length.saturating_mul(2))),
                (MAP, None) => open.push(None),
                (TAG, _) => open.push(Some(1)),
                (SIMPLE, None) => return self.fail("the body is not valid CBOR"),
                _ => {}
            }
            if self.depth + open.len() > MAX_DEPTH + 1 {
                return self.fail("nested too deep");
            }
        }
        Ok(())
    }
}

/// A number as it was sent.
enum Numeric {
    Int(i64),
    Float(f64),
}

impl Numeric {
    fn float(self) -> f64 {
        match self {
            Numeric::Int(number) => number as f64,
            Numeric::Float(number) => number,
        }
    }
}

/// A half-precision float (RFC 8949, appendix D).
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = ((bits >> 10) & 0x1f, f64::from(bits & 0x3ff));
    let size = match exponent {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (fraction + 1024.0) * 2_f64.powi(i32::from(exponent) - 25),
    };
    if bits & 0x8000 == 0 { size } else { -size }
}

/// Writes items.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// What was written.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }

    fn head(&mut self, major: u8, argument: u64) {
        let bytes = argument.to_be_bytes();
        let (info, count) = match argument {
            0..=23 => (argument as u8, 0),
            24..=0xff => (24, 1),
            0x100..=0xffff => (25, 2),
            0x1_0000..=0xffff_ffff => (26, 4),
            _ => (27, 8),
        };
        self.0.push((major << 5) | info);
        self.0.extend_from_slice(bytes.get(bytes.len() - count..).unwrap_or_default());
    }

    /// The start of a map with so many entries.
    pub(crate) fn map_head(&mut self, entries: usize) {
        self.head(MAP, entries as u64);
    }

    /// A text.
    pub(crate) fn text(&mut self, text: &str) {
        self.head(TEXT, text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    fn int(&mut self, number: i64) {
        match u64::try_from(number) {
            Ok(number) => self.head(UNSIGNED, number),
            // !n is -1 - n, never negative here.
            Err(_) => self.head(NEGATIVE, (!number).unsigned_abs()),
        }
    }

    fn float(&mut self, number: f64) {
        self.0.push((SIMPLE << 5) | 27);
        self.0.extend_from_slice(&number.to_bits().to_be_bytes());
    }

    /// A value, under the wire names of its shape where that is known.
    pub(crate) fn value(&mut self, shape: Option<&Shape>, value: &Value) {
        match value {
            Value::Bool(flag) => self.0.push(if *flag { 0xf5 } else { 0xf4 }),
            Value::Int(number) => self.int(*number),
            Value::Float(number) => self.float(*number),
            Value::String(text) => self.text(text),
            Value::Blob(bytes) => {
                self.head(BYTES, bytes.len() as u64);
                self.0.extend_from_slice(bytes);
            }
            Value::Timestamp(time) => {
                self.head(TAG, EPOCH_TAG);
                match time.millis() % 1000 {
                    0 => self.int(time.millis() / 1000),
                    _ => self.float(time.seconds_f64()),
                }
            }
            Value::List(items) => {
                let element = shape
                    .and_then(|shape| if let Kind::List { member, .. } = shape.kind { Some(member) } else { None });
                self.head(ARRAY, items.len() as u64);
                items.iter().for_each(|item| self.value(element, item));
            }
            Value::Map(entries) => {
                let element =
                    shape.and_then(|shape| if let Kind::Map { value, .. } = shape.kind { Some(value) } else { None });
                self.map_head(entries.len());
                for (key, item) in entries {
                    self.text(key);
                    self.value(element, item);
                }
            }
            Value::Struct(members) => self.structure(shape, members),
            // The protocol has no documents; a text loses nothing.
            Value::Document(json) => self.text(&json.to_string()),
        }
    }

    fn structure(&mut self, shape: Option<&Shape>, members: &[(&'static str, Value)]) {
        let known = |name: &str| shape.is_none_or(|shape| shape.member(name).is_some());
        self.map_head(members.iter().filter(|(name, _)| known(name)).count());
        for (name, value) in members.iter().filter(|(name, _)| known(name)) {
            let member = shape.and_then(|shape| shape.member(name));
            self.text(member.map_or(name, |member| member.wire()));
            self.value(member.map(|member| member.shape), value);
        }
    }
}
