//! Who is in a group: joining, leaving, and a user's groups.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    AddUserToGroupRequest, ListGroupsForUserRequest, ListGroupsForUserResponse, RemoveUserFromGroupRequest,
};
use stoa_schema::Empty;
use stoa_store::{StoreError, Transaction};

use super::wire_group;
use crate::Iam;
use crate::error::{no_such_entity, store_failed};
use crate::holder::{ATTEMPTS, busy};
use crate::paging::Paging;
use crate::quotas::{GROUPS_PER_USER, exceeded};
use crate::state::{GroupRecord, Loaded, UserRecord, global_key, kind, load};

impl Iam {
    /// The groups of a user, in the order of joining.
    pub(crate) async fn groups_of(&self, user: &Loaded<UserRecord>) -> Result<Vec<GroupRecord>, ApiError> {
        let mut groups = Vec::with_capacity(user.record.groups.len());
        for id in &user.record.groups {
            let key = global_key(kind::GROUP, &user.document.key.account, id);
            // A group that is renamed or deleted between the two reads is not there any more.
            groups.extend(load::<GroupRecord>(&*self.store, &key).await?.map(|group| group.record));
        }
        Ok(groups)
    }

    /// Changes user and group together; `change` says by how much the group grows, or that nothing is to be done.
    async fn change_membership(
        &self,
        cx: &Cx,
        user: &str,
        group: &str,
        change: impl Fn(&mut UserRecord, &str) -> Result<Option<i64>, ApiError> + Send + Sync,
    ) -> Result<(), ApiError> {
        let account = self.account(cx);
        for _ in 0..ATTEMPTS {
            let mut group = self.holder::<GroupRecord>(account, group).await?;
            let mut user = self.holder::<UserRecord>(account, user).await?;
            let Some(by) = change(&mut user.record, &group.document.key.id)? else { return Ok(()) };
            group.record.members = group.record.members.saturating_add_signed(by);
            let transaction = Transaction::new().update(group.changed(cx.now)?).update(user.changed(cx.now)?);
            match self.store.commit(transaction).await {
                Ok(()) => return Ok(()),
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(store_failed(other)),
            }
        }
        Err(busy::<GroupRecord>(group))
    }
}

impl Handles<op::AddUserToGroup> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<AddUserToGroupRequest>) -> Result<Empty, ApiError> {
        let join = |user: &mut UserRecord, id: &str| {
            if user.groups.iter().any(|own| own == id) {
                return Ok(None);
            }
            if user.groups.len() >= GROUPS_PER_USER {
                return Err(exceeded("GroupsPerUser", GROUPS_PER_USER));
            }
            user.groups.push(id.to_owned());
            Ok(Some(1))
        };
        self.change_membership(cx, &input.user_name, &input.group_name, join).await?;
        Ok(Empty {})
    }
}

impl Handles<op::RemoveUserFromGroup> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<RemoveUserFromGroupRequest>) -> Result<Empty, ApiError> {
        let (user, group) = (&input.user_name, &input.group_name);
        let leave = |record: &mut UserRecord, id: &str| {
            let before = record.groups.len();
            record.groups.retain(|own| own != id);
            if record.groups.len() == before {
                return Err(no_such_entity(format!("User {user} not in group {group}")));
            }
            Ok(Some(-1))
        };
        self.change_membership(cx, user, group, leave).await?;
        Ok(Empty {})
    }
}

impl Handles<op::ListGroupsForUser> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListGroupsForUserRequest>,
    ) -> Result<ListGroupsForUserResponse, ApiError> {
        let user = self.holder::<UserRecord>(self.account(cx), &input.user_name).await?;
        let paging = Paging {
            scope: format!("ListGroupsForUser/{}", user.record.id),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let groups = self.groups_of(&user).await?;
        let list = groups.iter().map(|group| (group.name.clone(), wire_group(group))).collect();
        let page = self.page_of_list(cx, &paging, list)?;
        Ok(ListGroupsForUserResponse { is_truncated: page.truncated(), groups: page.items, marker: page.marker })
    }
}
