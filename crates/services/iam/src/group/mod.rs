//! Groups: their life. Who is in them is in `members`, their policies are in `policies`.

mod members;
mod policies;

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    CreateGroupRequest, CreateGroupResponse, DeleteGroupRequest, GetGroupRequest, GetGroupResponse, Group,
    ListGroupsRequest, ListGroupsResponse, UpdateGroupRequest,
};
use stoa_schema::Empty;
use stoa_store::{Document, Expect, Query, StoreError, Transaction};
use stoa_types::{AccountId, principal_id};

use crate::Iam;
use crate::error::{already_exists, delete_conflict, store_failed};
use crate::holder::{ATTEMPTS, busy};
use crate::paging::Paging;
use crate::quotas::GROUPS;
use crate::state::{GroupRecord, Loaded, UserRecord, group_key, kind};
use crate::user::wire_user;

/// A group as the API has it.
fn wire_group(group: &GroupRecord) -> Group {
    Group {
        path: group.path.clone(),
        group_name: group.name.clone(),
        group_id: group.id.clone(),
        arn: group.arn.clone(),
        create_date: group.created,
    }
}

fn taken(name: &str) -> ApiError {
    already_exists(format!("Group with name {name} already exists."))
}

fn arn(account: &AccountId, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:group{path}{name}")
}

impl Iam {
    /// The users in a group, by name.
    pub(crate) async fn members(
        &self,
        account: &AccountId,
        group: &GroupRecord,
    ) -> Result<Vec<Loaded<UserRecord>>, ApiError> {
        let id = group.name.to_ascii_lowercase();
        let mut members = Vec::new();
        if group.members == 0 {
            return Ok(members);
        }
        for document in self.all_of(kind::USER, account).await? {
            let record: UserRecord = document.decode().map_err(store_failed)?;
            if record.groups.contains(&id) {
                members.push(Loaded { document, record });
            }
        }
        Ok(members)
    }

    /// The change of name and path, with the users that name the group, in one transaction.
    async fn renamed_group(
        &self,
        account: &AccountId,
        mut group: Loaded<GroupRecord>,
        input: &UpdateGroupRequest,
    ) -> Result<Transaction, ApiError> {
        let now = self.clock.now();
        let members = match &input.new_group_name {
            Some(_) => self.members(account, &group.record).await?,
            None => Vec::new(),
        };
        let record = &mut group.record;
        record.name = input.new_group_name.clone().unwrap_or_else(|| record.name.clone());
        record.path = input.new_path.clone().unwrap_or_else(|| record.path.clone());
        record.arn = arn(account, &record.path, &record.name);
        let key = group_key(account, &record.name);
        let changed = Document { name: group.record.name.clone(), ..group.changed(now)? };
        if key == group.document.key {
            return Ok(Transaction::new().update(changed));
        }
        let expect = Expect::Generation(group.document.generation);
        let mut transaction = Transaction::new()
            .create(Document { key: key.clone(), generation: 0, ..changed })
            .delete(group.document.key.clone(), expect);
        for mut member in members {
            let places = member.record.groups.iter_mut().filter(|id| **id == group.document.key.id);
            places.for_each(|place| place.clone_from(&key.id));
            transaction = transaction.update(member.changed(now)?);
        }
        Ok(transaction)
    }
}

impl Handles<op::CreateGroup> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<CreateGroupRequest>) -> Result<CreateGroupResponse, ApiError> {
        let input = input.into_inner();
        let account = self.account(cx);
        self.room_for(GROUPS, account).await?;
        let path = input.path.unwrap_or_else(|| "/".to_owned());
        let group = GroupRecord {
            id: principal_id(&*self.ids, "AGPA"),
            arn: arn(account, &path, &input.group_name),
            name: input.group_name,
            path,
            created: cx.now,
            inline: Default::default(),
            attached: Vec::new(),
            members: 0,
        };
        let key = group_key(account, &group.name);
        let document = Document::new(key, &group.name, cx.now, &group).map_err(store_failed)?;
        self.commit_or(Transaction::new().create(document), || taken(&group.name)).await?;
        Ok(CreateGroupResponse { group: wire_group(&group) })
    }
}

impl Handles<op::GetGroup> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<GetGroupRequest>) -> Result<GetGroupResponse, ApiError> {
        let account = self.account(cx);
        let group = self.holder::<GroupRecord>(account, &input.group_name).await?.record;
        let paging = Paging {
            scope: format!("GetGroup/{}", group.id),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let members = self.members(account, &group).await?;
        let list = members.iter().map(|user| (user.record.name.clone(), wire_user(&user.record, false))).collect();
        let page = self.page_of_list(cx, &paging, list)?;
        Ok(GetGroupResponse {
            group: wire_group(&group),
            is_truncated: page.truncated(),
            users: page.items,
            marker: page.marker,
        })
    }
}

impl Handles<op::ListGroups> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<ListGroupsRequest>) -> Result<ListGroupsResponse, ApiError> {
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        let paging = Paging {
            scope: format!("ListGroups/{prefix}"),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let query = Query::of(kind::GROUP).owned_by(self.account(cx), None);
        let item = |document: &Document| {
            let group: GroupRecord = document.decode().map_err(store_failed)?;
            Ok(group.path.starts_with(prefix).then(|| wire_group(&group)))
        };
        let page = self.page_of_documents(cx, &paging, query, item).await?;
        Ok(ListGroupsResponse { is_truncated: page.truncated(), groups: page.items, marker: page.marker })
    }
}

impl Handles<op::UpdateGroup> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<UpdateGroupRequest>) -> Result<Empty, ApiError> {
        let account = self.account(cx);
        for _ in 0..ATTEMPTS {
            let group = self.holder::<GroupRecord>(account, &input.group_name).await?;
            let own_key = group.document.key.clone();
            let transaction = self.renamed_group(account, group, &input).await?;
            match self.store.commit(transaction).await {
                Ok(()) => return Ok(Empty {}),
                Err(StoreError::Conflict { key, found: Some(_) }) if key.kind == kind::GROUP && *key != own_key => {
                    return Err(taken(input.new_group_name.as_deref().unwrap_or_default()));
                }
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(store_failed(other)),
            }
        }
        Err(busy::<GroupRecord>(&input.group_name))
    }
}

impl Handles<op::DeleteGroup> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<DeleteGroupRequest>) -> Result<Empty, ApiError> {
        let group = self.holder::<GroupRecord>(self.account(cx), &input.group_name).await?;
        let in_the_way = [
            (group.record.members > 0, "Cannot delete entity, must remove users from group first."),
            (!group.record.attached.is_empty(), "Cannot delete entity, must detach all policies first."),
            (!group.record.inline.is_empty(), "Cannot delete entity, must delete policies first."),
        ];
        if let Some((_, message)) = in_the_way.iter().find(|(there, _)| *there) {
            return Err(delete_conflict(*message));
        }
        let expect = Expect::Generation(group.document.generation);
        self.commit(Transaction::new().delete(group.document.key.clone(), expect)).await?;
        Ok(Empty {})
    }
}
