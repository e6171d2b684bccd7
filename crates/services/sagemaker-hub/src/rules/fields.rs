//! What rules can ask of a version of a public model: the fields of its manifest, by the names that people write.
//!
//! What a manifest does not say is unknown, which is neither yes nor no: a rule never lets in what nothing is known of.

use std::borrow::Cow;
use std::sync::Arc;

use crate::catalog::{Origin, PublicModel};

/// A field, with the names it has in rules (the first is the one in messages).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Name,
    DisplayName,
    Version,
    Framework,
    Task,
    Provider,
    Licence,
    Image,
    Keyword,
    InstanceType,
    Language,
    Library,
    Architecture,
    BaseModel,
    Tag,
    Repository,
    Vulnerability,
    Size,
    Files,
    Memory,
    Parameters,
    Gated,
    Deprecated,
    Vulnerable,
}

/// What a field is, and so what can be asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldKind {
    Text,
    Texts,
    /// A number of bytes.
    Bytes,
    Number,
    Flag,
}

const FIELDS: &[(&[&str], Field, FieldKind)] = &[
    (&["name", "id"], Field::Name, FieldKind::Text),
    (&["display-name"], Field::DisplayName, FieldKind::Text),
    (&["version"], Field::Version, FieldKind::Text),
    (&["framework"], Field::Framework, FieldKind::Text),
    (&["task"], Field::Task, FieldKind::Text),
    (&["provider"], Field::Provider, FieldKind::Text),
    (&["licence", "license"], Field::Licence, FieldKind::Text),
    (&["image"], Field::Image, FieldKind::Text),
    (&["keyword", "keywords"], Field::Keyword, FieldKind::Texts),
    (&["instance-type", "instance-types"], Field::InstanceType, FieldKind::Texts),
    (&["language", "languages"], Field::Language, FieldKind::Texts),
    (&["library"], Field::Library, FieldKind::Text),
    (&["architecture", "architectures"], Field::Architecture, FieldKind::Texts),
    (&["base-model", "base-models"], Field::BaseModel, FieldKind::Texts),
    (&["tag", "tags"], Field::Tag, FieldKind::Texts),
    (&["repository"], Field::Repository, FieldKind::Text),
    (&["vulnerability", "vulnerabilities"], Field::Vulnerability, FieldKind::Texts),
    (&["size"], Field::Size, FieldKind::Bytes),
    (&["files"], Field::Files, FieldKind::Number),
    (&["memory"], Field::Memory, FieldKind::Bytes),
    (&["parameters"], Field::Parameters, FieldKind::Number),
    (&["gated"], Field::Gated, FieldKind::Flag),
    (&["deprecated"], Field::Deprecated, FieldKind::Flag),
    (&["vulnerable"], Field::Vulnerable, FieldKind::Flag),
];

/// What a version says of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value<'m> {
    Unknown,
    Text(Cow<'m, str>),
    Texts(&'m [Arc<str>]),
    Number(u64),
    Flag(bool),
}

impl Field {
    pub fn parse(word: &str) -> Option<(Field, FieldKind)> {
        let plain = word.to_ascii_lowercase().replace('_', "-");
        FIELDS.iter().find(|(names, ..)| names.contains(&plain.as_str())).map(|(_, field, kind)| (*field, *kind))
    }

    /// All of them, for messages.
    pub fn names() -> String {
        let first = FIELDS.iter().filter_map(|(names, ..)| names.first().copied());
        first.collect::<Vec<_>>().join(", ")
    }

    pub fn of(self, model: &PublicModel) -> Value<'_> {
        match self {
            Field::Name => borrowed(&model.id),
            Field::DisplayName => borrowed(&model.display_name),
            Field::Version => Value::Text(Cow::Owned(model.version.to_string())),
            Field::Framework => borrowed(&model.framework),
            Field::Task => borrowed(&model.task),
            Field::Provider => borrowed(&model.provider),
            Field::Licence => borrowed(&model.licence),
            Field::Image => borrowed(&model.image),
            Field::Keyword => Value::Texts(&model.keywords),
            Field::InstanceType => Value::Texts(&model.supported_instance_types),
            Field::Vulnerability => Value::Texts(&model.vulnerabilities),
            Field::Size => Value::Number(model.size),
            Field::Files => Value::Number(u64::from(model.files)),
            Field::Memory => Value::Number(model.min_memory_mb.saturating_mul(1 << 20)),
            Field::Gated => Value::Flag(model.gated),
            Field::Deprecated => Value::Flag(model.deprecated.is_some()),
            Field::Vulnerable => Value::Flag(!model.vulnerabilities.is_empty()),
            _ => model.huggingface.as_ref().map_or(Value::Unknown, |origin| self.of_origin(origin)),
        }
    }

    /// The fields that only a model from a Hugging Face repository has.
    fn of_origin(self, origin: &Origin) -> Value<'_> {
        match self {
            Field::Language => stated(&origin.languages),
            Field::Architecture => stated(&origin.architectures),
            Field::BaseModel => stated(&origin.base_models),
            Field::Tag => Value::Texts(&origin.tags),
            Field::Library => origin.library_name.as_deref().map_or(Value::Unknown, borrowed),
            Field::Repository => origin.repository.as_deref().map_or(Value::Unknown, borrowed),
            Field::Parameters => origin.parameters.map_or(Value::Unknown, Value::Number),
            _ => Value::Unknown,
        }
    }
}

fn borrowed(text: &str) -> Value<'_> {
    Value::Text(Cow::Borrowed(text))
}

fn stated(texts: &[Arc<str>]) -> Value<'_> {
    if texts.is_empty() { Value::Unknown } else { Value::Texts(texts) }
}
