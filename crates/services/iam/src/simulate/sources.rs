//! Where simulated policies come from, and where in their text a statement stands.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use stoa_kernel::{ApiError, Cx};
use stoa_models_iam::types::{
    AttachmentType, PolicyIdentifier, PolicyIdentifierPolicyType as Excluded, PolicySourceType, Position, Statement,
};
use stoa_policy::{Considered, Document, PolicyKind, PolicySet};

use crate::Iam;
use crate::authority::Sources as Read;
use crate::entities::{EntityKind, Held};
use crate::error::{invalid_input, no_such_entity};
use crate::holder::path_and_name;
use crate::inspect::{self, Keys};
use crate::managed;
use crate::state::{AccountRecord, PolicyType};

/// Which set a source belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Identity,
    Boundary,
    Resource,
    /// Service control policies of the level with this number.
    Scp(usize),
}

struct Source {
    part: Part,
    id: String,
    kind: PolicySourceType,
    /// The ARN of a managed policy.
    arn: Option<String>,
    /// Who holds an inline policy.
    owner: Option<(EntityKind, String)>,
    text: String,
    document: Document,
}

impl Source {
    fn parsed(part: Part, id: &str, kind: PolicySourceType, text: &str) -> Result<Source, ApiError> {
        let of = match part {
            Part::Resource => PolicyKind::Resource,
            Part::Scp(_) => PolicyKind::Scp,
            Part::Identity | Part::Boundary => PolicyKind::Identity,
        };
        let document = Document::parse_as(text, of).map_err(|error| invalid_input(format!("{id}: {error}")))?;
        Ok(Source { part, id: id.to_owned(), kind, arn: None, owner: None, text: text.to_owned(), document })
    }
}

/// The sets that a simulation decides over.
pub(super) struct Sets {
    pub(super) identity: PolicySet,
    pub(super) boundary: Option<PolicySet>,
    pub(super) resource: Option<PolicySet>,
    pub(super) scp: Vec<PolicySet>,
    pub(super) management_account: bool,
}

/// All policies of a simulation. Sets are compiled under a source's number, so that statements lead back to it.
#[derive(Default)]
pub(super) struct Sources {
    list: Vec<Source>,
    management_account: bool,
}

impl Sources {
    fn add(&mut self, part: Part, id: &str, kind: PolicySourceType, text: &str) -> Result<(), ApiError> {
        self.list.push(Source::parsed(part, id, kind, text)?);
        Ok(())
    }

    fn add_held(&mut self, held: &Held) -> Result<(), ApiError> {
        let kind = match (&held.arn, held.owner.0) {
            (Some(arn), _) => managed_kind(arn),
            (None, EntityKind::User) => PolicySourceType::User,
            (None, EntityKind::Group) => PolicySourceType::Group,
            (None, EntityKind::Role) => PolicySourceType::Role,
        };
        let source = Source::parsed(Part::Identity, &held.name, kind, &held.document)?;
        let owner = held.arn.is_none().then(|| held.owner.clone());
        self.list.push(Source { arn: held.arn.clone(), owner, ..source });
        Ok(())
    }

    /// Adds the policies of `PolicyInputList`.
    pub(super) fn add_given(&mut self, documents: &[String]) -> Result<(), ApiError> {
        self.add_list(Part::Identity, "PolicyInputList", documents)
    }

    /// Puts given boundaries in the place of the entity's own.
    pub(super) fn replace_boundary(&mut self, documents: &[String]) -> Result<(), ApiError> {
        if !documents.is_empty() {
            self.list.retain(|source| source.part != Part::Boundary);
        }
        self.add_list(Part::Boundary, "PermissionsBoundaryPolicyInputList", documents)
    }

    /// Adds the service control policies of a level, from the root.
    pub(super) fn add_given_scps(&mut self, level: usize, documents: &[String]) -> Result<(), ApiError> {
        let name = format!("OrderedOrganizationPolicyInputList.{}.ServiceControlPolicyInputList", level + 1);
        self.add_list(Part::Scp(level), &name, documents)
    }

    pub(super) fn add_resource_policy(&mut self, text: &str) -> Result<(), ApiError> {
        self.add(Part::Resource, "ResourcePolicy", PolicySourceType::Resource, text)
    }

    fn add_list(&mut self, part: Part, name: &str, documents: &[String]) -> Result<(), ApiError> {
        for (index, text) in documents.iter().enumerate() {
            self.add(part, &format!("{name}.{}", index + 1), PolicySourceType::None, text)?;
        }
        Ok(())
    }

    /// Leaves out what `PolicyExclusionList` names.
    pub(super) fn exclude(&mut self, list: &[PolicyIdentifier]) {
        self.list.retain(|source| !list.iter().any(|excluded| is_meant(source, excluded)));
    }

    fn set(&self, part: Part) -> Option<PolicySet> {
        let numbered = self.list.iter().enumerate().filter(|(_, source)| source.part == part);
        let mut documents = numbered.map(|(number, one)| (Arc::from(number.to_string()), &one.document)).peekable();
        documents.peek().is_some().then(|| PolicySet::compile(documents))
    }

    pub(super) fn compile(&self) -> Sets {
        let levels = self.list.iter().map(|source| match source.part {
            Part::Scp(level) => level + 1,
            _ => 0,
        });
        let levels = levels.max().unwrap_or(0);
        Sets {
            identity: self.set(Part::Identity).unwrap_or_default(),
            boundary: self.set(Part::Boundary),
            resource: self.set(Part::Resource),
            scp: (0..levels).filter_map(|level| self.set(Part::Scp(level))).collect(),
            management_account: self.management_account,
        }
    }

    fn source(&self, considered: &Considered) -> Option<&Source> {
        self.list.get(considered.policy.parse::<usize>().ok()?)
    }

    /// The statement as the API tells of it.
    pub(super) fn statement(&self, considered: &Considered) -> Option<Statement> {
        let source = self.source(considered)?;
        let (start, end) = place(&source.text, considered.index).unzip();
        Some(Statement {
            source_policy_id: Some(source.id.clone()),
            source_policy_type: Some(source.kind),
            start_position: start,
            end_position: end,
        })
    }

    /// Adds the keys that the statement asks for.
    pub(super) fn statement_keys(&self, considered: &Considered, keys: &mut Keys) {
        let Some(source) = self.source(considered) else { return };
        if let Some(statement) = inspect::statements(&source.text).get(considered.index) {
            inspect::statement_keys(statement, keys);
        }
    }
}

fn managed_kind(arn: &str) -> PolicySourceType {
    if managed::find(arn).is_some() { PolicySourceType::AwsManaged } else { PolicySourceType::UserManaged }
}

fn is_meant(source: &Source, excluded: &PolicyIdentifier) -> bool {
    match excluded {
        PolicyIdentifier::PolicyArn(arn) => source.arn.as_ref() == Some(arn),
        PolicyIdentifier::InlinePolicyIdentifier(inline) => {
            let kind = match inline.attachment_type {
                AttachmentType::User => EntityKind::User,
                AttachmentType::Group => EntityKind::Group,
                AttachmentType::Role => EntityKind::Role,
            };
            let owner = source.owner.as_ref();
            source.id == inline.policy_name
                && owner.is_some_and(|owner| owner.0 == kind && owner.1 == inline.attachment_name)
        }
        PolicyIdentifier::PolicyType(Excluded::Inline) => source.owner.is_some(),
        PolicyIdentifier::PolicyType(Excluded::AwsManaged) => {
            source.part == Part::Identity && source.kind == PolicySourceType::AwsManaged
        }
        PolicyIdentifier::PolicyType(Excluded::UserManaged) => {
            source.part == Part::Identity && source.kind == PolicySourceType::UserManaged
        }
        PolicyIdentifier::PolicyType(Excluded::PermissionBoundary) => source.part == Part::Boundary,
        PolicyIdentifier::PolicyType(Excluded::Scp) => matches!(source.part, Part::Scp(_)),
        // Resource control policies are not simulated, as at AWS.
        PolicyIdentifier::PolicyType(Excluded::Rcp) => false,
    }
}

impl Iam {
    /// The policies that bear on an entity: its own, its groups', its boundary, those of the organization.
    pub(super) async fn principal_sources(&self, cx: &Cx, arn: &str) -> Result<Sources, ApiError> {
        let account = self.account(cx);
        if arn.split(':').nth(4) != Some(account.as_str()) {
            return Err(no_such_entity(format!("The principal {arn} cannot be found.")));
        }
        let mut sources = Sources::default();
        let entity = self.entity_by_arn(account, arn).await?;
        for held in self.held_policies(account, &entity).await? {
            sources.add_held(&held)?;
        }
        if let Some(arn) = &entity.boundary
            && let Some(text) = self.managed_document(arn, &mut Read::default()).await?
        {
            let source = Source::parsed(Part::Boundary, path_and_name(arn).1, managed_kind(arn), &text)?;
            sources.list.push(Source { arn: Some(arn.clone()), ..source });
        }
        let account = self.load_account(account).await?.record;
        self.add_scps(&mut sources, &account).await?;
        Ok(sources)
    }

    async fn add_scps(&self, sources: &mut Sources, account: &AccountRecord) -> Result<(), ApiError> {
        sources.management_account = account.management;
        let levels = self.effective_policies(&account.id, PolicyType::ServiceControl).await?;
        for (level, policies) in levels.iter().enumerate() {
            for scp in &policies.policies {
                sources.add(Part::Scp(level), &scp.name, PolicySourceType::None, &scp.document)?;
            }
        }
        Ok(())
    }
}

/// The statements of a document as they stand in its text.
#[derive(Deserialize)]
struct Outline<'a> {
    #[serde(rename = "Statement", borrow)]
    statement: &'a RawValue,
}

/// Where a statement begins and ends, in lines and columns from one.
fn place(text: &str, index: usize) -> Option<(Position, Position)> {
    let outline: Outline<'_> = serde_json::from_str(text).ok()?;
    let all = outline.statement.get();
    let one = if all.starts_with('[') {
        let list: Vec<&RawValue> = serde_json::from_str(all).ok()?;
        list.get(index)?.get()
    } else {
        all
    };
    // `one` is a part of `text`, so the difference of their addresses is its offset.
    let start = (one.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    Some((position(text, start)?, position(text, start + one.len())?))
}

fn position(text: &str, offset: usize) -> Option<Position> {
    let before = text.get(..offset)?;
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Some(Position { line: i64::try_from(line).ok(), column: i64::try_from(column).ok() })
}
