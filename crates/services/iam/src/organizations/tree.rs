//! The tree from outside: what is below a node, what is above it, and an account moved.

use std::sync::Arc;

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_organizations::operations as op;
use stoa_models_organizations::types::{
    Child, ChildType, ListAccountsForParentRequest, ListAccountsForParentResponse, ListChildrenRequest,
    ListChildrenResponse, ListOrganizationalUnitsForParentRequest, ListOrganizationalUnitsForParentResponse,
    ListParentsRequest, ListParentsResponse, MoveAccountRequest, Parent, ParentType,
};
use stoa_schema::Empty;
use stoa_store::{Document, Query, Transaction};

use super::ATTEMPTS;
use super::error::{busy, no_such_account, no_such_parent, refused};
use super::wire::{Asked, wire_unit};
use crate::Iam;
use crate::error::store_failed;
use crate::state::{Loaded, NodeKind, NodeRecord, kind};

impl Iam {
    /// The documents of what is directly below a root or unit, of one kind.
    async fn below(&self, parent: &str, what: NodeKind) -> Result<Vec<Arc<Document>>, ApiError> {
        self.container(parent).await?.ok_or_else(no_such_parent)?;
        let statuses = vec![what.as_str().to_owned()];
        self.all(Query { statuses, ..Query::of(kind::NODE).children_of(parent) }).await
    }

    /// A root or unit.
    async fn container(&self, id: &str) -> Result<Option<Loaded<NodeRecord>>, ApiError> {
        Ok(self.node(id).await?.filter(|node| node.record.what != NodeKind::Account))
    }
}

impl Handles<op::ListChildren> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<ListChildrenRequest>) -> Result<ListChildrenResponse, ApiError> {
        let what = match input.child_type {
            ChildType::Account => NodeKind::Account,
            ChildType::OrganizationalUnit => NodeKind::Unit,
        };
        let mut list = Vec::new();
        for document in self.below(&input.parent_id, what).await? {
            let id = document.key.id.clone();
            list.push((id.clone(), Child { id: Some(id), r#type: Some(input.child_type) }));
        }
        let asked = Asked {
            scope: format!("ListChildren/{}/{}", input.parent_id, what.as_str()),
            next_token: input.next_token.as_deref(),
            max_results: input.max_results,
        };
        let page = self.organization_page(cx, &asked, list)?;
        Ok(ListChildrenResponse { children: Some(page.items), next_token: page.marker })
    }
}

impl Handles<op::ListOrganizationalUnitsForParent> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListOrganizationalUnitsForParentRequest>,
    ) -> Result<ListOrganizationalUnitsForParentResponse, ApiError> {
        let organization = self.organization().await?;
        let below = self.below(&input.parent_id, NodeKind::Unit).await?;
        let mut way = self.way_to(&input.parent_id).await?.unwrap_or_default();
        let mut list = Vec::new();
        for document in below {
            way.push(document.decode().map_err(store_failed)?);
            let unit = wire_unit(&organization, &way);
            way.pop();
            list.extend(unit.map(|unit| (document.key.id.clone(), unit)));
        }
        let asked = Asked {
            scope: format!("ListOrganizationalUnitsForParent/{}", input.parent_id),
            next_token: input.next_token.as_deref(),
            max_results: input.max_results,
        };
        let page = self.organization_page(cx, &asked, list)?;
        Ok(ListOrganizationalUnitsForParentResponse { organizational_units: Some(page.items), next_token: page.marker })
    }
}

impl Handles<op::ListAccountsForParent> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListAccountsForParentRequest>,
    ) -> Result<ListAccountsForParentResponse, ApiError> {
        let mut list = Vec::new();
        for document in self.below(&input.parent_id, NodeKind::Account).await? {
            let account = self.wire_account(&document.key.id).await?;
            list.extend(account.map(|account| (document.key.id.clone(), account)));
        }
        let asked = Asked {
            scope: format!("ListAccountsForParent/{}", input.parent_id),
            next_token: input.next_token.as_deref(),
            max_results: input.max_results,
        };
        let page = self.organization_page(cx, &asked, list)?;
        Ok(ListAccountsForParentResponse { accounts: Some(page.items), next_token: page.marker })
    }
}

impl Handles<op::ListParents> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<ListParentsRequest>) -> Result<ListParentsResponse, ApiError> {
        let child = self.node(&input.child_id).await?;
        let parent = child.and_then(|child| child.record.parent);
        let id =
            parent.ok_or_else(|| refused("ChildNotFoundException", "You specified a child that doesn't exist."))?;
        let what = if id.starts_with("r-") { ParentType::Root } else { ParentType::OrganizationalUnit };
        let asked = Asked {
            scope: format!("ListParents/{}", input.child_id),
            next_token: input.next_token.as_deref(),
            max_results: input.max_results,
        };
        let parent = Parent { id: Some(id), r#type: Some(what) };
        let page = self.organization_page(cx, &asked, vec![(String::new(), parent)])?;
        Ok(ListParentsResponse { parents: Some(page.items), next_token: page.marker })
    }
}

impl Handles<op::MoveAccount> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<MoveAccountRequest>) -> Result<Empty, ApiError> {
        for _ in 0..ATTEMPTS {
            let account = self.node(&input.account_id).await?;
            let mut account =
                account.filter(|found| found.record.what == NodeKind::Account).ok_or_else(no_such_account)?;
            let no_source =
                || refused("SourceParentNotFoundException", "You specified a source parent that doesn't exist.");
            let mut source = self.container(&input.source_parent_id).await?.ok_or_else(no_source)?;
            let mut destination = self.container(&input.destination_parent_id).await?.ok_or_else(|| {
                refused("DestinationParentNotFoundException", "You specified a destination parent that doesn't exist.")
            })?;
            if account.record.parent.as_deref() == Some(&*destination.record.id) {
                return Err(refused(
                    "DuplicateAccountException",
                    "That account is already present in the specified destination.",
                ));
            }
            if account.record.parent.as_deref() != Some(&*source.record.id) {
                return Err(no_source());
            }
            account.record.parent = Some(destination.record.id.clone());
            source.record.children = source.record.children.saturating_sub(1);
            destination.record.children += 1;
            let moved = account.changed(cx.now)?.with_parent(&destination.record.id);
            let transaction =
                Transaction::new().update(moved).update(source.changed(cx.now)?).update(destination.changed(cx.now)?);
            if self.applied(transaction).await? {
                return Ok(Empty {});
            }
        }
        Err(busy())
    }
}
