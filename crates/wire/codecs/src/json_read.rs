//! JSON to values: serde's parser driven by the shape, so that no tree of untyped JSON is ever built.
//!
//! INVARIANT: nesting is bounded by serde_json (128, [`MAX_DEPTH`](crate::MAX_DEPTH)), also in what no shape names. No
//! message repeats a value of the request: it may be a secret.

use std::cell::{Cell, RefCell};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use stoa_schema::{Kind, Location, Member, Shape, TimestampFormat, Value};

use crate::{DecodeError, number, text};

/// Reads a whole body as a value of this shape. An empty body is an empty structure. With `body_only`, members that
/// travel elsewhere are not taken from the body.
pub(crate) fn read(shape: &'static Shape, body: &[u8], body_only: bool) -> Result<Value, DecodeError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::empty());
    }
    let walk = Walk { path: RefCell::new(Vec::new()), expected: Cell::new(text::expected(shape)), body_only };
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let read = Seed { shape, format: None, walk: &walk, top: true }.deserialize(&mut deserializer);
    match read.and_then(|value| deserializer.end().map(|()| value)) {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(DecodeError::body("the body is null where an object is expected")),
        Err(error) if error.is_data() => Err(DecodeError::member(&walk.shown_path(), walk.expected.get())),
        Err(error) => Err(DecodeError::body(format!("the body is not valid JSON: {error}"))),
    }
}

/// Where the walk is. A step is taken back only on success, so after a failure the path is that of the failure.
struct Walk {
    path: RefCell<Vec<Step>>,
    expected: Cell<&'static str>,
    body_only: bool,
}

enum Step {
    Member(&'static str),
    Key(String),
    Index(usize),
}

impl Walk {
    fn enter(&self, step: Step) {
        self.path.borrow_mut().push(step);
    }
    fn leave(&self) {
        self.path.borrow_mut().pop();
    }
    fn shown_path(&self) -> String {
        let mut shown = String::new();
        for step in self.path.borrow().iter() {
            match step {
                Step::Index(index) => shown.push_str(&format!("[{index}]")),
                Step::Member(name) => shown.push_str(&format!(".{name}")),
                // A key is the caller's text: cut, so that no message grows with it.
                Step::Key(key) => shown.push_str(&format!(".{}", key.chars().take(64).collect::<String>())),
            }
        }
        shown.trim_start_matches('.').to_owned()
    }
}

/// One value of a shape; null gives none.
#[derive(Clone, Copy)]
struct Seed<'w> {
    shape: &'static Shape,
    format: Option<TimestampFormat>,
    walk: &'w Walk,
    top: bool,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Option<Value>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Value>, D::Error> {
        self.walk.expected.set(text::expected(self.shape));
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Option<Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(text::expected(self.shape))
    }
    fn visit_none<E>(self) -> Result<Option<Value>, E> {
        Ok(None)
    }
    fn visit_unit<E>(self) -> Result<Option<Value>, E> {
        Ok(None)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Value>, D::Error> {
        if let Kind::Document = self.shape.kind {
            return serde::Deserialize::deserialize(deserializer).map(|json| Some(Value::Document(json)));
        }
        deserializer.deserialize_any(Typed(self)).map(Some)
    }
}

/// A value that is not null.
struct Typed<'w>(Seed<'w>);

impl Typed<'_> {
    fn mismatch<E: serde::de::Error>(&self) -> E {
        E::custom(text::expected(self.0.shape))
    }
}

impl<'de> Visitor<'de> for Typed<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(text::expected(self.0.shape))
    }

    fn visit_bool<E: serde::de::Error>(self, flag: bool) -> Result<Value, E> {
        match self.0.shape.kind {
            Kind::Boolean => Ok(Value::Bool(flag)),
            _ => Err(self.mismatch()),
        }
    }

    fn visit_i64<E: serde::de::Error>(self, given: i64) -> Result<Value, E> {
        match self.0.shape.kind {
            Kind::Integer { .. } => Ok(Value::Int(given)),
            _ => self.visit_f64(given as f64),
        }
    }

    fn visit_u64<E: serde::de::Error>(self, given: u64) -> Result<Value, E> {
        match (&self.0.shape.kind, i64::try_from(given)) {
            (Kind::Integer { .. }, Ok(given)) => Ok(Value::Int(given)),
            (Kind::Integer { .. }, Err(_)) => Err(self.mismatch()),
            _ => self.visit_f64(given as f64),
        }
    }

    fn visit_f64<E: serde::de::Error>(self, given: f64) -> Result<Value, E> {
        let value = match self.0.shape.kind {
            Kind::Integer { .. } => number::whole(given).map(Value::Int),
            Kind::Float { .. } => Some(Value::Float(given)),
            Kind::Timestamp(_) => number::timestamp(given).map(Value::Timestamp),
            _ => None,
        };
        value.ok_or_else(|| self.mismatch())
    }

    fn visit_str<E: serde::de::Error>(self, given: &str) -> Result<Value, E> {
        let value = match self.0.shape.kind {
            Kind::String { .. } => Some(Value::String(given.to_owned())),
            Kind::Blob { .. } => STANDARD.decode(given).ok().map(|bytes| Value::Blob(bytes.into())),
            Kind::Float { .. } => number::parse_float(given).filter(|number| !number.is_finite()).map(Value::Float),
            Kind::Timestamp(own) => {
                let format = self.0.format.or(own).unwrap_or(TimestampFormat::UnixTimestamp);
                text::timestamp(given, format).map(Value::Timestamp)
            }
            _ => None,
        };
        value.ok_or_else(|| self.mismatch())
    }

    fn visit_string<E: serde::de::Error>(self, given: String) -> Result<Value, E> {
        match self.0.shape.kind {
            Kind::String { .. } => Ok(Value::String(given)),
            _ => self.visit_str(&given),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let Kind::List { member, .. } = self.0.shape.kind else { return Err(self.mismatch()) };
        let walk = self.0.walk;
        let mut items = Vec::new();
        let mut index = 0;
        loop {
            walk.enter(Step::Index(index));
            let Some(item) = elements.next_element_seed(Seed { shape: member, format: None, walk, top: false })? else {
                walk.leave();
                return Ok(Value::List(items));
            };
            walk.leave();
            items.extend(item);
            index += 1;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Value, A::Error> {
        match self.0.shape.kind {
            Kind::Structure(members) | Kind::Union(members) => self.structure(members, entries),
            Kind::Map { value, .. } => self.map(value, entries),
            _ => Err(self.mismatch()),
        }
    }
}

impl Typed<'_> {
    fn structure<'de, A: MapAccess<'de>>(self, members: &'static [Member], mut entries: A) -> Result<Value, A::Error> {
        let Seed { walk, top, .. } = self.0;
        let elsewhere_too = !(walk.body_only && top);
        let mut value = Value::Struct(Vec::with_capacity(members.len()));
        while let Some(member) = entries.next_key_seed(MemberName(members))? {
            let Some(member) = member.filter(|member| elsewhere_too || member.location == Location::Body) else {
                entries.next_value_seed(Ignored)?;
                continue;
            };
            walk.enter(Step::Member(member.name));
            let seed = Seed { shape: member.shape, format: member.timestamp_format, walk, top: false };
            if let Some(inner) = entries.next_value_seed(seed)? {
                value.set_member(member.name, inner);
            }
            walk.leave();
        }
        Ok(value)
    }

    fn map<'de, A: MapAccess<'de>>(self, shape: &'static Shape, mut entries: A) -> Result<Value, A::Error> {
        let walk = self.0.walk;
        let mut found = Vec::new();
        while let Some(key) = entries.next_key::<String>()? {
            walk.enter(Step::Key(key.clone()));
            if let Some(inner) = entries.next_value_seed(Seed { shape, format: None, walk, top: false })? {
                found.push((key, inner));
            }
            walk.leave();
        }
        Ok(Value::Map(found))
    }
}

/// Finds the member that a key names, without keeping the key.
struct MemberName(&'static [Member]);

impl<'de> DeserializeSeed<'de> for MemberName {
    type Value = Option<&'static Member>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for MemberName {
    type Value = Option<&'static Member>;
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a member's name")
    }
    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().find(|member| member.wire() == name))
    }
}

/// Passes over a value that no shape names. Unlike serde's `IgnoredAny` it goes through the parser's depth bound, so that
/// what is too deep is refused wherever it stands.
struct Ignored;

impl<'de> DeserializeSeed<'de> for Ignored {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Ignored {
    type Value = ();
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while elements.next_element_seed(Ignored)?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while entries.next_key_seed(Ignored)?.is_some() {
            entries.next_value_seed(Ignored)?;
        }
        Ok(())
    }
}
