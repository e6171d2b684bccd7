//! The rows and how they are read.
//!
//! One line each, fields separated by tabs, lists by spaces: `G` global key and type; `S` prefix and name of a service;
//! then, of that service, `K` key and type, `R` resource type, ARN pattern and keys, `A` action, access level, keys,
//! older names of keys, dependent actions; then, of that action, `T` resource type (`!`: required), keys, dependent
//! actions. A line of another form is left out, which the tests refuse.

use std::fmt;
use std::sync::OnceLock;

/// What an action does, in the five levels of the service authorization reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Names resources.
    List,
    /// Reads a resource.
    Read,
    /// Makes, changes or removes one.
    Write,
    /// Changes tags alone.
    Tagging,
    /// Changes who may do what.
    PermissionsManagement,
}

impl Access {
    fn parse(text: &str) -> Option<Access> {
        Some(match text {
            "List" => Access::List,
            "Read" => Access::Read,
            "Write" => Access::Write,
            "Tagging" => Access::Tagging,
            "PermissionsManagement" => Access::PermissionsManagement,
            _ => return None,
        })
    }
    /// As the reference writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Access::List => "List",
            Access::Read => "Read",
            Access::Write => "Write",
            Access::Tagging => "Tagging",
            Access::PermissionsManagement => "Permissions management",
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The type of a condition key's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyType {
    /// Of one value.
    pub value: ValueType,
    /// `ArrayOf...`: the key may have several values, so tests want `ForAllValues` or `ForAnyValue`.
    pub multivalued: bool,
}

/// The type of one value, in the reference's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    String,
    Arn,
    Bool,
    Numeric,
    Date,
    IpAddress,
    Binary,
}

impl KeyType {
    fn parse(text: &str) -> Option<KeyType> {
        let (value, multivalued) = text.strip_prefix("ArrayOf").map_or((text, false), |value| (value, true));
        let value = match value {
            "String" => ValueType::String,
            "ARN" => ValueType::Arn,
            "Bool" => ValueType::Bool,
            "Numeric" | "Long" => ValueType::Numeric,
            "Date" => ValueType::Date,
            "IPAddress" => ValueType::IpAddress,
            "Binary" => ValueType::Binary,
            _ => return None,
        };
        Some(KeyType { value, multivalued })
    }
}

/// A condition key.
#[derive(Debug)]
pub struct Key {
    /// `sagemaker:InstanceTypes`, `aws:RequestTag/${TagKey}`.
    pub name: &'static str,
    /// The type of its values.
    pub kind: KeyType,
}

impl Key {
    /// Whether a policy that writes this name means this key, in any case and with any name in place of `${...}`.
    pub fn is(&self, name: &str) -> bool {
        named(self.name, name)
    }
}

/// Whether a key of the facts (`aws:RequestTag/${TagKey}`, `s3:ExistingObjectTag/<key>`) is what a policy or an overlay
/// names (`aws:RequestTag/team`).
fn named(key: &str, name: &str) -> bool {
    let Some((start, after)) = key.split_once(['$', '<']) else { return key.eq_ignore_ascii_case(name) };
    let end = after.split_once(['}', '>']).map_or("", |(_, end)| end);
    let given = |range: Option<&str>, wanted: &str| range.is_some_and(|text| text.eq_ignore_ascii_case(wanted));
    name.len() > start.len() + end.len()
        && given(name.get(..start.len()), start)
        && given(name.get(name.len() - end.len()..), end)
}

/// A service, or what shares its prefix.
#[derive(Debug)]
pub struct Service {
    /// `sagemaker`, in lower case.
    pub prefix: &'static str,
    /// `Amazon SageMaker`.
    pub name: &'static str,
    /// Sorted by name.
    pub actions: Vec<Action>,
    /// Sorted by name.
    pub resources: Vec<Resource>,
    /// Sorted by name; global keys that its requests carry are among them.
    pub keys: Vec<Key>,
}

impl Service {
    /// The action of this name, in any case.
    pub fn action(&self, name: &str) -> Option<&Action> {
        self.actions.iter().find(|action| action.name.eq_ignore_ascii_case(name))
    }
    /// The resource type of this name.
    pub fn resource(&self, name: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.name == name)
    }
}

/// A resource type.
#[derive(Debug)]
pub struct Resource {
    /// `training-job`.
    pub name: &'static str,
    /// `arn:${Partition}:sagemaker:${Region}:${Account}:training-job/${TrainingJobName}`.
    pub arn: &'static str,
    /// Keys that every action on it carries (its tags).
    pub keys: Vec<&'static str>,
}

impl Resource {
    /// The ARN pattern as a policy would write it: `arn:*:sagemaker:*:*:training-job/*`.
    pub fn pattern(&self) -> String {
        let mut out = String::with_capacity(self.arn.len());
        let mut rest = self.arn;
        while let Some((literal, after)) = rest.split_once("${") {
            out.push_str(literal);
            out.push('*');
            rest = after.split_once('}').map_or("", |(_, rest)| rest);
        }
        out.push_str(rest);
        out
    }
    /// Whether an ARN is of this type. Names of SageMaker, S3 and IAM may contain slashes, so types can overlap.
    pub fn matches(&self, arn: &str) -> bool {
        glob_exact(&self.pattern(), arn)
    }
}

/// An IAM action.
#[derive(Debug)]
pub struct Action {
    /// `sagemaker`.
    pub prefix: &'static str,
    /// `CreateModel`.
    pub name: &'static str,
    /// What it does.
    pub access: Access,
    /// Keys that its requests carry whatever the resource.
    pub keys: Vec<&'static str>,
    /// Older names of some of these.
    pub legacy_keys: Vec<&'static str>,
    /// Actions that the caller needs too (`iam:PassRole`).
    pub dependent: Vec<&'static str>,
    /// The resource types it applies to; none: `*` alone.
    pub resources: Vec<ActionResource>,
}

/// A resource type that an action applies to.
#[derive(Debug)]
pub struct ActionResource {
    /// The type's name in [`Service::resources`].
    pub kind: &'static str,
    /// Whether a request always names one.
    pub required: bool,
    /// Keys of this action on this type.
    pub keys: Vec<&'static str>,
    /// Actions that the caller needs too when it names one.
    pub dependent: Vec<&'static str>,
}

impl Action {
    /// `sagemaker:CreateModel`.
    pub fn full_name(&self) -> String {
        format!("{}:{}", self.prefix, self.name)
    }
    /// Whether a request of this action can carry the key: by itself, by an older name, by a resource type it applies
    /// to, or because the key is global.
    pub fn carries(&self, key: &str) -> bool {
        let own = self.keys.iter().chain(&self.legacy_keys);
        let by_type = self.resources.iter().flat_map(|resource| &resource.keys);
        let types = super::service(self.prefix).map(|service| service.resources.as_slice()).unwrap_or_default();
        let of_type = types.iter().filter(|kind| self.resources.iter().any(|resource| resource.kind == kind.name));
        own.chain(by_type).chain(of_type.flat_map(|kind| &kind.keys)).any(|known| named(known, key))
            || super::global_keys().iter().any(|global| global.is(key))
    }
}

/// Everything.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub services: Vec<Service>,
    pub globals: Vec<Key>,
    /// Lines that are not in their form; a test says there are none.
    pub left_out: Vec<&'static str>,
}

impl Table {
    pub(crate) fn get() -> &'static Table {
        static TABLE: OnceLock<Table> = OnceLock::new();
        TABLE.get_or_init(|| Table::parse(include_str!("generated/table.txt")))
    }

    fn parse(text: &'static str) -> Table {
        let mut table = Table::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if table.read(line).is_none() {
                table.left_out.push(line);
            }
        }
        table
    }

    fn read(&mut self, line: &'static str) -> Option<()> {
        let mut fields = line.split('\t');
        let (kind, name) = (fields.next()?, fields.next()?);
        match kind {
            "G" => self.globals.push(Key { name, kind: KeyType::parse(fields.next()?)? }),
            "S" => {
                let empty = Service {
                    prefix: name,
                    name: fields.next()?,
                    actions: Vec::new(),
                    resources: Vec::new(),
                    keys: Vec::new(),
                };
                self.services.push(empty);
            }
            "K" => self.services.last_mut()?.keys.push(Key { name, kind: KeyType::parse(fields.next()?)? }),
            "R" => {
                let resource = Resource { name, arn: fields.next()?, keys: words(fields.next()) };
                self.services.last_mut()?.resources.push(resource);
            }
            "A" => {
                let service = self.services.last_mut()?;
                let action = Action {
                    prefix: service.prefix,
                    name,
                    access: Access::parse(fields.next()?)?,
                    keys: words(fields.next()),
                    legacy_keys: words(fields.next()),
                    dependent: words(fields.next()),
                    resources: Vec::new(),
                };
                service.actions.push(action);
            }
            "T" => {
                let (kind, required) = name.strip_suffix('!').map_or((name, false), |kind| (kind, true));
                let (keys, dependent) = (words(fields.next()), words(fields.next()));
                let action = self.services.last_mut()?.actions.last_mut()?;
                action.resources.push(ActionResource { kind, required, keys, dependent });
            }
            _ => return None,
        }
        Some(())
    }
}

fn words(field: Option<&'static str>) -> Vec<&'static str> {
    field.unwrap_or_default().split(' ').filter(|word| !word.is_empty()).collect()
}

/// `*` and `?` over a name, in any case.
pub(crate) fn glob(pattern: &str, name: &str) -> bool {
    glob_exact(&pattern.to_ascii_lowercase(), &name.to_ascii_lowercase())
}

/// `*` and `?`; at most pattern × text steps, by going back to the last `*` only.
fn glob_exact(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut done) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while done < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                back = Some((at + 1, done));
                at += 1;
            }
            Some(byte) if *byte == b'?' || text.get(done) == Some(byte) => {
                at += 1;
                done += 1;
            }
            _ => {
                let Some((after, from)) = back else { return false };
                back = Some((after, from + 1));
                at = after;
                done = from + 1;
            }
        }
    }
    pattern.iter().skip(at).all(|byte| *byte == b'*')
}
