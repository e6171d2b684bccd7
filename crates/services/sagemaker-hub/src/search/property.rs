//! The properties of a hub content that a search can name: the members of its record, and its tags.

use stoa_kernel::ApiError;
use stoa_models_sagemaker::types::{HubContent, HubContentDependency, HubContentSupportStatus};
use stoa_types::Timestamp;

/// The nested property, whose parts a NestedFilters entry holds to one and the same element.
pub(super) const DEPENDENCIES: &str = "HubContentDependencies";

/// A property.
#[derive(Debug, Clone)]
pub(super) enum Property {
    Text(&'static TextProperty),
    Time(&'static TimeProperty),
    /// `Tags.<key>`.
    Tag(String),
}

/// A text, or several of which one is enough.
#[derive(Debug)]
pub(super) struct TextProperty {
    pub name: &'static str,
    pub of: fn(&HubContent) -> Vec<&str>,
    /// Read from the long texts, and too long to sort by.
    pub long: bool,
}

/// A time.
#[derive(Debug)]
pub(super) struct TimeProperty {
    pub name: &'static str,
    pub of: fn(&HubContent) -> Option<Timestamp>,
}

/// A part of a dependency.
#[derive(Debug)]
pub(super) struct Part {
    pub name: &'static str,
    pub of: fn(&HubContentDependency) -> Option<&str>,
}

/// What must be read besides what lists show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Needs {
    pub texts: bool,
    pub tags: bool,
}

impl Needs {
    pub fn and(self, other: Needs) -> Needs {
        Needs { texts: self.texts || other.texts, tags: self.tags || other.tags }
    }
}

const fn short(name: &'static str, of: fn(&HubContent) -> Vec<&str>) -> TextProperty {
    TextProperty { name, of, long: false }
}

const fn long(name: &'static str, of: fn(&HubContent) -> Vec<&str>) -> TextProperty {
    TextProperty { name, of, long: true }
}

static TEXTS: [TextProperty; 31] = [
    short("HubContentName", |content| vec![&content.hub_content_name]),
    short("HubContentArn", |content| vec![&content.hub_content_arn]),
    short("HubContentVersion", |content| vec![&content.hub_content_version]),
    short("HubContentType", |content| vec![content.hub_content_type.as_str()]),
    short("DocumentSchemaVersion", |content| vec![&content.document_schema_version]),
    short("HubName", |content| vec![&content.hub_name]),
    short("HubArn", |content| vec![&content.hub_arn]),
    short("HubContentDisplayName", |content| given(content.hub_content_display_name.as_ref())),
    short("HubContentDescription", |content| given(content.hub_content_description.as_ref())),
    long("HubContentMarkdown", |content| given(content.hub_content_markdown.as_ref())),
    long("HubContentDocument", |content| given(content.hub_content_document.as_ref())),
    short("SageMakerPublicHubContentArn", |content| given(content.sage_maker_public_hub_content_arn.as_ref())),
    short("ReferenceMinVersion", |content| given(content.reference_min_version.as_ref())),
    short("SupportStatus", |content| content.support_status.map(HubContentSupportStatus::as_str).into_iter().collect()),
    short("HubContentSearchKeywords", |content| {
        content.hub_content_search_keywords.iter().flatten().map(String::as_str).collect()
    }),
    long("HubContentDependencies.DependencyOriginPath", |content| {
        dependencies(content).iter().filter_map(|dependency| dependency.dependency_origin_path.as_deref()).collect()
    }),
    long("HubContentDependencies.DependencyCopyPath", |content| {
        dependencies(content).iter().filter_map(|dependency| dependency.dependency_copy_path.as_deref()).collect()
    }),
    short("HubContentStatus", |content| vec![content.hub_content_status.as_str()]),
    short("FailureReason", |content| given(content.failure_reason.as_ref())),
    // Properties of AWS's that Stoa records of no content: they exist nowhere.
    short("CreatedBy.UserProfileArn", |_| Vec::new()),
    short("CreatedBy.UserProfileName", |_| Vec::new()),
    short("CreatedBy.DomainId", |_| Vec::new()),
    short("CreatedBy.IamIdentity.Arn", |_| Vec::new()),
    short("CreatedBy.IamIdentity.PrincipalId", |_| Vec::new()),
    short("CreatedBy.IamIdentity.SourceIdentity", |_| Vec::new()),
    short("LastModifiedBy.UserProfileArn", |_| Vec::new()),
    short("LastModifiedBy.UserProfileName", |_| Vec::new()),
    short("LastModifiedBy.DomainId", |_| Vec::new()),
    short("LastModifiedBy.IamIdentity.Arn", |_| Vec::new()),
    short("LastModifiedBy.IamIdentity.PrincipalId", |_| Vec::new()),
    short("LastModifiedBy.IamIdentity.SourceIdentity", |_| Vec::new()),
];

static TIMES: [TimeProperty; 2] = [
    TimeProperty { name: "CreationTime", of: |content| Some(content.creation_time) },
    TimeProperty { name: "LastModifiedTime", of: |content| content.last_modified_time },
];

/// What a nested filter on dependencies can name.
static PARTS: [Part; 2] = [
    Part {
        name: "HubContentDependencies.DependencyOriginPath",
        of: |dependency| dependency.dependency_origin_path.as_deref(),
    },
    Part {
        name: "HubContentDependencies.DependencyCopyPath",
        of: |dependency| dependency.dependency_copy_path.as_deref(),
    },
];

fn given(text: Option<&String>) -> Vec<&str> {
    text.map(String::as_str).into_iter().collect()
}

/// The dependencies of a notebook; other contents have none.
pub(super) fn dependencies(content: &HubContent) -> &[HubContentDependency] {
    content.hub_content_dependencies.as_deref().unwrap_or_default()
}

impl Property {
    /// The property of this name.
    pub fn of(name: &str) -> Result<Property, ApiError> {
        if let Some(tag) = name.strip_prefix("Tags.").filter(|tag| !tag.is_empty()) {
            return Ok(Property::Tag(tag.to_owned()));
        }
        let text = TEXTS.iter().find(|property| property.name == name).map(Property::Text);
        let time = || TIMES.iter().find(|property| property.name == name).map(Property::Time);
        text.or_else(time).ok_or_else(|| {
            ApiError::validation(format!(
                "`{name}` is not a property of HubContent that can be searched: give a member of HubContent such as \
                 HubContentName, or Tags.<key>"
            ))
        })
    }

    /// The property that results are put in order by.
    pub fn to_sort_by(name: &str) -> Result<Property, ApiError> {
        match Property::of(name)? {
            Property::Text(text) if text.long || text.name == "HubContentSearchKeywords" => {
                Err(ApiError::validation(format!("SortBy: results cannot be put in order of {name}")))
            }
            property => Ok(property),
        }
    }

    /// What of a record it is in.
    pub fn needs(&self) -> Needs {
        match self {
            Property::Text(text) => Needs { texts: text.long, tags: false },
            Property::Time(_) => Needs::default(),
            Property::Tag(_) => Needs { texts: false, tags: true },
        }
    }

    /// Its texts in a record; none for a time.
    pub fn texts<'c>(&self, content: &'c HubContent) -> Vec<&'c str> {
        match self {
            Property::Text(text) => (text.of)(content),
            Property::Time(_) => Vec::new(),
            Property::Tag(key) => {
                let tags = content.tags.iter().flatten();
                tags.filter(|tag| tag.key == *key).map(|tag| tag.value.as_str()).collect()
            }
        }
    }
}

impl Part {
    /// The part of a dependency of this name.
    pub fn named(name: &str) -> Result<&'static Part, ApiError> {
        PARTS.iter().find(|part| part.name == name).ok_or_else(|| {
            let known: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
            ApiError::validation(format!("`{name}` is not part of {DEPENDENCIES}, which has {}", known.join(" and ")))
        })
    }
}
