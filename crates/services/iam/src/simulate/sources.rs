//! Where simulated policies come from, and where in their text a statement stands.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use stoa_kernel::{ApiError, Cx};
use stoa_models_iam::types::{PolicySourceType, Position, SimulatePrincipalPolicyRequest, Statement};
use stoa_policy::{Considered, Document, PolicyKind, PolicySet};

use super::Sets;
use crate::Iam;
use crate::authority::{Sources as Read, role_key_of};
use crate::error::{invalid_input, no_such_entity, store_failed};
use crate::holder::path_and_name;
use crate::managed;
use crate::state::{AccountRecord, PolicyType, RoleRecord, UserRecord, load};

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
    text: String,
    document: Document,
}

/// All policies of a simulation. Sets are compiled under a source's number, so that statements lead back to it.
pub(super) struct Sources {
    list: Vec<Source>,
    management_account: bool,
}

impl Sources {
    fn add(&mut self, part: Part, id: &str, kind: PolicySourceType, text: &str) -> Result<(), ApiError> {
        let of = if part == Part::Resource { PolicyKind::Resource } else { PolicyKind::Identity };
        let document = Document::parse_as(text, of).map_err(|error| invalid_input(format!("{id}: {error}")))?;
        self.list.push(Source { part, id: id.to_owned(), kind, text: text.to_owned(), document });
        Ok(())
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

    /// The statement as the API tells of it.
    pub(super) fn statement(&self, considered: &Considered) -> Option<Statement> {
        let source = self.list.get(considered.policy.parse::<usize>().ok()?)?;
        let (start, end) = place(&source.text, considered.index).unzip();
        Some(Statement {
            source_policy_id: Some(source.id.clone()),
            source_policy_type: Some(source.kind),
            start_position: start,
            end_position: end,
        })
    }
}

impl Iam {
    pub(super) async fn simulation_sources(
        &self,
        cx: &Cx,
        input: &SimulatePrincipalPolicyRequest,
    ) -> Result<Sources, ApiError> {
        let mut sources = Sources { list: Vec::new(), management_account: false };
        let boundary = self.add_principal(cx, &mut sources, &input.policy_source_arn).await?;
        for (index, text) in input.policy_input_list.iter().flatten().enumerate() {
            sources.add(Part::Identity, &format!("PolicyInputList.{}", index + 1), PolicySourceType::None, text)?;
        }
        let given = input.permissions_boundary_policy_input_list.as_deref().unwrap_or_default();
        for (index, text) in given.iter().enumerate() {
            let id = format!("PermissionsBoundaryPolicyInputList.{}", index + 1);
            sources.add(Part::Boundary, &id, PolicySourceType::None, text)?;
        }
        if let Some(arn) = boundary.filter(|_| given.is_empty()) {
            self.add_managed(&mut sources, Part::Boundary, &arn).await?;
        }
        if let Some(text) = &input.resource_policy {
            sources.add(Part::Resource, "ResourcePolicy", PolicySourceType::Resource, text)?;
        }
        let account = self.load_account(self.account(cx)).await?.record;
        self.add_scps(&mut sources, &account).await?;
        Ok(sources)
    }

    /// Adds the policies of the user or role, and returns its boundary.
    async fn add_principal(&self, cx: &Cx, sources: &mut Sources, arn: &str) -> Result<Option<String>, ApiError> {
        let account = self.account(cx);
        let missing = || no_such_entity(format!("The principal {arn} cannot be found."));
        let in_account = arn.split(':').nth(4) == Some(account.as_str());
        let (_, name) = path_and_name(arn);
        let (kind, inline, attached, boundary) = if let Some(key) = role_key_of(arn).filter(|_| in_account) {
            let role = load::<RoleRecord>(&*self.store, &key).await?.ok_or_else(missing)?.record;
            (PolicySourceType::Role, role.inline, role.attached, role.boundary)
        } else if in_account && arn.contains(":user/") {
            let user = self.holder::<UserRecord>(account, name).await?.record;
            (PolicySourceType::User, user.inline, user.attached, user.boundary)
        } else if in_account {
            return Err(invalid_input(format!(
                "Invalid Entity Arn: {arn} does not clearly define entity type and name."
            )));
        } else {
            return Err(missing());
        };
        for (policy, text) in &inline {
            sources.add(Part::Identity, policy, kind, text)?;
        }
        for policy in &attached {
            self.add_managed(sources, Part::Identity, policy).await?;
        }
        Ok(boundary)
    }

    async fn add_managed(&self, sources: &mut Sources, part: Part, arn: &str) -> Result<(), ApiError> {
        let kind =
            if managed::find(arn).is_some() { PolicySourceType::AwsManaged } else { PolicySourceType::UserManaged };
        match self.managed_document(arn, &mut Read::default()).await? {
            Some(text) => sources.add(part, path_and_name(arn).1, kind, &text),
            None => Ok(()),
        }
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
