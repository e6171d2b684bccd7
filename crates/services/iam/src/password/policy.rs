//! The account's password policy.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{GetAccountPasswordPolicyResponse, PasswordPolicy, UpdateAccountPasswordPolicyRequest};
use stoa_schema::Empty;
use stoa_store::{Document, Expect, Transaction};
use stoa_types::AccountId;

use crate::Iam;
use crate::error::{no_such_entity, store_failed};
use crate::state::{PasswordPolicyRecord, load, password_policy_key};

const LEAST_LENGTH: i64 = 6;

impl Iam {
    /// The account's own policy, where it has one.
    pub(crate) async fn password_policy(&self, account: &AccountId) -> Result<Option<PasswordPolicyRecord>, ApiError> {
        let found = load::<PasswordPolicyRecord>(&*self.store, &password_policy_key(account)).await?;
        Ok(found.map(|found| found.record))
    }
}

impl Handles<op::UpdateAccountPasswordPolicy> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<UpdateAccountPasswordPolicyRequest>) -> Result<Empty, ApiError> {
        // What the request leaves out goes back to its default, as at AWS.
        let policy = PasswordPolicyRecord {
            minimum_length: input.minimum_password_length.unwrap_or(LEAST_LENGTH),
            symbols: input.require_symbols.unwrap_or(false),
            numbers: input.require_numbers.unwrap_or(false),
            uppercase: input.require_uppercase_characters.unwrap_or(false),
            lowercase: input.require_lowercase_characters.unwrap_or(false),
            users_may_change: input.allow_users_to_change_password.unwrap_or(false),
            max_age: input.max_password_age,
            reuse_prevention: input.password_reuse_prevention,
            hard_expiry: input.hard_expiry,
        };
        let key = password_policy_key(self.account(cx));
        let document = Document::new(key, "policy", cx.now, &policy).map_err(store_failed)?;
        self.commit(Transaction::new().put(document)).await?;
        Ok(Empty {})
    }
}

impl Handles<op::GetAccountPasswordPolicy> for Iam {
    async fn handle(&self, cx: &Cx, _input: Authorized<Empty>) -> Result<GetAccountPasswordPolicyResponse, ApiError> {
        let account = self.account(cx);
        let Some(policy) = self.password_policy(account).await? else {
            let message = format!("The Password Policy with domain name {account} cannot be found.");
            return Err(no_such_entity(message));
        };
        Ok(GetAccountPasswordPolicyResponse {
            password_policy: PasswordPolicy {
                minimum_password_length: Some(policy.minimum_length),
                require_symbols: Some(policy.symbols),
                require_numbers: Some(policy.numbers),
                require_uppercase_characters: Some(policy.uppercase),
                require_lowercase_characters: Some(policy.lowercase),
                allow_users_to_change_password: Some(policy.users_may_change),
                expire_passwords: Some(policy.max_age.is_some()),
                max_password_age: policy.max_age,
                password_reuse_prevention: policy.reuse_prevention,
                hard_expiry: policy.hard_expiry,
            },
        })
    }
}

impl Handles<op::DeleteAccountPasswordPolicy> for Iam {
    async fn handle(&self, cx: &Cx, _input: Authorized<Empty>) -> Result<Empty, ApiError> {
        let transaction = Transaction::new().delete(password_policy_key(self.account(cx)), Expect::Present);
        let missing = || no_such_entity("The account policy with name PasswordPolicy cannot be found.");
        self.commit_or(transaction, missing).await?;
        Ok(Empty {})
    }
}
