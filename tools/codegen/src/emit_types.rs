//! `types.rs`: the reachable structures, unions and enums as Rust types.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::error::Error;
use crate::facts::{Member, Shape};
use crate::files::HEADER;
use crate::names::{field, type_name, unique, variants};
use crate::plan::Service;

/// The file's text.
pub fn emit(service: &Service) -> Result<String, Error> {
    let types = Types::of(service)?;
    let mut body = String::new();
    for (name, rust) in &types.names {
        let shape = service.shape(name)?;
        match shape.kind.as_str() {
            "string" => emit_enum(&mut body, name, rust, shape),
            _ if shape.union => emit_union(&mut body, &types, name, rust, shape)?,
            _ => emit_structure(&mut body, &types, name, rust, shape)?,
        }
    }
    let mut out = format!("//! Types of {}.\n{HEADER}\n", service.model.metadata.service_full_name);
    if body.contains("BTreeMap<") {
        out.push_str("use std::collections::BTreeMap;\n\n");
    }
    if [": Bytes", "<Bytes>", ", Bytes>"].iter().any(|used| body.contains(used)) {
        out.push_str("use bytes::Bytes;\n");
    }
    let optional = ["FieldReader", "FieldWriter"];
    let mut imports: Vec<&str> = optional.into_iter().filter(|import| body.contains(&format!("{import}::"))).collect();
    imports.extend(["ConvertError", "FromValue", "ToValue", "Value"]);
    imports.sort_unstable();
    let _ = writeln!(out, "use stoa_schema::{{{}}};", imports.join(", "));
    if body.contains("Timestamp") {
        out.push_str("use stoa_types::Timestamp;\n");
    }
    out.push('\n');
    out.push_str(&body);
    Ok(out)
}

/// What a shape's Rust type is called, which have a default, and where recursion must be boxed.
struct Types<'s> {
    service: &'s Service,
    names: BTreeMap<String, String>,
    without_default: BTreeSet<String>,
    boxed: BTreeSet<(String, String)>,
}

impl<'s> Types<'s> {
    fn of(service: &'s Service) -> Result<Types<'s>, Error> {
        let mut own = Vec::new();
        for name in &service.typed {
            let shape = service.shape(name)?;
            if (shape.kind == "structure" && !shape.document) || (shape.kind == "string" && !shape.values.is_empty()) {
                own.push(name);
            }
        }
        let names = unique(own.into_iter(), type_name);
        let mut types = Types { service, names, without_default: BTreeSet::new(), boxed: BTreeSet::new() };
        types.find_defaults()?;
        types.find_recursion()?;
        Ok(types)
    }

    /// An enum, a union and a structure that requires one has no default.
    fn find_defaults(&mut self) -> Result<(), Error> {
        loop {
            let before = self.without_default.len();
            for name in self.names.keys() {
                let shape = self.service.shape(name)?;
                let own = shape.kind == "string" || shape.union;
                let requires = |(member, facts): &(String, Member)| {
                    shape.required.contains(member) && self.without_default.contains(&facts.shape)
                };
                if own || shape.members.iter().any(requires) {
                    self.without_default.insert(name.clone());
                }
            }
            if self.without_default.len() == before {
                return Ok(());
            }
        }
    }

    /// A member whose type contains its owner, by structures alone, is boxed; lists and maps are indirect already.
    fn find_recursion(&mut self) -> Result<(), Error> {
        for name in self.names.keys() {
            for (member, facts) in &self.service.shape(name)?.members {
                let mut seen = BTreeSet::new();
                let mut todo = vec![facts.shape.clone()];
                while let Some(next) = todo.pop() {
                    if seen.insert(next.clone()) {
                        todo.extend(self.service.shape(&next)?.members.iter().map(|(_, inner)| inner.shape.clone()));
                    }
                }
                if seen.contains(name) {
                    self.boxed.insert((name.clone(), member.clone()));
                }
            }
        }
        Ok(())
    }

    fn rust(&self, shape: &str) -> Result<String, Error> {
        if let Some(own) = self.names.get(shape) {
            return Ok(own.clone());
        }
        let facts = self.service.shape(shape)?;
        let element = |part: &Option<Member>| match part {
            Some(member) => self.rust(&member.shape),
            None => Err(Error::Facts(format!("{}: `{shape}` has no element", self.service.name))),
        };
        Ok(match facts.kind.as_str() {
            "boolean" => "bool".to_owned(),
            "integer" | "long" | "short" | "byte" => "i64".to_owned(),
            "float" | "double" => "f64".to_owned(),
            "blob" => "Bytes".to_owned(),
            "timestamp" => "Timestamp".to_owned(),
            "list" => format!("Vec<{}>", element(&facts.member)?),
            "map" => format!("BTreeMap<String, {}>", element(&facts.value)?),
            "structure" => "serde_json::Value".to_owned(),
            _ => "String".to_owned(),
        })
    }

    fn member(&self, owner: &str, name: &str, facts: &Member) -> Result<String, Error> {
        let rust = self.rust(&facts.shape)?;
        let boxed = self.boxed.contains(&(owner.to_owned(), name.to_owned()));
        Ok(if boxed { format!("Box<{rust}>") } else { rust })
    }
}

fn emit_structure(out: &mut String, types: &Types<'_>, name: &str, rust: &str, shape: &Shape) -> Result<(), Error> {
    let secret = |facts: &Member| types.service.model.shapes.get(&facts.shape).is_some_and(|shape| shape.sensitive);
    let any_secret = shape.sensitive || shape.members.iter().any(|(_, facts)| secret(facts));
    let mut derives = vec!["Clone"];
    if !any_secret {
        derives.insert(0, "Debug");
    }
    derives.push("PartialEq");
    if !types.without_default.contains(name) {
        derives.push("Default");
    }
    let _ = writeln!(out, "/// `{name}`.\n#[derive({}, serde::Serialize, serde::Deserialize)]", derives.join(", "));
    let _ = writeln!(out, "pub struct {rust} {{");
    let (mut reads, mut writes, mut shown) = (String::new(), String::new(), String::new());
    for (member, facts) in &shape.members {
        let required = shape.required.contains(member);
        let (field, member_type) = (field(member), types.member(name, member, facts)?);
        let how = if required { "required" } else { "optional" };
        let skip = if required { "" } else { ", skip_serializing_if = \"Option::is_none\"" };
        let field_type = if required { member_type } else { format!("Option<{member_type}>") };
        let _ = writeln!(
            out,
            "    /// `{member}`.\n    #[serde(rename = {member:?}{skip})]\n    pub {field}: {field_type},"
        );
        let _ = writeln!(reads, "            {field}: fields.{how}({member:?})?,");
        let _ = writeln!(writes, "            .{how}({member:?}, self.{field})");
        let plain = field.trim_start_matches("r#");
        let value = if shape.sensitive || secret(facts) { "&\"…\"".to_owned() } else { format!("&self.{field}") };
        let _ = writeln!(shown, "            .field({plain:?}, {value})");
    }
    out.push_str("}\n");
    if any_secret {
        let _ = writeln!(
            out,
            "impl std::fmt::Debug for {rust} {{\n    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{\n        \
             formatter.debug_struct({rust:?})\n{shown}            .finish()\n    }}\n}}"
        );
    }
    let (open, read) = match shape.members.is_empty() {
        true => (format!("FieldReader::open(value, {name:?})?;"), format!("Ok({rust} {{}})")),
        false => (
            format!("let mut fields = FieldReader::open(value, {name:?})?;"),
            format!("Ok({rust} {{\n{reads}        }})"),
        ),
    };
    let _ = writeln!(
        out,
        "impl FromValue for {rust} {{\n    fn from_value(value: Value) -> Result<Self, ConvertError> {{\n        {open}\n        {read}\n    }}\n}}"
    );
    let count = shape.members.len();
    let _ = writeln!(
        out,
        "impl ToValue for {rust} {{\n    fn to_value(self) -> Value {{\n        FieldWriter::new({count})\n{writes}            .finish()\n    }}\n}}\n"
    );
    Ok(())
}

fn emit_union(out: &mut String, types: &Types<'_>, name: &str, rust: &str, shape: &Shape) -> Result<(), Error> {
    let mut members = String::new();
    let (mut reads, mut writes) = (String::new(), String::new());
    let variants = variants(&shape.members.iter().map(|(member, _)| member.clone()).collect::<Vec<_>>());
    for ((member, facts), variant) in shape.members.iter().zip(variants) {
        let member_type = types.member(name, member, facts)?;
        let _ =
            writeln!(members, "    /// `{member}`.\n    #[serde(rename = {member:?})]\n    {variant}({member_type}),");
        let _ = writeln!(
            reads,
            "        if let Some(inner) = fields.optional({member:?})? {{\n            return Ok({rust}::{variant}(inner));\n        }}"
        );
        let _ = writeln!(
            writes,
            "            {rust}::{variant}(inner) => FieldWriter::new(1).required({member:?}, inner).finish(),"
        );
    }
    let _ = writeln!(
        out,
        "/// `{name}`: one of its members.\n#[allow(clippy::enum_variant_names, reason = \"AWS's names\")]\n#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]\npub enum {rust} {{\n{members}}}\n\
         impl FromValue for {rust} {{\n    fn from_value(value: Value) -> Result<Self, ConvertError> {{\n        let mut fields = FieldReader::open(value, {name:?})?;\n\
         {reads}        Err(ConvertError {{ member: {name:?} }})\n    }}\n}}\n\
         impl ToValue for {rust} {{\n    fn to_value(self) -> Value {{\n        match self {{\n{writes}        }}\n    }}\n}}\n"
    );
    Ok(())
}

fn emit_enum(out: &mut String, name: &str, rust: &str, shape: &Shape) {
    let (mut members, mut texts, mut parses) = (String::new(), String::new(), String::new());
    for (value, variant) in shape.values.iter().zip(variants(&shape.values)) {
        let _ = writeln!(members, "    /// `{value}`.\n    {variant},");
        let _ = writeln!(texts, "            {rust}::{variant} => {value:?},");
        let _ = writeln!(parses, "            {value:?} => {rust}::{variant},");
    }
    let _ = writeln!(
        out,
        "/// `{name}`.\n#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]\npub enum {rust} {{\n{members}}}\n\
         impl {rust} {{\n    /// The text on the wire.\n    pub const fn as_str(self) -> &'static str {{\n        match self {{\n{texts}        }}\n    }}\n}}\n\
         impl std::str::FromStr for {rust} {{\n    type Err = ConvertError;\n    fn from_str(text: &str) -> Result<Self, ConvertError> {{\n        Ok(match text {{\n{parses}            \
         _ => return Err(ConvertError {{ member: {name:?} }}),\n        }})\n    }}\n}}\n\
         stoa_schema::text_enum!({rust});\n"
    );
}
