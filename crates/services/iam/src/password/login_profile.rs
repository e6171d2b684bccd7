//! Login profiles: the password of a user. Nothing of Stoa asks for one yet but ChangePassword.

use stoa_kernel::{ApiError, Authorized, Cx, Handles, PrincipalIdentity};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    ChangePasswordRequest, CreateLoginProfileRequest, CreateLoginProfileResponse, DeleteLoginProfileRequest,
    GetLoginProfileRequest, GetLoginProfileResponse, LoginProfile, UpdateLoginProfileRequest,
};
use stoa_schema::Empty;
use stoa_types::{AccountId, Timestamp};

use super::{FORMER, conforms, hashed, is_one_of, violation};
use crate::Iam;
use crate::error::{already_exists, no_such_entity};
use crate::state::{LoginProfileRecord, UserRecord};
use crate::targets::MISSING_USER;

fn missing(user: &str) -> ApiError {
    no_such_entity(format!("Login Profile for User {user} cannot be found."))
}

fn wire_profile(user: &str, login: &LoginProfileRecord) -> LoginProfile {
    LoginProfile {
        user_name: user.to_owned(),
        create_date: login.created,
        password_reset_required: Some(login.reset_required),
    }
}

impl LoginProfileRecord {
    fn replace_hash(&mut self, hash: String, now: Timestamp) {
        let old = std::mem::replace(&mut self.hash, hash);
        self.former.insert(0, old);
        self.former.truncate(FORMER);
        self.changed = now;
    }
}

impl Iam {
    fn user_with_password(&self, cx: &Cx, given: Option<&str>) -> Result<String, ApiError> {
        self.named_or_calling_user(cx, given)?.ok_or_else(|| ApiError::validation(MISSING_USER))
    }

    /// The hash of a new password, when it is as the account wants it.
    async fn acceptable(
        &self,
        account: &AccountId,
        password: &str,
        login: Option<&LoginProfileRecord>,
    ) -> Result<String, ApiError> {
        let policy = self.password_policy(account).await?;
        let name = self.load_account(account).await?.record.name;
        if !conforms(password, policy.as_ref(), &name) {
            return Err(violation());
        }
        let barred = policy.and_then(|policy| policy.reuse_prevention).unwrap_or(0);
        if let (Some(login), Ok(barred @ 1..)) = (login, usize::try_from(barred)) {
            let used = std::iter::once(&login.hash).chain(&login.former).take(barred).cloned().collect();
            if is_one_of(password, used).await? {
                return Err(violation());
            }
        }
        hashed(password, &*self.ids).await
    }

    /// Changes a password that is still the one that was read.
    async fn change_login(
        &self,
        account: &AccountId,
        user: &str,
        read: &LoginProfileRecord,
        change: impl Fn(&mut LoginProfileRecord) + Send + Sync,
    ) -> Result<(), ApiError> {
        let apply = |user: &mut UserRecord| {
            let login = user.login.as_mut().filter(|login| login.hash == read.hash);
            change(login.ok_or_else(|| {
                let message = format!("The password of {} is being changed by others.", user.name);
                ApiError::new("EntityTemporarilyUnmodifiableException", 409, message)
            })?);
            Ok(())
        };
        self.modify::<UserRecord>(account, user, apply).await.map(|_| ())
    }
}

impl Handles<op::CreateLoginProfile> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<CreateLoginProfileRequest>,
    ) -> Result<CreateLoginProfileResponse, ApiError> {
        let account = self.account(cx);
        let name = self.user_with_password(cx, input.user_name.as_deref())?;
        let taken = || already_exists(format!("Login Profile for user {name} already exists."));
        if self.holder::<UserRecord>(account, &name).await?.record.login.is_some() {
            return Err(taken());
        }
        let password = input.password.as_deref().ok_or_else(|| ApiError::validation("Password is required."))?;
        let login = LoginProfileRecord {
            created: cx.now,
            changed: cx.now,
            hash: self.acceptable(account, password, None).await?,
            former: Vec::new(),
            reset_required: input.password_reset_required.unwrap_or(false),
        };
        let set = |user: &mut UserRecord| match user.login {
            Some(_) => Err(taken()),
            None => {
                user.login = Some(login.clone());
                Ok(())
            }
        };
        self.modify(account, &name, set).await?;
        Ok(CreateLoginProfileResponse { login_profile: wire_profile(&name, &login) })
    }
}

impl Handles<op::GetLoginProfile> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GetLoginProfileRequest>,
    ) -> Result<GetLoginProfileResponse, ApiError> {
        let name = self.user_with_password(cx, input.user_name.as_deref())?;
        let user = self.holder::<UserRecord>(self.account(cx), &name).await?.record;
        let login = user.login.ok_or_else(|| missing(&name))?;
        Ok(GetLoginProfileResponse { login_profile: wire_profile(&name, &login) })
    }
}

impl Handles<op::UpdateLoginProfile> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<UpdateLoginProfileRequest>) -> Result<Empty, ApiError> {
        let account = self.account(cx);
        let name = &input.user_name;
        let user = self.holder::<UserRecord>(account, name).await?.record;
        let login = user.login.ok_or_else(|| missing(name))?;
        let hash = match &input.password {
            Some(password) => Some(self.acceptable(account, password, Some(&login)).await?),
            None => None,
        };
        let change = |login: &mut LoginProfileRecord| {
            if let Some(hash) = &hash {
                login.replace_hash(hash.clone(), cx.now);
            }
            login.reset_required = input.password_reset_required.unwrap_or(login.reset_required);
        };
        self.change_login(account, name, &login, change).await?;
        Ok(Empty {})
    }
}

impl Handles<op::DeleteLoginProfile> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<DeleteLoginProfileRequest>) -> Result<Empty, ApiError> {
        let name = self.user_with_password(cx, input.user_name.as_deref())?;
        let remove = |user: &mut UserRecord| user.login.take().map(|_| ()).ok_or_else(|| missing(&name));
        self.modify(self.account(cx), &name, remove).await?;
        Ok(Empty {})
    }
}

impl Handles<op::ChangePassword> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<ChangePasswordRequest>) -> Result<Empty, ApiError> {
        let PrincipalIdentity::User { name } = &cx.principal.identity else {
            let message = "Only IAM users can change their own password.";
            return Err(ApiError::new("InvalidUserTypeException", 400, message));
        };
        let account = self.account(cx);
        let user = self.holder::<UserRecord>(account, name).await?.record;
        let login = user.login.ok_or_else(|| missing(name))?;
        if !is_one_of(&input.old_password, vec![login.hash.clone()]).await? {
            return Err(ApiError::access_denied("The old password was incorrect."));
        }
        let hash = self.acceptable(account, &input.new_password, Some(&login)).await?;
        let change = |login: &mut LoginProfileRecord| {
            login.replace_hash(hash.clone(), cx.now);
            login.reset_required = false;
        };
        self.change_login(account, name, &login, change).await?;
        Ok(Empty {})
    }
}
