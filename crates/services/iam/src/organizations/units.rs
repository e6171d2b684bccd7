//! Organizational units.
//!
//! INVARIANT: names are different below one parent. Whoever adds or renames a unit writes the parent too, so that of
//! two who do it at once one begins again.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_organizations::operations as op;
use stoa_models_organizations::types::{
    CreateOrganizationalUnitRequest, CreateOrganizationalUnitResponse, DeleteOrganizationalUnitRequest,
    DescribeOrganizationalUnitRequest, DescribeOrganizationalUnitResponse, OrganizationalUnit,
    UpdateOrganizationalUnitRequest, UpdateOrganizationalUnitResponse,
};
use stoa_schema::Empty;
use stoa_store::{Query, Transaction};

use super::error::{busy, constraint, no_such_parent, no_such_unit, refused};
use super::wire::{tags_added, wire_unit};
use super::{ATTEMPTS, new_id};
use crate::Iam;
use crate::error::store_failed;
use crate::state::{Loaded, NodeKind, NodeRecord, Organization, kind};

/// How many levels of units there may be below the root.
const DEEPEST: usize = 5;
/// How many units there may be.
const MOST: u64 = 2_000;

fn units() -> Query {
    Query { statuses: vec![NodeKind::Unit.as_str().to_owned()], ..Query::of(kind::NODE) }
}

impl Iam {
    /// The unit with this id.
    async fn unit(&self, id: &str) -> Result<Loaded<NodeRecord>, ApiError> {
        let found = self.node(id).await?;
        found.filter(|found| found.record.what == NodeKind::Unit).ok_or_else(no_such_unit)
    }

    /// The unit as the API has it.
    async fn described_unit(&self, id: &str) -> Result<OrganizationalUnit, ApiError> {
        let organization = self.organization().await?;
        let way = self.way_to(id).await?.unwrap_or_default();
        wire_unit(&organization, &way).ok_or_else(no_such_unit)
    }

    async fn check_unit_name(&self, parent: &str, name: &str) -> Result<(), ApiError> {
        let same = Query { name: Some(name.to_owned()), ..units().children_of(parent) };
        if self.store.count(&same).await.map_err(store_failed)? == 0 {
            return Ok(());
        }
        Err(refused("DuplicateOrganizationalUnitException", "An OU with the same name already exists."))
    }

    async fn check_unit_limits(&self, parent: &str) -> Result<(), ApiError> {
        // The way begins at the root, so its length is the level of what comes below its end.
        if self.way_to(parent).await?.unwrap_or_default().len() > DEEPEST {
            return Err(constraint(
                "OU_DEPTH_LIMIT_EXCEEDED",
                "You attempted to create an OU tree that is too many levels deep.",
            ));
        }
        if self.store.count(&units()).await.map_err(store_failed)? >= MOST {
            return Err(constraint(
                "OU_NUMBER_LIMIT_EXCEEDED",
                "You attempted to exceed the number of OUs that you can have in an organization.",
            ));
        }
        Ok(())
    }
}

/// `ou-<root>-<eight letters>`.
fn unit_id(iam: &Iam, organization: &Organization) -> String {
    let root = organization.root_id.trim_start_matches("r-");
    new_id(&*iam.ids, &format!("ou-{root}-"), 8)
}

impl Handles<op::CreateOrganizationalUnit> for Iam {
    async fn handle(
        &self,
        _cx: &Cx,
        input: Authorized<CreateOrganizationalUnitRequest>,
    ) -> Result<CreateOrganizationalUnitResponse, ApiError> {
        let input = input.into_inner();
        let tags = tags_added(Vec::new(), input.tags)?;
        for _ in 0..ATTEMPTS {
            let organization = self.loaded_organization().await?;
            let parent = self.node(&input.parent_id).await?;
            let parent = parent.filter(|parent| parent.record.what != NodeKind::Account).ok_or_else(no_such_parent)?;
            self.check_unit_limits(&input.parent_id).await?;
            self.check_unit_name(&input.parent_id, &input.name).await?;
            let id = unit_id(self, &organization.record);
            let place = (&*id, &*input.name);
            let mut transaction =
                self.with_new_node(Transaction::new(), &organization, parent, NodeKind::Unit, place)?;
            if !tags.is_empty() {
                transaction = transaction.set_tags(&organization.record.node_arn(&id), tags.clone());
            }
            if self.applied(transaction).await? {
                let organizational_unit = Some(self.described_unit(&id).await?);
                return Ok(CreateOrganizationalUnitResponse { organizational_unit });
            }
        }
        Err(busy())
    }
}

impl Handles<op::DescribeOrganizationalUnit> for Iam {
    async fn handle(
        &self,
        _cx: &Cx,
        input: Authorized<DescribeOrganizationalUnitRequest>,
    ) -> Result<DescribeOrganizationalUnitResponse, ApiError> {
        let organizational_unit = Some(self.described_unit(&input.organizational_unit_id).await?);
        Ok(DescribeOrganizationalUnitResponse { organizational_unit })
    }
}

impl Handles<op::UpdateOrganizationalUnit> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<UpdateOrganizationalUnitRequest>,
    ) -> Result<UpdateOrganizationalUnitResponse, ApiError> {
        let id = &input.organizational_unit_id;
        for _ in 0..ATTEMPTS {
            let mut unit = self.unit(id).await?;
            let name = input.name.as_deref().filter(|name| *name != unit.record.name);
            if let Some(name) = name {
                let parent = unit.record.parent.clone().ok_or_else(no_such_unit)?;
                let parent = self.node(&parent).await?.ok_or_else(no_such_unit)?;
                self.check_unit_name(&parent.record.id, name).await?;
                name.clone_into(&mut unit.record.name);
                let mut document = unit.changed(cx.now)?;
                document.name.clone_from(&unit.record.name);
                if !self.applied(Transaction::new().update(document).update(parent.changed(cx.now)?)).await? {
                    continue;
                }
            }
            let organizational_unit = Some(self.described_unit(id).await?);
            return Ok(UpdateOrganizationalUnitResponse { organizational_unit });
        }
        Err(busy())
    }
}

impl Handles<op::DeleteOrganizationalUnit> for Iam {
    async fn handle(&self, _cx: &Cx, input: Authorized<DeleteOrganizationalUnitRequest>) -> Result<Empty, ApiError> {
        for _ in 0..ATTEMPTS {
            let unit = self.unit(&input.organizational_unit_id).await?;
            if unit.record.children > 0 {
                return Err(refused(
                    "OrganizationalUnitNotEmptyException",
                    "The specified OU is not empty. Move all accounts to another root or to other OUs, remove all child \
                     OUs, and try the operation again.",
                ));
            }
            let arn = self.organization().await?.node_arn(&unit.record.id);
            let transaction = self.without_node(Transaction::new(), &unit).await?.set_tags(&arn, Vec::new());
            if self.applied(transaction).await? {
                return Ok(Empty {});
            }
        }
        Err(busy())
    }
}
