//! Needs across services: one small trait a file, wired in `app`.

mod account_data;
mod authority;
mod bearer_tokens;
mod bucket_rules;
mod bucket_settings;
mod buckets;
mod data_keys;
mod hub_access;
mod hub_contents;
mod hub_repositories;
mod issuer_keys;
mod licences;
mod object_access;
mod object_versions;
mod objects;
mod organization;
mod policy_insight;
mod presign;
mod read_object;
mod resolve_image;
mod resource_policies;
mod shareable;
mod shared_resources;
mod signatures;
mod tags;

pub use account_data::DeleteAccountData;
pub use authority::{AccountPlace, Authority, Credential, Verdict};
pub use bearer_tokens::{Bearer, BearerTokens};
pub use bucket_rules::{CorsRule, LifecycleFilter, LifecycleRule};
pub use bucket_settings::{
    BucketConfiguration, BucketEncryption, BucketSettings, ObjectTags, PublicAccessBlock, SettingChange,
};
pub use buckets::{
    BodyChecks, BodyStream, BucketRecord, Buckets, Checksum, ChecksumAlgorithm, ClaimedPart, CompleteUpload,
    ListObjects, Listing, ObjectAttributes, ObjectRecord, Objects, PartRecord, UploadName, UploadRecord, Uploads,
    WriteCondition, WriteObject, rolled_up,
};
pub use data_keys::{DataKey, DataKeyCall, DataKeys};
pub use hub_access::{HubAccess, ModelAccessRequest};
pub use hub_contents::{HubContentName, HubContents};
pub use hub_repositories::{HubRepositories, RepositoryCard, RepositoryFile, Revision};
pub use issuer_keys::{IssuerKeys, IssuerKeysError};
pub use licences::{LicenceText, Licences};
pub use object_access::{ObjectAccess, ObjectRead};
pub use object_versions::{
    Deletion, FoundVersion, ListVersions, MarkerRecord, ObjectVersions, VersionEntry, VersionListing, Versioning,
};
pub use objects::{ObjectEntry, ObjectSource};
pub use organization::{OrganizationFacts, OrganizationName};
pub use policy_insight::{
    AccessQuestion, Candidate, OpenCondition, OrganizationAccount, PastPrincipal, PastTarget, PolicyInsight, Rehearsal,
    Rehearsed, StatementPlace, Subject, SubjectAccess, Subjects,
};
pub use presign::{GRANT_KEY, PRESIGNING_PRINCIPAL, PresignObject};
pub use read_object::{ReadObject, SealAlgorithm, Sealed, StoredBytes};
pub use resolve_image::{ImageCommand, ResolveImage};
pub use resource_policies::ResourcePolicies;
pub use shareable::ShareableResources;
pub use shared_resources::SharedResources;
pub use signatures::{Signature, Signatures};
pub use tags::ResourceTags;
