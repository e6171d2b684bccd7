//! Users: their life. Their policies are in `policies`, their tags in `tags`, their passwords in `crate::password`.

mod policies;
mod tags;
mod update;

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    AttachedPermissionsBoundary, CreateUserRequest, CreateUserResponse, DeleteUserRequest, GetUserRequest,
    GetUserResponse, ListUsersRequest, ListUsersResponse, PermissionsBoundaryAttachmentType, User,
};
use stoa_schema::Empty;
use stoa_store::{Document, Expect, Query, Transaction};
use stoa_types::{AccountId, principal_id};

use crate::Iam;
use crate::documents::{add_tags, wire_tags};
use crate::error::{already_exists, delete_conflict, store_failed};
use crate::paging::Paging;
use crate::quotas::USERS;
use crate::state::{UserRecord, kind, tag_list, user_key};
use crate::usage::principal_use_key;

/// A boundary as the API has it.
pub(crate) fn wire_boundary(arn: Option<&str>) -> Option<AttachedPermissionsBoundary> {
    arn.map(|arn| AttachedPermissionsBoundary {
        permissions_boundary_type: Some(PermissionsBoundaryAttachmentType::PermissionsBoundaryPolicy),
        permissions_boundary_arn: Some(arn.to_owned()),
    })
}

/// A user as the API has it; listings leave out tags and boundary.
pub(crate) fn wire_user(user: &UserRecord, whole: bool) -> User {
    User {
        path: user.path.clone(),
        user_name: user.name.clone(),
        user_id: user.id.clone(),
        arn: user.arn.clone(),
        create_date: user.created,
        password_last_used: None,
        permissions_boundary: whole.then(|| wire_boundary(user.boundary.as_deref())).flatten(),
        tags: whole.then(|| wire_tags(&user.tags)).flatten(),
    }
}

fn user_arn(account: &AccountId, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:user{path}{name}")
}

fn taken(name: &str) -> ApiError {
    already_exists(format!("User with name {name} already exists."))
}

impl Handles<op::CreateUser> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<CreateUserRequest>) -> Result<CreateUserResponse, ApiError> {
        let input = input.into_inner();
        let account = self.account(cx);
        self.room_for(USERS, account).await?;
        let path = input.path.unwrap_or_else(|| "/".to_owned());
        let mut user = UserRecord {
            id: principal_id(&*self.ids, "AIDA"),
            arn: user_arn(account, &path, &input.user_name),
            name: input.user_name,
            path,
            created: cx.now,
            inline: Default::default(),
            attached: Vec::new(),
            boundary: input.permissions_boundary,
            tags: Default::default(),
            access_keys: Vec::new(),
            groups: Vec::new(),
            login: None,
            mfa_devices: Vec::new(),
        };
        add_tags(&mut user.tags, input.tags.unwrap_or_default())?;
        let document = Document::new(user_key(account, &user.name), &user.name, cx.now, &user).map_err(store_failed)?;
        let mut transaction = Transaction::new().create(document).set_tags(&user.arn, tag_list(&user.tags));
        transaction = self.count_boundary(transaction, account, user.boundary.as_deref(), 1).await?;
        self.create_entity(transaction, &user_key(account, &user.name), || taken(&user.name)).await?;
        Ok(CreateUserResponse { user: Some(wire_user(&user, true)) })
    }
}

impl Handles<op::GetUser> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<GetUserRequest>) -> Result<GetUserResponse, ApiError> {
        let Some(name) = self.named_or_calling_user(cx, input.user_name.as_deref())? else {
            let account = self.load_account(self.account(cx)).await?.record;
            return Ok(GetUserResponse {
                user: User {
                    path: "/".to_owned(),
                    user_name: "root".to_owned(),
                    user_id: account.id.to_string(),
                    arn: cx.principal.arn.clone(),
                    create_date: account.created,
                    password_last_used: None,
                    permissions_boundary: None,
                    tags: None,
                },
            });
        };
        let user = self.holder::<UserRecord>(self.account(cx), &name).await?.record;
        Ok(GetUserResponse { user: wire_user(&user, true) })
    }
}

impl Handles<op::ListUsers> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<ListUsersRequest>) -> Result<ListUsersResponse, ApiError> {
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        let paging = Paging {
            scope: format!("ListUsers/{prefix}"),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let query = Query::of(kind::USER).owned_by(self.account(cx), None);
        let item = |document: &Document| {
            let user: UserRecord = document.decode().map_err(store_failed)?;
            Ok(user.path.starts_with(prefix).then(|| wire_user(&user, false)))
        };
        let page = self.page_of_documents(cx, &paging, query, item).await?;
        Ok(ListUsersResponse { is_truncated: page.truncated(), users: page.items, marker: page.marker })
    }
}

impl Handles<op::DeleteUser> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<DeleteUserRequest>) -> Result<Empty, ApiError> {
        let account = self.account(cx);
        let user = self.holder::<UserRecord>(account, &input.user_name).await?;
        let in_the_way = [
            (user.record.login.is_some(), "Cannot delete entity, must delete login profile first."),
            (!user.record.groups.is_empty(), "Cannot delete entity, must remove users from group first."),
            (!user.record.access_keys.is_empty(), "Cannot delete entity, must delete access keys first."),
            (!user.record.mfa_devices.is_empty(), "Cannot delete entity, must delete MFA device first."),
            (!user.record.attached.is_empty(), "Cannot delete entity, must detach all policies first."),
            (!user.record.inline.is_empty(), "Cannot delete entity, must delete policies first."),
        ];
        if let Some((_, message)) = in_the_way.iter().find(|(there, _)| *there) {
            return Err(delete_conflict(*message));
        }
        let expect = Expect::Generation(user.document.generation);
        let mut transaction =
            Transaction::new().delete(user.document.key.clone(), expect).set_tags(&user.record.arn, Vec::new());
        transaction = self.count_boundary(transaction, account, user.record.boundary.as_deref(), -1).await?;
        transaction = transaction.delete(principal_use_key(account, &user.record.id), Expect::Any);
        self.commit(transaction).await?;
        Ok(Empty {})
    }
}
