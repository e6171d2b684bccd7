//! Facts about services that rules look up. The caller fills them in (from `facts/*/actions.json`); nothing is fetched.

/// Every service that is known in detail.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// Services, in any order.
    pub services: Vec<ServiceFacts>,
    /// Keys that requests carry whatever the service.
    pub globals: Vec<KeyFacts>,
}

/// A service.
#[derive(Debug, Clone, Default)]
pub struct ServiceFacts {
    /// `sagemaker`, in lower case.
    pub prefix: &'static str,
    /// Its actions.
    pub actions: Vec<ActionFacts>,
    /// Its resource types.
    pub resources: Vec<ResourceFacts>,
    /// Its condition keys, and the global ones that its requests carry.
    pub keys: Vec<KeyFacts>,
}

/// An action.
#[derive(Debug, Clone)]
pub struct ActionFacts {
    /// `CreateModel`.
    pub name: &'static str,
    /// What it does.
    pub access: Access,
    /// Keys of its requests, `aws:RequestTag/${TagKey}` among them.
    pub keys: Vec<&'static str>,
    /// Older names of some of these.
    pub legacy_keys: Vec<&'static str>,
    /// The resource types it applies to; none: `*` alone.
    pub resources: Vec<ActionResource>,
}

/// A resource type of an action.
#[derive(Debug, Clone)]
pub struct ActionResource {
    /// Its name in [`ServiceFacts::resources`].
    pub kind: &'static str,
    /// Keys of the action on this type.
    pub keys: Vec<&'static str>,
}

/// A resource type.
#[derive(Debug, Clone)]
pub struct ResourceFacts {
    /// `training-job`.
    pub name: &'static str,
    /// `arn:${Partition}:sagemaker:${Region}:${Account}:training-job/${TrainingJobName}`.
    pub arn: &'static str,
    /// Keys that requests on it carry (its tags).
    pub keys: Vec<&'static str>,
}

/// A condition key.
#[derive(Debug, Clone)]
pub struct KeyFacts {
    /// `sagemaker:InstanceTypes`, `aws:RequestTag/${TagKey}`.
    pub name: &'static str,
    /// The type of one value.
    pub value: ValueType,
    /// Whether it may have several values.
    pub multivalued: bool,
}

/// The levels of the service authorization reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Names resources.
    List,
    /// Reads a resource.
    Read,
    /// Changes tags alone.
    Tagging,
    /// Makes, changes or removes one.
    Write,
    /// Changes who may do what.
    PermissionsManagement,
}

/// The type of one value of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// Text.
    String,
    /// An ARN.
    Arn,
    /// `true` or `false`.
    Bool,
    /// A number.
    Numeric,
    /// A date.
    Date,
    /// An address.
    IpAddress,
    /// Base64.
    Binary,
}

impl ValueType {
    pub(super) fn noun(self) -> &'static str {
        match self {
            ValueType::String => "text",
            ValueType::Arn => "an ARN",
            ValueType::Bool => "a boolean",
            ValueType::Numeric => "a number",
            ValueType::Date => "a date",
            ValueType::IpAddress => "an IP address",
            ValueType::Binary => "binary",
        }
    }
}

/// Whether a key of the facts (`aws:RequestTag/${TagKey}`, `s3:ExistingObjectTag/<key>`, `sagemaker:ResourceTag/`) is
/// what a policy names.
pub(super) fn is_key(known: &str, name: &str) -> bool {
    let start = known.split(['$', '<']).next().unwrap_or(known);
    if start.len() == known.len() && !known.ends_with('/') {
        return known.eq_ignore_ascii_case(name);
    }
    name.len() > start.len() && name.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start))
}

impl KeyFacts {
    /// Whether the name has a part that the policy chooses, such as a tag key.
    pub(super) fn is_template(&self) -> bool {
        self.name.contains(['$', '<']) || self.name.ends_with('/')
    }
}

impl Catalog {
    pub(super) fn service(&self, prefix: &str) -> Option<&ServiceFacts> {
        self.services.iter().find(|service| service.prefix.eq_ignore_ascii_case(prefix))
    }

    pub(super) fn is_global(&self, key: &str) -> bool {
        self.globals.iter().any(|global| is_key(global.name, key))
    }

    /// The facts of a key, of the service that its prefix names first.
    pub(super) fn key(&self, name: &str) -> Option<&KeyFacts> {
        let prefix = name.split(':').next().unwrap_or("");
        let own = self.service(prefix).into_iter();
        let all = own.chain(&self.services).flat_map(|service| &service.keys);
        self.globals.iter().chain(all).find(|key| is_key(key.name, name))
    }
}

impl ServiceFacts {
    pub(super) fn action(&self, name: &str) -> Option<&ActionFacts> {
        self.actions.iter().find(|action| action.name.eq_ignore_ascii_case(name))
    }

    pub(super) fn resource(&self, kind: &str) -> Option<&ResourceFacts> {
        self.resources.iter().find(|resource| resource.name == kind)
    }

    /// Whether requests of an action can carry a key: by itself, by an older name, or by a resource type.
    pub(super) fn carries(&self, action: &ActionFacts, key: &str) -> bool {
        let by_type = action.resources.iter().filter_map(|one| self.resource(one.kind)).flat_map(|facts| &facts.keys);
        let own = action.keys.iter().chain(&action.legacy_keys);
        own.chain(action.resources.iter().flat_map(|one| &one.keys)).chain(by_type).any(|known| is_key(known, key))
    }
}
