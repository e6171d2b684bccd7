//! Instance profiles: their life and their one role. Their tags are in `tags`.
//!
//! Nothing of Stoa runs on an EC2 instance; they are kept because SDKs, Terraform and account reports know them.

mod tags;

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    AddRoleToInstanceProfileRequest, CreateInstanceProfileRequest, CreateInstanceProfileResponse,
    DeleteInstanceProfileRequest, GetInstanceProfileRequest, GetInstanceProfileResponse, InstanceProfile,
    ListInstanceProfilesForRoleRequest, ListInstanceProfilesForRoleResponse, ListInstanceProfilesRequest,
    ListInstanceProfilesResponse, RemoveRoleFromInstanceProfileRequest,
};
use stoa_schema::Empty;
use stoa_store::{Document, Expect, StoreError, Transaction};
use stoa_types::{AccountId, principal_id};

use crate::Iam;
use crate::documents::{add_tags, wire_tags};
use crate::error::{already_exists, delete_conflict, no_such_role, store_failed};
use crate::holder::{ATTEMPTS, busy, modifiable};
use crate::paging::{Items, Paging};
use crate::quotas::{INSTANCE_PROFILES, exceeded};
use crate::role::wire_role;
use crate::state::{
    InstanceProfileRecord, RoleRecord, global_key, instance_profile_key, kind, load, role_key, tag_list,
};

impl Iam {
    /// A profile as the API has it, with its role; listings leave out tags.
    async fn wire_profile(
        &self,
        account: &AccountId,
        profile: &InstanceProfileRecord,
        whole: bool,
    ) -> Result<InstanceProfile, ApiError> {
        let role = match &profile.role {
            Some(name) => load::<RoleRecord>(&*self.store, &role_key(account, name)).await?,
            None => None,
        };
        Ok(InstanceProfile {
            path: profile.path.clone(),
            instance_profile_name: profile.name.clone(),
            instance_profile_id: profile.id.clone(),
            arn: profile.arn.clone(),
            create_date: profile.created,
            roles: role.iter().map(|role| wire_role(&role.record, false)).collect(),
            tags: whole.then(|| wire_tags(&profile.tags)).flatten(),
        })
    }

    /// The profiles that a role is in.
    pub(crate) async fn profiles_of(
        &self,
        account: &AccountId,
        role: &RoleRecord,
    ) -> Result<Vec<InstanceProfile>, ApiError> {
        let mut profiles = Vec::with_capacity(role.instance_profiles.len());
        for id in &role.instance_profiles {
            let key = global_key(kind::INSTANCE_PROFILE, account, id);
            if let Some(profile) = load::<InstanceProfileRecord>(&*self.store, &key).await? {
                profiles.push(self.wire_profile(account, &profile.record, false).await?);
            }
        }
        Ok(profiles)
    }

    /// Changes profile and role together, again if another change came between.
    async fn change_profile_role(
        &self,
        cx: &Cx,
        profile: &str,
        role: &str,
        change: impl Fn(&mut InstanceProfileRecord, &mut RoleRecord) -> Result<(), ApiError> + Send + Sync,
    ) -> Result<(), ApiError> {
        let account = self.account(cx);
        for _ in 0..ATTEMPTS {
            let mut profile = self.holder::<InstanceProfileRecord>(account, profile).await?;
            let mut role = self.holder::<RoleRecord>(account, role).await?;
            modifiable(&role.record)?;
            change(&mut profile.record, &mut role.record)?;
            let transaction = Transaction::new().update(profile.changed(cx.now)?).update(role.changed(cx.now)?);
            match self.store.commit(transaction).await {
                Ok(()) => return Ok(()),
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(store_failed(other)),
            }
        }
        Err(busy::<InstanceProfileRecord>(profile))
    }

    fn page_of_profiles(
        &self,
        cx: &Cx,
        paging: &Paging<'_>,
        profiles: Vec<InstanceProfile>,
    ) -> Result<Items<InstanceProfile>, ApiError> {
        let list = profiles.into_iter().map(|profile| (profile.instance_profile_name.clone(), profile)).collect();
        self.page_of_list(cx, paging, list)
    }
}

impl Handles<op::CreateInstanceProfile> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<CreateInstanceProfileRequest>,
    ) -> Result<CreateInstanceProfileResponse, ApiError> {
        let input = input.into_inner();
        let account = self.account(cx);
        self.room_for(INSTANCE_PROFILES, account).await?;
        let path = input.path.unwrap_or_else(|| "/".to_owned());
        let name = input.instance_profile_name;
        let mut profile = InstanceProfileRecord {
            id: principal_id(&*self.ids, "AIPA"),
            arn: format!("arn:aws:iam::{account}:instance-profile{path}{name}"),
            name,
            path,
            created: cx.now,
            role: None,
            tags: Default::default(),
        };
        add_tags(&mut profile.tags, input.tags.unwrap_or_default())?;
        let key = instance_profile_key(account, &profile.name);
        let document = Document::new(key, &profile.name, cx.now, &profile).map_err(store_failed)?;
        let transaction = Transaction::new().create(document).set_tags(&profile.arn, tag_list(&profile.tags));
        let taken = || already_exists(format!("Instance Profile {} already exists.", profile.name));
        self.commit_or(transaction, taken).await?;
        Ok(CreateInstanceProfileResponse { instance_profile: self.wire_profile(account, &profile, true).await? })
    }
}

impl Handles<op::GetInstanceProfile> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GetInstanceProfileRequest>,
    ) -> Result<GetInstanceProfileResponse, ApiError> {
        let account = self.account(cx);
        let profile = self.holder::<InstanceProfileRecord>(account, &input.instance_profile_name).await?.record;
        Ok(GetInstanceProfileResponse { instance_profile: self.wire_profile(account, &profile, true).await? })
    }
}

impl Handles<op::DeleteInstanceProfile> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<DeleteInstanceProfileRequest>) -> Result<Empty, ApiError> {
        let account = self.account(cx);
        let profile = self.holder::<InstanceProfileRecord>(account, &input.instance_profile_name).await?;
        if profile.record.role.is_some() {
            return Err(delete_conflict("Cannot delete entity, must remove roles from instance profile first."));
        }
        let expect = Expect::Generation(profile.document.generation);
        let transaction =
            Transaction::new().delete(profile.document.key.clone(), expect).set_tags(&profile.record.arn, Vec::new());
        self.commit(transaction).await?;
        Ok(Empty {})
    }
}

impl Handles<op::ListInstanceProfiles> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListInstanceProfilesRequest>,
    ) -> Result<ListInstanceProfilesResponse, ApiError> {
        let account = self.account(cx);
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        let mut profiles = Vec::new();
        for document in self.all_of(kind::INSTANCE_PROFILE, account).await? {
            let profile: InstanceProfileRecord = document.decode().map_err(store_failed)?;
            if profile.path.starts_with(prefix) {
                profiles.push(self.wire_profile(account, &profile, false).await?);
            }
        }
        let paging = Paging {
            scope: format!("ListInstanceProfiles/{prefix}"),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let page = self.page_of_profiles(cx, &paging, profiles)?;
        Ok(ListInstanceProfilesResponse {
            is_truncated: page.truncated(),
            instance_profiles: page.items,
            marker: page.marker,
        })
    }
}

impl Handles<op::ListInstanceProfilesForRole> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListInstanceProfilesForRoleRequest>,
    ) -> Result<ListInstanceProfilesForRoleResponse, ApiError> {
        let account = self.account(cx);
        let role = self.holder::<RoleRecord>(account, &input.role_name).await?.record;
        let paging = Paging {
            scope: format!("ListInstanceProfilesForRole/{}", role.id),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let page = self.page_of_profiles(cx, &paging, self.profiles_of(account, &role).await?)?;
        Ok(ListInstanceProfilesForRoleResponse {
            is_truncated: page.truncated(),
            instance_profiles: page.items,
            marker: page.marker,
        })
    }
}

impl Handles<op::AddRoleToInstanceProfile> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<AddRoleToInstanceProfileRequest>) -> Result<Empty, ApiError> {
        let add = |profile: &mut InstanceProfileRecord, role: &mut RoleRecord| {
            if profile.role.is_some() {
                return Err(exceeded("InstanceSessionsPerInstanceProfile", 1));
            }
            profile.role = Some(role.name.clone());
            role.instance_profiles.push(profile.name.to_ascii_lowercase());
            Ok(())
        };
        self.change_profile_role(cx, &input.instance_profile_name, &input.role_name, add).await?;
        Ok(Empty {})
    }
}

impl Handles<op::RemoveRoleFromInstanceProfile> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<RemoveRoleFromInstanceProfileRequest>,
    ) -> Result<Empty, ApiError> {
        let remove = |profile: &mut InstanceProfileRecord, role: &mut RoleRecord| {
            if profile.role.as_ref() != Some(&role.name) {
                return Err(no_such_role(&role.name));
            }
            profile.role = None;
            let id = profile.name.to_ascii_lowercase();
            role.instance_profiles.retain(|own| *own != id);
            Ok(())
        };
        self.change_profile_role(cx, &input.instance_profile_name, &input.role_name, remove).await?;
        Ok(Empty {})
    }
}
