//! Users, groups and roles seen alike, with the policies that each of them holds: for listings, reports, simulation.

use std::collections::BTreeMap;

use stoa_kernel::ApiError;
use stoa_models_iam::types::PolicyOwnerEntityType;
use stoa_types::AccountId;

use crate::Iam;
use crate::authority::Sources;
use crate::error::{invalid_input, store_failed};
use crate::holder::path_and_name;
use crate::state::{GroupRecord, RoleRecord, UserRecord, global_key, kind, load};

/// What an entity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum EntityKind {
    Group,
    Role,
    User,
}

impl EntityKind {
    /// As the last-accessed operations name it.
    pub(crate) fn wire(self) -> PolicyOwnerEntityType {
        match self {
            EntityKind::Group => PolicyOwnerEntityType::Group,
            EntityKind::Role => PolicyOwnerEntityType::Role,
            EntityKind::User => PolicyOwnerEntityType::User,
        }
    }
}

/// A user, group or role.
#[derive(Debug, Clone)]
pub(crate) struct Entity {
    pub(crate) kind: EntityKind,
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) path: String,
    pub(crate) arn: String,
    pub(crate) inline: BTreeMap<String, String>,
    pub(crate) attached: Vec<String>,
    pub(crate) boundary: Option<String>,
    /// The ids of a user's groups' documents.
    pub(crate) groups: Vec<String>,
}

macro_rules! entity {
    // entity!(UserRecord, User, |user| boundary, groups) makes an entity of the record.
    ($record:ty, $kind:ident, |$own:ident| $boundary:expr, $groups:expr) => {
        impl From<$record> for Entity {
            fn from($own: $record) -> Entity {
                let (boundary, groups) = ($boundary, $groups);
                Entity {
                    kind: EntityKind::$kind,
                    name: $own.name,
                    id: $own.id,
                    path: $own.path,
                    arn: $own.arn,
                    inline: $own.inline,
                    attached: $own.attached,
                    boundary,
                    groups,
                }
            }
        }
    };
}

entity!(UserRecord, User, |user| user.boundary.clone(), user.groups.clone());
entity!(RoleRecord, Role, |role| role.boundary.clone(), Vec::new());
entity!(GroupRecord, Group, |group| None, Vec::new());

/// A policy that an entity holds, by itself or through a group.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) name: String,
    /// None for an inline policy.
    pub(crate) arn: Option<String>,
    /// Whose it is: the entity itself, or one of its groups.
    pub(crate) owner: (EntityKind, String),
    pub(crate) document: String,
}

impl Iam {
    /// All users, groups and roles of an account: groups first, each kind by name.
    pub(crate) async fn entities(&self, account: &AccountId) -> Result<Vec<Entity>, ApiError> {
        let mut entities: Vec<Entity> = Vec::new();
        for document in self.all_of(kind::GROUP, account).await? {
            entities.push(document.decode::<GroupRecord>().map_err(store_failed)?.into());
        }
        for document in self.all_of(kind::ROLE, account).await? {
            entities.push(document.decode::<RoleRecord>().map_err(store_failed)?.into());
        }
        for document in self.all_of(kind::USER, account).await? {
            entities.push(document.decode::<UserRecord>().map_err(store_failed)?.into());
        }
        Ok(entities)
    }

    /// The user, group or role with this ARN, in this account.
    pub(crate) async fn entity_by_arn(&self, account: &AccountId, arn: &str) -> Result<Entity, ApiError> {
        let unclear =
            || invalid_input(format!("Invalid Entity Arn: {arn} does not clearly define entity type and name."));
        let own = arn.split(':').nth(4) == Some(account.as_str());
        let what = arn.splitn(6, ':').nth(5).filter(|_| own).ok_or_else(unclear)?;
        let (_, name) = path_and_name(arn);
        match what.split('/').next() {
            Some("user") => Ok(self.holder::<UserRecord>(account, name).await?.record.into()),
            Some("role") => Ok(self.holder::<RoleRecord>(account, name).await?.record.into()),
            Some("group") => Ok(self.holder::<GroupRecord>(account, name).await?.record.into()),
            _ => Err(unclear()),
        }
    }

    /// The policies of an entity, those of its groups included.
    pub(crate) async fn held_policies(&self, account: &AccountId, entity: &Entity) -> Result<Vec<Held>, ApiError> {
        let mut held = self.own_policies(entity).await?;
        for id in &entity.groups {
            if let Some(group) = load::<GroupRecord>(&*self.store, &global_key(kind::GROUP, account, id)).await? {
                held.extend(self.own_policies(&group.record.into()).await?);
            }
        }
        Ok(held)
    }

    async fn own_policies(&self, entity: &Entity) -> Result<Vec<Held>, ApiError> {
        let owner = (entity.kind, entity.name.clone());
        let inline = |(name, document): (&String, &String)| Held {
            name: name.clone(),
            arn: None,
            owner: owner.clone(),
            document: document.clone(),
        };
        let mut held: Vec<Held> = entity.inline.iter().map(inline).collect();
        for arn in &entity.attached {
            if let Some(document) = self.managed_document(arn, &mut Sources::default()).await? {
                let name = path_and_name(arn).1.to_owned();
                held.push(Held { name, arn: Some(arn.clone()), owner: owner.clone(), document });
            }
        }
        Ok(held)
    }
}
