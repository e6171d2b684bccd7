//! What rules can ask of a version of a public model: the fields of its manifest, by the names that people write.
//!
//! What a manifest does not say is unknown, which is neither yes nor no: a rule never lets in what nothing is known of.

use std::borrow::Cow;

use crate::catalog::{HuggingFace, PublicModel};

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
    Texts(&'m [String]),
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
        let manifest = &model.body.manifest;
        match self {
            Field::Name => borrowed(&manifest.id),
            Field::DisplayName => borrowed(&manifest.display_name),
            Field::Version => Value::Text(Cow::Owned(manifest.version.to_string())),
            Field::Framework => borrowed(&manifest.framework),
            Field::Task => borrowed(&manifest.task),
            Field::Provider => borrowed(&manifest.provider),
            Field::Licence => borrowed(&manifest.licence),
            Field::Image => borrowed(&manifest.image),
            Field::Keyword => Value::Texts(&manifest.keywords),
            Field::InstanceType => Value::Texts(&manifest.supported_instance_types),
            Field::Vulnerability => Value::Texts(&manifest.vulnerabilities),
            Field::Size => Value::Number(model.body.size()),
            Field::Files => Value::Number(model.body.files.len() as u64),
            Field::Memory => Value::Number(manifest.min_memory_mb.saturating_mul(1 << 20)),
            Field::Gated => Value::Flag(manifest.gated),
            Field::Deprecated => Value::Flag(manifest.deprecated.is_some()),
            Field::Vulnerable => Value::Flag(!manifest.vulnerabilities.is_empty()),
            _ => manifest.huggingface.as_ref().map_or(Value::Unknown, |origin| self.of_origin(origin)),
        }
    }

    /// The fields that only a model from a Hugging Face repository has.
    fn of_origin(self, origin: &HuggingFace) -> Value<'_> {
        match self {
            Field::Language => stated(&origin.languages),
            Field::Architecture => stated(&origin.architectures),
            Field::BaseModel => stated(&origin.base_models),
            Field::Tag => Value::Texts(&origin.tags),
            Field::Library => origin.library_name.as_deref().map_or(Value::Unknown, borrowed),
            Field::Repository => origin.repository.as_deref().map_or(Value::Unknown, borrowed),
            Field::Parameters if !origin.parameters.is_empty() => {
                Value::Number(origin.parameters.values().fold(0, |sum: u64, count| sum.saturating_add(*count)))
            }
            _ => Value::Unknown,
        }
    }
}

fn borrowed(text: &str) -> Value<'_> {
    Value::Text(Cow::Borrowed(text))
}

fn stated(texts: &[String]) -> Value<'_> {
    if texts.is_empty() { Value::Unknown } else { Value::Texts(texts) }
}
