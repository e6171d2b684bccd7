//! Shapes: what a value may be, with its limits and its place in a protocol.

/// A modelled shape. Shapes refer to each other as statics, cycles included.
#[derive(Debug)]
pub struct Shape {
    /// The model's name, such as `CreateHubRequest`.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Whether values must not reach logs, audit or errors.
    pub sensitive: bool,
}

/// What a shape is, with the constraints the model puts on it.
#[derive(Debug)]
pub enum Kind {
    /// true or false.
    Boolean,
    /// Byte, short, integer or long, with its range.
    Integer {
        /// Smallest value.
        min: Option<i64>,
        /// Largest value.
        max: Option<i64>,
    },
    /// Float or double, with its range.
    Float {
        /// Smallest value.
        min: Option<f64>,
        /// Largest value.
        max: Option<f64>,
    },
    /// A string: length in characters, pattern (a regular expression that must match the whole), enum values.
    String {
        /// Shortest.
        min: Option<u64>,
        /// Longest.
        max: Option<u64>,
        /// As in the model, without anchors added.
        pattern: Option<&'static str>,
        /// Empty when any text may stand.
        values: &'static [&'static str],
    },
    /// Bytes: length in bytes.
    Blob {
        /// Shortest.
        min: Option<u64>,
        /// Longest.
        max: Option<u64>,
    },
    /// A point in time, in the protocol's own format unless stated.
    Timestamp(Option<TimestampFormat>),
    /// A list.
    List {
        /// The elements.
        member: &'static Shape,
        /// awsQuery: the element name, `member` unless stated.
        member_name: Option<&'static str>,
        /// awsQuery, restXml: no wrapping element.
        flattened: bool,
        /// Fewest.
        min: Option<u64>,
        /// Most.
        max: Option<u64>,
    },
    /// A map with string keys.
    Map {
        /// The keys.
        key: &'static Shape,
        /// The values.
        value: &'static Shape,
        /// Fewest.
        min: Option<u64>,
        /// Most.
        max: Option<u64>,
    },
    /// A structure.
    Structure(&'static [Member]),
    /// A union: exactly one member.
    Union(&'static [Member]),
    /// Free-form JSON.
    Document,
}

/// A member of a structure or union.
#[derive(Debug)]
pub struct Member {
    /// The modelled name.
    pub name: &'static str,
    /// The name on the wire where it differs (`locationName`).
    pub wire_name: Option<&'static str>,
    /// Where it travels.
    pub location: Location,
    /// Its shape.
    pub shape: &'static Shape,
    /// Whether a request without it is invalid.
    pub required: bool,
    /// Filled by clients with a fresh token.
    pub idempotency_token: bool,
    /// Overrides the shape's own format.
    pub timestamp_format: Option<TimestampFormat>,
}

/// Where a member travels in a REST protocol. Others have everything in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// In the body.
    Body,
    /// It is the body.
    Payload,
    /// In this header.
    Header(&'static str),
    /// In headers that start with this.
    HeaderPrefix(&'static str),
    /// In the query string, under this name.
    Query(&'static str),
    /// All further query parameters.
    QueryMap,
    /// In the path, under this label.
    Uri(&'static str),
    /// It is the HTTP status.
    StatusCode,
}

/// How a timestamp is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampFormat {
    /// Seconds since the epoch.
    UnixTimestamp,
    /// ISO 8601.
    Iso8601,
    /// RFC 822 / HTTP date.
    Rfc822,
}

impl Shape {
    /// The members of a structure or union; none for anything else.
    pub fn members(&self) -> &'static [Member] {
        match self.kind {
            Kind::Structure(members) | Kind::Union(members) => members,
            _ => &[],
        }
    }
    /// The member with this modelled name.
    pub fn member(&self, name: &str) -> Option<&'static Member> {
        self.members().iter().find(|member| member.name == name)
    }
}

impl Member {
    /// The name on the wire.
    pub fn wire(&self) -> &'static str {
        self.wire_name.unwrap_or(self.name)
    }
}
